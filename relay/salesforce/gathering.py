"""Gather what is due together into rounds, so that many messages share few calls of Salesforce.

A message that comes alone is recorded at once. Under load the rounds are spaced by how many calls were made of late, and
each takes what has come meanwhile, as far as its content fits into memory.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from relay.clock import Clock
from relay.errors import StorageError
from relay.outcome import Outcome
from relay.queue.model import Batch
from relay.queue.settlement import BROKEN
from relay.salesforce.dispatch import SalesforceMeter
from relay.salesforce.making import Maker
from relay.salesforce.round import Round
from relay.salesforce.work import Tools, Work

logger = logging.getLogger(__name__)

MOST = 400
"""Messages in one round: as many as the queue has under way at once."""
OCTETS = 64 * 1024 * 1024
"""Octets of content in one round; one message may be larger."""
SPACE_PER_CALL = 0.4
"""Seconds that each call of the last minute keeps the next round away: 300 reps with 50 mails each come to some 10,000
calls a day, and a mail that comes alone is recorded at once."""
LONGEST_SPACE = 20.0
_MINUTE = 60.0
_TOGETHER = 0.01
"""Seconds that the first of a burst waits for the others of the same claim."""
_GONE_CALLS = 50
"""How many calls' space there is between rounds while Salesforce is gone: 20 s."""
_FILES = 4
"""Rounds whose files are sent while others go on."""


@dataclass(slots=True)
class _Waiting:
    batch: Batch
    ended: "asyncio.Future[Outcome]"


class Calls:
    """Counts the calls of the last minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._made: deque[float] = deque(maxlen=1000)

    def called(self) -> None:
        """Count one."""
        self._made.append(self._clock.monotonic())

    def lately(self) -> int:
        """Give how many there were in the last minute."""
        since = self._clock.monotonic() - _MINUTE
        while self._made and self._made[0] < since:
            self._made.popleft()
        return len(self._made)


class Counting:
    """A meter that counts the calls for the spacing of rounds, and passes on what it is told."""

    def __init__(self, calls: Calls, meter: SalesforceMeter) -> None:
        self._calls = calls
        self._meter = meter

    def salesforce_called(self, operation: str, result: str, seconds: float) -> None:
        """Count one call; a sign-in is none, and what is asked once an hour does not count."""
        if operation not in ("token", "describe"):
            self._calls.called()
        self._meter.salesforce_called(operation, result, seconds)

    def salesforce_remaining(self, calls: int) -> None:
        """Pass on what is left of the day's calls."""
        self._meter.salesforce_remaining(calls)


