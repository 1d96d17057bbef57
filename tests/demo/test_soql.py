"""The simulated Salesforce answers the SOQL that it knows as the real one does, and refuses the rest."""

from datetime import timedelta

import pytest

from relay.demo.salesforce.clock import SimulatedClock
from relay.demo.salesforce.query import Cursors, page_size_of
from relay.demo.salesforce.records import Records
from relay.demo.salesforce.soql import Asking, QueryError, QueryResult, run
from relay.demo.salesforce.toggles import Toggles
from tests.support.clock import FakeClock

_NOON = 1_795_348_800_000_000
"""2026-11-22 12:00 UTC, a Sunday."""
_ADMIN = "005000000000001AAA"


class Organisation:
    """Records with somebody in them, and a short way to ask."""

    def __init__(self) -> None:
        self.clock = SimulatedClock(FakeClock(_NOON))
        self.records = Records(Toggles(), self.clock)
        self.ana = self.add("User", FirstName="Ana", LastName="Berg", Email="ana@example.com", IsActive=True)
        self.buyer = self.add("Account", Name="Buyer Ltd")
        self.kim = self.add("Contact", LastName="Lund", Email="Kim@Buyer.example", AccountId=self.buyer)
        self.lee = self.add("Lead", LastName="O'Neil", Company="50% off_now", Email="lee@x.test")

    def add(self, name: str, **fields: object) -> str:
        """Seed a record."""
        return str(self.records.insert(name, fields, user=_ADMIN)["Id"])

    def ask(self, soql: str, *, all_rows: bool = False) -> QueryResult:
        """Answer a statement."""
        asking = Asking(self.clock.now(), all_rows)
        return run(soql, self.records.seen_by(_ADMIN), self.records.schema, asking)

    def ids(self, soql: str, *, all_rows: bool = False) -> list[object]:
        """Give the ids of the rows."""
        return [row["Id"] for row in self.ask(soql, all_rows=all_rows).records]


@pytest.fixture
def org() -> Organisation:
    """A small organisation at noon of 22 November 2026."""
    return Organisation()


def _refused(org: Organisation, soql: str) -> str:
    with pytest.raises(QueryError) as refused:
        org.ask(soql)
    return refused.value.code


def test_a_row_has_attributes_and_every_field_that_was_asked_for(org: Organisation) -> None:
    """Fields come under their canonical names, empty ones as null; letter case of what is asked does not matter."""
    (row,) = org.ask("select id, EMAIL, title from contact where email = 'KIM@buyer.EXAMPLE'").records
    assert row == {
        "attributes": {"type": "Contact", "url": f"/services/data/v67.0/sobjects/Contact/{org.kim}"},
        "Id": org.kim,
        "Email": "kim@buyer.example",
        "Title": None,
    }


def test_parents_are_nested_and_null_when_missing(org: Organisation) -> None:
    """A parent comes as an object with attributes; without one the whole parent is null."""
    loner = org.add("Contact", LastName="Solo")
    rows = org.ask("SELECT Account.Name, Account.Owner.Name FROM Contact ORDER BY LastName").records
    account = rows[0]["Account"]
    assert isinstance(account, dict)
    assert account["Name"] == "Buyer Ltd"
    assert account["Owner"]["Name"] == "Ana Berg"
    assert rows[1]["Account"] is None
    assert org.ids("SELECT Id FROM Contact WHERE Account.Name = null") == [loner]


