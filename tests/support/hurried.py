"""A loop and a clock that run faster than the world: what waits minutes waits seconds, whatever waits on them alone."""

import asyncio
import selectors
import time

from tests.support.recording_house import MovedClock


class HurriedLoop(asyncio.SelectorEventLoop):
    """A loop for which so many seconds pass in one."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._began = time.monotonic()
        super().__init__(_Hurried(factor))

    def time(self) -> float:
        """Give its seconds."""
        return self._began + (time.monotonic() - self._began) * self._factor


class _Hurried(selectors.DefaultSelector):
    """Waits so much shorter than it is asked to."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self._factor = factor

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for events."""
        return super().select(timeout / self._factor if timeout and timeout > 0 else timeout)


class HurriedClock(MovedClock):
    """The machine's clock at that pace."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self._factor = factor
        self._began = super().now(), super().monotonic()

    def now(self) -> int:
        """Give the instant."""
        return self._began[0] + round((super().now() - self._began[0]) * self._factor)

    def monotonic(self) -> float:
        """Give seconds."""
        return self._began[1] + (super().monotonic() - self._began[1]) * self._factor
