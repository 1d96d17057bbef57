"""Large content is read no faster than it is taken."""

import asyncio
from contextlib import nullcontext

import pytest

from relay.delivery.streaming import Unsendable, read_inline, send_chunks
from relay.ids import QueueId
from tests.support.outgoing import Inline, Streamed

NAME = QueueId("0123456789ABC")


class _Sink:
    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.taken.append(data)


async def test_one_chunk_is_read_at_a_time() -> None:
    """While the transport holds back, exactly one chunk stands beside it; each further one waits for room."""
    reader, sink, may_write = Streamed([b"x\r\n"] * 10), _Sink(), asyncio.Event()
    sending = asyncio.ensure_future(send_chunks(reader, NAME, sink, may_write, lambda: None))
    for count in range(1, 5):
        for _ in range(20):
            await asyncio.sleep(0)
        assert (reader.read, len(sink.taken)) == (count, count)
        may_write.set()
        await asyncio.sleep(0)
        may_write.clear()
    may_write.set()
    await sending
    assert len(sink.taken) == 10


@pytest.mark.parametrize(
    ("chunks", "whole"),
    [
        ([], True),
        ([b"a\r\n"], True),
        ([b"a\r", b"\n"], True),
        ([b"a"], False),
        ([b"a\r\n", b"b"], False),
        ([b"a\n"], False),
    ],
)
async def test_the_end_is_looked_at(chunks: list[bytes], whole: bool) -> None:
    """Whether content ends with a line end is known also when the line end is cut by a chunk's border."""
    may_write = asyncio.Event()
    may_write.set()
    with nullcontext() if whole else pytest.raises(Unsendable, match="line end"):
        await send_chunks(Streamed(chunks), NAME, _Sink(), may_write, lambda: None)
    with nullcontext() if whole else pytest.raises(Unsendable, match="line end"):
        read_inline(Inline(b"".join(chunks)), NAME)


async def test_the_reader_is_closed_when_sending_is_cancelled() -> None:
    """A spool file does not stay open when the connection ends in the middle."""
    begun = asyncio.Event()
    reader = Streamed([b"x\r\n"] * 10, lambda _: begun.set())
    sending = asyncio.ensure_future(send_chunks(reader, NAME, _Sink(), asyncio.Event(), lambda: None))
    await begun.wait()
    sending.cancel()
    await asyncio.wait([sending])
    assert reader.closed