def test_who_is_a_name_whatever_it_is(org: Organisation) -> None:
    """A reference to contacts and leads gives Name, Type and Email of either."""
    org.add("Task", Subject="one", WhoId=org.kim)
    org.add("Task", Subject="two", WhoId=org.lee)
    rows = org.ask("SELECT Who.Name, Who.Type, Who.Email, What.Name FROM Task ORDER BY Subject").records
    found = [(row["Who"]["Name"], row["Who"]["Type"], row["Who"]["Email"]) for row in rows]  # type: ignore[index]
    assert found == [("Lund", "Contact", "kim@buyer.example"), ("O'Neil", "Lead", "lee@x.test")]
    assert rows[0]["What"] is None
    assert _refused(org, "SELECT Who.Company FROM Task") == "INVALID_FIELD"


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("LastName = 'o\\'neil'", True),
        ("LastName LIKE 'O%'", True),
        ("LastName LIKE '_neil'", False),
        ("Company LIKE '50\\% off\\_%'", True),
        ("Company LIKE '%off\\%%'", False),
        ("Email IN ('a@x.test', 'LEE@X.TEST')", True),
        ("Email NOT IN ('a@x.test')", True),
        ("Title NOT IN ('x')", True),
        ("Title = null AND Email != null", True),
        ("Title = ''", True),
        ("Title != 'Boss'", True),
        ("Title < 'Boss'", False),
        ("NOT Email = 'lee@x.test'", False),
        ("(Email = 'no' OR Email = 'lee@x.test') AND IsConverted = FALSE", True),
        ("Email = 'lee@x.test' AND (NOT LastName LIKE 'A%')", True),
        ("CreatedDate = TODAY", True),
        ("CreatedDate = YESTERDAY", False),
        ("CreatedDate = LAST_N_DAYS:7", True),
        ("CreatedDate < TODAY", False),
        ("CreatedDate >= 2026-11-22T00:00:00Z", True),
        ("CreatedDate > 2026-11-22T14:00:00+01:00", False),
        ("CreatedDate = THIS_MONTH AND CreatedDate = THIS_YEAR", True),
        ("CreatedDate = LAST_MONTH", False),
        ("Lead.Email = 'lee@x.test'", True),
        ("Id = '{lee}' OR Id = '{lee15}'", True),
        ("Owner.Name = 'ana berg'", True),
    ],
)
def test_a_condition_decides(org: Organisation, condition: str, found: bool) -> None:
    """Each condition finds the lead, or does not."""
    text = condition.replace("{lee15}", org.lee[:15]).replace("{lee}", org.lee)
    assert org.ids(f"SELECT Id FROM Lead WHERE {text}") == ([org.lee] if found else [])


