"""Keep reminders: what people do with them, in SQL. The side of Salesforce is in relay.reminders.links.

Every verb takes part in the caller's transaction. A change of what Salesforce is to hear of makes it due to be told.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from relay.errors import CommandError
from relay.ids import QueueId, number_of
from relay.reminders.model import (
    FIELDS,
    NOBODY,
    Link,
    Lost,
    Origin,
    Priority,
    Reminder,
    ReminderId,
    RepKey,
    State,
    Values,
    WithPerson,
    clean_details,
    clean_title,
    tomorrow_of,
)
from relay.reminders.rows import COLUMNS, number, reminder, write_changed, write_date, written
from relay.storage.database import Row, Transaction, Value

# A new reminder.
_ADD = """
INSERT INTO reminder (rep, title, details, due, priority, state, kind, person_id, person_name, person_email, message,
    origin, made_by, created_at, changed_at, link, push_key, next_push_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?) RETURNING id"""
# The name it goes by when it is made in Salesforce.
_NAME = "UPDATE reminder SET push_key = ? WHERE id = ?"
# One reminder that is not deleted.
_GET = f"SELECT {COLUMNS} FROM reminder WHERE id = ? AND deleted_at IS NULL"  # noqa: S608 - columns are ours
# What somebody changed.
_CHANGE = """
UPDATE reminder SET rep = ?, title = ?, details = ?, due = ?, priority = ?, state = ?, changed = ?, changed_at = ?,
    link = ?, reason = ?, attempts = 0, next_push_at = ?
WHERE id = ?"""
# Deleted here; Salesforce is still to be told.
_BURY = "UPDATE reminder SET deleted_at = ?, attempts = 0, next_push_at = ? WHERE id = ?"
# Deleted for good.
_FORGET = ("DELETE FROM reminder_history WHERE reminder = ?", "DELETE FROM reminder WHERE id = ?")
# A line of the history.
_TELL = (
    "INSERT INTO reminder_history (reminder, at, field, kept, lost, winner, why) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
# The history of one reminder.
_HISTORY = "SELECT at, field, kept, lost, winner, why FROM reminder_history WHERE reminder = ? ORDER BY id"
# How many open reminders a rep has for a mail: a control address that comes twice makes one.
_OF_MESSAGE = "SELECT id FROM reminder WHERE rep = ? AND message = ? AND deleted_at IS NULL"

KINDS = ("", "Email", "Call", "InMail", "Custom")
KEEP: Final = object()
"""A due date that stays as it is."""
MAXIMUM_PAGE = 1_000
_LONGEST_SEARCH = 200


@dataclass(frozen=True, slots=True)
class NewReminder:
    """What somebody wants to be reminded of."""

    rep: RepKey
    title: str
    details: str = ""
    due: date | None = None
    priority: Priority = Priority.NORMAL
    person: WithPerson = NOBODY
    kind: str = ""
    message: QueueId | None = None
    made_by: RepKey | None = None
    """Who entered it, where that is not whose it is."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What somebody changes: None, and KEEP for the due date, leave a field as it is."""

    title: str | None = None
    details: str | None = None
    due: object = KEEP
    """A date, None for no due date, or KEEP."""
    priority: Priority | None = None
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which reminders a listing wants."""

    rep: RepKey | None = None
    states: Sequence[State] = (State.OPEN,)
    due_from: date | None = None
    due_to: date | None = None
    text: str = ""
    """In title, details or the person's name, whatever the case of ASCII letters."""
    without_due: bool | None = None
    """True: only those without a due date; False: only dated ones."""


@dataclass(frozen=True, slots=True)
class DueLists:
    """The dated lists of the command center."""

    overdue: list[Reminder]
    today: list[Reminder]
    tomorrow: list[Reminder]


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """A line of the history, with its instant."""

    at: int
    lost: Lost


