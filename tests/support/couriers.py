"""Couriers for tests of the queue: they answer as they are told, and remember what they were given."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from relay.delivery_kind import Transport
from relay.ids import DeliveryId
from relay.outcome import Bounced, Deferred, Outcome, Sent
from relay.queue.model import Batch, Delivery, QueuedMessage
from relay.status import Reply

SENT = Sent(Reply(250, "2.0.0", "Ok"), "mx.example.org")
BUSY = Deferred(Reply(451, "4.3.0", "Try again later"), "mx.example.org")
REFUSED = Bounced(Reply(550, "5.1.1", "No such user"), "mx.example.org")


class ScriptedCourier:
    """Answers by a table: an outcome, or a list of outcomes for one attempt after the other, for each target."""

    def __init__(self, transport: Transport = Transport.SMTP) -> None:
        self._transport = transport
        self.answers: dict[str, Outcome | list[Outcome] | None] = {}
        """By target; None gives no answer at all. A target that does not stand here is sent."""
        self.attempts: list[tuple[str, tuple[str, ...]]] = []
        """Queue id and targets of each attempt, in order."""
        self.contents: list[bytes] = []
        """What each attempt would have sent."""
        self.key: Callable[[Delivery], object] = lambda delivery: None
        """What makes deliveries share a hop; all do."""
        self.error: Exception | None = None
        """Raised instead of answering."""
        self.gate = asyncio.Event()
        """Attempts wait for it; it is open at first."""
        self.gate.set()
        self.under_way = 0
        self.most_under_way = 0

    @property
    def transport(self) -> Transport:
        """Name the transport."""
        return self._transport

    def split(self, message: QueuedMessage, deliveries: Sequence[Delivery]) -> Sequence[Sequence[Delivery]]:
        """Group by `key`."""
        groups: dict[object, list[Delivery]] = {}
        for delivery in deliveries:
            groups.setdefault(self.key(delivery), []).append(delivery)
        return list(groups.values())

    def route(self, message: QueuedMessage, deliveries: Sequence[Delivery]) -> str:
        """Name the one route there is."""
        return "main"

    async def attempt(self, batches: Sequence[Batch]) -> Mapping[DeliveryId, Outcome]:
        """Answer as told, once the gate is open."""
        count = sum(len(batch.deliveries) for batch in batches)
        self.under_way += count
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self._answer(batches)
        finally:
            self.under_way -= count

    async def _answer(self, batches: Sequence[Batch]) -> Mapping[DeliveryId, Outcome]:
        for batch in batches:
            self.attempts.append((batch.message.id, tuple(one.target for one in batch.deliveries)))
            inline = batch.content.inline()
            self.contents.append(
                b"".join([chunk async for chunk in batch.content.chunks()]) if inline is None else inline
            )
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        found = {one.id: self._next(one.target) for batch in batches for one in batch.deliveries}
        return {number: outcome for number, outcome in found.items() if outcome is not None}

    def _next(self, target: str) -> Outcome | None:
        answer = self.answers.get(target, SENT)
        if isinstance(answer, list):
            return answer.pop(0) if len(answer) > 1 else answer[0]
        return answer
