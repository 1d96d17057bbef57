"""What a deep queue and many reps cost: accept and claim rates, the door with all that behind it, and the start."""

import asyncio
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from bench.figures import Check, Figure, Spread, ratios, spread
from bench.peers import Relay
from bench.rates import Measurement, Sink, measure
from bench.sections import Section
from bench.workloads import DEPTH, READY_EMPTY, READY_FULL, Workload
from relay.address import parse_mailbox
from relay.delivery_kind import Role, Transport
from relay.envelope import Envelope, Recipient
from relay.ids import Login, next_number
from relay.policy.decision import PlannedDelivery
from relay.process import loop_factory
from relay.queue.model import Change, Lease, NewMessage, State
from relay.queue.store import QueueStore
from relay.storage.database import Transaction
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase

_HOUR = 3_600_000_000
_UNIT = 2000
"""Messages put in with one commit."""
_AT_ONCE = 50
_SMALL, _USUAL = b"x" * 500, (b"x" * 76 + b"\r\n") * 64
_LEASE = Lease("bench", 1 << 62, "bench")
_PLAN = (PlannedDelivery(Role.RECIPIENT, Transport.SMTP, "buyer@customer.example"),)
_PLAN_WITH_COPY = (
    *_PLAN,
    PlannedDelivery(Role.LOG_COPY, Transport.SMTP, "emailtosalesforce@x.le.salesforce.example"),
)
_ENVELOPE = Envelope(parse_mailbox("rep7@example.com"), (Recipient(parse_mailbox("buyer@customer.example")),))
_DOOR = Workload("5 KB, 10 sessions, reused connections", 3000, 5000, 10, True, 0, 0)


@dataclass
class Filled:
    """A state folder with so many queued deliveries, due in two hours: a service that starts leaves them alone."""

    folder: Path
    depth: int
    accepts: list[float] = field(default_factory=list)
    claims: list[float] = field(default_factory=list)


