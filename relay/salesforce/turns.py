"""The few threads that calls of Salesforce are made in, and whose turn it is: what is logged goes before the rest.

For one event loop. The threads are daemons: a call that hangs does not keep the process from ending.
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_Work = Callable[[], None]


class Turns:
    """So many places, handed on in order; calls in the background leave one free, and wait behind all others."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._background_free = max(1, places - 1)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._background: deque[asyncio.Future[None]] = deque()

    async def take(self, *, background: bool) -> None:
        """Wait for a place."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._background if background else self._waiting).append(waiting)
        self._hand_out()
        try:
            await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self.give_back(background=background)
            raise

    def give_back(self, *, background: bool) -> None:
        """Free a place, for the next in order."""
        self._free += 1
        self._background_free += 1 if background else 0
        self._hand_out()

    def _hand_out(self) -> None:
        while self._free and self._next(self._waiting):
            self._free -= 1
        while self._free and self._background_free and self._next(self._background):
            self._free -= 1
            self._background_free -= 1

    @staticmethod
    def _next(waiting: deque[asyncio.Future[None]]) -> bool:
        while waiting:
            one = waiting.popleft()
            if not one.done():  # else its call was given up while it waited
                one.set_result(None)
                return True
        return False


class Workers:
    """Threads that do blocking work, started as they are needed, at most so many."""

    def __init__(self, threads: int) -> None:
        self._most = threads
        self._work: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._busy = 0

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have it done in a thread; the future belongs to the running loop. The caller keeps to the number of places."""
        loop = asyncio.get_running_loop()
        promised: asyncio.Future[T] = loop.create_future()

        def whole() -> None:
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits
                _tell(loop, self._failed, promised, error)
            else:
                _tell(loop, self._done, promised, result)

        self._busy += 1
        if len(self._threads) < min(self._most, self._busy):
            self._start()
        self._work.put(whole)
        return promised

    def close(self) -> None:
        """End the threads after what they are doing."""
        for _ in self._threads:
            self._work.put(None)

    def _done(self, promised: asyncio.Future[T], result: T) -> None:
        self._busy -= 1
        if not promised.done():
            promised.set_result(result)

    def _failed(self, promised: asyncio.Future[T], error: BaseException) -> None:
        self._busy -= 1
        if not promised.done():
            promised.set_exception(error)

    def _start(self) -> None:
        name = f"salesforce-{len(self._threads)}"
        thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _loop(self) -> None:
        while (work := self._work.get()) is not None:
            work()


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[..., None], *args: object) -> None:
    try:
        loop.call_soon_threadsafe(what, *args)
    except RuntimeError:
        return  # the loop has ended: nobody waits any more
