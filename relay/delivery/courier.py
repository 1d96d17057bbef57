"""The courier for SMTP: takes batches from the queue, sends them by their routes, and says what each came to."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from relay.clock import Clock
from relay.config.model import BccSettings, UpstreamSettings
from relay.config.types import SecretReference
from relay.delivery.classify import classify, is_refusal_of_one, log_copy_of_nobody, wants_another_transaction
from relay.delivery.client import Secrets, open_connection
from relay.delivery.happening import Happening, Kind, Stage, Trouble
from relay.delivery.hop import Hop, hop_of
from relay.delivery.masking import without_address
from relay.delivery.pool import HopState, Observer, Pool, ignore
from relay.delivery.routing import routing_of
from relay.delivery.transaction import Transaction
from relay.delivery_kind import Role, Transport
from relay.ids import DeliveryId
from relay.outcome import Bounced, Deferred, Outcome, Sent
from relay.queue.model import Batch, Delivery, QueuedMessage
from relay.status import Reply
from relay.tls import client_context

logger = logging.getLogger(__name__)

Outcomes = dict[DeliveryId, Outcome]


class SmtpCourier:
    """Delivers by SMTP; satisfies relay.queue.runner.Courier."""

    transport = Transport.SMTP

    def __init__(
        self,
        settings: UpstreamSettings,
        logging: BccSettings,
        hostname: str,
        *,
        resolve: Callable[[str], Path],
        secret: Callable[[SecretReference], str],
        clock: Clock,
        own_route: str | None = None,
        observe: Observer = ignore,
    ) -> None:
        """`resolve` finds a file that the settings name; `secret` reads a secret; `own_route`: notices.route."""
        self._hostname = hostname
        self._resolve = resolve
        self._secret = secret
        self._clock = clock
        self._observe = observe
        self._pools: dict[Hop, Pool] = {}
        self._retired: list[Pool] = []
        self.use(settings, logging, own_route)

    def use(self, settings: UpstreamSettings, logging: BccSettings, own_route: str | None = None) -> None:
        """Go by these settings from now on; what is on its way to a hop that is not named any more ends in peace."""
        self._settings = settings
        self._routing = routing_of(settings, logging.transaction, own_route)
        self._hops = {name: hop_of(name, route) for name, route in settings.routes.items()}
        self._retired = [pool for pool in self._retired if not pool.empty]
        for hop in [hop for hop in self._pools if hop not in self._hops.values()]:
            pool = self._pools.pop(hop)
            pool.drain()
            self._retired.append(pool)

    def split(self, message: QueuedMessage, deliveries: Sequence[Delivery]) -> list[list[Delivery]]:
        """Group deliveries of one message that share a route and a transaction."""
        return self._routing.split(message, deliveries)

    def route(self, message: QueuedMessage, deliveries: Sequence[Delivery]) -> str:
        """Name the route of deliveries that share one."""
        return self._routing.route(message, deliveries[0].target)

    async def attempt(self, batches: Sequence[Batch]) -> Mapping[DeliveryId, Outcome]:
        """Attempt every batch; give an outcome for every delivery. Never raises but CancelledError."""
        if len(batches) == 1:
            return await self._attempt(batches[0])
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._attempt(batch)) for batch in batches]
        return {key: outcome for task in tasks for key, outcome in task.result().items()}

    async def close(self) -> None:
        """Take leave of every hop."""
        pools, self._pools, self._retired = [*self._pools.values(), *self._retired], {}, []
        await asyncio.gather(*(pool.close() for pool in pools))

    def try_now(self) -> None:
        """Leave no hop alone any longer that failed a moment ago: somebody wants mail tried now."""
        for pool in self._pools.values():
            pool.try_now()

    def state(self) -> list[HopState]:
        """Tell how each hop that was spoken to stands."""
        return [pool.state() for pool in self._pools.values()]

    async def _attempt(self, batch: Batch) -> Outcomes:
        try:
            outcomes = await self._carry(batch)
        except Exception:
            logger.exception("%s: unexpected trouble in delivery", batch.message.id)
            outcomes = {}
        unknown = Deferred(Reply(451, "4.0.0", "something unexpected went wrong"), "")
        for delivery in batch.deliveries:
            outcomes.setdefault(delivery.id, unknown)
        return _masked(batch, outcomes)

    async def _carry(self, batch: Batch) -> Outcomes:
        route = self._routing.route(batch.message, batch.deliveries[0].target)
        hop = self._hops.get(route)
        if hop is None:
            return self._without_hop(batch, route)
        return await _Errand(batch, self._pool(hop)).run()

    def _without_hop(self, batch: Batch, route: str) -> Outcomes:
        known = route in self._settings.routes
        text = (
            f"route {route} leads to no hop that this version can deliver to"
            if known
            else f"there is no route {route}"
        )
        logger.error("%s: %s; the mail waits until the settings are mended", batch.message.id, text)
        outcome = Deferred(Reply(451, "4.3.5", text), "")
        return {delivery.id: outcome for delivery in batch.deliveries}

    def _pool(self, hop: Hop) -> Pool:
        pool = self._pools.get(hop)
        if pool is None:
            secrets = Secrets(partial(self._context, hop), partial(self._password, hop))
            open_ = partial(open_connection, hop, self._hostname, secrets)
            pool = self._pools[hop] = Pool(hop, open_, self._clock, self._observe)
        return pool

    def _context(self, hop: Hop) -> ssl.SSLContext:
        return client_context(self._resolve(hop.tls_ca) if hop.tls_ca else None, verify=hop.verified)

    def _password(self, hop: Hop) -> str:
        return self._secret(hop.sign_in.password) if hop.sign_in is not None else ""


class _Errand:
    """One batch on its way through one hop: one transaction, or more where the hop takes fewer recipients."""

    def __init__(self, batch: Batch, pool: Pool) -> None:
        self._batch = batch
        self._pool = pool
        self._outcomes: Outcomes = {}
        self._refused: set[DeliveryId] = set()
        self._shared = any(delivery.role is not Role.LOG_COPY for delivery in batch.deliveries)

    async def run(self) -> Outcomes:
        """Go until every delivery has an outcome; each round settles at least one."""
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
        report = await self._pool.send(Transaction(batch.message, pending, batch.content))
        self._settle(report.happenings, dsn=report.dsn)
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
            self._outcomes[key] = classify(happening, self._pool.hop, dsn=dsn)
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


def _masked(batch: Batch, outcomes: Outcomes) -> Outcomes:
    """Mask log copy addresses in what the hop said, to whichever delivery it said it."""
    for copy in batch.deliveries:
        if copy.role is Role.LOG_COPY:
            outcomes = {key: without_address(outcome, copy.target) for key, outcome in outcomes.items()}
    return outcomes