class ReminderStore:
    """Reminders. `of` restricts a verb to one rep's: anybody else's is not there."""

    def add(self, tx: Transaction, new: NewReminder, *, on: bool, now: int) -> Reminder:
        """Keep a new reminder; `on`: the rep's are kept in step, and Salesforce is to be told.

        Raises CommandError (2) without a title, and for a kind that is none.
        """
        title = _title(new.title)
        if new.kind not in KINDS:
            raise CommandError(f"the type of a reminder is one of {', '.join(KINDS[1:])}", 2)
        values = Values(title, clean_details(new.details), new.due, new.priority)
        made_by = new.made_by or new.rep
        link = Link.PENDING if on else Link.OFF
        message = None if new.message is None else number_of(new.message)
        person = (new.person.id, new.person.name, new.person.email)
        about: tuple[Value, ...] = (new.kind, *person, message, Origin.LOCAL, made_by, now, now, link)
        rows = tx.execute(_ADD, (new.rep, *written(values), *about, now if on else None))
        made = number(rows[0][0])
        name = hashlib.sha256(f"reminder|{new.rep}|{made}|{now}".encode()).hexdigest()[:40]
        tx.execute(_NAME, (name, made))
        return self.get(tx, ReminderId(made))

    def follow_up(self, tx: Transaction, new: NewReminder, *, on: bool, now: int) -> Reminder:
        """Keep a reminder for a mail, once: a second one for the same mail and rep is the first."""
        assert new.message is not None, "a follow-up names its mail"
        found = tx.execute(_OF_MESSAGE, (new.rep, number_of(new.message)))
        return self.get(tx, ReminderId(number(found[0][0]))) if found else self.add(tx, new, on=on, now=now)

    def get(self, tx: Transaction, which: ReminderId, *, of: RepKey | None = None) -> Reminder:
        """Give one reminder. Raises CommandError when there is none of that number."""
        rows = tx.execute(_GET, (which,))
        if not rows or (of is not None and rows[0][1] != of):
            raise CommandError(f"there is no reminder {which}; see `relay reminders list`")
        return reminder(rows[0])

    def edit(
        self, tx: Transaction, which: ReminderId, edit: Edit, now: int, *, of: RepKey | None = None
    ) -> Reminder:
        """Change what the edit names. Raises CommandError: no such reminder, no title (2)."""
        held = self.get(tx, which, of=of)
        values = held.values
        if edit.title is not None:
            values = replace(values, title=_title(edit.title))
        if edit.details is not None:
            values = replace(values, details=clean_details(edit.details))
        if edit.due is not KEEP:
            assert edit.due is None or isinstance(edit.due, date)
            values = replace(values, due=edit.due)
        if edit.priority is not None:
            values = replace(values, priority=edit.priority)
        if edit.state is not None:
            values = replace(values, state=edit.state)
        return self._change(tx, held, values, held.rep, now)

    def done(self, tx: Transaction, which: ReminderId, now: int, *, of: RepKey | None = None) -> Reminder:
        """Complete it. Raises CommandError when there is none of that number."""
        return self.edit(tx, which, Edit(state=State.DONE), now, of=of)

    def reopen(self, tx: Transaction, which: ReminderId, now: int, *, of: RepKey | None = None) -> Reminder:
        """Open it again. Raises CommandError when there is none of that number."""
        return self.edit(tx, which, Edit(state=State.OPEN), now, of=of)

    def snooze(
        self, tx: Transaction, which: ReminderId, until: date, now: int, *, of: RepKey | None = None
    ) -> Reminder:
        """Put it off to another day. Raises CommandError when there is none of that number."""
        return self.edit(tx, which, Edit(due=until), now, of=of)

    def assign(
        self, tx: Transaction, which: ReminderId, to: RepKey, now: int, *, of: RepKey | None = None
    ) -> Reminder:
        """Give it to a teammate; a Task in Salesforce gets that rep's user as its owner.

        Raises CommandError when there is none of that number.
        """
        held = self.get(tx, which, of=of)
        return self._change(tx, held, held.values, to, now)

    def send(self, tx: Transaction, which: ReminderId, now: int, *, of: RepKey | None = None) -> Reminder:
        """Have one that would never go to Salesforce by itself made there, or a refused one tried again.

        Raises CommandError when there is none of that number.
        """
        held = self.get(tx, which, of=of)
        link = Link.PENDING if held.salesforce_id is None else Link.LINKED
        return self._write(tx, replace(held, link=link, reason="", next_push_at=now))

    def delete(self, tx: Transaction, which: ReminderId, now: int, *, of: RepKey | None = None) -> Reminder:
        """Delete it, in Salesforce too when it is kept in step. Raises CommandError when there is none."""
        held = self.get(tx, which, of=of)
        if held.salesforce_id is None and held.push_started_at is None:
            forget(tx, [held.id])
        else:
            tx.execute(_BURY, (now, now, held.id))
        return held

    def history(self, tx: Transaction, which: ReminderId) -> list[HistoryLine]:
        """Give what was lost or decided, oldest first."""
        return [
            HistoryLine(number(at), Lost(str(name), str(kept), str(lost), Origin(str(winner)), str(why)))
            for at, name, kept, lost, winner, why in tx.execute(_HISTORY, (which,))
        ]

    def list(self, tx: Transaction, wanted: Wanted, limit: int = 100, offset: int = 0) -> list[Reminder]:
        """Give reminders by due date, those without one last; page after page."""
        where, values = _where(wanted)
        sql = (
            f"SELECT {COLUMNS} FROM reminder WHERE {where} "  # noqa: S608 - columns and conditions are ours
            "ORDER BY due IS NULL, due, priority = 'normal', id LIMIT ? OFFSET ?"
        )
        return [reminder(row) for row in tx.execute(sql, (*values, min(limit, MAXIMUM_PAGE), offset))]

    def count(self, tx: Transaction, wanted: Wanted) -> int:
        """Give how many there are."""
        where, values = _where(wanted)
        return number(tx.execute(f"SELECT count(*) FROM reminder WHERE {where}", values)[0][0])  # noqa: S608 - ours

    def due_lists(self, tx: Transaction, rep: RepKey, today: date, *, limit: int = 200) -> DueLists:
        """Give what is due today and tomorrow, and apart from it what is overdue; `today` in the rep's zone.

        A reminder without a due date is in none of them.
        """
        tomorrow = tomorrow_of(today)
        before = today - timedelta(days=1)
        return DueLists(
            self.list(tx, Wanted(rep, due_to=before, without_due=False), limit),
            self.list(tx, Wanted(rep, due_from=today, due_to=today), limit),
            self.list(tx, Wanted(rep, due_from=tomorrow, due_to=tomorrow), limit),
        )

    # How a change is kept

    def _change(self, tx: Transaction, held: Reminder, values: Values, rep: RepKey, now: int) -> Reminder:
        fresh = {name: now for name in FIELDS if getattr(values, name) != getattr(held.values, name)}
        if not fresh and rep == held.rep:
            return held
        link, due = told_again(held, now)
        changed = {**held.changed, **fresh}
        return self._write(
            tx,
            replace(
                held,
                rep=rep,
                values=values,
                changed=changed,
                changed_at=now,
                link=link,
                reason="" if link is not held.link else held.reason,
                next_push_at=due,
            ),
        )

    def _write(self, tx: Transaction, new: Reminder) -> Reminder:
        about = (write_changed(new.changed), new.changed_at, new.link, new.reason, new.next_push_at, new.id)
        tx.execute(_CHANGE, (new.rep, *written(new.values), *about))
        return self.get(tx, new.id)


