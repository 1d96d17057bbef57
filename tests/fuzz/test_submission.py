"""Random octets at four depths of a session: it never breaks, and never hangs."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.amount import examples
from tests.support.submission import PLAIN, front_of
from tests.support.wire import Line, cut, door_named

DEPTHS: dict[str, list[bytes]] = {
    "greeting": [],
    "ehlo": [b"EHLO client.example\r\n"],
    "auth": [b"EHLO client.example\r\n", b"AUTH LOGIN\r\n"],
    "transaction": [
        b"EHLO client.example\r\n",
        f"AUTH PLAIN {PLAIN}\r\n".encode(),
        b"MAIL FROM:<ana@example.com>\r\nRCPT TO:<c@example.org>\r\n",
    ],
    "data": [
        b"EHLO client.example\r\n",
        f"AUTH PLAIN {PLAIN}\r\n".encode(),
        b"MAIL FROM:<ana@example.com>\r\nRCPT TO:<c@example.org>\r\n",
        b"DATA\r\n",
    ],
}
WORDS = [
    b"\r\n", b"\r", b"\n", b".", b"\r\n.\r\n", b"\0", b"\xff", b" ", b"<", b">", b"@", b"=", b"*", b":", b"MAIL FROM:",
    b"RCPT TO:", b"<ana@example.com>", b"DATA\r\n", b"BDAT 5", b" LAST", b"RSET\r\n", b"NOOP\r\n", b"EHLO x\r\n",
    b"AUTH PLAIN ", b"AUTH LOGIN\r\n", PLAIN.encode(), b"QUIT\r\n", b"From: ana@example.com\r\n", b"x" * 600, b"SIZE=1",
    b"STARTTLS\r\n", b"HELO x\r\n", b"VRFY", b"From: <", b"NOTIFY=NEVER", b"ORCPT=rfc822;x", b"Bcc: a@b.c\r\n",
]  # fmt: skip
SOUP = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=20)), max_size=40).map(b"".join)


async def _session(folder: Path, before: list[bytes], soup: bytes, sizes: list[int]) -> None:
    front = front_of(folder, auth={"require_tls": "false"})
    line = Line(door_named(front, "clear"))
    for said in before:
        await line.feed([said])
        await line.settle()
    await line.feed(cut(soup, sizes))
    await line.settle()
    # Whatever it was, the state it left behind ends by a dot, a cancelled exchange or the octets of a chunk.
    await line.feed([b"\r\n.\r\n", b"*\r\n", b"x" * 10, b"\r\n", b"QUIT\r\n"])
    await line.settle()
    answers = bytes(line.wire.written)
    assert line.wire.closed, answers[-300:]
    assert b"incident" not in answers
    assert all(one[:3].isdigit() for one in answers.splitlines())
    assert answers.endswith(b"\r\n")
    for content in front.mail.contents:
        assert not content or content.endswith(b"\r\n")
        assert b"\r\n.\r\n" not in b"\r\n" + content
    line.end()
    await front.submission.stop(0.0)


@pytest.mark.parametrize("depth", DEPTHS)
@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SOUP, st.lists(st.integers(1, 60), min_size=1, max_size=4))
def test_random_octets_break_nothing(depth: str, soup: bytes, sizes: list[int]) -> None:
    """From this depth, any octets in any segments are answered with well-formed replies, and QUIT still ends it."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_session(Path(folder), DEPTHS[depth], soup, sizes))
