"""What a Task says of a reminder, and what a reminder tells a Task."""

from dataclasses import replace
from datetime import date

import pytest

from relay.reminders.mapping import (
    Labels,
    fields_of,
    importable,
    instant_of,
    labels_of,
    remote_task,
    subject_rule,
)
from relay.reminders.model import FIELDS, Priority, State, SubjectRule, Values
from relay.salesforce.exchange import PicklistRow
from relay.salesforce.model import Row

ROW: Row = {
    "Id": "00T000000000001AAA",
    "OwnerId": "005000000000001AAA",
    "Subject": " Call\nAnna ",
    "IsClosed": False,
    "IsHighPriority": False,
    "Priority": "Low",
    "ActivityDate": "2026-11-30",
    "Description": "line 1\r\nline 2\n",
    "WhoId": "003000000000001AAA",
    "Who": {"Name": "Anna Berg"},
    "CreatedDate": "2026-11-22T10:00:00.000+0000",
    "LastModifiedDate": "2026-11-22T11:00:00.000+0000",
}


def test_a_row_becomes_values() -> None:
    """One line of title, LF in details, a plain date, Low as normal, the person by name."""
    task = remote_task(ROW)
    assert task.values == Values("Call Anna", "line 1\nline 2", date(2026, 11, 30))
    assert (task.person.id, task.person.name) == ("003000000000001AAA", "Anna Berg")
    assert task.modified_at - task.created_at == 3600 * 1_000_000


def test_an_empty_task_is_a_reminder_without_anything() -> None:
    """Nulls everywhere are no error."""
    task = remote_task({"Id": "00T000000000001AAA", "Subject": None, "Description": None, "Who": None})
    assert task.values == Values("")
    assert instant_of(None) == 0


@pytest.mark.parametrize(
    ("fields", "taken"),
    [
        ({}, True),
        ({"IsClosed": True}, True),
        ({"TaskSubtype": "Email"}, False),
        ({"TaskSubtype": "List Email"}, False),
        ({"TaskSubtype": "Call"}, True),
        ({"TaskSubtype": "Call", "IsClosed": True}, False),
        ({"Type": "Email", "IsClosed": True}, False),
        ({"Type": "Email"}, True),
        ({"IsRecurrence": True}, False),
        ({"RecurrenceActivityId": "00T000000000009AAA"}, True),
        ({"IsArchived": True}, False),
        ({"IsDeleted": True}, False),
    ],
)
def test_what_is_taken_over(fields: Row, taken: bool) -> None:
    """Logs, masters of series, archived and deleted Tasks are not taken over; occurrences are."""
    assert importable(remote_task({**ROW, **fields})) is taken


def test_labels_are_the_organisations() -> None:
    """The default among those that fit is written, Normal before the default of priorities."""
    statuses = [
        PicklistRow("Abgebrochen", "", closed=True, order=2),
        PicklistRow("Erledigt", "", closed=True, order=1),
        PicklistRow("Neu", "", order=4),
        PicklistRow("Offen", "", default=True, order=9),
    ]
    priorities = [
        PicklistRow("Low", "", default=True),
        PicklistRow("Normal", ""),
        PicklistRow("Hot", "", high=True),
    ]
    assert labels_of(statuses, priorities) == Labels("Offen", "Erledigt", "Normal", "Hot")
    assert labels_of([], []) == Labels()


def test_fields_are_written_as_salesforce_has_them() -> None:
    """No due date and no details are null; state and priority are labels."""
    values = Values("Call", "", None, Priority.HIGH, State.DONE)
    assert fields_of(values, FIELDS, Labels()) == {
        "Subject": "Call",
        "Description": None,
        "ActivityDate": None,
        "Priority": "High",
        "Status": "Completed",
    }
    assert fields_of(replace(values, due=date(2026, 1, 2)), ["due"], Labels()) == {
        "ActivityDate": "2026-01-02"
    }


@pytest.mark.parametrize(
    ("setting", "template", "rule"),
    [
        ("auto", "{subject}", SubjectRule.BOTH),
        ("auto", "[Sales] {subject}", SubjectRule.OUT),
        ("auto", "{{activity_type}}: {{activity_subject}}", SubjectRule.OUT),
        ("auto", "Mail", SubjectRule.NONE),
        ("both", "Mail", SubjectRule.BOTH),
        ("none", "{subject}", SubjectRule.NONE),
    ],
)
def test_subject_rule(setting: str, template: str, rule: SubjectRule) -> None:
    """Auto is as documented: out only where the template uses the subject, back only without a template."""
    assert subject_rule(setting, template) is rule
