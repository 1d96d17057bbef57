"""When a record that waits for the recipients of its mail is released: in the transaction that settles them.

A record tells what was really delivered. Its clocks - the delay, the retries - start at its release, which is what
`created_at` says from then on. Mail without a record costs nothing here.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from relay.delivery_kind import Role
from relay.ids import DeliveryId
from relay.queue.model import FINAL, State
from relay.queue.rows import integer, optional_integer
from relay.storage.database import Transaction, Value

RELEASE = """
    UPDATE delivery SET state = 'queued', next_attempt_at = ?, created_at = ?
    WHERE message = ? AND role = 'record' AND state = 'waiting'
"""
"""The recipients of a message are final, and somebody has the mail: its record is to be made."""

WAIT_FOR_REST = """
    UPDATE delivery SET next_attempt_at = ?
    WHERE message = ? AND role = 'record' AND state = 'waiting' AND next_attempt_at IS NULL
"""
"""Somebody has the mail, others not yet: their record waits no longer than this."""

WAITED_FOR = """
    SELECT id FROM delivery WHERE state = 'waiting' AND next_attempt_at IS NOT NULL AND next_attempt_at <= ?
    ORDER BY next_attempt_at LIMIT ?
"""
"""The records that have waited for the rest of the recipients as long as they should."""

RELEASE_ONE = """
    UPDATE delivery SET state = 'queued', next_attempt_at = ?, created_at = ? WHERE id = ? AND state = 'waiting'
"""
"""One of them is to be made with what there is."""

NEXT_WAITED_FOR = (
    "SELECT min(next_attempt_at) FROM delivery WHERE state = 'waiting' AND next_attempt_at IS NOT NULL"
)
"""When the next of them has waited long enough."""

RECIPIENTS_OF = "SELECT state FROM delivery WHERE message = ? AND role = 'recipient'"
"""How the recipients of one message stand."""

WAIT_AGAIN = """
    UPDATE delivery SET state = 'waiting', next_attempt_at = NULL WHERE id = ? AND state = 'queued' AND role = 'record'
"""
"""A record that was held, and is released by hand before anybody has the mail, goes on waiting: all in one step."""

_AT_ONCE = 1000
_FINAL = frozenset(state.value for state in FINAL)
_RECIPIENT = Role.RECIPIENT.value
_SENT = State.SENT.value
WAITING_RECORD: tuple[Value, Value] = (Role.RECORD.value, State.WAITING.value)
"""Role and state, as the database gives them, of a record that may have to be released."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long records wait, in microseconds."""

    delay: int = 0
    """From the release to the first attempt (logging.delay)."""
    rest: int = 600_000_000
    """For the rest of the recipients, once one has the mail (logging.wait_for_rest)."""


def release(
    tx: Transaction, number: int, states: Collection[tuple[Value, Value]], now: int, waits: Waits
) -> bool:
    """Do what the states (role, state) of a message mean for its waiting record; tell whether it is queued now."""
    recipients = {state for role, state in states if role == _RECIPIENT}
    if _SENT not in recipients:
        return False
    if recipients <= _FINAL:
        tx.execute(RELEASE, (now + waits.delay, now, number))
        return True
    tx.execute(WAIT_FOR_REST, (now + waits.rest, number))
    return False


def release_waited_for(tx: Transaction, now: int, waits: Waits) -> int:
    """Release the records that have waited long enough for the rest, a thousand at most; give how many."""
    rows = tx.execute(WAITED_FOR, (now, _AT_ONCE))
    tx.execute_many(RELEASE_ONE, [(now + waits.delay, now, row[0]) for row in rows])
    return len(rows)


def next_waited_for(tx: Transaction) -> int | None:
    """Give when the next record has waited long enough; None when none waits for the rest."""
    return optional_integer(tx.execute(NEXT_WAITED_FOR)[0][0])


def waits_again(tx: Transaction, delivery: DeliveryId, number: int) -> bool:
    """Have a record that is held wait as before when nobody has its mail yet; tell whether it does."""
    states = {row[0] for row in tx.execute(RECIPIENTS_OF, (number,))}
    if _SENT in states or states <= _FINAL:
        return False
    tx.execute(WAIT_AGAIN, (delivery,))
    return True


def earliest(instants: Sequence[Value]) -> int | None:
    """Give the first of some instants, of which each may be missing."""
    return min((integer(one) for one in instants if one is not None), default=None)
