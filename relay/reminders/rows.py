"""Read reminders out of rows of the database, and write what both sides last had.

Pure.
"""

import json
from collections.abc import Mapping
from datetime import date

from relay.ids import queue_id_of
from relay.reminders.model import (
    Base,
    Link,
    Origin,
    Priority,
    Reminder,
    ReminderId,
    RepKey,
    State,
    Values,
    WithPerson,
)
from relay.storage.database import Row, Value

COLUMNS = """id, rep, title, details, due, priority, state, kind, person_id, person_name, person_email, message,
    origin, made_by, created_at, changed_at, changed, deleted_at, link, reason, salesforce_id, owner_id, base,
    gone_at, push_key, push_started_at, attempts, next_push_at"""
"""The columns that `reminder` reads, in its order."""


def reminder(row: Row) -> Reminder:
    """Make a reminder of a row of COLUMNS."""
    return Reminder(
        id=ReminderId(number(row[0])),
        rep=RepKey(str(row[1])),
        values=Values(str(row[2]), str(row[3]), read_date(row[4]), Priority(str(row[5])), State(str(row[6]))),
        kind=str(row[7]),
        person=WithPerson(text(row[8]), str(row[9]), str(row[10])),
        message=None if row[11] is None else queue_id_of(number(row[11])),
        origin=Origin(str(row[12])),
        made_by=RepKey(str(row[13])),
        created_at=number(row[14]),
        changed_at=number(row[15]),
        changed=read_changed(row[16]),
        deleted_at=maybe_number(row[17]),
        link=Link(str(row[18])),
        reason=str(row[19]),
        salesforce_id=text(row[20]),
        owner_id=text(row[21]),
        base=read_base(row[22]),
        gone_at=maybe_number(row[23]),
        push_key=str(row[24]),
        push_started_at=maybe_number(row[25]),
        attempts=number(row[26]),
        next_push_at=maybe_number(row[27]),
    )


def written(values: Values) -> tuple[Value, ...]:
    """Give the columns title, details, due, priority and state."""
    return (values.title, values.details, write_date(values.due), values.priority, values.state)


def write_base(base: Base) -> str:
    """Write what both sides last had."""
    title, details, due, priority, state = written(base.values)
    kept = {"title": title, "details": details, "due": due, "priority": priority, "state": state}
    return json.dumps({**kept, "subject": base.subject}, ensure_ascii=False, separators=(",", ":"))


def read_base(value: Value) -> Base | None:
    """Read it back."""
    if value is None:
        return None
    read = json.loads(str(value))
    due = None if read["due"] is None else date.fromisoformat(read["due"])
    values = Values(read["title"], read["details"], due, Priority(read["priority"]), State(read["state"]))
    return Base(values, read["subject"])


def write_changed(changed: Mapping[str, int]) -> str:
    """Write when which field was changed."""
    return json.dumps(dict(changed), separators=(",", ":"))


def read_changed(value: Value) -> dict[str, int]:
    """Read it back."""
    return {str(name): int(at) for name, at in json.loads(str(value)).items()}


def write_date(day: date | None) -> str | None:
    """Write a plain date."""
    return None if day is None else day.isoformat()


def read_date(value: Value) -> date | None:
    """Read a plain date."""
    return None if value is None else date.fromisoformat(str(value))


def number(value: Value) -> int:
    """Read a number that is there."""
    assert isinstance(value, int)
    return value


def maybe_number(value: Value) -> int | None:
    """Read a number or nothing."""
    return None if value is None else number(value)


def text(value: Value) -> str | None:
    """Read a text or nothing."""
    return None if value is None else str(value)
