"""How what attempts came to is written: that of many messages with a few statements."""

from collections.abc import Sequence

from relay.errors import IllegalState
from relay.ids import DeliveryId
from relay.queue.model import TRANSITIONS, Change, State
from relay.queue.rows import text
from relay.storage.database import Transaction
from relay.storage.portions import execute_in, look_up_in

CLAIMED = """
    SELECT json_group_array(json_array(id, message, fence)) FROM delivery
    WHERE state = 'active' AND id IN ({marks})
"""
"""Which of some deliveries are under way, and under which claim."""

SETTLE = """
    UPDATE delivery SET state = ?, next_attempt_at = ?, reason = ?, attempts = attempts + ?,
        delay_warned = max(delay_warned, ?), lease_owner = NULL, lease_until = NULL, lease_boot = NULL
    WHERE state = 'active' AND id IN ({marks})
"""
"""What an attempt came to for the deliveries that share it."""

HELD_AT = "UPDATE delivery SET held_at = ? WHERE id IN ({marks})"
"""Since when an attempt has left deliveries to be looked at; what somebody holds by hand has no such instant."""


def apply(tx: Transaction, changes: Sequence[Change], now: int) -> dict[DeliveryId, int]:
    """Apply changes; give the deliveries that were changed - those whose claim was not overtaken - and their messages.

    Raises IllegalState for a state that cannot follow ACTIVE.
    """
    claimed = {
        key: (message, fence)
        for key, message, fence in look_up_in(tx, CLAIMED, [one.delivery for one in changes])
    }
    alike: dict[tuple[object, ...], list[Change]] = {}
    settled: dict[DeliveryId, int] = {}
    for one in changes:
        if one.state not in TRANSITIONS[State.ACTIVE]:
            raise IllegalState(f"an attempt cannot end in {one.state}")
        message, fence = claimed.pop(one.delivery, (0, None))
        if fence == one.fence:
            key = (one.state, one.next_attempt_at, one.reason, one.attempted, one.delay_warned)
            alike.setdefault(key, []).append(one)
            settled[one.delivery] = message
    for some in alike.values():
        _apply(tx, some, now)
    return settled


def _apply(tx: Transaction, alike: Sequence[Change], now: int) -> None:
    """Apply changes that differ in nothing but the delivery."""
    one = alike[0]
    deliveries = [each.delivery for each in alike]
    values = (one.state, one.next_attempt_at, text(one.reason), one.attempted, one.delay_warned)
    execute_in(tx, SETTLE, values, deliveries)
    if one.state is State.HELD:
        execute_in(tx, HELD_AT, (now,), deliveries)
