"""Attempts under way: from claimed deliveries, through a courier, to their settlement, within a budget.

Whatever a courier does, every delivery handed to it ends in one settlement.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import is_

from relay.delivery_kind import Role, Transport
from relay.errors import StorageError
from relay.ids import DeliveryId
from relay.outcome import NOBODY_RECEIVED_IT, Outcome, Skipped
from relay.queue.budget import Budget
from relay.queue.content import SpoolFiles, reader_of
from relay.queue.courier import Courier
from relay.queue.model import Batch, ClaimedMessage, ContentReader, Delivery
from relay.queue.settlement import BROKEN, TOO_LONG, UNREADABLE
from relay.queue.settler import ALONE, Beside, Settler
from relay.queue.unsent import Unsent

logger = logging.getLogger(__name__)

_READERS = 4
_FAULTS_REMEMBERED = 1000
LAST_SETTLEMENTS = 10.0
"""Seconds that settlements and accepts under way get to be stored when the relay stops."""


class _Run:
    """One group of deliveries that a courier is at work on."""

    __slots__ = ("overdue", "task")

    def __init__(self) -> None:
        self.overdue = False
        self.task: asyncio.Task[None] | None = None


class _UnderWay:
    """Counts what of one claim is under way, and says when all has ended.

    No closure: compiled, it would be in a cycle with all that its function knows, the content too, until the collector comes.
    """

    __slots__ = ("_ended", "_left")

    def __init__(self, left: int, ended: Callable[[], None]) -> None:
        self._left = left
        self._ended = ended

    def one_more(self) -> None:
        self._left += 1

    def one_ended(self) -> None:
        self._left -= 1
        if not self._left:
            self._ended()


class Attempts:
    """Makes attempts and owns the tasks they run in."""

    def __init__(
        self,
        couriers: Mapping[Transport, Courier],
        spool: SpoolFiles,
        settler: Settler,
        budget: Budget,
        room_made: Callable[[], None],
    ) -> None:
        self._couriers = couriers
        self._spool = spool
        self._settler = settler
        self._budget = budget
        self._room_made = room_made
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: dict[_Run, float] = {}
        """What couriers are at work on, and when (loop time) each is broken off."""
        self._watching: asyncio.TimerHandle | None = None
        self._pool = ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="relay-content")
        self._faults: set[str] = set()

    def own(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run work in a task that `stop` waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            logger.error("work on the queue ended by a fault", exc_info=exc)

    def settle_now(self) -> None:
        """Let what waits to be settled wait no longer."""
        self._settler.settle_now()

    def begin(self, claimed: ClaimedMessage, ended: Callable[[], None] = lambda: None) -> None:
        """Attempt deliveries that are counted in the budget already, settle them, and count them out; then call `ended`.

        Groups that do not share a hop are attempted side by side. What they sent is settled as soon as each ends, what
        they did not send together.
        """
        courier = self._couriers[claimed.deliveries[0].transport]
        groups = self._groups(courier, claimed)
        under_way = _UnderWay(len(groups), ended)
        unsent, beside = None, ALONE
        if len(groups) > 1 and courier.transport is Transport.SMTP:
            beside = self._beside(courier, claimed, groups)
            rest = partial(self._begin_rest, claimed, beside, under_way)
            unsent = Unsent(len(groups), self._settler.rules.gather, rest)
        for group in groups:
            run = _Run()
            run.task = self.own(
                self._attempt(courier, claimed, group, run, unsent, beside, under_way.one_ended)
            )

    def _begin_rest(
        self,
        claimed: ClaimedMessage,
        beside: Beside,
        under_way: "_UnderWay",
        deliveries: Sequence[Delivery],
        outcomes: Mapping[DeliveryId, Outcome],
    ) -> None:
        under_way.one_more()
        self.own(self._settle_rest(claimed, deliveries, outcomes, beside, under_way.one_ended))

    def _beside(
        self, courier: Courier, claimed: ClaimedMessage, groups: Sequence[Sequence[Delivery]]
    ) -> Beside:
        """Give what a settlement must know of the groups that it is only a part of."""
        routes: dict[str, str] = {}
        companions: dict[DeliveryId, frozenset[DeliveryId]] = {}
        for group in groups:
            route = self._route(courier, claimed, group)
            routes.update({one.target: route for one in group})
            recipients = frozenset([one.id for one in group if one.role is Role.RECIPIENT])
            companions.update({one.id: recipients for one in group if one.role is Role.LOG_COPY})
        secrets = tuple([one.target for one in claimed.deliveries if one.role is Role.LOG_COPY])
        return Beside(secrets, routes, companions)

    async def _settle_rest(
        self,
        claimed: ClaimedMessage,
        deliveries: Sequence[Delivery],
        outcomes: Mapping[DeliveryId, Outcome],
        beside: Beside,
        ended: Callable[[], None],
    ) -> None:
        try:
            reader = reader_of(claimed.content, self._spool, self._pool)
        except StorageError:
            reader = None  # it was told when the attempt wanted to read it
        try:
            await self._settler.settle(claimed.message, deliveries, outcomes, reader, "", beside)
        finally:
            ended()

    def _groups(self, courier: Courier, claimed: ClaimedMessage) -> Sequence[Sequence[Delivery]]:
        try:
            groups = [group for group in courier.split(claimed.message, claimed.deliveries) if group]
        except Exception as exc:  # noqa: BLE001 - a courier's fault must not lose mail; it is logged and deferred
            self._fault(f"the {courier.transport} courier cannot split a message", exc)
            return [claimed.deliveries]
        if len(groups) == 1 and _same(groups[0], claimed.deliveries):  # as nearly always
            return groups
        if sorted(one.id for group in groups for one in group) != sorted(
            one.id for one in claimed.deliveries
        ):
            self._fault(f"the {courier.transport} courier lost deliveries when it split a message", None)
            return [claimed.deliveries]
        return groups

    async def _attempt(
        self,
        courier: Courier,
        claimed: ClaimedMessage,
        group: Sequence[Delivery],
        run: "_Run",
        unsent: Unsent | None,
        beside: Beside,
        ended: Callable[[], None],
    ) -> None:
        settler = self._settler
        try:
            route = self._route(courier, claimed, group)
            began = settler.clock.monotonic()
            reader, outcomes = await self._outcomes(courier, claimed, group, run)
            settler.meter.attempt_took(route, settler.clock.monotonic() - began)
            settled = group if unsent is None else unsent.take(group, outcomes)
            await settler.settle(claimed.message, settled, outcomes, reader, route, beside)
        finally:
            if unsent is not None:
                unsent.one_ended()
            ended()
            self._budget.end(group[0].transport, len(group))
            if self._budget.short:
                self._room_made()

    def _route(self, courier: Courier, claimed: ClaimedMessage, group: Sequence[Delivery]) -> str:
        try:
            return courier.route(claimed.message, group)
        except Exception as exc:  # noqa: BLE001 - a name for metrics must not cost mail
            self._fault(f"the {courier.transport} courier cannot name a route", exc)
            return "unknown"

    async def _outcomes(
        self, courier: Courier, claimed: ClaimedMessage, group: Sequence[Delivery], run: "_Run"
    ) -> tuple[ContentReader | None, Mapping[DeliveryId, Outcome]]:
        """Give what the courier says; trouble that it should have turned into an outcome is deferred, loudly."""
        reader: ContentReader | None = None
        if claimed.pointless:
            return None, {one.id: Skipped(NOBODY_RECEIVED_IT) for one in group}
        try:
            reader = reader_of(claimed.content, self._spool, self._pool)
            self._watch(run)
            outcomes = await courier.attempt((Batch(claimed.message, group, reader),))
        except StorageError as exc:
            logger.error("%s: %s", claimed.message.id, exc)  # noqa: TRY400 - the store is at fault; a traceback says no more
            return reader, {one.id: UNREADABLE for one in group}
        except asyncio.CancelledError as exc:
            if not run.overdue or run.task is None or run.task.uncancel():
                raise
            self._fault(f"an attempt of the {courier.transport} courier never ended", exc)
            return reader, {one.id: TOO_LONG for one in group}
        except Exception as exc:  # noqa: BLE001 - a courier's fault must not lose mail; it is logged and deferred
            self._fault(f"the {courier.transport} courier failed", exc)
            return reader, {one.id: BROKEN for one in group}
        finally:
            self._running.pop(run, None)
        for one in group:
            if one.id not in outcomes:
                self._fault(f"the {courier.transport} courier gave no answer for a delivery", None)
                break
        return reader, outcomes

    def _watch(self, run: "_Run") -> None:
        """Break an attempt off that takes longer than any may: one timer for all, which are in the order they began."""
        loop = asyncio.get_running_loop()
        limit = self._settler.rules.attempt_limit
        self._running[run] = loop.time() + limit
        if self._watching is None:
            self._watching = loop.call_later(limit, self._look)

    def _look(self) -> None:
        self._watching = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for run, limit in tuple(self._running.items()):
            if limit > now:
                self._watching = loop.call_at(limit, self._look)
                return
            if not run.overdue and run.task is not None:
                run.overdue = True
                run.task.cancel()

    def _fault(self, text: str, exc: BaseException | None) -> None:
        """Log a fault of ours: with its traceback the first time, on one line after that."""
        key = f"{text}: {type(exc).__name__}: {exc}"
        known = key in self._faults
        if not known and len(self._faults) < _FAULTS_REMEMBERED:
            self._faults.add(key)
        logger.error("%s", key if exc else text, exc_info=None if known else exc)

    async def stop(self, grace: float, limit: float = LAST_SETTLEMENTS) -> None:
        """Let attempts end for up to `grace` seconds, then break them off; settlements under way are stored.

        `limit`: seconds that the store gets for these.
        """
        await _wait(self._tasks, grace)
        self._settler.stopping.set()
        for run in tuple(self._running):
            if run.task is not None:
                run.task.cancel()
        await _wait(self._tasks, limit)
        for task in tuple(self._tasks):
            task.cancel()
        await _wait(self._tasks, limit)
        self._pool.shutdown(wait=False)


def _same(some: Sequence[Delivery], others: Sequence[Delivery]) -> bool:
    """Tell whether these are the same, in the same order."""
    return len(some) == len(others) and all(map(is_, some, others))


async def _wait(tasks: set[asyncio.Task[None]], limit: float) -> None:
    """Wait until all tasks ended, those too that they start meanwhile, or the limit passed."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit
    while tasks and (left := end - loop.time()) > 0:
        await asyncio.wait(tuple(tasks), timeout=left)
