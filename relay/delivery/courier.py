"""The courier for SMTP: takes batches from the queue, sends them by their routes, and says what each came to."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from relay.clock import Clock
from relay.config.model import BccSettings, UpstreamSettings
from relay.config.types import SecretReference
from relay.delivery.classify import classify_no_way
from relay.delivery.client import Locate, Secrets, open_connection, system_addresses
from relay.delivery.errand import Errand, Outcomes
from relay.delivery.happening import Lack, NoWay
from relay.delivery.hop import Hop, exchanger_of, hop_of
from relay.delivery.masking import mask_in, without_address
from relay.delivery.pool import HopState, Observer, Pool, ignore
from relay.delivery.pools import Pools
from relay.delivery.routing import comparable_domain, domain_of, routing_of
from relay.delivery_kind import Role, Transport
from relay.ids import DeliveryId
from relay.outcome import Deferred, Outcome
from relay.queue.model import Batch, Delivery, QueuedMessage
from relay.status import Reply
from relay.tls import client_context

if TYPE_CHECKING:
    from relay.delivery.mx import Resolver

logger = logging.getLogger(__name__)


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
        self._pools = Pools(self._pool)
        self._resolver: Resolver | None = None
        self._settings = settings
        self.use(settings, logging, own_route)

    def use(self, settings: UpstreamSettings, logging: BccSettings, own_route: str | None = None) -> None:
        """Go by these settings from now on; what is on its way to a hop that is not named any more ends in peace."""
        if self._resolver is not None and settings.resolver != self._settings.resolver:
            self._resolver = None
        self._settings = settings
        self._routing = routing_of(settings, logging.transaction, own_route)
        self._hops = {name: hop_of(name, route) for name, route in settings.routes.items()}
        if any(hop is not None and hop.exchanger for hop in self._hops.values()):
            self._dns()  # loading it takes a while, which no mail should have to wait for
        self._pools.keep({hop for hop in self._hops.values() if hop is not None})

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
        await self._pools.close()

    def try_now(self) -> None:
        """Leave no hop alone any longer that failed a moment ago: somebody wants mail tried now."""
        for pool in self._pools:
            pool.try_now()

    def state(self) -> list[HopState]:
        """Tell how each hop that was spoken to stands."""
        return [pool.state() for pool in self._pools]

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
        if not self._routing.is_one_way(batch.message, batch.deliveries):
            # It was split by other settings, just before these came.
            groups = self.split(batch.message, batch.deliveries)
            return dict(await self.attempt([replace(batch, deliveries=tuple(group)) for group in groups]))
        route = self._routing.route(batch.message, batch.deliveries[0].target)
        hop = self._hops.get(route)
        if hop is None:
            return self._without_hop(batch, route)
        if not hop.exchanger:
            return await Errand(batch, (hop,), self._pools.of).run()
        found = await self._dns().hosts(domain_of(batch.deliveries[0].target))
        if isinstance(found, NoWay):
            return self._without_host(batch, found)
        hops = [exchanger_of(hop, host, _masked_host(batch, host)) for host in found]
        return await Errand(batch, hops, self._pools.of).run()

    def _without_host(self, batch: Batch, no_way: NoWay) -> Outcomes:
        if no_way.lack is Lack.NO_RESOLVER:
            logger.error("%s: this machine knows no name server; see upstream.resolver", batch.message.id)
        outcome = classify_no_way(no_way)
        return {delivery.id: outcome for delivery in batch.deliveries}

    def _dns(self) -> "Resolver":
        """Give the resolver, made when it is first needed: a relay with smarthosts alone never loads it."""
        if self._resolver is None:
            from relay.delivery.mx import Resolver

            own_name = comparable_domain(self._hostname)
            self._resolver = Resolver(self._settings.resolver, own_name, self._clock.chance)
        return self._resolver

    def _locate(self, hop: Hop) -> Locate:
        # The resolver is looked up each time: a reload may have brought another one.
        return (lambda hop: self._dns().addresses(hop)) if hop.exchanger else system_addresses

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
        secrets = Secrets(partial(self._context, hop), partial(self._password, hop))
        open_ = partial(open_connection, hop, self._hostname, secrets, self._locate(hop))
        return Pool(hop, open_, self._clock, self._observe)

    def _context(self, hop: Hop) -> ssl.SSLContext:
        return client_context(self._resolve(hop.tls_ca) if hop.tls_ca else None, verify=hop.verified)

    def _password(self, hop: Hop) -> str:
        return self._secret(hop.sign_in.password) if hop.sign_in is not None else ""


def _masked(batch: Batch, outcomes: Outcomes) -> Outcomes:
    """Mask log copy addresses in what the hop said, to whichever delivery it said it."""
    for copy in batch.deliveries:
        if copy.role is Role.LOG_COPY:
            outcomes = {key: without_address(outcome, copy.target) for key, outcome in outcomes.items()}
    return outcomes


def _masked_host(batch: Batch, host: str) -> str:
    """Give a host as it may be shown: the domain of a log copy, which may be its own host, is a secret."""
    shown = host
    for delivery in batch.deliveries:
        if delivery.role is Role.LOG_COPY:
            shown = mask_in(shown, delivery.target)
    return "" if shown == host else shown
