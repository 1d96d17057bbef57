"""What several transactions with one mail did not send: settled together, so that it has one report and one next attempt.

What was sent is settled at once, since it must not be sent again, and so is a log copy that failed: nobody is sent a report
of it, and its rep's page is to show it at once. The rest waits for the other transactions of the same attempt, though not
long; after a crash meanwhile a hop is only asked again what it refused.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from relay.delivery_kind import Role
from relay.ids import DeliveryId
from relay.outcome import Deferred, Outcome, Sent
from relay.queue.model import Delivery

Settle = Callable[[Sequence[Delivery], Mapping[DeliveryId, Outcome]], None]


class Unsent:
    """Gathers it for the groups of one claim."""

    def __init__(self, groups: int, patience: float, settle: Settle) -> None:
        """`settle` is called with what was gathered: once all groups have ended, and `patience` seconds after the first."""
        self._under_way = groups
        self._patience = patience
        self._settle = settle
        self._deliveries: list[Delivery] = []
        self._outcomes: dict[DeliveryId, Outcome] = {}
        self._due: asyncio.TimerHandle | None = None

    def take(
        self, deliveries: Sequence[Delivery], outcomes: Mapping[DeliveryId, Outcome]
    ) -> Sequence[Delivery]:
        """Keep what a group did not send; give what is settled at once."""
        settled = [one for one in deliveries if _at_once(one, outcomes.get(one.id))]
        self._deliveries += [one for one in deliveries if not _at_once(one, outcomes.get(one.id))]
        self._outcomes.update(outcomes)
        if self._deliveries and self._due is None:
            self._due = asyncio.get_running_loop().call_later(self._patience, self._give)
        return settled

    def one_ended(self) -> None:
        """Hear that a group has ended, by whatever."""
        self._under_way -= 1
        if not self._under_way:
            self._give()

    def _give(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._deliveries:
            deliveries, self._deliveries = self._deliveries, []
            self._settle(deliveries, self._outcomes)


def _at_once(one: Delivery, outcome: Outcome | None) -> bool:
    if one.role is Role.LOG_COPY:
        return outcome is not None and not isinstance(outcome, Deferred)
    return isinstance(outcome, Sent)
