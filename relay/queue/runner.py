"""The queue at work: takes messages in, claims what is due, has it attempted, and stops in good order.

A message from the door is attempted at once, with its content still in memory, while there is room; what does not
start at once is claimed later from the store. One service works with a store: whatever another one left active is
queued again at the start.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from relay.clock import Clock
from relay.delivery_kind import Transport
from relay.errors import StorageError
from relay.ids import next_number
from relay.maillog.events import Event
from relay.maillog.store import MailLog
from relay.policy.decision import PlannedDelivery
from relay.queue.attempts import Attempts
from relay.queue.budget import Budget
from relay.queue.courier import Courier
from relay.queue.housekeeping import Housekeeping
from relay.queue.intake import Intake, Stored
from relay.queue.meter import NoMeter, QueueMeter
from relay.queue.model import Lease, NewMessage
from relay.queue.retry import SECOND
from relay.queue.rules import RunnerRules
from relay.queue.settler import Settler
from relay.queue.store import QueueStore
from relay.storage.database import Database
from relay.storage.lease import boot_id
from relay.storage.spool import Spool

__all__ = ["Courier", "Runner"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

_LEASE_SPARE = 3600.0
"""Seconds that a lease outlasts the longest attempt: its settlement may have to wait for the store."""
_CLEAR_EVERY = 3600.0
_SHORTEST_SLEEP = 0.005
_RELEASED_TOGETHER = 0.05
"""Seconds in which records that are released share one look at the queue."""
_STORE_LIMIT = 10.0
"""Seconds that the store gets to answer when the relay stops."""
_HURRIED = 2.0
"""The same once somebody is in a hurry."""


class Runner:
    """Moves messages from the door to their last outcome."""

    def __init__(
        self,
        database: Database,
        store: QueueStore,
        mail_log: MailLog,
        spool: Spool,
        couriers: Sequence[Courier],
        rules: RunnerRules,
        clock: Clock,
        *,
        meter: QueueMeter | None = None,
    ) -> None:
        self._database, self._store, self._rules, self._clock = database, store, rules, clock
        self._transports = tuple(courier.transport for courier in couriers)
        self._owner, self._boot_id = secrets.token_hex(8), boot_id()
        self._last_number = 0
        self._wake = asyncio.Event()
        self._running: asyncio.Event | None = None
        self._stopping = False
        self._cleared_at: float | None = None
        self._clearing: asyncio.Task[None] | None = None
        self._budget = Budget()
        self._settler = Settler(
            database, store, mail_log, clock, self.next_number, self.wake, rules, meter or NoMeter()
        )
        by_transport = {courier.transport: courier for courier in couriers}
        self._attempts = Attempts(by_transport, spool, self._settler, self._budget, self.wake)
        self._intake = Intake(
            database, store, mail_log, self._attempts, self._budget, rules.room, self._lease, self.wake
        )
        self._housekeeping = Housekeeping(database, store, mail_log, spool, clock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._look: asyncio.TimerHandle | None = None
        if Transport.SALESFORCE in self._transports:
            store.on_release(self._record_released)

    def next_number(self) -> int:
        """Give the number of the next message: unique, and above those before it whatever the clock does."""
        self._last_number = next_number(self._last_number, self._clock.now())
        return self._last_number

    def use(self, rules: RunnerRules) -> None:
        """Go on with new rules; what is being settled just now ends by the old ones."""
        self._rules = self._settler.rules = rules
        self._intake.room = rules.room

    def wake(self) -> None:
        """Say that something may be due now."""
        self._wake.set()

    def take(
        self, message: NewMessage, plan: Sequence[PlannedDelivery], events: Sequence[Event], stored: Stored
    ) -> None:
        """Take a message in, and begin with it while there is room; `stored` is told later, once it is durable.

        What the plan skips gets its event here, and the message its closing one when nothing else is planned.
        """
        self._intake.take(message, plan, events, stored)

    async def accept(
        self, message: NewMessage, plan: Sequence[PlannedDelivery], events: Sequence[Event]
    ) -> None:
        """Take a message in, as `take` does: it is durable when this returns. Raises StorageError, having stored nothing.

        A caller who is cancelled meanwhile changes nothing.
        """
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def stored(error: Exception | None) -> None:
            if not durable.done():
                durable.set_result(None) if error is None else durable.set_exception(error)

        self._intake.take(message, plan, events, stored)
        await durable

    async def run(self) -> None:
        """Queue again what a dead service left active, then work until `stop`."""
        ended = self._running = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        recovered = False
        try:
            while not self._stopping:
                self._wake.clear()
                self._budget.short = False
                delay = self._rules.poll
                try:
                    recovered = recovered or await self._recover()
                    self._clear_now_and_then()
                    delay = min([delay, *[await self._claim(transport) for transport in self._transports]])
                except StorageError as exc:
                    logger.error("the queue cannot be read now: %s", exc)  # noqa: TRY400 - the store said it all
                await self._sleep(delay)
        finally:
            ended.set()

    async def stop(self, grace: float) -> None:
        """Claim no more, let attempts end for up to `grace` seconds, break off the rest, and give the leases back.

        Without grace a store that does not answer is waited for no longer than moments, else for seconds.
        """
        limit = _STORE_LIMIT if grace else _HURRIED
        self._stopping = self._intake.closing = True
        self._wake.set()
        if self._running is not None:
            await _at_most(limit, self._running.wait())
        if self._clearing is not None:
            self._clearing.cancel()
        await self._intake.finish(max(grace, limit))
        await self._attempts.stop(grace, limit)
        try:
            given_back = await _at_most(
                limit, self._database.write(lambda tx: self._store.give_back(tx, self._owner))
            )
        except StorageError as exc:
            logger.warning("leases were not given back; the next start does it: %s", exc)
        else:
            if given_back:
                logger.info("%d deliveries were queued again", given_back)

    def _record_released(self) -> None:
        """Hear, on the database's thread, that a record is due soon."""
        if self._loop is not None and not self._stopping:
            self._loop.call_soon_threadsafe(self._look_soon)

    def _look_soon(self) -> None:
        if self._look is None and self._loop is not None and not self._stopping:
            self._look = self._loop.call_later(_RELEASED_TOGETHER, self._look_now)

    def _look_now(self) -> None:
        self._look = None
        self.wake()

    async def _recover(self) -> bool:
        lease, now = self._lease(), self._clock.now()
        recovered = await self._database.write(lambda tx: self._store.recover(tx, lease, now))
        if recovered:
            logger.info(
                "%d deliveries that were under way when the service ended are queued again", recovered
            )
        return True

    def _clear_now_and_then(self) -> None:
        now = self._clock.monotonic()
        if self._cleared_at is None or now - self._cleared_at >= _CLEAR_EVERY:
            self._cleared_at = now
            self._clearing = self._attempts.own(self._housekeeping.run(self._rules))

    async def _claim(self, transport: Transport) -> float:
        """Start what is due of a transport, as far as there is room; give seconds until there may be more."""
        while not self._stopping:
            if not self._room_for(transport):
                break
            # Reading is cheap and needs no writer: nothing is claimed before something is known to be due.
            due = await self._database.read(lambda tx: self._store.next_due(tx, transport))
            now = self._clock.now()
            if due is None:
                break
            if due > now:
                return (due - now) / SECOND
            if not await self._start(transport, now):
                break
        return self._rules.poll

    def _room_for(self, transport: Transport) -> int:
        """Give how many deliveries may be claimed now; where none may, whoever frees some will say so."""
        limit = max(0, min(self._budget.left(transport, self._rules.room), self._rules.room.claim))
        self._budget.short = self._budget.short or not limit
        return limit

    async def _start(self, transport: Transport, now: int) -> int:
        limit, lease = self._room_for(transport), self._lease()
        # Kept free for what is claimed, since mail comes from the door meanwhile.
        self._budget.start(transport, limit)
        try:
            claimed = await self._database.write(
                lambda tx: self._store.claim(tx, transport, now, limit, lease)
            )
        finally:
            self._budget.end(transport, limit)
        for message in claimed:
            self._budget.start(transport, len(message.deliveries))
            self._attempts.begin(message)
        return len(claimed)

    def _lease(self) -> Lease:
        until = self._clock.monotonic() + self._rules.attempt_limit + _LEASE_SPARE
        return Lease(self._owner, round(until * SECOND), self._boot_id)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, _SHORTEST_SLEEP)):
                await self._wake.wait()
        except TimeoutError:
            return


async def _at_most(limit: float, waited_for: Awaitable[T]) -> T | None:
    """Wait for the store, but not for ever: one that never answers must not keep the relay from stopping."""
    try:
        async with asyncio.timeout(limit):
            return await waited_for
    except TimeoutError:
        logger.error("the store does not answer; the relay stops without it")  # noqa: TRY400 - there is no more to say
        return None