class _Numbers:
    """Gives out message numbers and composes messages."""

    def __init__(self) -> None:
        self._last = 0

    def message(self, now: int, content: bytes) -> NewMessage:
        """Compose a message that is due at `now`."""
        self._last = next_number(self._last, time.time_ns() // 1000)
        return NewMessage(
            self._last, _ENVELOPE, Login("rep7"), now, b"Received: by bench\r\n", (), len(content) + 20, False, False,
            f"<{self._last}@example.com>", "offer", "rep7@example.com", "127.0.0.1", "gateway", "bcc",
            "1 recipient", "logging.mode (config.yaml:1)", content, None,
        )  # fmt: skip


_NUMBERS = _Numbers()


def due() -> int:
    """Give the instant at which what is put in becomes due."""
    return time.time_ns() // 1000 + 2 * _HOUR


async def fill(folder: Path, missing: int) -> None:
    """Put so many more queued deliveries in the store of a state folder."""
    database = await SqliteDatabase.open(folder / DATABASE_NAME, create=True)
    store, instant = QueueStore(), due()
    try:
        while missing > 0:
            messages = [_NUMBERS.message(instant, _SMALL) for _ in range(min(missing, _UNIT))]
            await database.write(partial(_accept_all, store, messages))
            missing -= len(messages)
    finally:
        await database.close()


def _accept_all(store: QueueStore, messages: Sequence[NewMessage], tx: Transaction) -> None:
    for message in messages:
        store.accept(tx, message, _PLAN, lease=None)


async def fill_closed(folder: Path, count: int, reps: int) -> None:
    """Put so many messages of reps in the store of a state folder that were sent, over the last thirty days."""
    database = await SqliteDatabase.open(folder / DATABASE_NAME, create=True)
    store, now = QueueStore(), time.time_ns() // 1000
    span = 30 * 24 * _HOUR // count
    try:
        for first in range(0, count, _UNIT):
            numbers = range(first, min(first + _UNIT, count))
            messages = [
                _sent_before(now - (count - number) * span, f"rep{number % reps}") for number in numbers
            ]
            await database.write(partial(_send_all, store, messages))
    finally:
        await database.close()


def _sent_before(at: int, login: str) -> NewMessage:
    return replace(_NUMBERS.message(at, _SMALL), number=next_number(0, at), login=Login(login))


def _send_all(store: QueueStore, messages: Sequence[NewMessage], tx: Transaction) -> None:
    for message in messages:
        given = store.accept(tx, message, _PLAN_WITH_COPY, lease=_LEASE)
        sent = [Change(one.id, one.fence, State.SENT, None, "250 2.0.0 Ok") for one in given]
        store.settle(tx, given[0].message, sent)


async def accept_rate(database: SqliteDatabase, count: int) -> float:
    """Give how many 5 KB messages a second are accepted and settled, by 50 sessions at once."""
    store, now = QueueStore(), due()

    async def one() -> None:
        message = _NUMBERS.message(now, _USUAL)
        mine = await database.write(lambda tx: store.accept(tx, message, _PLAN, lease=_LEASE))
        changes = [Change(each.id, each.fence, State.SENT, None, "250 ok") for each in mine]
        await database.write(lambda tx: store.settle(tx, mine[0].message, changes))

    async def session() -> None:
        for _ in range(count // _AT_ONCE):
            await one()

    start = time.perf_counter()
    await asyncio.gather(*(session() for _ in range(_AT_ONCE)))
    return count // _AT_ONCE * _AT_ONCE / (time.perf_counter() - start)


async def claim_rate(database: SqliteDatabase, count: int) -> float:
    """Give how many messages a second are claimed and put back behind the others, 50 with each commit."""
    store = QueueStore()
    now = due() + _HOUR

    def unit(tx: Transaction) -> int:
        done = 0
        for _ in range(_AT_ONCE):
            for claimed in store.claim(tx, Transport.SMTP, now, 1, _LEASE):
                back = [
                    Change(each.id, each.fence, State.QUEUED, now, "", attempted=False)
                    for each in claimed.deliveries
                ]
                store.settle(tx, claimed.message.id, back)
                done += 1
        return done

    start = time.perf_counter()
    done = 0
    for _ in range(count // _AT_ONCE):
        done += await database.write(unit)
    return done / (time.perf_counter() - start)


async def _measure_store(filled: Sequence[Filled], rounds: int, count: int) -> None:
    databases = [await SqliteDatabase.open(one.folder / DATABASE_NAME, create=False) for one in filled]
    try:
        for number in range(rounds + 1):
            for one, database in zip(filled, databases, strict=True):
                accepts, claims = await accept_rate(database, count), await claim_rate(database, count)
                if number:  # the first round warms up
                    one.accepts.append(accepts)
                    one.claims.append(claims)
    finally:
        for database in databases:
            await database.close()


def prepare(folder: Path, depths: Sequence[int]) -> list[Filled]:
    """Make a state folder for each depth, each made from the one before."""
    made: list[Filled] = []
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        for depth in depths:
            state = folder / f"deep-{depth}" / "state"
            if made:
                shutil.copytree(made[-1].folder, state)
            else:
                state.mkdir(parents=True, mode=0o700)
            runner.run(fill(state, depth - (made[-1].depth if made else 0)))
            made.append(Filled(state, depth))
    return made


class FewReps(Relay):
    """The relay with ten reps."""

    name = "10 reps"
    users = 10


class ManyReps(Relay):
    """The relay with ten thousand reps."""

    name = "10,000 reps"
    users = 10_000


def depth_section(
    folder: Path, sink: Sink, depths: Sequence[int], rounds: int, tell: Callable[[str], None]
) -> list[Section]:
    """Measure the store at each depth, then the service over the shallowest and the deepest."""
    start = time.monotonic()
    filled = prepare(folder, depths)
    tell(f"  queues of {', '.join(map(str, depths))} made in {time.monotonic() - start:.0f} s")
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_measure_store(filled, rounds, 2000))
    ready = _ready(folder, filled[-1], sink, rounds)
    tell(f"  ready: empty {ready[0]} s, {depths[-1]} queued {ready[1]} s")
    door = _door(
        [FewReps(folder / f"deep-{one.depth}", sink.port) for one in (filled[0], filled[-1])], sink, rounds
    )
    tell(f"  door with {depths[-1]} queued: {door}x")
    for one in filled:
        shutil.rmtree(one.folder.parent, ignore_errors=True)
    return [_depth_table(filled, door), _ready_table(ready, depths[-1])]


def _ready(folder: Path, deepest: Filled, sink: Sink, rounds: int) -> tuple[Spread, Spread]:
    empty, full = [], []
    for number in range(max(rounds, 3)):
        empty.append(_start(FewReps(folder / f"empty-{number}", sink.port)))
        full.append(_start(FewReps(deepest.folder.parent, sink.port)))
    return spread(empty), spread(full)


def _start(peer: Relay) -> float:
    start = time.monotonic()
    with peer.running():
        return time.monotonic() - start


def _door(peers: Sequence[Relay], sink: Sink, rounds: int) -> Spread:
    """Give the ratio of the rates (end to end) of the second to the first."""
    with peers[0].running(), peers[1].running():
        for peer in peers:
            measure(peer, sink, _DOOR)
        found = [[measure(peer, sink, _DOOR) for peer in peers] for _ in range(rounds)]
    return ratios([pair[1].rate for pair in found], [pair[0].rate for pair in found])


def _depth_table(filled: Sequence[Filled], door: Spread) -> Section:
    first, some, last = filled[0], filled[1], filled[-1]
    rows = [
        [
            f"{one.depth:,}", f"{spread(one.accepts).median:,.0f}", f"{ratios(one.accepts, first.accepts)}",
            f"{spread(one.claims).median:,.0f}", f"{ratios(one.claims, first.claims)}", f"{ratios(one.claims, some.claims)}",
        ]
        for one in filled
    ]  # fmt: skip
    text = (
        "The store alone, without SMTP: 5 KB messages accepted and settled by 50 sessions at once, and messages claimed and"
        " put back behind all others one by one; the depths in turn, ratios within a round. A queue of one has one message"
        " to claim, again and again, and its pages are always at hand; hence the last column, which the figure is of. End to"
        f" end, over the door and to the next hop ({_DOOR.name}), a relay with {last.depth:,} queued deliveries reaches"
        f" {door} of the rate of one with {first.depth}."
    )
    what = f"with {last.depth:,} queued"
    checks = [
        Check(Figure(f"accept rate {what}", DEPTH, True), ratios(last.accepts, first.accepts)),
        Check(Figure(f"claim rate {what}, to {some.depth:,}", DEPTH, True), ratios(last.claims, some.claims)),
        Check(Figure(f"end to end rate {what}", DEPTH, True), door),
    ]
    columns = (
        "queued deliveries", "accepted/s", f"to {first.depth}", "claimed/s", f"to {first.depth}", f"to {some.depth:,}",
    )  # fmt: skip
    return Section("Depth of the queue", text, columns, rows, checks)


def _ready_table(ready: tuple[Spread, Spread], depth: int) -> Section:
    rows = [["empty", f"{ready[0]}"], [f"{depth:,}", f"{ready[1]}"]]
    checks = [
        Check(Figure("ready, empty queue", READY_EMPTY, False, " s"), ready[0]),
        Check(Figure(f"ready, {depth:,} queued", READY_FULL, False, " s"), ready[1]),
    ]
    text = "Seconds from starting `relay serve` to its greeting on the port."
    return Section("Start", text, ("queued deliveries", "ready after, s"), rows, checks)


def reps_section(folder: Path, sink: Sink, rounds: int, tell: Callable[[str], None]) -> Section:
    """Measure the service with few and with many reps in turn."""
    peers = FewReps(folder / "few", sink.port), ManyReps(folder / "many", sink.port)
    with peers[0].running(), peers[1].running():
        for peer in peers:
            measure(peer, sink, _DOOR)
        found = [[measure(peer, sink, _DOOR) for peer in peers] for _ in range(rounds)]
        memory = [peer.usage().pss_octets >> 20 for peer in peers]
    rows = [
        [peer.name, *_cells([pair[n] for pair in found]), f"{memory[n]} MB"] for n, peer in enumerate(peers)
    ]
    ratio = ratios([pair[1].rate for pair in found], [pair[0].rate for pair in found])
    tell(f"  10,000 reps: {ratio}x the rate with 10")
    text = f"{_DOOR.name}, end to end; with 10,000 reps the rate is {ratio} of that with 10."
    return Section("Number of reps", text, ("", "msg/s", "CPU s for 1,000", "PSS"), rows)


def _cells(found: Sequence[Measurement]) -> list[str]:
    return [f"{spread([one.rate for one in found]).median:.0f}", f"{spread([one.cpu for one in found])}"]
