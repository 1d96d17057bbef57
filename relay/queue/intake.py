"""Take messages in: durable units, and at once an attempt while there is room.

Nothing of it belongs to the caller, who is only told: a client that hangs up can neither undo a commit nor leave a
message active with nobody at work on it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from relay.delivery_kind import Role, Transport
from relay.directory.model import mask_address
from relay.errors import StorageUnavailable
from relay.ids import queue_id_of
from relay.maillog.events import DeliverySkipped, Event
from relay.maillog.store import MailLog
from relay.policy.decision import PlannedDelivery
from relay.queue.accepting import Arrival
from relay.queue.attempts import Attempts
from relay.queue.budget import Budget
from relay.queue.model import (
    ClaimedMessage,
    Delivery,
    Lease,
    NewMessage,
    QueuedMessage,
    State,
    StoredContent,
)
from relay.queue.rules import Room
from relay.queue.settlement import closed
from relay.queue.store import QueueStore
from relay.queue.together import Together
from relay.storage.database import Database, Transaction

logger = logging.getLogger(__name__)

Stored = Callable[[Exception | None], None]
"""Hears that a message is durable, or why nothing of it was stored."""


@dataclass(slots=True)
class Intake:
    """The door of the queue."""

    database: Database
    store: QueueStore
    mail_log: MailLog
    attempts: Attempts
    budget: Budget
    room: Room
    lease: Callable[[], Lease]
    wake: Callable[[], None]
    """Told when a message is due that did not start at once."""
    closing: bool = False
    """Once set, nothing starts at once any more: it is kept for the next service."""
    _together: Together[tuple[Arrival, Sequence[Event]], list[Delivery]] = field(init=False)

    def __post_init__(self) -> None:
        """Messages that are to be stored at the same time are stored as one unit of work."""
        self._together = Together(lambda: self.database, self._unit, company=self.attempts.settle_now)

    def take(
        self, message: NewMessage, plan: Sequence[PlannedDelivery], events: Sequence[Event], stored: Stored
    ) -> None:
        """Take a message in; `stored` is told later, once it is durable, or else why nothing was stored."""
        octets = len(message.content or b"")
        count = sum(1 for one in plan if not one.skipped and one.role is not Role.RECORD)
        if self.closing or not count or not self.budget.takes_fresh(count, octets, self.room):
            count, lease = 0, None
        else:
            self.budget.start(Transport.SMTP, count)
            self.budget.keep(octets)
            lease = self.lease()
        told = partial(self._kept, message, count, stored)
        self._together.submit((Arrival(message, plan, lease), events), told)

    async def finish(self, limit: float) -> None:
        """Let what is being stored be stored, within so many seconds; then give it up."""
        await self._together.finish(limit)

    def _kept(
        self,
        message: NewMessage,
        count: int,
        stored: Stored,
        deliveries: list[Delivery] | None,
        error: BaseException | None,
    ) -> None:
        """Tell the caller, and begin with what is ours; `count`: the deliveries that there is room kept for."""
        _tell(stored, error)
        active = tuple([one for one in deliveries or () if one.state is State.ACTIVE])
        octets = len(message.content or b"")
        if count > len(active):
            self.budget.end(Transport.SMTP, count - len(active))
        if active:
            self.attempts.begin(_claimed(message, active), partial(self.budget.keep, -octets))
        elif count:
            self.budget.keep(-octets)
        elif error is None:
            self.wake()

    def _unit(
        self, tx: Transaction, items: Sequence[tuple[Arrival, Sequence[Event]]]
    ) -> list[list[Delivery]]:
        """Store messages that came at the same time, with the events that tell of them."""
        kept = self.store.accept_all(tx, [arrival for arrival, _ in items])
        for (arrival, events), deliveries in zip(items, kept, strict=True):
            message = arrival.message
            ends = _skips(message, arrival.plan)
            if not deliveries and (closing := self.store.closing(tx, queue_id_of(message.number))):
                ends.append(closed(queue_id_of(message.number), closing, message.accepted_at))
            self.mail_log.append(tx, [*events, *ends] if ends else events)
        return kept


def _tell(stored: Stored, error: BaseException | None) -> None:
    """Tell the caller; a fault there must not keep the attempt from beginning."""
    if isinstance(error, asyncio.CancelledError):
        error = StorageUnavailable("the relay stops")
    try:
        stored(error if isinstance(error, Exception) else None)
    except Exception:
        logger.exception("what was to follow an accepted message failed")


def _claimed(message: NewMessage, deliveries: tuple[Delivery, ...]) -> ClaimedMessage:
    """Give a message that just came in as a claim would, with its content in memory."""
    return ClaimedMessage(
        QueuedMessage(
            id=queue_id_of(message.number),
            envelope=message.envelope,
            login=message.login,
            accepted_at=message.accepted_at,
            octets=message.octets,
            has_8bit=message.has_8bit,
            utf8_header=message.utf8_header,
            message_id=message.message_id,
        ),
        deliveries,
        StoredContent(message.prefix, message.skips, message.octets, message.content, message.spool_name),
    )


def _skips(message: NewMessage, plan: Sequence[PlannedDelivery]) -> list[Event]:
    """Give the events of the targets that nothing is done for; a log copy is masked."""
    groups: dict[tuple[Role, str], list[str]] = {}
    for one in plan:
        if one.skipped:
            target = mask_address(one.target) if one.role is Role.LOG_COPY and one.target else one.target
            groups.setdefault((one.role, one.skipped), []).append(target)
    return [
        DeliverySkipped(
            at=message.accepted_at,
            message=queue_id_of(message.number),
            role=role.value,
            targets=tuple(targets),
            reply=reason,
            hop="",
            attempt=0,
        )
        for (role, reason), targets in groups.items()
    ]
