"""The end of a message: its last delivery is final, it is closed, and its content goes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from relay.clock import Clock
from relay.delivery_kind import Role
from relay.ids import Login
from relay.outcome import NOBODY_RECEIVED_IT
from relay.queue.model import FINAL, Closing, State
from relay.queue.releasing import WAITING_RECORD, Waits, release
from relay.queue.rows import integer
from relay.storage.database import Transaction, Value
from relay.storage.portions import execute_in, look_up_in

STATES = "SELECT json_group_array(json_array(message, role, state)) FROM delivery WHERE message IN ({marks})"
"""How all deliveries of some messages stand."""

DONE = """
    SELECT json_group_array(json_array(id, login, accepted_at)) FROM message
    WHERE +closed_at IS NULL AND id IN ({marks})
"""
"""Which of some messages that are done were not closed yet."""

CLOSE = "UPDATE message SET closed_at = ? WHERE +closed_at IS NULL AND id IN ({marks})"
"""These messages are done, once."""

CLOSED = "SELECT id, login, accepted_at FROM message WHERE id = ? AND closed_at IS NOT NULL"
"""A message that is done."""

SKIP_COPIES = """
    UPDATE delivery SET state = 'skipped', next_attempt_at = NULL, reason = ?
    WHERE message = ? AND role IN ('log_copy', 'record') AND state IN ('waiting', 'queued', 'deferred', 'held')
    RETURNING role, target
"""
"""The log copies and records of one message that are not attempted just now."""

SPOOLED = (
    "SELECT json_group_array(spool_name) FROM content WHERE spool_name IS NOT NULL AND message IN ({marks})"
)
"""The spool files of some messages."""

REPLACE_CONTENT = "UPDATE content SET prefix = x'', skips = '', spool_name = NULL, wire = ? WHERE message = ?"
"""The content of one message is this from now on."""

FORGET_CONTENT = "DELETE FROM content WHERE message IN ({marks})"
"""The content of some messages goes."""

# Plain text, as it comes out of the database: this is asked at every settlement.
_FINAL = frozenset(state.value for state in FINAL)
_RECIPIENT = Role.RECIPIENT.value
_SENT = State.SENT.value
_UNREACHED = frozenset({State.BOUNCED.value, State.EXPIRED.value, State.CANCELLED.value})
_FAILED = (State.BOUNCED.value, State.EXPIRED.value)
# What became of the log copy or record, when a message has several: the first of these that one of them has.
_LOGGED = (
    (State.SENT.value, "sent"),
    (State.BOUNCED.value, "failed"),
    (State.EXPIRED.value, "failed"),
    (State.CANCELLED.value, "cancelled"),
    (State.SKIPPED.value, "skipped"),
)


@dataclass(frozen=True, slots=True)
class Ending:
    """Closes messages, as the settings on retention say."""

    clock: Clock
    remove_spooled: Callable[[str], None] | None
    """Removes a spool file once the message is durably closed; None leaves it to the sweep."""
    keep_content: bool
    """Whether content outlives its message (retention.content); then `purge` removes it."""
    waits: Waits = field(default_factory=Waits)
    released: Callable[[], None] | None = None
    """Called on the database's thread once the release of a record is durable."""

    def close_if_done(self, tx: Transaction, numbers: Sequence[int]) -> dict[int, Closing]:
        """Close those messages of which no delivery is open any more, and that were not closed; give their closings.

        A record that waited for what has become final now is released.
        """
        states = _states(tx, numbers)
        for number, some in states.items():
            if WAITING_RECORD in some:
                self._release(tx, number, some)
        done = [number for number in numbers if all(state in _FINAL for _, state in states[number])]
        closed = look_up_in(tx, DONE, done)
        execute_in(tx, CLOSE, (self.clock.now(),), [row[0] for row in closed])
        if not self.keep_content:
            self.forget_content(tx, [row[0] for row in closed])
        return {row[0]: _closing(row, states[row[0]]) for row in closed}

    def _release(self, tx: Transaction, number: int, states: Sequence[tuple[Value, Value]]) -> None:
        if release(tx, number, states, self.clock.now(), self.waits) and self.released is not None:
            tx.on_commit(self.released)

    def skip_copies(self, tx: Transaction, number: int) -> list[tuple[Role, str]]:
        """Skip log copies and records when every recipient has failed: of mail that nobody received there is nothing to log.

        Gives their roles and targets; a log copy's is a secret. Mail that has no recipient but its log copy is left alone.
        """
        if not nobody_received(tx, number):
            return []
        rows = tx.execute(SKIP_COPIES, (NOBODY_RECEIVED_IT, number))
        return [(Role(str(role)), str(target)) for role, target in rows]

    def forget_content(self, tx: Transaction, numbers: Sequence[int]) -> None:
        """Delete the content of messages; a spool file goes when that is durable."""
        self._remove_spooled(tx, numbers)
        execute_in(tx, FORGET_CONTENT, (), numbers)

    def replace_content(self, tx: Transaction, number: int, wire: bytes) -> None:
        """Put this in the place of what is kept of a message; a spool file goes when that is durable."""
        self._remove_spooled(tx, [number])
        tx.execute(REPLACE_CONTENT, (wire, number))

    def _remove_spooled(self, tx: Transaction, numbers: Sequence[int]) -> None:
        if self.remove_spooled is not None:
            for name in look_up_in(tx, SPOOLED, numbers):
                tx.on_commit(partial(self.remove_spooled, name), slow=True)


def nobody_received(tx: Transaction, number: int) -> bool:
    """Tell whether every recipient has failed; not so for mail that has none but its log copy."""
    recipients = {state for role, state in _states(tx, [number])[number] if role == _RECIPIENT}
    return bool(recipients & _UNREACHED) and not recipients - _UNREACHED - {State.SKIPPED.value}


def closing_of(tx: Transaction, number: int) -> Closing | None:
    """Give how a message ended; None while it is open."""
    closed = tx.execute(CLOSED, (number,))
    return _closing(closed[0], _states(tx, [number])[number]) if closed else None


def _states(tx: Transaction, numbers: Sequence[int]) -> dict[int, list[tuple[Value, Value]]]:
    """Give role and state of every delivery of some messages."""
    states: dict[int, list[tuple[Value, Value]]] = {number: [] for number in numbers}
    for number, role, state in look_up_in(tx, STATES, numbers):
        states[number].append((role, state))
    return states


def _closing(message: Sequence[Value], states: Sequence[tuple[Value, Value]]) -> Closing:
    sent = failed = 0
    others = []
    for role, state in states:
        if role != _RECIPIENT:
            others.append(state)
        elif state == _SENT:
            sent += 1
        elif state in _FAILED:
            failed += 1
    logged = next((word for state, word in _LOGGED if state in others), "none") if others else "none"
    _, login, accepted_at = message
    return Closing(None if login is None else Login(str(login)), integer(accepted_at), sent, failed, logged)
