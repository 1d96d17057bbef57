"""One batch on its way: by one smarthost, or by the first mail exchanger of its domain that takes it."""

from collections.abc import Callable, Mapping, Sequence

from relay.delivery.classify import (
    classify,
    is_refusal_of_one,
    leaves_it_to_others,
    log_copy_of_nobody,
    wants_another_transaction,
)
from relay.delivery.happening import Happening, Kind, Stage, Trouble
from relay.delivery.hop import Hop
from relay.delivery.pool import Pool
from relay.delivery.transaction import Transaction
from relay.delivery_kind import Role
from relay.ids import DeliveryId
from relay.outcome import Bounced, Deferred, Outcome, Sent
from relay.queue.model import Batch, Delivery

Outcomes = dict[DeliveryId, Outcome]


class Errand:
    """One transaction, or more where a hop takes fewer recipients or leaves the mail to the next one."""

    def __init__(self, batch: Batch, hops: Sequence[Hop], pool: Callable[[Hop], Pool]) -> None:
        """`hops` are tried in this order, and there is at least one."""
        self._batch = batch
        self._hop, *self._others = hops
        self._pool = pool
        self._outcomes: Outcomes = {}
        self._refused: set[DeliveryId] = set()
        self._shared = any(delivery.role is not Role.LOG_COPY for delivery in batch.deliveries)

    async def run(self) -> Outcomes:
        """Go until every delivery has an outcome; each round settles at least one or uses up a hop."""
        pending: Sequence[Delivery] = self._batch.deliveries
        while pending:
            if self._nobody_left(pending):
                nobody = Trouble(Stage.DATA, Kind.NOBODY)
                self._settle({delivery.id: nobody for delivery in pending}, dsn=False)
                break
            pending = await self._send(pending)
        self._settle_log_copies()
        return self._outcomes

    async def _send(self, pending: Sequence[Delivery]) -> Sequence[Delivery]:
        """Send one transaction; give the deliveries that must go in another one."""
        batch = self._batch
        report = await self._pool(self._hop).send(Transaction(batch.message, pending, batch.content))
        self._settle(report.happenings, dsn=report.dsn)
        if self._others and any(map(leaves_it_to_others, report.happenings.values())):
            self._hop = self._others.pop(0)
            return [d for d in pending if _is_open(d.id, report.happenings)]
        again: list[Delivery] = []
        if any(isinstance(self._outcomes.get(delivery.id), Sent) for delivery in pending):
            again = [
                d
                for d in pending
                if d.id in report.happenings and wants_another_transaction(report.happenings[d.id])
            ]
        return [*again, *report.left] if again else report.left

    def _settle(self, happenings: Mapping[DeliveryId, Happening], *, dsn: bool) -> None:
        for key, happening in happenings.items():
            outcome = classify(happening, self._hop, dsn=dsn)
            earlier = self._outcomes.get(key)
            if (
                isinstance(earlier, Deferred)
                and isinstance(outcome, Bounced)
                and leaves_it_to_others(happening)
            ):
                continue  # this host is out of the question for good, an earlier one is not
            self._outcomes[key] = outcome
            if is_refusal_of_one(happening):
                self._refused.add(key)

    def _nobody_left(self, pending: Sequence[Delivery]) -> bool:
        """Tell whether only log copies are to be sent on, of mail that no recipient of this batch was sent."""
        if not self._shared or any(delivery.role is not Role.LOG_COPY for delivery in pending):
            return False
        return not any(isinstance(outcome, Sent) for outcome in self._outcomes.values())

    def _settle_log_copies(self) -> None:
        """Look at log copies that shared the transaction: of mail that nobody received there is nothing to log."""
        recipients = [d for d in self._batch.deliveries if d.role is not Role.LOG_COPY]
        if not all(isinstance(self._outcomes[d.id], Bounced) for d in recipients):
            return
        if not self._shared or not _covers_all_recipients(self._batch):
            return
        for copy in self._batch.deliveries:
            if copy.role is Role.LOG_COPY:
                own = copy.id in self._refused
                self._outcomes[copy.id] = log_copy_of_nobody(self._outcomes[copy.id], own_refusal=own)


def _covers_all_recipients(batch: Batch) -> bool:
    """Tell whether the batch has every recipient that the message was accepted for."""
    targets = {delivery.target for delivery in batch.deliveries}
    return all(str(recipient.address) in targets for recipient in batch.message.envelope.recipients)


def _is_open(key: DeliveryId, happenings: Mapping[DeliveryId, Happening]) -> bool:
    """Tell whether the next hop is to be asked about a delivery."""
    return key not in happenings or leaves_it_to_others(happenings[key])
