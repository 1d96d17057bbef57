"""A queue at work for tests: a real database and spool, a scripted courier, a clock turned by hand."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from relay.config.types import Rate
from relay.delivery_kind import Transport
from relay.ids import QueueId, queue_id_of
from relay.maillog.events import Event
from relay.maillog.store import LoggedEvent, MailLog
from relay.policy.decision import PlannedDelivery
from relay.queue.meter import QueueMeter
from relay.queue.model import ClaimedMessage, Lease, NewMessage, QueuedMessage, State, StoredContent
from relay.queue.report import Reporter
from relay.queue.retry import SECOND, RetryRule, RetryRules
from relay.queue.rules import RunnerRules
from relay.queue.runner import Runner
from relay.queue.selection import ListedDelivery, Selection
from relay.queue.store import QueueStore
from relay.storage.database import Transaction
from relay.storage.spool import Spool
from relay.storage.sqlite import SqliteDatabase
from tests.support.builders import new_message, to_recipient
from tests.support.clock import FakeClock
from tests.support.couriers import ScriptedCourier

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
RULES = RunnerRules(
    retry=RetryRules(
        delivery=RetryRule((MINUTE, 5 * MINUTE, HOUR), 12 * HOUR),
        logging=RetryRule((30 * SECOND, HOUR), 24 * HOUR),
    ),
    reporter=Reporter("postmaster@relay.example.com", "relay.example.com"),
    warn_after=4 * HOUR,
    reports=Rate(100, 3600.0),
    keep_events=400 * 24 * HOUR,
    keep_content=None,
    poll=0.01,
)
PATIENCE = 30.0
"""Seconds that a test waits for what must come; no test should ever need them."""


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for is in another thread
            await asyncio.sleep(0.002)


class CountingStore(QueueStore):
    """A store that counts how often the runner looked for what is due, and takes its time when told."""

    looks = 0

    def __init__(self, spool: Spool, clock: FakeClock) -> None:
        super().__init__(spool, clock=clock)
        self.slow = ""
        """The verb that waits for `go_on`: next_due or claim."""
        self.waiting = False
        """Whether it does."""
        self.go_on = threading.Event()

    def next_due(self, tx: Transaction, transport: Transport) -> int | None:
        """Count, then answer."""
        self.looks += 1
        self._take_time("next_due")
        return super().next_due(tx, transport)

    def claim(
        self, tx: Transaction, transport: Transport, now: int, limit: int, lease: Lease
    ) -> list[ClaimedMessage]:
        """Claim, perhaps after a while."""
        self._take_time("claim")
        return super().claim(tx, transport, now, limit, lease)

    def _take_time(self, verb: str) -> None:
        if verb == self.slow:
            self.waiting = True
            assert self.go_on.wait(PATIENCE)


@dataclass
class QueueHouse:
    """What a test of the queue needs at hand."""

    database: SqliteDatabase
    store: CountingStore
    mail_log: MailLog
    spool: Spool
    courier: ScriptedCourier
    clock: FakeClock
    runner: Runner
    running: asyncio.Task[None] | None = None

    def another_runner(self, meter: QueueMeter | None = None) -> Runner:
        """Give a second runner over the same store, as after a restart."""
        parts = (self.database, self.store, self.mail_log, self.spool, [self.courier])
        return Runner(*parts, RULES, self.clock, meter=meter)

    def start(self) -> None:
        """Set the runner to work."""
        self.running = asyncio.create_task(self.runner.run())

    async def stop(self, grace: float = 1.0) -> None:
        """Stop the runner."""
        await self.runner.stop(grace)
        if self.running is not None:
            await self.running

    async def accept(
        self,
        *plan: PlannedDelivery,
        message: NewMessage | None = None,
        events: Sequence[Event] = (),
    ) -> QueueId:
        """Take a message in; give its queue id."""
        message = message or new_message(number=self.runner.next_number(), accepted_at=self.clock.now())
        await self.runner.accept(message, plan or (to_recipient(),), events)
        return queue_id_of(message.number)

    async def states(self, message: QueueId) -> dict[str, str]:
        """Give the states of a message's deliveries by target, as people are shown it."""
        listed = await self.listed(Selection(message=message, states=tuple(State)))
        return {one.target: one.state.value for one in listed}

    async def listed(self, selection: Selection) -> list[ListedDelivery]:
        """List deliveries."""
        return await self.database.read(lambda tx: self.store.list(tx, selection, 1000))

    async def events(self, message: QueueId) -> list[LoggedEvent]:
        """Give what the mail log says of a message."""
        return await self.database.read(lambda tx: self.mail_log.of_message(tx, message))

    async def names(self, message: QueueId) -> list[str]:
        """Give the names of a message's events."""
        return [event.name for event in await self.events(message)]

    async def wait_for(self, message: QueueId, *states: str) -> None:
        """Wait until the deliveries of a message stand in just these states."""
        async with asyncio.timeout(PATIENCE):
            while set((await self.states(message)).values()) != set(states):  # noqa: ASYNC110 - it is in the store
                await asyncio.sleep(0.002)

    async def wait_for_event(self, message: QueueId, name: str, count: int = 1) -> list[LoggedEvent]:
        """Wait until a message has so many events of this name; give them."""
        async with asyncio.timeout(PATIENCE):
            while len(found := await self._named(message, name)) < count:  # noqa: ASYNC110 - it is in the store
                await asyncio.sleep(0.002)
        return found

    async def _named(self, message: QueueId, name: str) -> list[LoggedEvent]:
        return [event for event in await self.events(message) if event.name == name]

    async def let_it_look(self) -> None:
        """Wait until the runner has looked at the queue a few times more."""
        enough = self.store.looks + 4
        await until(lambda: self.store.looks >= enough)

    async def reports(self, message: QueueId) -> list[tuple[QueuedMessage, StoredContent | None]]:
        """Give the delivery reports about a message that are in the queue."""
        names = [event.data["report"] for event in await self._named(message, "report.queued")]
        return [await self.database.read(partial(self._report, QueueId(name))) for name in names]

    def _report(self, name: QueueId, tx: Transaction) -> tuple[QueuedMessage, StoredContent | None]:
        queued = self.store.load(tx, name)
        assert queued is not None
        return queued, self.store.content(tx, name)

    def pass_time(self, seconds: float) -> None:
        """Turn the clock on and wake the runner."""
        self.clock.advance(seconds)
        self.runner.wake()


@asynccontextmanager
async def queue_house(
    folder: Path, rules: RunnerRules = RULES, **changes: object
) -> AsyncIterator[QueueHouse]:
    """Give a queue over `folder` that is not at work yet; it is stopped and closed at the end."""
    clock = FakeClock()
    database = await SqliteDatabase.open(folder / "relay.db", create=True)
    spool = Spool(folder / "spool")
    store = CountingStore(spool, clock)
    courier, mail_log = ScriptedCourier(), MailLog()
    runner = Runner(database, store, mail_log, spool, [courier], rules, clock)
    house = QueueHouse(database, store, mail_log, spool, courier, clock, runner)
    try:
        yield house
    finally:
        courier.gate.set()
        await house.stop()
        spool.close()
        await database.close()
