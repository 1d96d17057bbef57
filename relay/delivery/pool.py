"""The connections to one hop: reused, limited in number, and left alone for a while when the hop is in trouble.

Transactions wait in one line for all connections of the hop; a connection takes the next one as soon as it can.
The line is bounded by what the queue attempts at once, for a slow hop by less (relay.delivery.line), and whoever waits
in it ends when a connection does: every stage of every transaction has a limit.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from relay.clock import Clock
from relay.delivery.classify import describe, is_of_the_hop, needs_somebody
from relay.delivery.client import Opened
from relay.delivery.connection import Connection
from relay.delivery.happening import Answered, Happening, Kind, Paced, Stage, Trouble
from relay.delivery.hop import Hop
from relay.delivery.line import LONG, Line
from relay.delivery.pace import Pace
from relay.delivery.transaction import Report, Transaction
from relay.status import Reply

logger = logging.getLogger(__name__)

SHORTEST_PAUSE = 5.0
LONGEST_PAUSE = 30.0
"""Seconds a hop in trouble is left alone, growing from the first to the second."""
_CLOSING_WAIT = 5.0
_WATCHED = 10.0
"""Seconds that a long line is watched before it is judged: longer than a hop may delay its greeting."""
_TRIES = 2
"""Connections that may be lost before anything of a transaction is answered, until that is its outcome."""

Open = Callable[[], Awaitable[Opened | Happening]]
Observer = Callable[[str, str], None]
"""Hears (route, what): opened, failed, reused, stale, closed."""


@dataclass(frozen=True, slots=True)
class HopState:
    """How a hop stands, for the status page."""

    route: str
    host: str
    port: int
    connections: int
    idle: int
    waiting: int
    """Transactions that wait for a connection."""
    trouble: str
    """What is wrong with the hop in plain words; "" when nothing is."""
    retry_in: float
    """Seconds until the hop is tried again; 0 when it may be tried now."""


def ignore(route: str, what: str) -> None:
    """Take no notice."""


class Pool:
    """Owns every connection to one hop."""

    def __init__(self, hop: Hop, open_: Open, clock: Clock, observe: Observer = ignore) -> None:
        self.hop = hop
        self._open = open_
        self._clock = clock
        self._observe = observe
        self._waiting: deque[Transaction] = deque()
        self._line = Line()
        self._taken = 0
        """Transactions that connections have taken from the line."""
        self._watch: asyncio.TimerHandle | None = None
        self._connections: set[Connection] = set()
        self._idle: list[Connection] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._trouble: Happening | None = None
        self._failures = 0
        self._left_alone_until = 0.0
        self._closed = False
        self._draining = False
        self._pace = Pace(hop.messages_per_minute, hop.recipients_per_day)

    async def send(self, transaction: Transaction) -> Report:
        """Carry a transaction, and say what happened. When cancelled, its content is sent no further."""
        if self._closed:
            transaction.end(Trouble(Stage.CONNECT, Kind.LOCAL, "the relay is stopping"))
        elif self._pace.limited and (paced := self._paced(transaction)) is not None:
            transaction.end(paced)
        elif self._line.each and len(self._waiting) >= LONG:
            transaction.end(self._later())
        else:
            self._waiting.append(transaction)
            if len(self._waiting) > LONG and self._watch is None:
                self._watch_line()
            self._pump()
        try:
            return await transaction.done
        except asyncio.CancelledError:
            self._abandon(transaction)
            raise

    def _paced(self, transaction: Transaction) -> Paced | None:
        """Count a transaction against the limits of the route; say so when there is no room.

        They are the mailbox's that the relay signs in as, else the sender's; a host that DNS names has them itself.
        """
        if self._trouble is not None:
            return None  # it is not sent anyway, but for one that probes the hop
        own = self.hop.exchanger or self.hop.sign_in is not None
        mailbox = "" if own else str(transaction.message.envelope.reverse_path)
        wait, limit = self._pace.take(mailbox, len(transaction.deliveries), self._clock.monotonic())
        return Paced(limit, wait) if limit else None

    def _watch_line(self) -> None:
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(_WATCHED, self._look, self._taken, loop.time())

    def _look(self, taken: int, since: float) -> None:
        """Judge the line by how it moved, and send away those at its end for whom the hop is too slow."""
        seconds = asyncio.get_running_loop().time() - since
        stay = self._line.look(len(self._waiting), self._taken - taken, seconds)
        late = [self._waiting.pop() for _ in range(len(self._waiting) - stay)]
        for transaction in reversed(late):  # who came first comes back first
            if not transaction.abandoned:
                transaction.end(self._later())
        self._watch = None
        if self._line.each or len(self._waiting) > LONG:
            self._watch_line()

    def _later(self) -> Paced:
        return Paced(f"{self.hop.connections} connections at once, and the hop is slow", self._line.later())

    def state(self) -> HopState:
        """Tell how the hop stands."""
        pause = max(0.0, self._left_alone_until - self._clock.monotonic()) if self._trouble else 0.0
        return HopState(
            route=self.hop.route,
            host=self.hop.shown,
            port=self.hop.port,
            connections=len(self._connections),
            idle=len(self._idle),
            waiting=len(self._waiting),
            trouble="" if self._trouble is None else describe(self._trouble, self.hop),
            retry_in=pause,
        )

    def try_now(self) -> None:
        """Leave the hop alone no longer: somebody wants it tried."""
        self._left_alone_until = 0.0

    def drain(self) -> None:
        """Take no further mail: what is on its way ends in peace, and each connection with it."""
        self._draining = True
        self._retire_idle()

    @property
    def busy(self) -> bool:
        """Tell whether anything is on its way or waits."""
        return bool(self._opening or self._waiting or len(self._idle) < len(self._connections))

    @property
    def empty(self) -> bool:
        """Tell whether no connection is left, and nothing waits for one."""
        return not (self._connections or self._opening or self._waiting)

    async def close(self) -> None:
        """Say QUIT on what is idle, drop what is not, and wait until all are gone; within a few seconds."""
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
        for task in self._opening:
            task.cancel()
        connections = list(self._connections)
        for connection in connections:
            if connection.busy:
                connection.abort("the relay is stopping")
            else:
                connection.quit()
        self._fail_waiting(Trouble(Stage.CONNECT, Kind.LOCAL, "the relay is stopping"))
        leaving = [*self._opening, *(connection.gone for connection in connections)]
        if leaving:
            _, late = await asyncio.wait(leaving, timeout=_CLOSING_WAIT)
            if late:
                for connection in connections:
                    connection.kill()
                await asyncio.wait(late, timeout=_CLOSING_WAIT)

    # What connections ask for and report

    def next(self) -> Transaction | None:
        """Give the transaction that waits longest and is still wanted."""
        while self._waiting:
            transaction = self._waiting.popleft()
            if not transaction.abandoned:
                self._taken += 1
                return transaction
        return None

    def idle(self, connection: Connection) -> None:
        """Keep a connection for later."""
        if self._closed or self._draining:
            connection.quit()
        else:
            self._idle.append(connection)

    def lost(
        self, connection: Connection, happening: Happening | None, unanswered: list[Transaction]
    ) -> None:
        """Forget a connection; try again what it had not begun, once, on a fresh one."""
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._observe(self.hop.route, "closed")
        if happening is not None and unanswered and not connection.proven:
            self._note_failure(happening)
        for transaction in reversed(unanswered):
            self._again_or_end(transaction, happening, stale=connection.proven)
        if unanswered and connection.proven:
            # The hop has dropped one kept connection: what else was kept is likely to be as stale.
            self._retire_idle()
        self._pump()

    def _again_or_end(self, transaction: Transaction, happening: Happening | None, *, stale: bool) -> None:
        transaction.tries += 1
        if transaction.abandoned:
            return
        if happening is None or (stale and transaction.tries < _TRIES):
            self._observe(self.hop.route, "stale")
            self._waiting.appendleft(transaction)
        else:
            transaction.end(happening)

    def _retire_idle(self) -> None:
        for connection in tuple(self._idle):
            connection.quit()

    def _abandon(self, transaction: Transaction) -> None:
        transaction.abandoned = True
        for connection in tuple(self._connections):
            connection.abandon(transaction)
        if transaction in self._waiting:
            self._waiting.remove(transaction)

    # Getting connections

    def _pump(self) -> None:
        """Give what waits to idle connections, then open more where the hop and its limit allow."""
        if self._closed:
            return self._fail_waiting(Trouble(Stage.CONNECT, Kind.LOCAL, "the relay is stopping"))
        while self._waiting and self._idle:
            self._observe(self.hop.route, "reused")
            self._idle.pop().poke()
        for _ in range(min(len(self._waiting) - len(self._opening), self._may_open())):
            task = asyncio.get_running_loop().create_task(self._open_one())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        if self._waiting and not self._connections and not self._opening and self._trouble is not None:
            self._fail_waiting(self._trouble)
        return None

    def _may_open(self) -> int:
        """Give how many more connections may be opened now; a hop in trouble gets one that probes it."""
        room = self.hop.connections - len(self._connections) - len(self._opening)
        if self._trouble is None:
            return max(room, 0)
        alone = self._clock.monotonic() < self._left_alone_until
        return 0 if alone or self._opening else min(room, 1)

    async def _open_one(self) -> None:
        try:
            opened = await self._open()
        except Exception:
            logger.exception("%s: unexpected trouble with the connection", self.hop)
            opened = Trouble(Stage.CONNECT, Kind.UNKNOWN)
        self._opening.discard(_this_task())
        if not isinstance(opened, Opened):
            self._note_failure(opened)
            self._pump()
            return
        self._trouble, self._failures = None, 0
        self._observe(self.hop.route, "opened")
        connection = Connection(self, opened.transport, opened.offer, self.hop.timeouts, self.hop.messages)
        self._connections.add(connection)
        if self._closed:
            connection.quit()
        else:
            connection.poke()
            self._pump()

    def _note_failure(self, happening: Happening) -> None:
        """Leave the hop alone for a while: 5 s at first, up to 30 s, a quarter more or less."""
        if isinstance(happening, Answered) and not is_of_the_hop(happening):
            # The words may quote an address, a log copy's even; this is shown for the hop, not for a message.
            happening = Answered(happening.stage, Reply(happening.reply.code, happening.reply.status, ""))
        pause = min(SHORTEST_PAUSE * 2.0 ** min(self._failures, 8), LONGEST_PAUSE)
        self._failures += 1
        self._trouble = happening
        self._left_alone_until = self._clock.monotonic() + pause * (0.75 + 0.5 * self._clock.chance())
        self._observe(self.hop.route, "failed")
        level = logging.ERROR if needs_somebody(happening, self.hop) else logging.WARNING
        if self.hop.exchanger and level == logging.WARNING:
            level = logging.INFO  # somebody else's server; the events of its mail tell of it
        logger.log(
            level, "route %s: %s; next try in %.0f s", self.hop.route, describe(happening, self.hop), pause
        )

    def _fail_waiting(self, happening: Happening) -> None:
        while (transaction := self.next()) is not None:
            transaction.end(happening)


def _this_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task
