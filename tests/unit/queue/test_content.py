"""Tests for relay.queue.content: what is sent of a message, from memory and from the spool."""

import asyncio
import io
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.delivery.streaming import send_chunks
from relay.errors import StorageUnavailable
from relay.ids import QueueId
from relay.queue.content import CHUNK, MemoryContent, SpoolContent, read_original, reader_of
from relay.queue.model import StoredContent
from relay.queue.report import FULL_LIMIT, HEADER_LIMIT

PREFIX = b"Received: by relay\r\n"
CONTENT = b"Bcc: boss@example.com\r\nSubject: x\r\nbcc: y\r\n z\r\n\r\nbody\r\n"
SKIPS = ((0, 23), (35, 47))
SENT = b"Received: by relay\r\nSubject: x\r\n\r\nbody\r\n"


class OneFile:
    """A spool of one file in memory; it knows whether the file was closed."""

    def __init__(self, content: bytes) -> None:
        self.file = io.BytesIO(content)

    def open(self, name: str) -> io.BytesIO:
        """Give the file."""
        return self.file


@pytest.fixture
def pool():
    """Give threads to read in."""
    with ThreadPoolExecutor(max_workers=2) as threads:
        yield threads


def stored(
    content: bytes | None = CONTENT,
    skips: tuple[tuple[int, int], ...] = SKIPS,
    spool: str | None = None,
    octets: int | None = None,
) -> StoredContent:
    """Give where the content is."""
    return StoredContent(PREFIX, skips, len(SENT) if octets is None else octets, content, spool)


class Taking:
    """A hop that takes everything at once."""

    def write(self, data: bytes) -> None:
        """Let go of it."""


async def everything(reader) -> list[bytes]:
    """Give all chunks."""
    return [chunk async for chunk in reader.chunks()]


async def test_prefix_first_and_skips_left_out():
    """In memory or in the spool: the prefix, then the content less what must not be sent on."""
    with ThreadPoolExecutor() as pool:
        memory = reader_of(stored(), OneFile(b""), pool)
        spooled = reader_of(stored(None, spool="x"), OneFile(CONTENT), pool)
        assert memory.inline() == b"".join(await everything(memory)) == SENT
        assert spooled.inline() is None
        assert b"".join(await everything(spooled)) == SENT
        assert memory.octets == spooled.octets == len(SENT)


async def test_a_chunk_that_was_sent_is_let_go_before_the_next_is_read(tmp_path):
    """Sending from the spool to a hop that takes it takes the memory of one chunk, whatever the size."""
    path = tmp_path / "x"
    path.write_bytes(b"x" * 70 + b"\r\n" + bytes(CHUNK * 8 - 2) + b"\r\n")

    class OnDisk:
        def open(self, name: str):
            return path.open("rb")

    may_write = asyncio.Event()
    may_write.set()
    asyncio.get_running_loop().set_debug(False)  # it keeps results for its own sake
    with ThreadPoolExecutor(max_workers=1) as pool:  # of two, one may yet hold what it has read
        reader = SpoolContent(stored(None, skips=()), "x", OnDisk(), pool)
        tracemalloc.start()
        try:
            await send_chunks(reader, QueueId("0123456789ABC"), Taking(), may_write, lambda: None)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 1.8 * CHUNK


async def test_chunks_are_of_bounded_size(pool):
    """However large the content, no chunk is larger than CHUNK."""
    content = bytes(range(256)) * 4096
    for reader in (
        MemoryContent(stored(skips=()), content),
        SpoolContent(stored(None, skips=()), "x", OneFile(content), pool),
    ):
        chunks = await everything(reader)
        assert b"".join(chunks) == PREFIX + content
        assert max(map(len, chunks)) <= CHUNK