class Gathering:
    """Has messages recorded in rounds, one at a time."""

    def __init__(self, clock: Clock, calls: Calls, space_per_call: float = SPACE_PER_CALL) -> None:
        self._space_per_call = space_per_call
        self._tools: Callable[[], Tools | None] = lambda: None
        self._clock = clock
        self._calls = calls
        self._waiting: deque[_Waiting] = deque()
        self._came = asyncio.Event()
        self._full = asyncio.Event()
        self._hurried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._files: set[asyncio.Task[None]] = set()
        self._last = -LONGEST_SPACE
        self._closing = False
        self._hurrying = False

    async def record(self, batch: Batch, tools: Callable[[], Tools | None]) -> Outcome:
        """Record one message with the tools of now; give its outcome. Raises StorageError."""
        self._tools = tools
        ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(batch, ended))
        self._came.set()
        if len(self._waiting) >= MOST:
            self._full.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._rounds())
        return await ended

    def hurry(self, *, from_now_on: bool = False) -> None:
        """Space the next round no further, or none any more: somebody waits for it."""
        self._hurrying = self._hurrying or from_now_on
        self._full.set()
        self._hurried.set()

    async def close(self, grace: float) -> None:
        """Let the round under way end for up to `grace` seconds; what it had begun is looked for by the next service."""
        self._closing = True
        self._full.set()
        self._hurried.set()
        tasks = [one for one in (self._task, *self._files) if one is not None and not one.done()]
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while self._waiting:
            self._waiting.popleft().ended.cancel()

    async def _rounds(self) -> None:
        while self._waiting and not self._closing:
            await self._space()
            most = await self._most()
            taken = self._take(most) if not self._closing else []
            if taken:
                await self._round(taken)

    async def _space(self) -> None:
        """Wait until the next round is due: by the calls of late, or until there is enough for a full one."""
        await asyncio.sleep(_TOGETHER)
        space = min(self._calls.lately() * self._space_per_call, LONGEST_SPACE)
        left = self._last + space - self._clock.monotonic()
        if left > 0 and len(self._waiting) < MOST and not self._hurrying:
            self._full.clear()
            try:
                async with asyncio.timeout(left):
                    await self._full.wait()
            except TimeoutError:
                pass
        self._last = self._clock.monotonic()

    async def _most(self) -> int:
        """Give how many messages the next round may have: one alone tries a Salesforce that was gone.

        While it is gone a round comes now and then, and only says so: thousands of messages that wait cost little.
        """
        left = self._gone_for()
        if left is not None and left > 0:
            self._hurried.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, self._space_per_call * _GONE_CALLS)):
                    await self._hurried.wait()
            left = self._gone_for()
        return 1 if left is not None and left <= 0 else MOST

    def _gone_for(self) -> float | None:
        """Give for how many seconds a Salesforce that is gone is not tried; None: it is not gone."""
        tools = self._tools()
        gone = tools.client.gone() if tools is not None else None
        return (gone.until - self._clock.now()) / 1_000_000 if gone is not None else None

    def _take(self, most: int) -> list[_Waiting]:
        taken: list[_Waiting] = []
        octets = 0
        while self._waiting and len(taken) < most:
            octets += self._waiting[0].batch.content.octets
            if taken and octets > OCTETS:
                break
            one = self._waiting.popleft()
            if not one.ended.done():  # the attempt was broken off meanwhile
                taken.append(one)
        return taken

    async def _round(self, taken: list[_Waiting]) -> None:
        works = [Work(one.batch, one.batch.deliveries[0]) for one in taken]
        futures = {work.id: one.ended for work, one in zip(works, taken, strict=True)}

        def ended(work: Work) -> None:
            future = futures[work.id]
            if not future.done():
                future.set_result(work.outcome or BROKEN)

        try:
            tools = self._tools()
            maker = await Round(tools, works, ended).run() if tools is not None else None
        except BaseException as exc:
            self._broken(list(futures.values()), exc)
            if not isinstance(exc, Exception):
                raise
            return
        if maker is None:
            _leave_none(futures.values())
            return
        await self._send_files(maker, list(futures.values()))

    async def _send_files(self, maker: Maker, futures: "list[asyncio.Future[Outcome]]") -> None:
        """Send files beside the next rounds, not too many at once."""
        while len(self._files) >= _FILES:
            await asyncio.wait(self._files, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.get_running_loop().create_task(self._files_of(maker, futures))
        self._files.add(task)
        task.add_done_callback(self._files.discard)

    async def _files_of(self, maker: Maker, futures: "list[asyncio.Future[Outcome]]") -> None:
        try:
            await maker.send_files()
        except BaseException as exc:
            self._broken(futures, exc)
            if not isinstance(exc, Exception):
                raise
            return
        _leave_none(futures)

    def _broken(self, futures: "list[asyncio.Future[Outcome]]", exc: BaseException) -> None:
        """End messages whose round came to nothing: they are tried again, and looked for first."""
        if isinstance(exc, Exception) and not isinstance(exc, StorageError):
            logger.error("recording failed by a fault of the relay", exc_info=exc)
        for future in futures:
            if future.done():
                continue
            if isinstance(exc, StorageError):
                future.set_exception(exc)
            elif isinstance(exc, Exception):
                future.set_result(BROKEN)
            else:
                future.cancel()


def _leave_none(futures: "Iterable[asyncio.Future[Outcome]]") -> None:
    """See that nobody waits for ever, whatever was forgotten."""
    for future in futures:
        if not future.done():
            logger.error("a message was left without an outcome by its round of recording")
            future.set_result(BROKEN)
