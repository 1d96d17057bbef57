"""The simulated Salesforce tells what was changed and deleted in a window, and what it makes of activities."""

from datetime import datetime, timedelta

import pytest

from relay.demo.salesforce.clock import SimulatedClock
from relay.demo.salesforce.records import Records
from relay.demo.salesforce.recurrence import dates
from relay.demo.salesforce.replication import Coverage, deleted, updated
from relay.demo.salesforce.soql import Asking
from relay.demo.salesforce.soql_source import QueryError
from relay.demo.salesforce.sosl import search
from relay.demo.salesforce.toggles import Toggles
from tests.support.clock import FakeClock

_NOON = 1_795_348_800_000_000
"""2026-11-22 12:00 UTC."""
_ADMIN = "005000000000001AAA"


@pytest.fixture
def records() -> Records:
    """An empty organisation at noon."""
    return Records(Toggles(), SimulatedClock(FakeClock(_NOON)))


def _add(records: Records, name: str, **fields: object) -> str:
    return str(records.insert(name, fields, user=_ADMIN)["Id"])


def _row(records: Records, record: str) -> dict[str, object]:
    row = records.get(record)
    assert row is not None
    return row


# -- windows -------------------------------------------------------------------------------------------------------


def _known(records: Records, *, lag: int = 0, cap: int = 1000) -> Coverage:
    return Coverage(records.clock.now(), timedelta(minutes=lag), cap, timedelta(days=15))


def _stamped(at: str, **fields: object) -> dict[str, object]:
    return {"Id": f"00T{at}", "SystemModstamp": f"2026-11-22T{at}.000+0000", **fields}


def test_seconds_of_a_window_are_cut_off(records: Records) -> None:
    """Of 11:00:30 to 11:05:30 both seconds are cut, so that 11:00:10 is in it and 11:05:10 is not."""
    rows = [_stamped("10:59:59"), _stamped("11:00:10"), _stamped("11:05:00"), _stamped("11:05:10")]
    answer = updated(rows, "2026-11-22T11:00:30+00:00", "2026-11-22T11:05:30+00:00", _known(records))
    assert answer == {
        "ids": ["00T11:00:10", "00T11:05:00"],
        "latestDateCovered": "2026-11-22T11:05:00.000+0000",
    }


def test_what_was_deleted_is_told_by_deleted_alone(records: Records) -> None:
    """A deleted record is in /deleted with its time, and not in /updated."""
    gone = _stamped("11:02:07", IsDeleted=True)
    window = ("2026-11-22T11:00:00Z", "2026-11-22T11:05:00Z")
    assert updated([gone], *window, _known(records))["ids"] == []
    assert deleted([gone], *window, _known(records)) == {
        "deletedRecords": [{"id": "00T11:02:07", "deletedDate": "2026-11-22T11:02:07.000+0000"}],
        "earliestDateAvailable": "2026-11-07T12:00:00.000+0000",
        "latestDateCovered": "2026-11-22T11:05:00.000+0000",
    }


def test_latest_date_covered_stays_behind(records: Records) -> None:
    """It is not after the organisation's time, less the lag that long transactions make."""
    window = ("2026-11-22T11:00:00Z", "2026-11-22T13:00:00Z")
    assert updated([], *window, _known(records))["latestDateCovered"] == "2026-11-22T12:00:00.000+0000"
    behind = updated([], *window, _known(records, lag=10))["latestDateCovered"]
    assert behind == "2026-11-22T11:50:00.000+0000"