@pytest.mark.parametrize(
    ("day", "condition", "found"),
    [
        ("2026-11-22", "= TODAY", True),
        ("2026-11-23", "= TOMORROW", True),
        ("2026-11-21", "= YESTERDAY", True),
        ("2026-11-21", "< TODAY", True),
        ("2026-11-22", "<= TODAY", True),
        ("2026-11-23", "<= TODAY", False),
        ("2026-11-23", "> TODAY", True),
        ("2026-11-22", "> TODAY", False),
        ("2026-11-29", "= NEXT_N_DAYS:7", True),
        ("2026-11-30", "= NEXT_N_DAYS:7", False),
        ("2026-11-22", "= THIS_WEEK", True),
        ("2026-11-21", "= LAST_WEEK", True),
        ("2026-11-29", "= NEXT_WEEK", True),
        ("2026-12-31", "= NEXT_MONTH", True),
        ("2027-01-01", "= NEXT_YEAR", True),
        ("2026-11-20", "= N_DAYS_AGO:2", True),
        ("2026-11-22", "= 2026-11-22", True),
        ("2026-11-22", "!= 2026-11-22", False),
        (None, "!= TODAY", True),
        (None, "< TODAY", False),
        (None, "= null", True),
    ],
)
def test_date_literals(org: Organisation, day: str | None, condition: str, found: bool) -> None:
    """A due date fits a literal of that day, week, month or span; an empty one only `!=` and null."""
    org.add("Task", ActivityDate=day)
    assert bool(org.ids(f"SELECT Id FROM Task WHERE ActivityDate {condition}")) is found


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("", "MALFORMED_QUERY"),
        ("SELECT FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Id Lead", "MALFORMED_QUERY"),
        ("SELECT * FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email = lee", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email = 'lee", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE LastName = 'O'Neil'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email = 'a\\x'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email IN ()", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email = 'a' AND Email = 'b' OR Email = 'c'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email = 'a' AND NOT Email = 'b'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE CreatedDate > 2026-11-22T10:00:00", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE CreatedDate > 2026-11-22T10:00:00 00:00", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE CreatedDate > 2026-02-30T10:00:00Z", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead LIMIT -1", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead LIMIT 1 nonsense", "MALFORMED_QUERY"),
        ("SELECT Id, COUNT(Email) FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Email, COUNT(Id) FROM Lead GROUP BY LastName", "MALFORMED_QUERY"),
        ("SELECT COUNT(), COUNT(Id) FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Id FROM ContentDocumentLink", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email = '" + "x" * 4001 + "'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead" + " " * 100_000, "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
        ("SELECT Id FROM Leads", "INVALID_TYPE"),
        ("SELECT Foo FROM Lead", "INVALID_FIELD"),
        ("SELECT Id, ID FROM Lead", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Foo = 1", "INVALID_FIELD"),
        ("SELECT Foo.Name FROM Lead", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Email = 1", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE IsConverted = 'true'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE CreatedDate = '2026-11-22T10:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE CreatedDate = 2026-11-22", "INVALID_FIELD"),
        ("SELECT Id FROM Task WHERE ActivityDate = 2026-11-22T10:00:00Z", "INVALID_FIELD"),
        ("SELECT Id FROM Task WHERE Description = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Task ORDER BY Description", "INVALID_FIELD"),
        ("SELECT COUNT(Id) FROM Task GROUP BY Description", "INVALID_FIELD"),
        ("SELECT Id FROM EmailMessage WHERE TextBody LIKE 'x%'", "INVALID_FIELD"),
        ("SELECT Id FROM EmailMessage WHERE ToIds = '003000000000001'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Id = 'lee'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Lead WHERE Id LIKE '00Q%'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Lead WHERE IsConverted > FALSE", "INVALID_QUERY_FILTER_OPERATOR"),
    ],
)
def test_what_is_wrong_is_refused_with_its_code(org: Organisation, soql: str, code: str) -> None:
    """Each mistake has the code that Salesforce answers it with."""
    assert _refused(org, soql) == code


def test_a_refusal_shows_the_place(org: Organisation) -> None:
    """The message names row, column and what was not expected."""
    with pytest.raises(QueryError, match=r"(?s)ERROR at Row:2:Column:7\nunexpected token: 'WERE'"):
        org.ask("SELECT Id FROM Lead x\n      WERE Email = 'a'")


def test_order_and_nulls(org: Organisation) -> None:
    """Nulls come first in both directions unless told otherwise; the second key decides what the first leaves."""
    for name, day in (("b", "2026-01-02"), ("a", None), ("C", "2026-01-01"), ("d", "2026-01-01")):
        org.add("Task", Subject=name, ActivityDate=day)

    def order(by: str) -> list[object]:
        return [row["Subject"] for row in org.ask(f"SELECT Subject FROM Task ORDER BY {by}").records]

    assert order("Subject") == ["a", "b", "C", "d"]
    assert order("ActivityDate, Subject DESC") == ["a", "d", "C", "b"]
    assert order("ActivityDate DESC, Subject") == ["a", "b", "C", "d"]
    assert order("ActivityDate DESC NULLS LAST, Subject") == ["b", "C", "d", "a"]
    assert order("Subject LIMIT 2 OFFSET 1") == ["b", "C"]


def test_counting(org: Organisation) -> None:
    """COUNT() has a total and no rows; groups have their key, their counts and their order."""
    for who in (org.kim, org.kim, org.lee, None):
        org.add("Task", WhoId=who)
    counted = org.ask("SELECT COUNT() FROM Task")
    assert (counted.total, counted.records) == (4, ())
    rows = org.ask("SELECT WhoId, COUNT(Id) n FROM Task GROUP BY WhoId ORDER BY COUNT(Id) DESC").records
    assert rows[0] == {"attributes": {"type": "AggregateResult"}, "WhoId": org.kim, "n": 2}
    assert sorted(row["n"] for row in rows) == [1, 1, 2]  # type: ignore[type-var]
    (row,) = org.ask("SELECT COUNT(WhoId), COUNT_DISTINCT(WhoId) d, MAX(CreatedDate) last FROM Task").records
    assert (row["expr0"], row["d"], row["last"]) == (3, 2, "2026-11-22T12:00:00.000+0000")
    assert org.ask("SELECT WhoId, COUNT(Id) n FROM Task GROUP BY WhoId ORDER BY n LIMIT 1").total == 1


