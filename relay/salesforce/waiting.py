"""Why records wait that nobody has tried yet: derived where they are shown, so that an absence costs no write for each.

Pure.
"""

from collections.abc import Sequence
from dataclasses import replace

from relay.delivery_kind import Transport
from relay.queue.model import State
from relay.queue.selection import ListedDelivery


def waits_for_salesforce(one: ListedDelivery, now: int) -> bool:
    """Tell whether it is due, and nothing is said of why it is not done."""
    due = one.next_attempt_at is None or one.next_attempt_at <= now
    is_silent = one.transport is Transport.SALESFORCE and not one.reason and due
    return is_silent and one.state in (State.QUEUED, State.ACTIVE)


def explained(deliveries: Sequence[ListedDelivery], why: str, now: int) -> tuple[ListedDelivery, ...]:
    """Give deliveries with this reason for those of which nothing is said; "" is none."""
    return tuple(
        replace(one, reason=why) if why and waits_for_salesforce(one, now) else one for one in deliveries
    )