def told_again(held: Reminder, now: int) -> tuple[Link, int | None]:
    """Say how a changed reminder stands to Salesforce, and when it is to be told."""
    match held.link:
        case Link.LINKED:
            return Link.LINKED, now
        case Link.CONFLICT if held.salesforce_id is not None:
            return Link.LINKED, now
        case Link.PENDING | Link.ERROR:
            return Link.PENDING, now
        case _:
            return held.link, None


def forget(tx: Transaction, which: Sequence[ReminderId]) -> None:
    """Delete reminders for good, with their history."""
    for sql in _FORGET:
        tx.execute_many(sql, [(one,) for one in which])


def tell(tx: Transaction, which: ReminderId, lost: Sequence[Lost], now: int) -> None:
    """Add lines to the history of a reminder."""
    rows: list[Row] = [(which, now, one.field, one.kept, one.lost, one.winner, one.why) for one in lost]
    if rows:
        tx.execute_many(_TELL, rows)


def _title(text: str) -> str:
    title = clean_title(text)
    if not title:
        raise CommandError("a reminder needs a title", 2)
    return title


def _where(wanted: Wanted) -> tuple[str, tuple[Value, ...]]:
    parts, values = ["deleted_at IS NULL"], list[Value]()
    if wanted.rep is not None:
        parts.append("rep = ?")
        values.append(wanted.rep)
    if wanted.states:
        parts.append(f"state IN ({','.join('?' * len(wanted.states))})")
        values += wanted.states
    for text, day in (("due >= ?", wanted.due_from), ("due <= ?", wanted.due_to)):
        if day is not None:
            parts.append(text)
            values.append(write_date(day))
    if wanted.without_due is not None:
        parts.append("due IS NULL" if wanted.without_due else "due IS NOT NULL")
    if wanted.text:
        like = "%" + _escaped(wanted.text[:_LONGEST_SEARCH]) + "%"
        parts.append(
            "(title LIKE ? ESCAPE '!' OR details LIKE ? ESCAPE '!' OR person_name LIKE ? ESCAPE '!')"
        )
        values += [like, like, like]
    return " AND ".join(parts), tuple(values)


def _escaped(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
