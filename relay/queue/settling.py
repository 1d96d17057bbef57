"""How what attempts came to is written: that of many messages with a few statements."""

from collections.abc import Sequence

from relay.errors import IllegalState
from relay.ids import DeliveryId
from relay.queue.model import TRANSITIONS, Change, State
from relay.queue.rows import integer, text
from relay.storage.database import Transaction
from relay.storage.portions import execute_in

SETTLE = """
    UPDATE delivery SET state = ?, next_attempt_at = ?, reason = ?, attempts = attempts + ?,
        delay_warned = max(delay_warned, ?), lease_owner = NULL, lease_until = NULL, lease_boot = NULL
    WHERE fence = ? AND state = 'active' AND id IN ({marks}) RETURNING id, message
"""
"""What an attempt came to for the deliveries that share it, unless the claim it was made under has been overtaken."""


HELD_AT = "UPDATE delivery SET held_at = ? WHERE id IN ({marks})"
"""Since when an attempt has left deliveries to be looked at; what somebody holds by hand has no such instant."""


def apply(tx: Transaction, changes: Sequence[Change], now: int) -> dict[DeliveryId, int]:
    """Apply changes; give the deliveries that were changed - those whose claim was not overtaken - and their messages.

    Raises IllegalState for a state that cannot follow ACTIVE.
    """
    alike: dict[tuple[object, ...], list[Change]] = {}
    for one in changes:
        key = (one.fence, one.state, one.next_attempt_at, one.reason, one.attempted, one.delay_warned)
        alike.setdefault(key, []).append(one)
    return {key: message for group in alike.values() for key, message in _apply(tx, group, now)}


def _apply(tx: Transaction, alike: Sequence[Change], now: int) -> list[tuple[DeliveryId, int]]:
    """Apply changes that differ in nothing but the delivery."""
    one = alike[0]
    if one.state not in TRANSITIONS[State.ACTIVE]:
        raise IllegalState(f"an attempt cannot end in {one.state}")
    values = (one.state, one.next_attempt_at, text(one.reason), one.attempted, one.delay_warned, one.fence)
    rows = execute_in(tx, SETTLE, values, [each.delivery for each in alike])
    if one.state is State.HELD:
        execute_in(tx, HELD_AT, (now,), [row[0] for row in rows])
    return [(DeliveryId(integer(key)), integer(message)) for key, message in rows]
