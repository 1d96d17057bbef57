"""What follows from activities when they are saved or deleted: Tasks of mail, series, relations, LastActivityDate.

Records call it; the rules themselves stand in `activity_rules` and `recurrence`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.demo.salesforce import recurrence
from relay.demo.salesforce.activity_rules import (
    activity_dates,
    derived,
    ids_in,
    makes_task,
    task_of_email,
    without_person,
)

if TYPE_CHECKING:
    from relay.demo.salesforce.records import Records, Row

_PEOPLE = ("Contact", "Lead")


def before_save(records: Records, name: str, row: Row, before: Row | None) -> None:
    """Fill in the derived fields of a Task before it is stored."""
    if name == "Task":
        row |= derived(row, before, records.toggles, records.find, str(row["LastModifiedDate"]))


def after_save(records: Records, name: str, row: Row, before: Row | None, *, user: str) -> None:
    """Make what follows from a row that was stored."""
    match name:
        case "Task":
            _after_task(records, row, before, user)
        case "EmailMessage":
            _after_email(records, row, before, user)
        case "TaskRelation":
            _join(records, row, user)
        case "Lead" if row.get("IsConverted") and not (before or {}).get("IsConverted"):
            _move(records, str(row["Id"]), row.get("ConvertedContactId"), user)
        case _:
            pass


def after_delete(records: Records, name: str, row: Row, *, user: str) -> None:
    """Take along, or let go of, the activities of a row that was deleted."""
    record = str(row["Id"])
    match name:
        case "Contact" | "Lead":
            _let_go(records, record, user)
        case "Account" | "Opportunity" | "Campaign" | "Case":
            for task in records.live("Task"):
                if task.get("WhatId") == record:
                    records.change("Task", str(task["Id"]), {"WhatId": None}, user=user)
        case "EmailMessage":
            _delete(records, row.get("ActivityId"), user)
        case "TaskRelation":
            _leave(records, row, user)
        case "Task" if recurrence.is_master(row):  # by API all occurrences go, also the closed ones
            for task in records.live("Task"):
                if task.get("RecurrenceActivityId") == record:
                    records.delete("Task", str(task["Id"]), user=user)
        case _:
            pass


# -- Task ----------------------------------------------------------------------------------------------------------


def _after_task(records: Records, row: Row, before: Row | None, user: str) -> None:
    for record, day in activity_dates(row):
        _move_last_activity(records, record, day)
    if records.toggles.shared_activities:
        _relate(records, row, before, user)
    if before is None and recurrence.is_master(row):
        for occurrence in recurrence.occurrences(row):
            records.insert("Task", occurrence, user=user)
    elif row.get("IsClosed") and before is not None and not before.get("IsClosed"):
        _regenerate(records, row, user)


def _move_last_activity(records: Records, record: str, day: str) -> None:
    found = records.find(record)
    if found is None or found[1]["IsDeleted"]:
        return
    shape = records.schema.find(found[0])
    if shape and shape.find("LastActivityDate") and str(found[1].get("LastActivityDate") or "") < day:
        records.touch(found[0], record, {"LastActivityDate": day})


def _regenerate(records: Records, row: Row, user: str) -> None:
    master = records.get(str(row.get("RecurrenceActivityId") or ""))
    following = recurrence.regenerated(row, master, records.clock.now().date()) if master else None
    if following is not None:
        records.insert("Task", following, user=user)


def _relate(records: Records, row: Row, before: Row | None, user: str) -> None:
    """Keep the TaskRelation rows of a Task equal to its WhatId and TaskWhoIds."""
    wanted = dict.fromkeys(ids_in(row.get("TaskWhoIds")), False)
    if row.get("WhatId"):
        wanted[str(row["WhatId"])] = True
    if before is not None and _targets(before) == set(wanted):
        return
    there = [] if before is None else records.having("TaskRelation", "TaskId", row["Id"])
    for relation in there:
        if relation.get("RelationId") not in wanted:
            records.delete("TaskRelation", str(relation["Id"]), user=user)
    known = {relation.get("RelationId") for relation in there}
    for one, is_what in wanted.items():
        if one not in known:
            given = {
                "TaskId": row["Id"],
                "RelationId": one,
                "IsWhat": is_what,
                "AccountId": row.get("AccountId"),
            }
            records.insert("TaskRelation", given, user=user)


def _targets(task: Row) -> set[str]:
    return {*ids_in(task.get("TaskWhoIds")), *([str(task["WhatId"])] if task.get("WhatId") else [])}


def _join(records: Records, relation: Row, user: str) -> None:
    """Take a person or record that was related by a TaskRelation into its Task."""
    task = records.get(str(relation.get("TaskId") or ""))
    one = str(relation.get("RelationId") or "")
    if task is None or one in _targets(task):
        return
    found = records.find(one)
    if found is not None and found[0] in _PEOPLE:
        changes: Row = {"TaskWhoIds": [*ids_in(task.get("TaskWhoIds")), one]}
    else:
        changes = {"WhatId": one}
        relation["IsWhat"] = True
    records.change("Task", str(task["Id"]), changes, user=user)


def _leave(records: Records, relation: Row, user: str) -> None:
    task = records.get(str(relation.get("TaskId") or ""))
    one = str(relation.get("RelationId") or "")
    if task is None or task["IsDeleted"] or one not in _targets(task):
        return
    changes = without_person(task, one) or {"WhatId": None}
    records.change("Task", str(task["Id"]), changes, user=user)


# -- EmailMessage and people -----------------------------------------------------------------------------------------


def _after_email(records: Records, row: Row, before: Row | None, user: str) -> None:
    """Make the Task of a mail; when what it is related to changes, it is deleted and made anew."""
    if not makes_task(row):
        return
    if before is not None and makes_task(before):
        if all(row.get(name) == before.get(name) for name in ("RelatedToId", "ToIds", "CcIds", "BccIds")):
            return
        _delete(records, row.get("ActivityId"), user)
    task = records.insert("Task", task_of_email(row, user, records.toggles, records.find), user=user)
    row["ActivityId"] = task["Id"]  # it is the row that was just stored


def _delete(records: Records, task: object, user: str) -> None:
    if isinstance(task, str) and records.get(task) is not None:
        records.delete("Task", task, user=user)


def _let_go(records: Records, person: str, user: str) -> None:
    """Take a deleted person off the Tasks, which counts as a change of them."""
    shared = records.toggles.shared_activities
    for task in records.live("Task") if shared else records.having("Task", "WhoId", person):
        changes = without_person(task, person)
        if changes:
            records.change("Task", str(task["Id"]), changes, user=user)


def _move(records: Records, lead: str, contact: object, user: str) -> None:
    """Move the activities of a converted lead to its contact."""
    if not isinstance(contact, str):
        return
    for task in records.having("Task", "WhoId", lead):
        records.change("Task", str(task["Id"]), {"WhoId": contact}, user=user)
    for relation in records.having("EmailMessageRelation", "RelationId", lead):
        records.change("EmailMessageRelation", str(relation["Id"]), {"RelationId": contact}, user=user)
