"""What is asked once an hour and kept: descriptions of objects and the rows of picklists, each asked for once at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from relay.clock import Clock

T = TypeVar("T")
KEPT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """What was found, and the Last-Modified that came with it."""

    value: T
    modified: str | None = None


Ask = Callable[[Kept[T] | None], Awaitable[Kept[T]]]
"""Ask Salesforce; given what is kept, so that it can say If-Modified-Since and give that again at a 304."""


class Hourly(Generic[T]):
    """Keeps an answer for each name for an hour. A failure is not kept, and goes to all who wait for the same answer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[float, Kept[T]]] = {}
        self._asking: dict[str, asyncio.Future[Kept[T]]] = {}

    async def get(self, name: str, ask: Ask[T]) -> T:
        """Give the answer, kept or new."""
        known = self._kept.get(name)
        if known is not None and self._clock.monotonic() < known[0]:
            return known[1].value
        asking = self._asking.get(name)
        if asking is None:
            asking = self._asking[name] = asyncio.ensure_future(self._ask(name, ask, known))
            asking.add_done_callback(lambda done: self._asked(name, done))
        return (await asyncio.shield(asking)).value

    def forget(self, name: str | None = None) -> None:
        """Ask anew next time, about one name or about all; If-Modified-Since is not used then."""
        if name is None:
            self._kept.clear()
        else:
            self._kept.pop(name, None)

    async def _ask(self, name: str, ask: Ask[T], known: tuple[float, Kept[T]] | None) -> Kept[T]:
        kept = await ask(known[1] if known is not None else None)
        self._kept[name] = (self._clock.monotonic() + KEPT_SECONDS, kept)
        return kept

    def _asked(self, name: str, done: "asyncio.Future[Kept[T]]") -> None:
        self._asking.pop(name, None)
        if not done.cancelled():
            done.exception()  # those who waited have it; nobody may be left
