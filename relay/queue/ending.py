"""The end of a message: its last delivery is final, it is closed, and its content goes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from relay.clock import Clock
from relay.delivery_kind import Role
from relay.ids import Login
from relay.outcome import NOBODY_RECEIVED_IT
from relay.queue.model import FINAL, Closing, State
from relay.queue.rows import integer
from relay.storage.database import Row, Transaction

STATES = "SELECT role, state FROM delivery WHERE message = ?"
"""How all deliveries of a message stand."""

CLOSE = "UPDATE message SET closed_at = ? WHERE id = ? AND closed_at IS NULL RETURNING login, accepted_at"
"""The message is done, once."""

CLOSED = "SELECT login, accepted_at FROM message WHERE id = ? AND closed_at IS NOT NULL"
"""A message that is done."""

SKIP_COPIES = """
    UPDATE delivery SET state = 'skipped', next_attempt_at = NULL, reason = ?
    WHERE message = ? AND role = 'log_copy' AND state IN ('waiting', 'queued', 'deferred', 'held')
    RETURNING target
"""
"""The log copies of one message that are not attempted just now."""

FORGET_CONTENT = "DELETE FROM content WHERE message = ? RETURNING spool_name"
"""The content of one message goes; where it was in the spool its name is told."""

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

    def close_if_done(self, tx: Transaction, number: int) -> Closing | None:
        """Close the message when none of its deliveries is open any more; None when one is, or it was closed."""
        states = tx.execute(STATES, (number,))
        for _, state in states:
            if state not in _FINAL:
                return None
        closed = tx.execute(CLOSE, (self.clock.now(), number))
        if not closed:
            return None
        if not self.keep_content:
            self.forget_content(tx, number)
        return _closing(closed[0], states)

    def skip_copies(self, tx: Transaction, number: int) -> list[str]:
        """Skip the log copies when every recipient has failed: of mail that nobody received there is nothing to log.

        Gives their addresses, which are secrets. Mail that has no recipient but its log copy is left alone.
        """
        states = tx.execute(STATES, (number,))
        recipients = {state for role, state in states if role == _RECIPIENT}
        if not recipients & _UNREACHED or recipients - _UNREACHED - {State.SKIPPED.value}:
            return []
        return [str(row[0]) for row in tx.execute(SKIP_COPIES, (NOBODY_RECEIVED_IT, number))]

    def forget_content(self, tx: Transaction, number: int) -> None:
        """Delete the content; a spool file goes when that is durable."""
        for (name,) in tx.execute(FORGET_CONTENT, (number,)):
            if name is not None and self.remove_spooled is not None:
                tx.on_commit(partial(self.remove_spooled, str(name)))


def closing_of(tx: Transaction, number: int) -> Closing | None:
    """Give how a message ended; None while it is open."""
    closed = tx.execute(CLOSED, (number,))
    return _closing(closed[0], tx.execute(STATES, (number,))) if closed else None


def _closing(message: Row, states: list[Row]) -> Closing:
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
    login = None if message[0] is None else Login(str(message[0]))
    return Closing(login, integer(message[1]), sent, failed, logged)
