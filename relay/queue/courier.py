"""What the queue asks of the code that attempts deliveries: the courier of one transport."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from relay.delivery_kind import Transport
from relay.ids import DeliveryId
from relay.outcome import Outcome
from relay.queue.model import Batch, Delivery, QueuedMessage


class Courier(Protocol):
    """Attempts the deliveries of one transport."""

    @property
    def transport(self) -> Transport:
        """Name the transport."""
        ...

    def split(self, message: QueuedMessage, deliveries: Sequence[Delivery]) -> Sequence[Sequence[Delivery]]:
        """Group the deliveries of a message that share a hop and a transaction. Pure; each is in exactly one group."""
        ...

    def route(self, message: QueuedMessage, deliveries: Sequence[Delivery]) -> str:
        """Name the way that a group goes, as the settings call it; for metrics. Pure."""
        ...

    async def attempt(self, batches: Sequence[Batch]) -> Mapping[DeliveryId, Outcome]:
        """Attempt the batches and answer for every delivery in them. Raises nothing but CancelledError."""
        ...
