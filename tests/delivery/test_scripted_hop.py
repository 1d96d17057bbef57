"""The scripted hop itself does as it is told: what other tests rely on."""

import asyncio

import pytest

from tests.support.hop import Act, Raw, SayAndDrop, Script, ScriptedHop


async def talk(hop: ScriptedHop, *writes: bytes) -> bytes:
    """Write these, one after the other as answers come, and give all that came back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hop.port)
    got = await asyncio.wait_for(reader.read(1000), 10)
    for octets in writes:
        writer.write(octets)
        got += await asyncio.wait_for(reader.read(1000), 10)
    writer.close()
    await writer.wait_closed()
    return got


async def test_it_takes_a_message_and_records_it() -> None:
    """Commands, segments and content are kept as they came; dots stay stuffed."""
    async with ScriptedHop(extensions=()) as hop:
        answers = await talk(
            hop, b"HELO x\r\n", b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d>\r\n", b"DATA\r\n", b"..a\r\n.\r\n"
        )
        assert [line[:3] for line in answers.splitlines()] == [b"220", b"250", b"250", b"250", b"354", b"250"]
        assert hop.sessions[0].segments[1] == b"MAIL FROM:<a@b>\r\n"
        assert hop.sessions[0].commands == ["HELO x", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA"]
        assert [(m.mail, m.rcpts, m.content) for m in hop.messages] == [
            ("MAIL FROM:<a@b>", ["RCPT TO:<c@d>"], b"..a\r\n")
        ]


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r\n\0.\r\n"], ids=lambda end: end.hex()
)
async def test_only_the_final_dot_ends_content(end: bytes) -> None:
    """Nothing but CRLF . CRLF ends content, so that smuggling would show (S3)."""
    async with ScriptedHop() as hop:
        await talk(hop, b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n", b"DATA\r\n", b"x" + end + b"y\r\n.\r\n")
        await hop.until(lambda: bool(hop.messages))
        assert hop.messages[0].content == b"x" + end + b"y\r\n"


async def test_answers_are_used_up_in_their_order() -> None:
    """A sequence gives one answer at a time, and its last one for ever; the most special key wins."""
    script: Script = {"NOOP": ["250 one", "250 two"], "RCPT a@b": "550 special"}
    async with ScriptedHop(script) as hop:
        answers = await talk(
            hop, b"NOOP\r\n", b"NOOP\r\n", b"NOOP\r\n", b"RCPT TO:<a@b>\r\n", b"RCPT TO:<c@d>\r\n"
        )
        texts = [line.decode() for line in answers.splitlines()[1:]]
        assert texts == ["250 one", "250 two", "250 two", "550 special", "250 2.1.5 recipient ok"]


async def test_it_drops_and_speaks_out_of_turn() -> None:
    """DROP closes without a word, SayAndDrop with one, Raw sends what it is given."""
    async with ScriptedHop(
        {"NOOP": Act.DROP, "RSET": SayAndDrop("421 bye"), "HELP": Raw(b"\xff\r\n")}
    ) as hop:
        assert await talk(hop, b"NOOP\r\n") == b"220 hop.test ready\r\n"
        assert await talk(hop, b"RSET\r\n") == b"220 hop.test ready\r\n421 bye\r\n"
        assert await talk(hop, b"HELP\r\n") == b"220 hop.test ready\r\n\xff\r\n"
        await hop.until(lambda: not any(session.open for session in hop.sessions))