@pytest.mark.parametrize(
    ("ask", "start", "end", "code"),
    [
        (updated, "2026-11-22T11:00:00Z", "2026-11-22T11:00:59Z", "INVALID_REPLICATION_DATE"),
        (updated, "2026-11-22T11:00:00Z", "2026-11-22T10:00:00Z", "INVALID_REPLICATION_DATE"),
        (updated, "2026-11-22T11:00:00Z", "2026-11-22T11:01:00Z", ""),
        (deleted, "2026-11-22T11:00:00Z", "2026-11-22T11:01:59Z", "INVALID_REPLICATION_DATE"),
        (deleted, "2026-11-22T11:00:00Z", "2026-11-22T11:02:00Z", ""),
        (updated, "2026-10-23T12:00:00Z", "2026-11-22T11:00:00Z", ""),
        (updated, "2026-10-23T11:59:00Z", "2026-11-22T11:00:00Z", "INVALID_REPLICATION_DATE"),
        (deleted, "2026-11-07T12:00:00Z", "2026-11-22T11:00:00Z", ""),
        (deleted, "2026-11-07T11:59:00Z", "2026-11-22T11:00:00Z", "INVALID_REPLICATION_DATE"),
        (deleted, "2026-11-22T11:00:00", "2026-11-22T12:00:00", "ILLEGAL_QUERY_PARAMETER_VALUE"),
        (deleted, "yesterday", "2026-11-22T12:00:00Z", "ILLEGAL_QUERY_PARAMETER_VALUE"),
        (deleted, "2026-11-22T11:00:00%3A", "2026-11-22T12:00:00Z", "ILLEGAL_QUERY_PARAMETER_VALUE"),
    ],
)
def test_bounds_of_a_window(records: Records, ask: type, start: str, end: str, code: str) -> None:
    """Too short, too far back, without a zone: refused with its code; at the very bound: answered."""
    refusal = ""
    try:
        ask([], start, end, _known(records))
    except QueryError as refused:
        refusal = refused.code
    assert refusal == code


def test_too_many_ids_are_refused(records: Records) -> None:
    """More than the cap is EXCEEDED_ID_LIMIT, so that the caller takes a smaller window."""
    rows = [_stamped("11:00:10"), _stamped("11:00:11")]
    for ask in (updated, deleted):
        with pytest.raises(QueryError) as refused:
            ask(rows, "2026-11-22T11:00:00Z", "2026-11-22T11:05:00Z", _known(records, cap=1))
        assert refused.value.code == "EXCEEDED_ID_LIMIT"


# -- activities ------------------------------------------------------------------------------------------------------


def test_derived_fields_of_a_task(records: Records) -> None:
    """IsClosed, IsHighPriority, CompletedDateTime and AccountId follow from what is written, and follow again."""
    account = _add(records, "Account", Name="Buyer")
    contact = _add(records, "Contact", LastName="Kim", AccountId=account)
    task = _add(
        records, "Task", WhoId=contact, Status="Completed", Priority="High", ActivityDate="2026-11-20"
    )
    row = _row(records, task)
    assert (row["IsClosed"], row["IsHighPriority"], row["AccountId"]) == (True, True, account)
    assert str(row["CompletedDateTime"]).startswith("2026-11-22T12:00")
    assert _row(records, contact)["LastActivityDate"] == "2026-11-20"
    records.change("Task", task, {"Status": "In Progress", "WhoId": None}, user=_ADMIN)
    row = _row(records, task)
    assert (row["IsClosed"], row["CompletedDateTime"], row["AccountId"]) == (False, None, None)


def test_an_opportunity_gives_the_account(records: Records) -> None:
    """AccountId comes from WhatId before WhoId."""
    one, other = _add(records, "Account", Name="One"), _add(records, "Account", Name="Other")
    contact = _add(records, "Contact", LastName="Kim", AccountId=one)
    deal = _add(records, "Opportunity", Name="Deal", AccountId=other, StageName="Prospecting")
    task = _add(records, "Task", WhoId=contact, WhatId=deal)
    assert _row(records, task)["AccountId"] == other


def test_the_task_of_a_mail(records: Records) -> None:
    """An EmailMessage makes a closed Task on its first person, with the first closed status, and names it."""
    records.toggles.status_values = (("Open", False), ("Done", True), ("Completed", True))
    contact = _add(records, "Contact", LastName="Kim", Email="kim@buyer.example")
    user = _add(records, "User", LastName="Bo")
    mail = _add(
        records, "EmailMessage", Subject="s" * 300, TextBody="t" * 40_000, Status="3",
        ToIds=[user, contact], MessageDate="2026-11-21T10:00:00.000+0000",
    )  # fmt: skip
    task = _row(records, str(_row(records, mail)["ActivityId"]))
    assert (task["Status"], task["IsClosed"], task["TaskSubtype"]) == ("Done", True, "Email")
    assert (len(str(task["Subject"])), len(str(task["Description"]))) == (255, 32_000)
    assert (task["WhoId"], task["OwnerId"], task["ActivityDate"]) == (contact, _ADMIN, "2026-11-21")
    relations = records.live("EmailMessageRelation")
    assert {(one["RelationId"], one["RelationType"]) for one in relations} == {
        (user, "ToAddress"),
        (contact, "ToAddress"),
    }
    records.delete("EmailMessage", mail, user=_ADMIN)
    assert records.live("Task") == records.live("EmailMessageRelation") == []


