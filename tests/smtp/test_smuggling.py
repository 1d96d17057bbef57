"""S2 and S4: nothing but CRLF . CRLF ends the data, and nothing said before TLS is heard behind it."""

import asyncio
from pathlib import Path

import pytest

from tests.support.submission import Front, client_tls, front_of, open_front
from tests.support.talk import Talk
from tests.support.wire import Line, cut, door_named

ENDS = [
    "0a2e0a", "0a2e0d", "0d2e0a", "0d2e0d", "0a2e0d0a", "0d2e0d0a", "0d0a2e0a", "0d0a2e0d",
    "0d0a002e0d0a", "0d0a2e000d0a", "0d0a2e0d0d0a", "0d0d0a2e0d0d0a",
]  # fmt: skip
EVIL = b"MAIL FROM:<evil@evil.example>\r\nRCPT TO:<v@example.org>\r\nDATA\r\nx: y\r\n"
BEFORE = b"From: ana@example.com\r\n\r\nhello"
END = b"\r\n.\r\n"


async def _open(front: Front) -> Talk:
    talk = await Talk.open(front.port("gateway"))
    await talk.say("EHLO client.example")
    await talk.say("MAIL FROM:<ana@example.com>", "RCPT TO:<c@example.org>")
    return talk


@pytest.mark.parametrize("end", ENDS)
async def test_no_other_sequence_ends_the_data(end: str, tmp_path: Path) -> None:
    """The hostile sequence stays data: one message, refused with 554 5.5.2, and one reply only."""
    async with open_front(tmp_path) as front:
        talk = await _open(front)
        await talk.say("DATA")
        talk.send(BEFORE + bytes.fromhex(end) + EVIL + END)
        assert (await talk.reply())[0].startswith("554 5.5.2")
        assert (await talk.say("NOOP")).startswith("250")
        assert not front.mail.messages
        await talk.close()


@pytest.mark.parametrize("end", ENDS)
async def test_no_border_between_segments_ends_the_data(end: str, tmp_path: Path) -> None:
    """The same octet by octet: as if every segment held one."""
    front = front_of(tmp_path)
    line = Line(door_named(front, "gateway"))
    for said in [
        b"EHLO client.example\r\n",
        b"MAIL FROM:<ana@example.com>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n",
    ]:
        await line.feed(cut(said, [1]))
    line.wire.written.clear()
    await line.feed(cut(BEFORE + bytes.fromhex(end) + EVIL + END, [1]))
    await line.settle()
    assert bytes(line.wire.written).startswith(b"554 5.5.2")
    assert line.wire.written.count(b"\r\n") == 1
    line.end()


@pytest.mark.parametrize("end", ENDS)
async def test_no_sequence_ends_a_message_that_is_too_large(end: str, tmp_path: Path) -> None:
    """What is read on and thrown away ends where it should, too: 552 once, and nothing is stored."""
    async with open_front(tmp_path, limits={"message_size": "1KiB"}) as front:
        talk = await _open(front)
        await talk.say("DATA")
        talk.send(BEFORE + b"z" * 1200 + bytes.fromhex(end) + EVIL + END)
        assert (await talk.reply())[0].startswith("552 5.3.4")
        assert (await talk.say("NOOP")).startswith("250")
        assert not front.mail.messages
        await talk.close()


@pytest.mark.parametrize("end", [*ENDS, END.hex()])
async def test_nothing_ends_a_chunk_but_its_length(end: str, tmp_path: Path) -> None:
    """In BDAT all of it is data: refused for its bare line ends, or stuffed; no command in it is carried out."""
    content = BEFORE + bytes.fromhex(end) + EVIL
    async with open_front(tmp_path) as front:
        talk = await _open(front)
        answer = await talk.say(f"BDAT {len(content)} LAST".encode() + b"\r\n" + content[:-2])
        assert answer.startswith("554 5.5.2" if end != END.hex() else "250 2.0.0 Queued")
        assert (await talk.say("NOOP")).startswith("250")
        assert all(b"\r\n.\r\n" not in b"\r\n" + kept for kept in front.mail.contents)
        await talk.close()


async def test_a_hostile_end_within_a_long_line_is_data(tmp_path: Path) -> None:
    """A line of 100,000 octets hides no end either."""
    async with open_front(tmp_path) as front:
        talk = await _open(front)
        await talk.say("DATA")
        content = b"z" * 100_000 + b".\r\n" + b"z" * 5 + b".\r\n"
        talk.send(content + b".\r\n")
        assert (await talk.reply())[0].startswith("250")
        assert front.mail.contents == [content]
        await talk.close()


async def test_commands_behind_starttls_are_never_carried_out(tmp_path: Path) -> None:
    """Commands in the same segment as STARTTLS: no TLS is begun, and the connection ends."""
    async with open_front(tmp_path) as front:
        for injected in [b"EHLO x\r\nMAIL FROM:<e@evil.example>\r\n", b"NOO"]:
            talk = await Talk.open(front.port("submission"))
            await talk.say("EHLO client.example")
            talk.send(b"STARTTLS\r\n" + injected)
            assert await talk.rest() == b"554 5.5.0 You must wait for the reply to that command\r\n"
            await talk.close()


async def test_octets_between_starttls_and_the_handshake_break_it(tmp_path: Path) -> None:
    """Commands in a segment of their own, before the handshake: nothing in TLS answers them."""
    async with open_front(tmp_path) as front:
        talk = await Talk.open(front.port("submission"))
        await talk.say("EHLO client.example")
        await talk.say("STARTTLS")
        talk.send(b"RSET\r\nNOOP\r\n")
        assert b"250" not in await talk.rest()
        await talk.close()


async def test_inside_tls_no_reply_to_clear_text_comes(tmp_path: Path) -> None:
    """After STARTTLS the first reply is to the first command inside TLS."""
    async with open_front(tmp_path) as front:
        talk = await Talk.open(front.port("submission"))
        await talk.say("EHLO client.example")
        await talk.start_tls(client_tls())
        assert (await talk.say("NOOP")).startswith("250 2.0.0")
        await talk.close()


async def test_a_handshake_that_never_comes_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S10: a client that is silent behind STARTTLS, or on the port for implicit TLS, is cut off."""
    monkeypatch.setattr("relay.submission.connection.HANDSHAKE", 0.05)
    monkeypatch.setattr("relay.submission.tls_port.HANDSHAKE", 0.05)
    async with open_front(tmp_path) as front:
        talk = await Talk.open(front.port("submission"))
        await talk.say("EHLO client.example")
        await talk.say("STARTTLS")
        assert await talk.rest() == b""
        assert front.submission.connections == 0
        silent = await Talk.open(front.port("submissions"), greeting=False)
        assert await silent.rest() == b""
        await asyncio.gather(talk.close(), silent.close())
