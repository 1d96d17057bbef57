"""Turn a Task as Salesforce gives it into what a reminder knows of it, and a reminder's fields into a Task's.

Pure. Done is IsClosed and high is IsHighPriority, never a label: labels belong to the organisation (Object Reference,
TaskStatus and TaskPriority), and only a change from open to done, or back, is ever written.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from relay.reminders.model import (
    Priority,
    RemoteTask,
    State,
    SubjectRule,
    Values,
    WithPerson,
    clean_details,
    clean_title,
)
from relay.salesforce.exchange import PicklistRow
from relay.salesforce.model import Json, Row

COLUMNS = (
    "Id, OwnerId, Subject, IsClosed, IsHighPriority, ActivityDate, Description, WhoId, Who.Name, TaskSubtype, Type, "
    "IsRecurrence, IsArchived, IsDeleted, CreatedDate, LastModifiedDate, SystemModstamp"
)
"""What is asked of a Task."""
KEY_FIELD = "Relay_Key__c"
LOG_SUBTYPES = frozenset({"Email", "List Email", "Cadence"})
LOG_TYPES = frozenset({"Email", "Reply"})

_PLACEHOLDER = re.compile(r"\{+\s*(?:activity_)?subject\s*\}+")


@dataclass(frozen=True, slots=True)
class Labels:
    """The organisation's own words for what is written."""

    open: str = "Not Started"
    done: str = "Completed"
    normal: str = "Normal"
    high: str = "High"

    def status(self, state: State) -> str:
        """Give the Status to write."""
        return self.done if state is State.DONE else self.open

    def priority(self, priority: Priority) -> str:
        """Give the Priority to write."""
        return self.high if priority is Priority.HIGH else self.normal


SHIPPED = Labels()
"""The words of an organisation that changed none."""


def labels_of(statuses: Sequence[PicklistRow], priorities: Sequence[PicklistRow]) -> Labels:
    """Choose the labels to write: the default among those that fit, else the first; ours where none fits."""
    return Labels(
        _chosen([row for row in statuses if not row.closed], SHIPPED.open),
        _chosen([row for row in statuses if row.closed], SHIPPED.done),
        _chosen([row for row in priorities if not row.high], SHIPPED.normal, prefer=SHIPPED.normal),
        _chosen([row for row in priorities if row.high], SHIPPED.high),
    )


def _chosen(rows: Sequence[PicklistRow], otherwise: str, prefer: str = "") -> str:
    if any(row.value == prefer for row in rows):
        return prefer
    ordered = sorted(rows, key=lambda row: (not row.default, row.order))
    return ordered[0].value if ordered else otherwise


def subject_rule(setting: str, template: str) -> SubjectRule:
    """Say which way titles travel: with auto, both; out where logging.subject adds to a title; none where it has none.

    As documented of the product: titles go out only when the template uses the subject, and come back only without.
    """
    if setting != "auto":
        return SubjectRule(setting)
    if _PLACEHOLDER.fullmatch(template.strip()) or not template.strip():
        return SubjectRule.BOTH
    return SubjectRule.OUT if _PLACEHOLDER.search(template) else SubjectRule.NONE


def remote_task(row: Row) -> RemoteTask:
    """Read a row of a query with COLUMNS."""
    return RemoteTask(
        id=_text(row.get("Id")),
        owner_id=_text(row.get("OwnerId")),
        values=Values(
            title=clean_title(_text(row.get("Subject"))),
            details=clean_details(_text(row.get("Description"))),
            due=_date(row.get("ActivityDate")),
            priority=Priority.HIGH if row.get("IsHighPriority") else Priority.NORMAL,
            state=State.DONE if row.get("IsClosed") else State.OPEN,
        ),
        created_at=instant_of(row.get("CreatedDate")),
        modified_at=instant_of(row.get("LastModifiedDate")),
        person=_person(row),
        deleted=bool(row.get("IsDeleted")),
        archived=bool(row.get("IsArchived")),
        recurrence_master=bool(row.get("IsRecurrence")),
        subtype=_text(row.get("TaskSubtype")),
        type=_text(row.get("Type")),
        key=_text(row.get(KEY_FIELD)),
    )


def _person(row: Row) -> WithPerson:
    who = row.get("Who")
    name = _text(who.get("Name")) if isinstance(who, Mapping) else ""
    return WithPerson(_text(row.get("WhoId")) or None, name)


def _text(value: Json | None) -> str:
    return value if isinstance(value, str) else ""


def _date(value: Json | None) -> date | None:
    return date.fromisoformat(value[:10]) if isinstance(value, str) and value else None


def instant_of(value: Json | None) -> int:
    """Read an instant such as 2026-11-22T10:00:00.000+0000; 0 when there is none."""
    if not isinstance(value, str) or not value:
        return 0
    when = datetime.fromisoformat(value)
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000) * 1000


def importable(task: RemoteTask) -> bool:
    """Tell whether a Task that is not known here becomes a reminder.

    Not what is deleted or archived, a recurrence master (its occurrences do), or a log: an e-mail, a call that was
    made, our own records.
    """
    if task.deleted or task.archived or task.recurrence_master or task.subtype in LOG_SUBTYPES:
        return False
    done = task.values.state is State.DONE
    return not (done and (task.subtype == "Call" or task.type in LOG_TYPES))


def fields_of(values: Values, names: Sequence[str], labels: Labels) -> dict[str, Json]:
    """Give the named fields as Salesforce is told them."""
    written: dict[str, Json] = {}
    for name in names:
        match name:
            case "title":
                written["Subject"] = values.title
            case "details":
                written["Description"] = values.details or None
            case "due":
                written["ActivityDate"] = None if values.due is None else values.due.isoformat()
            case "priority":
                written["Priority"] = labels.priority(values.priority)
            case "state":
                written["Status"] = labels.status(values.state)
            case _:
                raise AssertionError(f"{name} does not travel")
    return written