def test_a_draft_and_a_case_mail_make_no_task(records: Records) -> None:
    """Only mail that was sent, and belongs to no case, gets its Task here."""
    _add(records, "EmailMessage", Status="5")
    _add(records, "EmailMessage", Status="3", ParentId="500000000000001AAA")
    assert records.rows("Task") == []


def test_a_mail_related_anew_gets_another_task(records: Records) -> None:
    """A change of RelatedToId deletes the Task and makes one anew, so that nobody may rely on ActivityId."""
    mail = _add(records, "EmailMessage", Status="3")
    first = _row(records, mail)["ActivityId"]
    deal = _add(records, "Opportunity", Name="Deal", StageName="Prospecting")
    records.change("EmailMessage", mail, {"RelatedToId": deal}, user=_ADMIN)
    (task,) = records.live("Task")
    assert task["Id"] == _row(records, mail)["ActivityId"] != first
    assert task["WhatId"] == deal


def test_shared_activities(records: Records) -> None:
    """With Shared Activities one Task has several contacts, counted, and a TaskRelation for each."""
    records.toggles.shared_activities = True
    one, two, three = (_add(records, "Contact", LastName=name) for name in "abc")
    task = _add(records, "Task", TaskWhoIds=[one, two])
    assert (_row(records, task)["WhoId"], _row(records, task)["WhoCount"]) == (one, 2)
    relation = records.insert("TaskRelation", {"TaskId": task, "RelationId": three}, user=_ADMIN)
    assert _row(records, task)["TaskWhoIds"] == [one, two, three]
    records.delete("TaskRelation", str(relation["Id"]), user=_ADMIN)
    records.delete("Contact", one, user=_ADMIN)
    assert (_row(records, task)["WhoId"], _row(records, task)["TaskWhoIds"]) == (two, [two])
    assert {row["RelationId"] for row in records.live("TaskRelation")} == {two}


def test_deleting_a_contact_changes_its_tasks(records: Records) -> None:
    """Its Tasks stay, without it, and count as changed."""
    contact = _add(records, "Contact", LastName="Kim")
    task = _add(records, "Task", WhoId=contact)
    before = _row(records, task)["SystemModstamp"]
    records.delete("Contact", contact, user=_ADMIN)
    row = _row(records, task)
    assert (row["WhoId"], row["IsDeleted"]) == (None, False)
    assert str(row["SystemModstamp"]) > str(before)


def test_a_converted_lead_hands_its_activities_to_the_contact(records: Records) -> None:
    """Tasks of a lead are the contact's once it is converted."""
    lead, contact = _add(records, "Lead", LastName="Lee"), _add(records, "Contact", LastName="Lee")
    task = _add(records, "Task", WhoId=lead)
    records.change("Lead", lead, {"IsConverted": True, "ConvertedContactId": contact}, user=_ADMIN)
    assert _row(records, task)["WhoId"] == contact


def test_a_series_makes_its_tasks_and_takes_them_along(records: Records) -> None:
    """A master makes one Task for each date; deleting it by API deletes all, the closed ones, too."""
    master = _add(
        records, "Task", Subject="Call", IsRecurrence=True, RecurrenceType="RecursDaily", RecurrenceInterval=2,
        RecurrenceStartDateOnly="2026-11-23", RecurrenceEndDateOnly="2026-11-28",
    )  # fmt: skip
    series = [row for row in records.live("Task") if row.get("RecurrenceActivityId") == master]
    assert [row["ActivityDate"] for row in series] == ["2026-11-23", "2026-11-25", "2026-11-27"]
    assert {row["Subject"] for row in series} == {"Call"}
    assert _row(records, master)["ActivityDate"] is None
    records.change("Task", str(series[0]["Id"]), {"Status": "Completed"}, user=_ADMIN)
    records.delete("Task", master, user=_ADMIN)
    assert records.live("Task") == []


