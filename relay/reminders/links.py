"""Keep what ties reminders to Tasks: take in what Salesforce shows, and note what became of what it was told, in SQL.

Every verb takes part in the caller's transaction. What to do with a Task is judged in relay.reminders.judging.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from relay.reminders.judging import Changes, Gone, New, NotOurs, judge, refused_still
from relay.reminders.merge import differs
from relay.reminders.model import (
    FIELDS,
    NOTHING,
    Base,
    Link,
    Reminder,
    ReminderId,
    RemoteTask,
    RepKey,
    SubjectRule,
    Tally,
)
from relay.reminders.rows import COLUMNS, number, reminder, write_base, write_changed, written
from relay.reminders.store import tell
from relay.storage.database import Transaction

# Those that are known by their Tasks.
_KNOWN = f"SELECT {COLUMNS} FROM reminder WHERE salesforce_id IN (SELECT value FROM json_each(?))"  # noqa: S608 - ours
# Those whose making was begun and not answered.
_DOUBTFUL = f"SELECT {COLUMNS} FROM reminder WHERE push_started_at IS NOT NULL AND salesforce_id IS NULL"  # noqa: S608 - ours
# A Task that becomes a reminder.
_IMPORT = """
INSERT INTO reminder (rep, title, details, due, priority, state, person_id, person_name, origin, made_by, created_at,
    changed_at, link, salesforce_id, owner_id, base, seen_at, push_key)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'salesforce', ?, ?, ?, 'linked', ?, ?, ?, ?, '')"""
# What both sides were merged to.
_MERGED = """
UPDATE reminder SET rep = ?, title = ?, details = ?, due = ?, priority = ?, state = ?, changed = ?, link = ?,
    reason = ?, owner_id = ?, base = ?, person_id = ?, person_name = ?, seen_at = ?, gone_at = NULL, next_push_at = ?
WHERE id = ?"""
# Seen, and as it was.
_SEEN = "UPDATE reminder SET seen_at = ? WHERE id = ?"
# A create that did happen.
_FOUND = "UPDATE reminder SET salesforce_id = ?, owner_id = ?, push_started_at = NULL, link = 'linked' WHERE id = ?"
# Linked ones that were not looked at for the longest time.
_LEAST_SEEN = """
SELECT salesforce_id FROM reminder
WHERE rep IN (SELECT value FROM json_each(?)) AND salesforce_id IS NOT NULL AND deleted_at IS NULL
    AND gone_at IS NULL AND link <> 'never_push'
ORDER BY seen_at, id LIMIT ?"""
# All linked ones of a rep, portion by portion.
_LINKED_AFTER = """
SELECT id, salesforce_id FROM reminder
WHERE rep = ? AND id > ? AND salesforce_id IS NOT NULL AND gone_at IS NULL ORDER BY id LIMIT ?"""


@dataclass(frozen=True, slots=True)
class Context:
    """What judging needs to know beside the Tasks themselves."""

    owners: Mapping[str, RepKey]
    """Whose reminders are kept in step, by Salesforce user."""
    users: Mapping[RepKey, str]
    """The Salesforce user of every rep who has one."""
    subject: SubjectRule
    skew: int
    """How far Salesforce's clock is ahead of ours, in microseconds."""
    now: int


@dataclass(slots=True)
class Absorbed:
    """What came of taking in some Tasks."""

    tallies: dict[RepKey, Tally] = field(default_factory=dict)
    gone: dict[ReminderId, int] = field(default_factory=dict)
    """Deleted in Salesforce, with the instant; 0: not known."""
    left: set[ReminderId] = field(default_factory=set)
    """Assigned to somebody whose reminders are not kept in step."""
    seen: set[str] = field(default_factory=set)

    def count(self, rep: RepKey, tally: Tally) -> None:
        """Add to a rep's tally."""
        self.tallies[rep] = self.tallies.get(rep, NOTHING) + tally

    def add(self, other: "Absorbed") -> None:
        """Take over what came of more."""
        for rep, tally in other.tallies.items():
            self.count(rep, tally)
        self.gone |= other.gone
        self.left |= other.left
        self.seen |= other.seen