async def test_a_file_is_closed_when_reading_ends_or_is_given_up(pool):
    """Nobody keeps spool files open: not after the end, not after a break, not after a cancellation."""
    whole, broken = OneFile(CONTENT), OneFile(b"x" * (3 * CHUNK))
    await everything(SpoolContent(stored(None), "x", whole, pool))
    chunks = SpoolContent(stored(None, skips=()), "x", broken, pool).chunks()
    assert await anext(chunks) == PREFIX
    assert len(await anext(chunks)) == CHUNK
    await chunks.aclose()
    await asyncio.get_running_loop().run_in_executor(None, pool.shutdown)
    assert whole.file.closed
    assert broken.file.closed


async def test_a_file_that_cannot_be_read_is_a_fault_of_the_store(pool):
    """OSError does not reach couriers; StorageError does."""

    class Broken(OneFile):
        def open(self, name):
            raise OSError(5, "Input/output error")

    with pytest.raises(StorageUnavailable, match="Input/output error"):
        await everything(SpoolContent(stored(None), "x", Broken(b""), pool))


def test_content_that_is_nowhere_is_a_fault_of_the_store(pool):
    """Neither inline nor in the spool: it is gone."""
    with pytest.raises(StorageUnavailable):
        reader_of(stored(None), OneFile(b""), pool)


@given(st.binary(max_size=300), st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=5))
def test_skipping_is_what_a_reader_of_the_octets_would_do(content, ranges):
    """Any ranges, in any order and overlapping: exactly the octets in none of them are sent."""
    skips = tuple((min(pair), max(pair)) for pair in ranges)
    kept = bytes(octet for n, octet in enumerate(content) if not any(a <= n < b for a, b in skips))
    assert MemoryContent(stored(skips=skips), content).inline() == PREFIX + kept
    with ThreadPoolExecutor(max_workers=1) as pool:
        reader = SpoolContent(stored(None, skips=skips), "x", OneFile(content), pool)
        assert b"".join(asyncio.run(everything(reader))) == PREFIX + kept


async def original_of(content: bytes, octets: int | None = None):
    """Give what a report returns of this content."""
    size = len(PREFIX) + len(content) if octets is None else octets
    return await read_original(MemoryContent(stored(skips=(), octets=size), content))


async def test_the_original_is_read_without_transparency_and_bcc():
    """Real octets: no stuffed dots, no skipped fields."""
    reader = MemoryContent(stored(), CONTENT + b"..dot\r\n")
    original = await read_original(reader)
    assert original.header == b"Received: by relay\r\nSubject: x\r\n"
    assert original.body == b"body\r\n.dot\r\n"
    assert original.subject == "x"


async def test_a_body_that_begins_with_a_dot():
    """The first line of a body is unstuffed like any other."""
    assert (await original_of(b"Subject: x\r\n\r\n..\r\n")).body == b".\r\n"
    assert (await original_of(b"..x: y\r\n\r\nb\r\n")).header == PREFIX + b".x: y\r\n"


async def test_a_message_without_a_body_has_none():
    """No blank line: everything is header section."""
    original = await original_of(b"Subject: x\r\n")
    assert original.body is None
    assert original.header == PREFIX + b"Subject: x\r\n"


async def test_a_message_that_is_too_large_has_no_body():
    """Only its header section is returned."""
    original = await original_of(b"Subject: x\r\n\r\n" + b"y" * FULL_LIMIT + b"\r\n")
    assert original.body is None
    assert original.subject == "x"


async def test_a_huge_header_section_is_cut_at_a_line(pool):
    """No more than HEADER_LIMIT is kept, whole lines of it, and not much more is read."""
    line = b"X: " + b"y" * 95 + b"\r\n"
    content = line * 5000
    spool = OneFile(content)
    reader = SpoolContent(stored(None, skips=(), octets=len(content)), "x", spool, pool)
    original = await read_original(reader)
    assert HEADER_LIMIT - 100 < len(original.header) <= HEADER_LIMIT
    assert original.header.endswith(b"y\r\n")
