"""One mail transaction on its way: what was asked for, what has been answered, who still waits for an answer."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relay.delivery.commands import Prepared, prepare
from relay.delivery.happening import Answered, Declined, Happening, Stage
from relay.delivery.offer import Offer
from relay.delivery_kind import Role
from relay.ids import DeliveryId
from relay.queue.model import ContentReader, Delivery, QueuedMessage
from relay.status import Reply
from relay.values import quick

_NOTHING = Prepared(b"", (), (), {})


@quick
@dataclass(frozen=True, slots=True)
class Report:
    """What happened to each delivery of a transaction."""

    happenings: Mapping[DeliveryId, Happening]
    left: Sequence[Delivery] = ()
    """Deliveries that were not tried, since the hop takes fewer in one transaction."""
    dsn: bool = False
    """Whether the hop offers DSN."""


class Transaction:
    """A message for some recipients, from the moment it waits for a connection until it has been answered."""

    __slots__ = (
        "_accepted",
        "_happened",
        "_offer",
        "_recipient_accepted",
        "abandoned",
        "answered",
        "content",
        "deliveries",
        "done",
        "message",
        "prepared",
        "tries",
    )

    def __init__(
        self, message: QueuedMessage, deliveries: Sequence[Delivery], content: ContentReader
    ) -> None:
        self.message = message
        self.deliveries = deliveries
        self.content = content
        self.done: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self.prepared = _NOTHING
        self.answered = False
        """Whether the hop has answered anything of it; until then another connection may try without harm."""
        self.tries = 0
        """Connections that were lost before anything of it was answered."""
        self.abandoned = False
        """Nobody waits for it any more: its content must not be sent."""
        self._offer = Offer()
        self._happened: dict[DeliveryId, Happening] = {}
        self._accepted: list[DeliveryId] = []
        self._recipient_accepted = False

    def prepare(self, offer: Offer) -> bool:
        """Write the commands for a hop that offers this; tell whether there is anything to send at all."""
        self.prepared = prepare(self.message, self.deliveries, offer)
        self._offer = offer
        self._happened = {key: Declined(reply) for key, reply in self.prepared.declined.items()}
        self._accepted = []
        self._recipient_accepted = False
        return bool(self.prepared.rcpts)

    def rcpt(self, index: int, reply: Reply) -> None:
        """Note the answer to the RCPT with this index."""
        delivery = self.prepared.deliveries[index]
        if reply.code // 100 == 2:
            self._accepted.append(delivery.id)
            if delivery.role is not Role.LOG_COPY:
                self._recipient_accepted = True
        else:
            self._happened[delivery.id] = Answered(Stage.RCPT, reply)

    @property
    def accepted(self) -> bool:
        """Tell whether anybody at all was accepted."""
        return bool(self._accepted)

    @property
    def only_log_copies(self) -> bool:
        """Tell whether recipients were asked for, and none was accepted but a log copy was."""
        if self._recipient_accepted or not self._accepted:
            return False
        return any(delivery.role is not Role.LOG_COPY for delivery in self.prepared.deliveries)

    def end(self, happening: Happening) -> None:
        """Say what happened to all who have no answer of their own yet, and that this is over."""
        happened = self._happened
        for delivery in self.prepared.deliveries or self.deliveries:
            happened.setdefault(delivery.id, happening)
        if not self.done.done():
            self.done.set_result(Report(happened, self.prepared.left, self._offer.dsn))

    def finish(self) -> None:
        """Say that this is over: everybody has an answer."""
        if not self.done.done():
            self.done.set_result(Report(self._happened, self.prepared.left, self._offer.dsn))
