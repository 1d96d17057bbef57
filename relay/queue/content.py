"""Readers for the content of a queued message: from memory, or from the spool without blocking the loop.

What is sent is the prefix, then the content less the ranges to skip; everything in wire form.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import Executor
from contextlib import aclosing
from typing import BinaryIO, Protocol

from relay.errors import StorageUnavailable
from relay.message import read_header, subject, unstuff
from relay.queue.model import ContentReader, StoredContent
from relay.queue.report import FULL_LIMIT, HEADER_LIMIT, Original

CHUNK = 128 * 1024


class SpoolFiles(Protocol):
    """Where large content is read from."""

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading. Raises OSError when it is not there."""
        ...


class MemoryContent:
    """Content that is in memory as a whole."""

    def __init__(self, stored: StoredContent, content: bytes) -> None:
        self._stored = stored
        self._content = content

    @property
    def octets(self) -> int:
        """Give the message size as RFC 1870 §5 counts it."""
        return self._stored.octets

    def inline(self) -> bytes:
        """Give everything that is sent, as one piece."""
        if not self._stored.skips:
            return self._stored.prefix + self._content
        kept = (self._content[start:end] for start, end in _kept(self._stored.skips, len(self._content)))
        return self._stored.prefix + b"".join(kept)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give everything that is sent, in chunks."""
        whole = self.inline()
        for start in range(0, len(whole), CHUNK):
            yield whole[start : start + CHUNK]


class SpoolContent:
    """Content that is read from the spool each time it is sent, in the threads of `pool`."""

    def __init__(self, stored: StoredContent, name: str, spool: SpoolFiles, pool: Executor) -> None:
        self._stored = stored
        self._name = name
        self._spool = spool
        self._pool = pool

    @property
    def octets(self) -> int:
        """Give the message size as RFC 1870 §5 counts it."""
        return self._stored.octets

    def inline(self) -> None:
        """Give None: it is not in memory."""
        return

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give everything that is sent, in chunks. Raises StorageUnavailable when the file cannot be read."""
        loop = asyncio.get_running_loop()
        if self._stored.prefix:
            yield self._stored.prefix
        file = _SpoolPieces(self._spool, self._name, self._stored.skips)
        try:
            while chunk := await loop.run_in_executor(self._pool, file.next):
                yield chunk
                del chunk  # while the next one is read
        except OSError as exc:
            raise StorageUnavailable(f"the spool file {self._name} cannot be read: {exc.strerror}") from exc
        finally:
            loop.run_in_executor(self._pool, file.close)


def reader_of(stored: StoredContent, spool: SpoolFiles, pool: Executor) -> ContentReader:
    """Give the reader that suits where the content is. Raises StorageUnavailable when it is nowhere."""
    if stored.inline is not None:
        return MemoryContent(stored, stored.inline)
    if stored.spool_name is None:
        raise StorageUnavailable("the content is gone")
    return SpoolContent(stored, stored.spool_name, spool, pool)


def read_some(stored: StoredContent, spool: SpoolFiles, limit: int) -> bytes:
    """Give what is sent, up to a number of octets; blocks. Raises StorageUnavailable when it cannot be read."""
    if stored.inline is not None:
        return MemoryContent(stored, stored.inline).inline()[:limit]
    if stored.spool_name is None:
        raise StorageUnavailable("the content is gone")
    wire = bytearray(stored.prefix)
    try:
        for piece in _pieces(spool, stored.spool_name, stored.skips):
            wire += piece
            if len(wire) >= limit:
                break
    except OSError as exc:
        raise StorageUnavailable(f"the spool file cannot be read: {exc.strerror}") from exc
    return bytes(wire[:limit])


async def read_original(reader: ContentReader) -> Original:
    """Read what a delivery report returns: the header section, and the body of a message that is not large."""
    limit = FULL_LIMIT if reader.octets <= FULL_LIMIT else HEADER_LIMIT
    wire = bytearray()
    async with aclosing(reader.chunks()) as chunks:  # type: ignore[type-var]  # ContentReader's chunks are generators
        async for chunk in chunks:
            wire += chunk
            if len(wire) > limit + FULL_LIMIT:
                break
    whole = bytes(wire)
    header, blank, body = whole.partition(b"\r\n\r\n")
    lines = header + b"\r\n" if blank else whole
    complete = blank and reader.octets <= FULL_LIMIT
    return Original(
        header=_cut(unstuff(lines)),
        body=unstuff(body) if complete else None,
        subject=subject(read_header(lines + b"\r\n")),
    )


def _cut(header: bytes) -> bytes:
    """Keep whole lines of a header section that is too large to be returned."""
    if len(header) <= HEADER_LIMIT:
        return header
    return header[: header.rfind(b"\r\n", 0, HEADER_LIMIT) + 2]


def _kept(skips: tuple[tuple[int, int], ...], size: int) -> Iterator[tuple[int, int]]:
    """Give the ranges that are sent, for content of `size` octets."""
    start = 0
    for skip_start, skip_end in sorted(skips):
        if skip_start > start:
            yield start, min(skip_start, size)
        start = max(start, skip_end)
    if start < size:
        yield start, size


class _SpoolPieces:
    """Reads a spool file piece by piece, in whatever thread asks."""

    def __init__(self, spool: SpoolFiles, name: str, skips: tuple[tuple[int, int], ...]) -> None:
        self._pieces = _pieces(spool, name, skips)
        # A cancelled read goes on in its thread: closing the file waits for it.
        self._lock = threading.Lock()

    def next(self) -> bytes:
        """Give the next piece; b"" at the end."""
        with self._lock:
            return next(self._pieces, b"")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._pieces.close()


def _pieces(spool: SpoolFiles, name: str, skips: tuple[tuple[int, int], ...]) -> Generator[bytes, None, None]:
    with spool.open(name) as file:
        size = file.seek(0, 2)
        for start, end in _kept(skips, size):
            file.seek(start)
            while start < end and (chunk := file.read(min(CHUNK, end - start))):
                start += len(chunk)
                yield chunk
                del chunk  # while the next one is read