def test_a_series_that_regenerates_makes_the_next_when_one_is_closed(records: Records) -> None:
    """The next Task appears when this one is closed, as many days after its due date as the interval says."""
    _add(
        records, "Task", IsRecurrence=True, RecurrenceType="RecursDaily", RecurrenceInterval=3,
        RecurrenceRegeneratedType="RecurrenceRegenerateAfterDueDate", RecurrenceStartDateOnly="2026-11-23",
    )  # fmt: skip
    (first,) = (row for row in records.live("Task") if row.get("ActivityDate"))
    records.change("Task", str(first["Id"]), {"Status": "Completed"}, user=_ADMIN)
    days = sorted(str(row["ActivityDate"]) for row in records.live("Task") if row.get("ActivityDate"))
    assert days == ["2026-11-23", "2026-11-26"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"RecurrenceType": "RecursEveryWeekday"}, ["2026-11-23", "2026-11-24", "2026-11-25"]),
        (
            {"RecurrenceType": "RecursWeekly", "RecurrenceInterval": 2, "RecurrenceDayOfWeekMask": 4 + 16},
            ["2026-11-24", "2026-11-26", "2026-12-08"],
        ),
        (
            {"RecurrenceType": "RecursMonthly", "RecurrenceInterval": 1, "RecurrenceDayOfMonth": 31},
            ["2026-12-31", "2027-01-31", "2027-03-31"],
        ),
        (
            {
                "RecurrenceType": "RecursMonthlyNth",
                "RecurrenceInterval": 1,
                "RecurrenceInstance": "Last",
                "RecurrenceDayOfWeekMask": 32,
            },
            ["2026-11-27", "2026-12-25", "2027-01-29"],
        ),
        (
            {
                "RecurrenceType": "RecursYearly",
                "RecurrenceMonthOfYear": "February",
                "RecurrenceDayOfMonth": 3,
            },
            ["2027-02-03", "2028-02-03", "2029-02-03"],
        ),
    ],
)
def test_dates_of_a_series(rule: dict[str, object], expected: list[str]) -> None:
    """Each kind of rule gives its dates from Monday 23 November 2026 on."""
    found = dates({"RecurrenceStartDateOnly": "2026-11-23", **rule})[:3]
    assert [day.isoformat() for day in found] == expected


def test_closed_tasks_are_archived_with_age(records: Records) -> None:
    """A Task closed and due a year ago is archived; an open one stays."""
    done = _add(records, "Task", Status="Completed", ActivityDate="2025-11-22")
    still = _add(records, "Task", Status="Not Started", ActivityDate="2025-11-22")
    later = _add(records, "Task", Status="Completed", ActivityDate="2025-11-23")
    records.age()
    archived = [_row(records, task).get("IsArchived") for task in (done, still, later)]
    assert archived == [True, False, False]


# -- search ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"FIND {Kim@buyer.example} IN EMAIL FIELDS RETURNING Contact(Id, Email)", ["Contact"]),
        (r"find {kim\@buyer.example} in email fields returning Contact, Lead(Id)", ["Contact", "Lead"]),
        (r"FIND {kim\@buyer.example} RETURNING Lead(Id WHERE IsConverted = true)", []),
        (r"FIND {kim\@*} IN EMAIL FIELDS RETURNING Contact(Id), Lead(Id) LIMIT 1", ["Contact"]),
        (r"FIND {nobody\@x.test OR kim\@buyer.example} IN EMAIL FIELDS RETURNING Contact(Id)", ["Contact"]),
        (r"FIND {Kim} IN NAME FIELDS RETURNING Contact(Id)", ["Contact"]),
        (r"FIND {Kim} IN EMAIL FIELDS RETURNING Contact(Id)", []),
    ],
)
def test_a_search_finds_by_email(records: Records, text: str, found: list[str]) -> None:
    """FIND … IN EMAIL FIELDS compares whole addresses, whatever the letter case."""
    _add(records, "Contact", LastName="Kim", Email="kim@buyer.example")
    _add(records, "Lead", LastName="Lee", Email="kim@buyer.example")
    answer = search(text, records.seen_by(_ADMIN), records.schema, Asking(records.clock.now()))
    rows = answer["searchRecords"]
    assert isinstance(rows, list)
    assert [row["attributes"]["type"] for row in rows] == found


@pytest.mark.parametrize(
    "text",
    [
        "FIND kim RETURNING Contact",
        "FIND {kim-x} RETURNING Contact",
        "FIND {k} RETURNING Contact",
        "FIND {kim}",
    ],
)
def test_a_search_that_cannot_be_read_is_refused(records: Records, text: str) -> None:
    """Unescaped reserved characters and too short terms are MALFORMED_SEARCH."""
    with pytest.raises(QueryError) as refused:
        search(text, records.seen_by(_ADMIN), records.schema, Asking(datetime.fromtimestamp(0).astimezone()))
    assert refused.value.code == "MALFORMED_SEARCH"