class LinkStore:
    """The ties between reminders and Tasks."""

    def known(self, tx: Transaction, ids: Iterable[str]) -> dict[str, Reminder]:
        """Give the reminders of Tasks, by the Task's id; deleted ones, too."""
        found = map(reminder, tx.execute(_KNOWN, (json.dumps(list(ids)),)))
        return {one.salesforce_id: one for one in found if one.salesforce_id is not None}

    def doubtful(self, tx: Transaction) -> list[Reminder]:
        """Give the reminders whose making was begun and not answered; deleted ones, too."""
        return [reminder(row) for row in tx.execute(_DOUBTFUL)]

    def least_seen(self, tx: Transaction, reps: Sequence[RepKey], limit: int) -> list[str]:
        """Give the Tasks of these reps that were not looked at for the longest time."""
        return [str(row[0]) for row in tx.execute(_LEAST_SEEN, (json.dumps(list(reps)), limit))]

    def linked(self, tx: Transaction, rep: RepKey, after: int, limit: int) -> list[tuple[ReminderId, str]]:
        """Give a rep's linked reminders above an id, with their Tasks."""
        rows = tx.execute(_LINKED_AFTER, (rep, after, limit))
        return [(ReminderId(number(one)), str(task)) for one, task in rows]

    def absorb(self, tx: Transaction, tasks: Sequence[RemoteTask], context: Context) -> Absorbed:
        """Take in Tasks as Salesforce shows them; what is gone is only told, since somebody may be asked first.

        Two rows of one Task (a poll that overlaps itself) count by the later one.
        """
        latest = {task.id: task for task in sorted(tasks, key=lambda task: task.modified_at)}
        known = self.known(tx, latest)
        doubtful = self.doubtful(tx) if len(known) < len(latest) else []
        absorbed = Absorbed(seen=set(latest))
        for task in latest.values():
            held = known.get(task.id) or self._was_made(tx, task, doubtful)
            self._absorb(tx, task, held, context, absorbed)
        return absorbed

    def _was_made(self, tx: Transaction, task: RemoteTask, doubtful: list[Reminder]) -> Reminder | None:
        """Find the create that this Task came of, when its answer was lost."""
        made = next((one for one in doubtful if came_of(task, one)), None)
        if made is None:
            return None
        doubtful.remove(made)
        tx.execute(_FOUND, (task.id, task.owner_id, made.id))
        return replace(
            made, salesforce_id=task.id, owner_id=task.owner_id, push_started_at=None, link=Link.LINKED
        )

    def _absorb(
        self, tx: Transaction, task: RemoteTask, held: Reminder | None, context: Context, into: Absorbed
    ) -> None:
        match judge(task, held, context.owners, context.subject, context.skew):
            case New(rep):
                self._import(tx, task, rep, context.now)
                into.count(rep, Tally(pulled=1))
            case Changes() as changes:
                assert held is not None
                self._merge(tx, task, held, changes, context, into)
            case Gone(at):
                assert held is not None
                into.gone[held.id] = at
            case NotOurs():
                assert held is not None
                into.left.add(held.id)
            case _:
                if held is not None:
                    tx.execute(_SEEN, (context.now, held.id))

    def _import(self, tx: Transaction, task: RemoteTask, rep: RepKey, now: int) -> None:
        base = write_base(Base(task.values, task.values.title))
        person = (task.person.id, task.person.name)
        about = (rep, task.created_at or now, task.modified_at or now, task.id, task.owner_id, base, now)
        tx.execute(_IMPORT, (rep, *written(task.values), *person, *about))

    def _merge(
        self,
        tx: Transaction,
        task: RemoteTask,
        held: Reminder,
        changes: Changes,
        context: Context,
        into: Absorbed,
    ) -> None:
        merged = changes.merged
        person = task.person if task.person.id != held.person.id else held.person
        rep = changes.rep
        after = replace(held, rep=rep, values=merged.here, base=merged.base, owner_id=task.owner_id)
        if task.person.name:
            person = replace(person, name=task.person.name)
        names = owed(after, context)
        due = None if not names else held.next_push_at or context.now
        link, reason = Link.LINKED, ""
        if refused_still(held, task) and names:
            link, reason, due = held.link, held.reason, None
        changed = {name: at for name, at in held.changed.items() if name in names}
        tie = replace(after, link=link, reason=reason, next_push_at=due, changed=changed)
        new = replace(tie, person=person, gone_at=None)
        if new == held:
            tx.execute(_SEEN, (context.now, held.id))
            return
        self._write(tx, new, context.now)
        tell(tx, held.id, merged.lost, context.now)
        pulled = int((new.values, new.rep, new.person.id) != (held.values, held.rep, held.person.id))
        if pulled or merged.lost:
            into.count(rep, Tally(pulled=pulled, conflicts=len(merged.lost)))

    def _write(self, tx: Transaction, new: Reminder, now: int) -> None:
        assert new.base is not None
        tie = (write_changed(new.changed), new.link, new.reason, new.owner_id, write_base(new.base))
        person = (new.person.id, new.person.name)
        tx.execute(_MERGED, (new.rep, *written(new.values), *tie, *person, now, new.next_push_at, new.id))


def owed(one: Reminder, context: Context) -> tuple[str, ...]:
    """Name what Salesforce is still to be told of a linked reminder; "owner" when it was given to a teammate here."""
    names = differs(one.values, one.base, context.subject)
    user = context.users.get(one.rep)
    return (*names, "owner") if user is not None and user != one.owner_id else names


def came_of(task: RemoteTask, one: Reminder) -> bool:
    """Tell whether a Task is the one whose making was not answered: by our key, else by all that was sent."""
    if task.key:
        return task.key == one.push_key
    if one.base is None or one.push_started_at is None:
        return False
    early = task.created_at < one.push_started_at - 300_000_000
    # It may have been completed meanwhile.
    same = all(getattr(task.values, name) == getattr(one.base.remote, name) for name in FIELDS[:-1])
    whose = one.owner_id is None or task.owner_id == one.owner_id  # not known when a backup was put back
    return same and not early and whose and task.person.id == one.person.id
