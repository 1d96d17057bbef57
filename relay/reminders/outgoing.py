"""Keep what is to be told to Salesforce and what became of it, in SQL: due, begun, taken, refused, gone.

Every verb takes part in the caller's transaction. A create is noted as begun before it is sent, with all that is sent.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from relay.reminders.judging import kept_after
from relay.reminders.links import Context, owed
from relay.reminders.merge import sent
from relay.reminders.model import Base, Link, Lost, Origin, Reminder, ReminderId, RepKey, Tally, WithPerson
from relay.reminders.rows import COLUMNS, number, reminder, write_base
from relay.reminders.store import forget, tell
from relay.reminders.switches import SwitchStore
from relay.storage.database import Transaction

# Theirs: of some reps, or given by them to a teammate of whom nothing is kept in step; none that somebody is asked about.
_THEIRS = """gone_at IS NULL AND (rep IN (SELECT value FROM json_each(?))
    OR (salesforce_id IS NOT NULL AND owner_id IN (SELECT value FROM json_each(?))))"""
# What is due to be told, of some reps.
_DUE = f"""
SELECT {COLUMNS} FROM reminder WHERE (next_push_at <= ? OR next_push_at > ?) AND {_THEIRS}
ORDER BY next_push_at, id LIMIT ?"""  # noqa: S608 - columns are ours
# Some of them, as they are now.
_SOME = f"SELECT {COLUMNS} FROM reminder WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"  # noqa: S608 - ours
# When the next is due.
_NEXT = f"SELECT min(next_push_at) FROM reminder WHERE next_push_at IS NOT NULL AND {_THEIRS}"  # noqa: S608 - conditions are ours
# A create begins: this is what is sent. What an earlier one made until now would have been found.
_BEGIN = """
UPDATE reminder SET push_started_at = ?, base = ?, owner_id = ? WHERE id = ? AND salesforce_id IS NULL"""
# Whom it is about.
_KNOW = "UPDATE reminder SET person_id = ?, person_name = ? WHERE id = ? AND person_id IS NULL"
# After a backup was put back: what was to be made then may have been made since.
_DOUBT = """
UPDATE reminder SET push_started_at = created_at, base = json_object('title', title, 'details', details, 'due', due,
    'priority', priority, 'state', state, 'subject', title)
WHERE salesforce_id IS NULL AND push_started_at IS NULL AND link = 'pending'"""
# A create that certainly did not happen.
_UNDO_BEGIN = "UPDATE reminder SET push_started_at = NULL, base = NULL, owner_id = NULL WHERE id = ?"
# Salesforce took it.
_TAKEN = """
UPDATE reminder SET salesforce_id = ?, owner_id = ?, base = ?, link = 'linked', reason = '', attempts = 0,
    push_started_at = NULL, changed = CASE WHEN ? THEN changed ELSE '{}' END, next_push_at = ?, seen_at = ?
WHERE id = ?"""
# Not now.
_LATER = "UPDATE reminder SET attempts = attempts + 1, next_push_at = ?, reason = ? WHERE id = ?"
# Salesforce will not have it.
_REFUSED = """
UPDATE reminder SET link = ?, reason = ?, next_push_at = NULL, attempts = 0, deleted_at = NULL WHERE id = ?"""
# What was refused is tried again.
_RETRY = """
UPDATE reminder SET next_push_at = ?, link = CASE WHEN salesforce_id IS NULL THEN 'pending' ELSE 'linked' END
WHERE rep = ? AND ((link = 'conflict' AND salesforce_id IS NOT NULL) OR link = 'error' OR next_push_at > ?)"""
# A text that Salesforce found too long.
_CUT = "UPDATE reminder SET details = ?, next_push_at = ? WHERE id = ?"
# It stays here, alone.
_UNTIE = """
UPDATE reminder SET link = ?, reason = ?, salesforce_id = NULL, owner_id = NULL, base = NULL, gone_at = NULL,
    next_push_at = NULL, push_started_at = NULL
