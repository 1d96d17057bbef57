"""However a conversation is cut into segments, the replies and what is stored are the same."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.submission.data import ChunkReader, Content, DataReader
from relay.submission.limits import Limits
from tests.support.dialogue import Dialogue, dialogues, segments
from tests.support.submission import Front, front_of
from tests.support.wire import Line, cut, door_named

ALL = [one for one in dialogues() if not any(step.kind == "TLS" for step in one.steps)]
# What is sent too early is told by what came along with it: there the segments are the point.
ALL = [one for one in ALL if "early" not in one.name]
LIMITS = Limits(1 << 20, 1 << 16, 100, 100, 20, 100, 3600.0, 300.0, 500, 50)


def no_spool() -> object:
    """Refuse to make a spool file: these contents are small."""
    raise AssertionError("nothing here is large")


async def _perform(dialogue: Dialogue, front: Front, sizes: list[int] | None) -> tuple[bytes, list[bytes]]:
    line = Line(door_named(front, dialogue.listener))
    for part in segments(dialogue.steps):
        if isinstance(part, bytes):
            await line.feed(cut(part, sizes) if sizes else [part])
            await line.settle()
    line.end()
    return bytes(line.wire.written), list(front.mail.contents)


def _both(dialogue: Dialogue, sizes: list[int]) -> None:
    async def run(how: list[int] | None) -> tuple[bytes, list[bytes]]:
        with tempfile.TemporaryDirectory() as folder:
            return await _perform(dialogue, front_of(Path(folder)), how)

    assert asyncio.run(run(sizes)) == asyncio.run(run(None))


@pytest.mark.parametrize("dialogue", ALL, ids=[one.name for one in ALL])
def test_one_octet_at_a_time_is_the_same_conversation(dialogue: Dialogue) -> None:
    """Every segment cut behind every octet gives the same replies and the same stored octets."""
    _both(dialogue, [1])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(ALL), st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_any_cut_is_the_same_conversation(dialogue: Dialogue, sizes: list[int]) -> None:
    """Segments of any sizes give the same replies and the same stored octets."""
    _both(dialogue, sizes)


SOUP = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"..", b"a", b"\0", b"\xff", b"x" * 40]), max_size=30
).map(b"".join)


def _read(pieces: list[bytes]) -> tuple[object, ...]:
    content = Content(LIMITS, no_spool)  # type: ignore[arg-type]
    reader = DataReader(content)
    rest: bytes | None = None
    for number, piece in enumerate(pieces):
        rest = reader.feed(piece)
        if rest is not None:
            rest += b"".join(pieces[number + 1 :])
            break
    kept = None if content.bare else content.inline
    return rest, kept, content.octets, content.bare, content.has_8bit


@given(SOUP, SOUP, st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_data_is_read_alike_however_it_is_cut(before: bytes, after: bytes, sizes: list[int]) -> None:
    """The reader of DATA finds the same end, content, size and faults in whatever pieces it comes."""
    whole = before + b"\r\n.\r\n" + after
    assert _read(cut(whole, sizes)) == _read([whole])


@given(SOUP)
def test_data_ends_at_the_first_lone_dot_and_nowhere_else(octets: bytes) -> None:
    """Content goes up to the first CRLF . CRLF, the beginning counting as behind a CRLF; all before it is kept."""
    rest, kept, size, bare, _ = _read([octets + b"\r\n.\r\n"])
    whole = b"\r\n" + octets + b"\r\n.\r\n"
    end = whole.index(b"\r\n.\r\n") + 2
    assert rest == whole[end + 3 :]
    wire = whole[2:end] if end > 2 else b""
    assert bare == (
        wire.replace(b"\r\n", b"").count(b"\r") > 0 or b"\n" in wire.replace(b"\r\n", b"") or b"\0" in wire
    )
    if not bare:
        assert kept == wire
    assert size == len(wire) - (b"\r\n" + wire).count(b"\r\n.")


def _chunks(pieces: list[bytes], lengths: list[int]) -> tuple[object, ...]:
    content = Content(LIMITS, no_spool)  # type: ignore[arg-type]
    reader = ChunkReader(content)
    whole, at = b"".join(pieces), 0
    for number, length in enumerate(lengths):
        reader.begin(length, last=number == len(lengths) - 1)
        rest = None
        for piece in [*cut(whole[at : at + length], [len(pieces[0]) or 1]), b""]:
            rest = reader.feed(piece)
            if rest is not None:
                break
        assert rest == b""
        at += length
    return (None if content.bare else content.inline), content.octets, content.bare


@given(SOUP, st.lists(st.integers(0, 9), max_size=6), st.integers(1, 5))
def test_chunks_are_read_alike_however_they_are_cut(octets: bytes, lengths: list[int], size: int) -> None:
    """BDAT in any chunks and pieces gives the stuffed form of the whole, with a last CRLF."""
    usable = [length for index, length in enumerate(lengths) if sum(lengths[: index + 1]) <= len(octets)]
    taken = [*usable, len(octets) - sum(usable)] if sum(usable) <= len(octets) else [len(octets)]
    kept, count, bare = _chunks(cut(octets, [size]) or [b""], taken)
    wire = octets if not octets or octets.endswith(b"\r\n") else octets + b"\r\n"
    assert count == len(wire)
    if not bare:
        assert kept == (b"\r\n" + wire).replace(b"\r\n.", b"\r\n..")[2:]
