"""Writes refusals and failed sign-ins to the mail log without making anybody wait for it.

Bounded twice: so many events a minute, and so many waiting; what is beyond is only counted (RFC 6409 §5.2).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from relay.clock import Clock
from relay.errors import StorageError
from relay.maillog.events import Event
from relay.storage.database import Database, Transaction

_logger = logging.getLogger(__name__)

_WAITING = 1000
_BATCH = 200
_MINUTE = 60.0


class EventStore(Protocol):
    """Where events are written; the mail log is one."""

    def append(self, tx: Transaction, events: Sequence[Event]) -> None:
        """Write the events in the transaction."""
        ...


class RefusalLog:
    """Takes events, and writes them in batches on a task of its own."""

    def __init__(self, database: Database, store: EventStore, clock: Clock, *, per_minute: int = 600) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._per_minute = per_minute
        self._waiting: deque[Event] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._window_began = clock.monotonic()
        self._in_window = 0
        self._dropped = 0

    def note(self, event: Event) -> None:
        """Take an event to be written soon; never waits. One that is too many is counted, and the count logged."""
        if not self._within_rate() or len(self._waiting) >= _WAITING:
            self._dropped += 1
            return
        self._waiting.append(event)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write())

    def _within_rate(self) -> bool:
        now = self._clock.monotonic()
        if now - self._window_began >= _MINUTE:
            self._tell_dropped()
            self._window_began = now
            self._in_window = 0
        self._in_window += 1
        return self._in_window <= self._per_minute

    def _tell_dropped(self) -> None:
        if self._dropped:
            _logger.warning("%d more refusals came than are written to the mail log", self._dropped)
            self._dropped = 0

    async def _write(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            try:
                await self._database.write(lambda tx, events=batch: self._store.append(tx, events))  # type: ignore[misc]
            except StorageError as error:
                _logger.warning("%d refusals could not be written to the mail log: %s", len(batch), error)

    async def close(self) -> None:
        """Wait until what was taken is written."""
        if self._writer is not None:
            await self._writer
        self._tell_dropped()
