"""Sending content that is not in memory: a chunk at a time, as fast as the hop takes it."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from relay.queue.model import ContentReader


class Sink(Protocol):
    """What chunks are written to."""

    def write(self, data: bytes) -> None:
        """Take a chunk."""
        ...


async def send_chunks(
    content: ContentReader, sink: Sink, may_write: asyncio.Event, progress: Callable[[], None]
) -> bool:
    """Write the chunks of the content, each only when `may_write` is set; call `progress` after each.

    So no more than one chunk stands beside what the transport holds back. Tells whether the content ends with a line
    end, or is empty: only then does a final dot end it. Raises what the reader raises.
    """
    tail = b"\r\n"
    chunks = content.chunks()
    try:
        async for chunk in chunks:
            sink.write(chunk)
            tail = (tail + chunk[-2:])[-2:]
            await may_write.wait()
            progress()
    finally:
        close = getattr(chunks, "aclose", None)  # a generator's file is closed now, not when it is collected
        if close is not None:
            await close()
    return tail == b"\r\n"