def test_what_is_deleted_or_archived_is_hidden_from_query(org: Organisation) -> None:
    """Query shows neither, queryAll both, and it tells them apart."""
    gone, old, there = (org.add("Task", Subject=name, Status="Completed") for name in "abc")
    org.records.delete("Task", gone, user=_ADMIN)
    org.records.touch("Task", old, {"IsArchived": True})
    assert org.ids("SELECT Id FROM Task") == [there]
    assert org.ids("SELECT Id FROM Task", all_rows=True) == [gone, old, there]
    assert org.ids("SELECT Id FROM Task WHERE IsDeleted = true", all_rows=True) == [gone]
    assert org.ask("SELECT COUNT() FROM Task").total == 1


def test_statuses_are_rows(org: Organisation) -> None:
    """TaskStatus and TaskPriority are asked for like records."""
    rows = org.ask("SELECT MasterLabel FROM TaskStatus WHERE IsClosed = true ORDER BY SortOrder").records
    assert [row["MasterLabel"] for row in rows] == ["Completed"]


def test_pages(org: Organisation) -> None:
    """The pages together are all rows, as they were at the query; the last has no address of a next one."""
    for number in range(5):
        org.add("Task", Subject=str(number))
    cursors, now, life = Cursors(), org.clock.now(), timedelta(days=2)
    result = org.ask("SELECT Subject FROM Task ORDER BY Subject")
    page = cursors.first(result, page_size=2, version="67.0", user=_ADMIN, now=now)
    subjects, sizes = [], []
    while True:
        records = page["records"]
        assert isinstance(records, list)
        assert page["totalSize"] == 5
        sizes.append(len(records))
        subjects += [row["Subject"] for row in records]
        if page["done"]:
            break
        address = str(page["nextRecordsUrl"]).rsplit("/", 1)[-1]
        page = cursors.more(address, user=_ADMIN, now=now, life=life)
    assert "nextRecordsUrl" not in page
    assert subjects == ["0", "1", "2", "3", "4"]
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize(
    ("address", "user", "later"),
    [
        ("01gnonsense-2", _ADMIN, 0),
        ("{locator}", "005000000000002AAA", 0),
        ("{locator}", _ADMIN, 3),
        ("{start}-99", _ADMIN, 0),
        ("{start}", _ADMIN, 0),
    ],
)
def test_a_locator_that_is_no_good_is_refused(org: Organisation, address: str, user: str, later: int) -> None:
    """One unknown, of somebody else, older than two days, or beyond the end is INVALID_QUERY_LOCATOR."""
    for number in range(3):
        org.add("Task", Subject=str(number))
    cursors, now = Cursors(), org.clock.now()
    page = cursors.first(org.ask("SELECT Id FROM Task"), page_size=2, version="67.0", user=_ADMIN, now=now)
    locator = str(page["nextRecordsUrl"]).rsplit("/", 1)[-1]
    asked = address.replace("{locator}", locator).replace("{start}", locator.partition("-")[0])
    with pytest.raises(QueryError) as refused:
        cursors.more(asked, user=user, now=now + timedelta(days=later), life=timedelta(days=2))
    assert refused.value.code == "INVALID_QUERY_LOCATOR"


@pytest.mark.parametrize(
    ("header", "size"),
    [
        (None, 7),
        ("batchSize=500", 500),
        ("batchsize = 10", 200),
        ("x=1, batchSize=9999", 2000),
        ("batchSize=x", 7),
    ],
)
def test_page_size(header: str | None, size: int) -> None:
    """A caller may ask for 200 to 2,000 rows; else the organisation's own size holds."""
    assert page_size_of(header, 7) == size
