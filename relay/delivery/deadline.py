"""A limit on waiting that moves with every step, for the price of one timer."""

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls `expired` once the time given last has passed.

    The timer is not moved with each step: it looks at least every `shortest` seconds, the shortest time that is ever
    given, so that a deadline is never missed.
    """

    __slots__ = ("_at", "_expired", "_loop", "_shortest", "_timer")

    def __init__(self, seconds: float, shortest: float, expired: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._expired = expired
        self._shortest = shortest
        self._at = self._loop.time() + seconds
        self._timer = self._loop.call_later(shortest, self._look)

    def within(self, seconds: float) -> None:
        """Give this much time from now on."""
        self._at = self._loop.time() + seconds

    def cancel(self) -> None:
        """Wait for nothing any more."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        if now >= self._at:
            self._expired()
        else:
            self._timer = self._loop.call_at(min(self._at, now + self._shortest), self._look)
