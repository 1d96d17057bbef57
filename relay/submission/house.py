"""All connections of all listeners, and the work they started: swept every second, drained at the end."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Protocol

_LAST_CHANCE = 1.0
"""Seconds that work under way is waited for when there is no grace."""


class Connection(Protocol):
    """One connection, as the sweep and the end of service see it."""

    def check(self, now: float) -> None:
        """Hang up when the client was waited for too long."""
        ...

    def drain(self) -> None:
        """Take no further transaction; hang up at once when none is open."""
        ...

    def abort(self) -> None:
        """Cut the connection."""
        ...


class House:
    """Who is connected, and what is being worked on; both are bounded by the limit on connections."""

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self._works: set[asyncio.Task[None]] = set()
        self._concluding: set[Connection] = set()
        """Connections whose message is on its way to the queue."""
        self._emptied: asyncio.Event | None = None

    @property
    def idle(self) -> bool:
        """Tell whether nothing is being worked on."""
        return not self._works and not self._concluding

    def begin(self, connection: Connection) -> None:
        """Note that a message of a connection is being taken; `end` follows, whatever becomes of the connection."""
        self._concluding.add(connection)

    def end(self, connection: Connection) -> None:
        """Note that it was taken, or not."""
        self._concluding.discard(connection)
        self._look_whether_empty()

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Have work done on a task that is owned here: it outlives the connection that asked for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._works.add(task)
        task.add_done_callback(self._done)

    def sweep(self, now: float) -> None:
        """Look at every connection. `now` is in monotonic seconds."""
        for connection in tuple(self.connections):
            connection.check(now)

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        self.connections.discard(connection)
        self._look_whether_empty()

    def _done(self, work: asyncio.Task[None]) -> None:
        self._works.discard(work)
        self._look_whether_empty()

    def _look_whether_empty(self) -> None:
        if self._emptied is not None and not self.connections and self.idle:
            self._emptied.set()

    async def drain(self, grace: float) -> None:
        """Let transactions under way end, for `grace` seconds; then cut what is left."""
        self._emptied = asyncio.Event()
        for connection in tuple(self.connections):
            connection.drain()
        self._look_whether_empty()
        await self._at_most(grace)
        for connection in tuple(self.connections):
            connection.abort()
        # A message that is being stored is stored, whoever hears of it: that takes moments, not minutes.
        if not self.idle:
            await self._at_most(max(_LAST_CHANCE, grace))
        for task in self._works:
            task.cancel()

    async def _at_most(self, seconds: float) -> None:
        """Wait until nobody is here and nothing is worked on, for so long."""
        assert self._emptied is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._emptied.wait()
