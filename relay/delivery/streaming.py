"""Reading content to be sent: at once from memory, or a chunk at a time, as fast as the hop takes it."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from relay.ids import QueueId
from relay.queue.model import ContentReader

logger = logging.getLogger(__name__)

_NO_LINE_END = "the content does not end with a line end"
"""Then a final dot would not end it."""


class Unsendable(Exception):
    """The content cannot be sent as it is; the text says why."""


class Sink(Protocol):
    """What chunks are written to."""

    def write(self, data: bytes) -> None:
        """Take a chunk."""
        ...


def read_inline(content: ContentReader, message: QueueId) -> bytes | None:
    """Give content that is in memory, None when it is not. Raises Unsendable, having logged why."""
    try:
        whole = content.inline()
    except Exception as exc:
        logger.exception("%s: the content cannot be read", message)
        raise Unsendable("the content cannot be read") from exc
    if whole and not whole.endswith(b"\r\n"):
        raise Unsendable(_NO_LINE_END)
    return whole


async def send_chunks(
    content: ContentReader,
    message: QueueId,
    sink: Sink,
    may_write: asyncio.Event,
    progress: Callable[[], None],
) -> None:
    """Write the chunks of the content, each only when `may_write` is set; call `progress` after each.

    So no more than one chunk is in memory, as long as the hop takes it or while the next one is read.
    Raises Unsendable when the content cannot be read, having logged why, and when it does not end with a line end.
    """
    try:
        tail = await _send_chunks(content, sink, may_write, progress)
    except Exception as exc:
        logger.exception("%s: the content cannot be read", message)
        raise Unsendable("the content cannot be read") from exc
    if tail != b"\r\n":
        raise Unsendable(_NO_LINE_END)


async def _send_chunks(
    content: ContentReader, sink: Sink, may_write: asyncio.Event, progress: Callable[[], None]
) -> bytes:
    """Give the last two octets; CRLF for no content at all."""
    tail = b"\r\n"
    chunks = content.chunks()
    try:
        async for chunk in chunks:
            sink.write(chunk)
            tail = (tail + chunk[-2:])[-2:]
            del chunk  # it waits in the transport, if at all
            await may_write.wait()
            progress()
    finally:
        close = getattr(chunks, "aclose", None)  # a generator's file is closed now, not when it is collected
        if close is not None:
            await close()
    return tail
