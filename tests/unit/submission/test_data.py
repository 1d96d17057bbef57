"""Content on its way in: its end is found wherever a large read is cut, and a read needs little memory beside itself."""

import tracemalloc
from itertools import product

import pytest

from relay.config.model import LimitSettings
from relay.submission.data import ChunkReader, Content, DataReader, has_bare_ends
from relay.submission.limits import limits_of

_SLICE = 65536
_LINE = b"x" * 70 + b"\r\n"


class Kept:
    """A spool file that only keeps what it is given."""

    name = "kept"

    def __init__(self) -> None:
        self.octets = bytearray()

    def write(self, chunk: bytes) -> None:
        self.octets += chunk

    async def sync(self) -> None:
        """There is no disk."""

    def abandon(self) -> None:
        self.octets.clear()


class Counted(Kept):
    """A spool file that keeps nothing."""

    def write(self, chunk: bytes) -> None:
        """Let go of it."""


def content_in(file: Kept) -> Content:
    """Make content that goes into a file once it is large."""
    return Content(limits_of(LimitSettings()), lambda: file)


@pytest.mark.parametrize("cut", range(-6, 7))
def test_the_end_of_large_content_is_found_wherever_a_slice_is_cut(cut: int) -> None:
    """What comes in one large read is kept as it came, dots counted, up to the line with the dot and not beyond."""
    file = Kept()
    content = content_in(file)
    body = b"y" * _SLICE + b"\r\n..z" + b"x" * (_SLICE - 10 + cut) + b"\r\n"
    assert DataReader(content).feed(body + b".\r\nNOOP\r\n" + b"w" * _SLICE) == b"NOOP\r\n" + b"w" * _SLICE
    assert bytes(file.octets) == body
    assert content.octets == len(body) - 1
    assert not content.bare


@pytest.mark.parametrize("cut", range(-3, 4))
def test_a_large_chunk_is_stuffed_wherever_a_slice_is_cut(cut: int) -> None:
    """A dot that begins a line of BDAT gets a second one, also where a slice ends before it."""
    file = Kept()
    content = content_in(file)
    reader = ChunkReader(content)
    body = b"x" * (_SLICE - 2 + cut) + b"\r\n.y" + b"z" * _SLICE + b"\r\n"
    reader.begin(len(body), last=True)
    assert reader.feed(body + b"QUIT\r\n") == b"QUIT\r\n"
    assert bytes(file.octets) == body.replace(b"\r\n.", b"\r\n..")
    assert content.octets == len(body)


@pytest.mark.parametrize("by_chunk", [False, True])
def test_a_large_read_needs_little_memory_beside_itself(by_chunk: bool) -> None:
    """A read of 2 MiB is looked through in slices: what that takes at a time does not grow with the read."""
    data = _LINE * (2**21 // len(_LINE))
    reader: DataReader | ChunkReader = (ChunkReader if by_chunk else DataReader)(content_in(Counted()))
    if isinstance(reader, ChunkReader):
        reader.begin(2 * len(data), last=False)
    reader.feed(b"Subject: large\r\n\r\n" + _LINE * 2000)
    tracemalloc.start()
    try:
        reader.feed(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_bare_line_ends_are_found_wherever_they_stand() -> None:
    """In every piece of up to six octets of CR, LF, another separator and a letter: what counting would say."""
    for length in range(7):
        for octets in product(b"\r\n\x0bx", repeat=length):
            piece = bytes(octets)
            ends = piece.count(b"\r\n")
            assert has_bare_ends(piece) == (piece.count(b"\r") != ends or piece.count(b"\n") != ends)
