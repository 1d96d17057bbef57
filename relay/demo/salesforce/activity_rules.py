"""The rules by which activities get what nobody writes: a Task's derived fields, the Task of an EmailMessage.

Pure: complete rows in, fields out.
Sources: Object Reference, "Task", "EmailMessage", "EmailMessageRelation", "TaskRelation"; Enhanced Email considerations.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from relay.demo.salesforce.objects_activity import default_priority
from relay.demo.salesforce.toggles import Status, Toggles

Row = Mapping[str, object]
Fields = dict[str, object]
Find = Callable[[str], tuple[str, Row] | None]
"""Gives the object's name and the row of an id, also of a deleted one; None: there is none."""

LONGEST_SUBJECT = 255
LONGEST_DESCRIPTION = 32_000
_DRAFT = "5"
_RELATIONS = ("ToIds", "CcIds", "BccIds")
_ACTIVITY_OF = ("Contact", "Lead")


def derived(task: Row, before: Row | None, toggles: Toggles, find: Find, stamp: str) -> Fields:
    """Give the read-only fields of a Task as it is about to be saved; `before` is its last state, if there was one."""
    closed = is_closed(toggles.status_values, task.get("Status")) and not task.get("IsRecurrence")
    fields: Fields = {
        "IsClosed": closed,
        "IsHighPriority": is_closed(toggles.priority_values, task.get("Priority")),
        "CompletedDateTime": (task.get("CompletedDateTime") or stamp) if closed else None,
        "AccountId": account_of(task, find),
    }
    if task.get("IsRecurrence"):
        fields["ActivityDate"] = None  # a master has no date of its own
    if toggles.shared_activities:
        fields |= shared(task, before)
    return fields


def is_closed(labels: Sequence[Status], label: object) -> bool:
    """Tell what the organisation's list says of a label: that it is closed, or that it is high."""
    return any(name == label and meaning for name, meaning in labels)


def first_closed(labels: Sequence[Status]) -> str:
    """Give the closed status that comes first in Setup, which need not be Completed."""
    return next((name for name, closed in labels if closed), labels[-1][0])


def account_of(task: Row, find: Find) -> str | None:
    """Give AccountId: the account that WhatId is or belongs to, else that of the contact in WhoId."""
    for name in ("WhatId", "WhoId"):
        target = task.get(name)
        found = find(target) if isinstance(target, str) and target else None
        if found is not None:
            account = found[1].get("Id") if found[0] == "Account" else found[1].get("AccountId")
            if isinstance(account, str):
                return account
    return None


def shared(task: Row, before: Row | None) -> Fields:
    """Give WhoId, TaskWhoIds and the counts under Shared Activities: the first id given is the primary one."""
    given = ids_in(task.get("TaskWhoIds"))
    who = task.get("WhoId")
    if before is not None and who != before.get("WhoId") and given == ids_in(before.get("TaskWhoIds")):
        given = [one for one in given if one != before.get("WhoId")]  # the primary one alone was changed
    if not who and given:
        who = given[0]
    if isinstance(who, str) and who:
        given = [who, *(one for one in given if one != who)]
    return {
        "WhoId": who or None,
        "TaskWhoIds": given,
        "WhoCount": len(given),
        "WhatCount": 1 if task.get("WhatId") else 0,
    }


def ids_in(value: object) -> list[str]:
    """Give the ids of a JSON array field, each once."""
    listed = value if isinstance(value, (list, tuple)) else ()
    return list(dict.fromkeys(one for one in listed if isinstance(one, str)))


# -- EmailMessage ------------------------------------------------------------------------------------------------


def makes_task(email: Row) -> bool:
    """Tell whether Salesforce makes the Task of an EmailMessage: not of a draft, nor of a case's mail."""
    return email.get("Status") != _DRAFT and not email.get("ParentId")


def task_of_email(email: Row, owner: str, toggles: Toggles, find: Find) -> Fields:
    """Give the fields of the Task that Salesforce makes of an EmailMessage, without those that `derived` gives."""
    people = people_of_email(email, find)
    who = people[0] if people else None
    on_lead = who is not None and _object_of(who, find) == "Lead"
    fields: Fields = {
        "Subject": str(email.get("Subject") or "")[:LONGEST_SUBJECT] or None,
        "Description": str(email.get("TextBody") or "")[:LONGEST_DESCRIPTION] or None,
        "Status": first_closed(toggles.status_values),
        "Priority": default_priority(toggles.priority_values),
        "TaskSubtype": "Email",
        "ActivityDate": str(email.get("MessageDate") or email.get("CreatedDate") or "")[:10] or None,
        "OwnerId": owner,
        "WhoId": who,
        "WhatId": None if on_lead else email.get("RelatedToId"),
    }
    if toggles.shared_activities and who is not None:
        fields["TaskWhoIds"] = (
            [who] if on_lead else [one for one in people if _object_of(one, find) == "Contact"]
        )
    return fields


def people_of_email(email: Row, find: Find) -> list[str]:
    """Give the contacts and leads of an EmailMessage in the order To, Cc, Bcc."""
    named = [one for name in _RELATIONS for one in ids_in(email.get(name))]
    return [one for one in dict.fromkeys(named) if _object_of(one, find) in _ACTIVITY_OF]


def _object_of(record_id: str, find: Find) -> str | None:
    found = find(record_id)
    return found[0] if found else None


# -- deletion ----------------------------------------------------------------------------------------------


def without_person(task: Row, person: str) -> Fields | None:
    """Give what changes on a Task when a contact or lead is deleted; None: nothing."""
    others = [one for one in ids_in(task.get("TaskWhoIds")) if one != person]
    changes: Fields = {}
    if person in ids_in(task.get("TaskWhoIds")):
        changes["TaskWhoIds"] = others
    if task.get("WhoId") == person:
        changes["WhoId"] = others[0] if others else None
    return changes or None


def activity_dates(task: Row) -> Iterable[tuple[str, str]]:
    """Give the records whose LastActivityDate a closed Task moves, and the date it moves it to, if it is later."""
    day = task.get("ActivityDate")
    if task.get("IsClosed") and isinstance(day, str) and not task.get("IsDeleted"):
        for name in ("WhoId", "WhatId", "AccountId"):
            target = task.get(name)
            if isinstance(target, str) and target:
                yield target, day
        for person in ids_in(task.get("TaskWhoIds")):
            yield person, day
