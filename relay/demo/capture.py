"""A next hop that keeps what it is given: the envelope, and the exact octets of the content.

It plays the smarthost in `relay demo` and in the tests. Recipients named refuse… and defer… are refused for good
and for now.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

from relay.demo.capture_session import CaptureSession
from relay.demo.captured import Captured, Forward, Manners
from relay.demo.service import some_port

__all__ = ["Capture", "Captured", "Forward", "Manners"]

_PATIENCE = 60.0
"""Seconds that starting and stopping may take."""
_TRIES = 100


class Capture:
    """The listening hop, in a thread with a loop of its own, so that blocking programs can use it, too."""

    def __init__(self, manners: Manners | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.manners = manners or Manners()
        self.host, self.port = host, port
        self._messages: list[Captured] = []
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._ready = threading.Event()
        self._trouble: OSError | None = None
        self._stopping = asyncio.Event()

    def start(self) -> "Capture":
        """Open the port; `port` then tells which. Raises OSError when it is taken."""
        self._thread.start()
        self._ready.wait(_PATIENCE)
        if self._trouble is not None:
            raise self._trouble
        return self

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(_PATIENCE)

    def __enter__(self) -> "Capture":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def messages(self) -> list[Captured]:
        """Give what has been taken up to now, in order."""
        with self._changed:
            return list(self._messages)

    def clear(self) -> None:
        """Forget what was taken."""
        with self._changed:
            self._messages.clear()

    def wait_until(self, enough: Callable[[list[Captured]], bool], limit: float = 30.0) -> list[Captured]:
        """Wait until what was taken is enough. Raises TimeoutError, saying how much there is, after `limit` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: enough(self._messages), limit):
                raise TimeoutError(f"{len(self._messages)} messages have arrived; more were expected")
            return list(self._messages)

    def wait_for(self, count: int, limit: float = 30.0) -> list[Captured]:
        """Wait for so many messages; TimeoutError after `limit` seconds."""
        return self.wait_until(lambda messages: len(messages) >= count, limit)

    def take(self, message: Captured) -> None:
        """Keep a message and tell those who wait."""
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _listen(self, talk: Callable[..., Awaitable[None]]) -> asyncio.Server:
        """Any port is one that no outgoing connection gets, so that another hop can listen there when this one is away."""
        if self.port:
            return await asyncio.start_server(talk, self.host, self.port)
        for _ in range(_TRIES):
            with suppress(OSError):
                return await asyncio.start_server(talk, self.host, some_port())
        raise OSError("no free port")

    async def _serve(self) -> None:
        talks: set[asyncio.Task[None]] = set()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            talks.add(task)
            try:
                await CaptureSession(self.manners, self.take, reader, writer).run()
            except asyncio.CancelledError:
                return  # the hop stops
            finally:
                talks.discard(task)

        try:
            server = await self._listen(talk)
        except OSError as trouble:
            self._trouble = trouble
            self._ready.set()
            return
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        server.close()
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
