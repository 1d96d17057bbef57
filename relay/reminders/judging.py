"""Judge what a Task that Salesforce shows means for the reminder here: nothing, new, changed, gone, somebody else's.

Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from relay.reminders.mapping import importable
from relay.reminders.merge import Merged, differs, merge
from relay.reminders.model import Base, Link, Reminder, RemoteTask, RepKey, State, SubjectRule


@dataclass(frozen=True, slots=True)
class Nothing:
    """It changes nothing here."""


@dataclass(frozen=True, slots=True)
class New:
    """It becomes a reminder of this rep."""

    rep: RepKey


@dataclass(frozen=True, slots=True)
class Changes:
    """Both sides are merged; the reminder may have come to another rep."""

    merged: Merged
    rep: RepKey
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """Salesforce has deleted it."""

    at: int


@dataclass(frozen=True, slots=True)
class NotOurs:
    """It was assigned to somebody whose reminders are not kept in step."""


Judgement = Nothing | New | Changes | Gone | NotOurs


def judge(
    task: RemoteTask,
    reminder: Reminder | None,
    owners: Mapping[str, RepKey],
    subject: SubjectRule,
    skew: int,
) -> Judgement:
    """Judge a Task. `owners`: whose reminders are kept in step, by Salesforce user.

    `skew` is how far Salesforce's clock is ahead of ours, so that "later" means the same on both sides.
    """
    rep = owners.get(task.owner_id)
    if reminder is None:
        return New(rep) if rep is not None and importable(task) else Nothing()
    if reminder.deleted_at is not None:
        return Nothing()  # deleted here: Salesforce is told, and a delete wins
    if task.deleted:
        return Gone(task.modified_at)
    if task.archived or task.recurrence_master:
        return Nothing()
    moved = task.owner_id != reminder.owner_id
    if moved and rep is None:
        return NotOurs()
    base = reminder.base or Base(task.values, task.values.title)
    changed = {name: at + skew for name, at in reminder.changed.items()}
    merged = merge(
        base, reminder.values, task.values, changed=changed, there_at=task.modified_at, subject=subject
    )
    return Changes(merged, rep if moved and rep is not None else reminder.rep, moved)


def kept_after(reminder: Reminder, gone_at: int, subject: SubjectRule, skew: int) -> bool:
    """Tell whether a reminder stays here though Salesforce deleted the Task: it was edited here afterwards.

    Having been completed is no edit: of a completion and a deletion the deletion wins.
    """
    names = set(differs(reminder.values, reminder.base, subject))
    if reminder.values.state is State.DONE:
        names.discard("state")
    return any(reminder.changed.get(name, 0) + skew > gone_at for name in names)


def refused_still(reminder: Reminder, task: RemoteTask) -> bool:
    """Tell whether a change that Salesforce refused need not be told again: nothing has changed there since."""
    base = reminder.base
    return reminder.link is Link.CONFLICT and base is not None and base.remote == task.values