WHERE id = ?"""
# Somebody is asked about it.
_AWAIT = "UPDATE reminder SET gone_at = ? WHERE id = ?"
# About which somebody is asked.
_AWAITING = "SELECT id FROM reminder WHERE rep = ? AND gone_at IS NOT NULL"
# How many of a rep's are linked.
_LINKED = """
SELECT count(*) FROM reminder WHERE rep = ? AND salesforce_id IS NOT NULL AND deleted_at IS NULL"""
LONGEST_WAIT = 3600 * 1_000_000
"""What is told later is told within so many microseconds."""


class OutgoingStore:
    """What Salesforce is to be told."""

    def due(self, tx: Transaction, reps: Mapping[RepKey, str], now: int, limit: int) -> list[Reminder]:
        """Give what is due to be told of these reps' reminders, the longest due first; deleted ones, too.

        `reps` with their Salesforce users: what one of them gave to a teammate is still to be told as well.

        What seems to be due further ahead than anything is put off is due, too: the clock was set back.
        """
        values = (now, now + 2 * LONGEST_WAIT, *_lists(reps), limit)
        return [reminder(row) for row in tx.execute(_DUE, values)]

    def some(self, tx: Transaction, which: Iterable[ReminderId]) -> list[Reminder]:
        """Give some reminders as they are now; deleted ones, too."""
        return [reminder(row) for row in tx.execute(_SOME, (json.dumps(list(which)),))]

    def next_due(self, tx: Transaction, reps: Mapping[RepKey, str]) -> int | None:
        """Give when the next is due to be told; None: nothing waits."""
        value = tx.execute(_NEXT, _lists(reps))[0][0]
        return None if value is None else number(value)

    def begin(self, tx: Transaction, one: Reminder, owner_id: str, server_now: int) -> None:
        """Note that a create begins, with all that is sent: should the answer be lost, it is found by that."""
        tx.execute(_BEGIN, (server_now, write_base(Base(one.values, one.values.title)), owner_id, one.id))

    def know(self, tx: Transaction, people: Mapping[ReminderId, WithPerson]) -> None:
        """Note whom reminders are about."""
        tx.execute_many(_KNOW, [(person.id, person.name, one) for one, person in people.items()])

    def doubt(self, tx: Transaction) -> None:
        """Have Salesforce searched for what was still to be made when a backup was made that is put back now."""
        tx.execute(_DOUBT)

    def undo_begin(self, tx: Transaction, which: ReminderId) -> None:
        """Note that a create certainly did not happen."""
        tx.execute(_UNDO_BEGIN, (which,))

    def made(self, tx: Transaction, snapshot: Reminder, task: str, owner_id: str, context: Context) -> None:
        """Note that a Task was made of what the snapshot holds; what was changed meanwhile is due."""
        base = Base(snapshot.values, snapshot.values.title)
        self._taken(tx, snapshot.id, task, owner_id, base, context)

    def told(
        self, tx: Transaction, snapshot: Reminder, names: tuple[str, ...], owner_id: str, context: Context
    ) -> None:
        """Note that Salesforce took the named fields as the snapshot holds them."""
        assert snapshot.base is not None
        assert snapshot.salesforce_id is not None
        base = sent(snapshot.base, snapshot.values, tuple(name for name in names if name != "owner"))
        self._taken(tx, snapshot.id, snapshot.salesforce_id, owner_id, base, context)

    def _taken(
        self, tx: Transaction, which: ReminderId, task: str, owner_id: str, base: Base, context: Context
    ) -> None:
        for now_held in self.some(tx, [which]):
            after = replace(now_held, base=base, owner_id=owner_id)
            due = context.now if now_held.deleted_at is not None or owed(after, context) else None
            kept = int(due is not None)
            tx.execute(_TAKEN, (task, owner_id, write_base(base), kept, due, context.now, which))

    def later(self, tx: Transaction, which: ReminderId, at: int, reason: str) -> None:
        """Note that it is told again at an instant."""
        tx.execute(_LATER, (at, reason, which))

    def refused(self, tx: Transaction, one: Reminder, reason: str) -> None:
        """Note that Salesforce will not have it; what stands here is kept, and a deletion is undone."""
        link = Link.ERROR if one.salesforce_id is None else Link.CONFLICT
        tx.execute(_REFUSED, (link, reason, one.id))

    def retry(self, tx: Transaction, rep: RepKey, now: int) -> None:
        """Have all that was refused, or waits for later, tried now."""
        tx.execute(_RETRY, (now, rep, now))

    def cut(self, tx: Transaction, one: Reminder, details: str, now: int) -> None:
        """Keep shorter details, since Salesforce takes no more; the history has the whole."""
        tx.execute(_CUT, (details, now, one.id))
        why = "Salesforce takes no more than this"
        tell(tx, one.id, [Lost("details", details, one.values.details, Origin.SALESFORCE, why)], now)

    # What is gone in Salesforce

    def vanish(
        self, tx: Transaction, gone: Mapping[ReminderId, int], context: Context
    ) -> dict[RepKey, Tally]:
        """Delete here what was deleted in Salesforce; what was edited here afterwards stays, untied, and says why."""
        tallies: dict[RepKey, Tally] = {}
        for one in self.some(tx, gone):
            at = gone[one.id]
            if one.deleted_at is None and kept_after(one, at, context.subject, context.skew):
                self._untie(
                    tx, one, Link.CONFLICT, "deleted in Salesforce before it was changed here; kept here only"
                )
                tally = Tally(conflicts=1)
            else:
                forget(tx, [one.id])
                tally = Tally(deleted=1)
            tallies[one.rep] = tallies.get(one.rep, Tally()) + tally
        return tallies

    def leave(self, tx: Transaction, left: Iterable[ReminderId], context: Context) -> dict[RepKey, Tally]:
        """Take out of the list what was assigned to somebody else; what was changed here and not told stays, untied."""
        tallies: dict[RepKey, Tally] = {}
        for one in self.some(tx, left):
            if one.deleted_at is None and owed(one, replace_users(context)):
                self._untie(tx, one, Link.CONFLICT, "assigned to somebody else in Salesforce; kept here only")
                tally = Tally(conflicts=1)
            else:
                forget(tx, [one.id])
                tally = Tally(deleted=1)
            tallies[one.rep] = tallies.get(one.rep, Tally()) + tally
        return tallies

    def _untie(self, tx: Transaction, one: Reminder, link: Link, reason: str) -> None:
        tx.execute(_UNTIE, (link, reason, one.id))

    def linked(self, tx: Transaction, rep: RepKey) -> int:
        """Give how many of a rep's reminders have a Task."""
        return number(tx.execute(_LINKED, (rep,))[0][0])

    def wait_for_word(self, tx: Transaction, gone: Mapping[ReminderId, int]) -> None:
        """Keep what is gone in Salesforce until somebody says whether that was meant."""
        tx.execute_many(_AWAIT, [(max(1, at), one) for one, at in gone.items()])

    def awaiting(self, tx: Transaction, rep: RepKey) -> list[ReminderId]:
        """Give what waits for that word."""
        return [ReminderId(number(row[0])) for row in tx.execute(_AWAITING, (rep,))]

    def keep_gone(self, tx: Transaction, rep: RepKey) -> int:
        """Keep here, untied, what was deleted in Salesforce; give how many."""
        waiting = self.some(tx, self.awaiting(tx, rep))
        for one in waiting:
            self._untie(tx, one, Link.NEVER_PUSH, "deleted in Salesforce; kept here by choice")
        return len(waiting)

    def forget_gone(self, tx: Transaction, rep: RepKey) -> int:
        """Delete here what was deleted in Salesforce, as somebody confirmed; give how many."""
        waiting = self.awaiting(tx, rep)
        forget(tx, waiting)
        return len(waiting)


def _lists(reps: Mapping[RepKey, str]) -> tuple[str, str]:
    return json.dumps(list(reps)), json.dumps(list(reps.values()))


def replace_users(context: Context) -> Context:
    """Give the context without owners, for what is owed beside the owner."""
    return replace(context, users={})


def decide_deletions(tx: Transaction, rep: RepKey, *, confirmed: bool) -> int:
    """Do as somebody said who was asked about many deletions: delete here, too, or keep what stands here, untied.

    Gives how many there were; from then on the rep's reminders are kept in step again.
    """
    outgoing = OutgoingStore()
    count = outgoing.forget_gone(tx, rep) if confirmed else outgoing.keep_gone(tx, rep)
    SwitchStore().storm(tx, rep, 0, "")
    return count
