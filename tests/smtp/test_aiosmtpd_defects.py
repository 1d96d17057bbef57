"""The 22 weak points of aiosmtpd 1.4.6 (A1 to A22): each probe holds for the relay and fails on plain aiosmtpd."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from relay.demo.service import free_ports
from tests.support.stock import Stock, StockHandler, open_stock
from tests.support.submission import PLAIN, Front, client_tls, open_front, server_tls
from tests.support.talk import Talk, until
from tests.support.wire import Line, Wire, door_named

pytestmark = pytest.mark.filterwarnings("ignore")  # aiosmtpd warns of its own options

OPEN = ("EHLO client.example", "MAIL FROM:<ana@example.com>", "RCPT TO:<c@example.org>", "DATA")
Probe = Callable[[int], Awaitable[bool]]


@asynccontextmanager
async def ours(folder: Path, **changes: Any) -> AsyncIterator[Front]:
    """Run the relay with a port that takes passwords in clear text, as plain aiosmtpd's does here."""
    async with open_front(folder, auth={"require_tls": "false"}, **changes) as front:
        yield front


async def data_begun(port: int) -> Talk:
    """Connect, and get as far as 354."""
    talk = await Talk.open(port)
    for line in OPEN:
        await talk.say(line)
    return talk


async def both(folder: Path, probe: Probe, *, listener: str = "gateway", **stock: Any) -> tuple[bool, bool]:
    """Give what the probe finds on the relay, and on plain aiosmtpd."""
    async with ours(folder) as front:
        mine = await probe(front.port(listener))
    async with open_stock(**stock) as plain:
        return mine, await probe(plain.port)


def stock_locals(protocol: SMTP, name: str) -> Any:
    """Find a variable of the coroutine in which plain aiosmtpd is taking in data."""
    assert protocol._handler_coroutine is not None
    at: Any = protocol._handler_coroutine.get_coro()
    while at is not None:
        frame = getattr(at, "cr_frame", None)
        if frame is not None and name in frame.f_locals and frame.f_code.co_name == "smtp_DATA":
            return frame.f_locals[name]
        at = getattr(at, "cr_await", None)
    return []


def connection_of(front: Front) -> Any:
    """Give the only connection there is."""
    (connection,) = front.submission._house.connections
    return connection


async def test_a1_lines_are_not_kept_one_by_one(tmp_path: Path) -> None:
    """4096 empty lines are a handful of pieces here; plain aiosmtpd makes an object of each."""
    lines = b"\r\n" * 4096
    async with ours(tmp_path) as front:
        talk = await data_begun(front.port("gateway"))
        content = connection_of(front).talk.content
        talk.send(lines)
        await until(lambda: content.octets >= len(lines) - 2)
        assert len(content._pieces) < 50
        await talk.close()
    async with open_stock() as stock:
        talk = await data_begun(stock.port)
        talk.send(lines)
        await until(lambda: len(stock_locals(stock.protocols[0], "data")) == 4096)
        await talk.close()


async def test_a2_a_line_without_end_is_dropped_at_the_limit(tmp_path: Path) -> None:
    """Past the size limit nothing is kept, and past twice the limit we hang up; plain aiosmtpd keeps it all."""
    endless = b"x" * 60_000
    async with ours(tmp_path, limits={"message_size": "64KiB"}) as front:
        talk = await data_begun(front.port("gateway"))
        content = connection_of(front).talk.content
        talk.send(endless * 2)
        await until(lambda: content.octets >= 2 * len(endless) - 2)
        assert content.inline == b""
        talk.send(endless)
        assert (await talk.reply())[0].startswith("552 5.3.4")
        assert await talk.rest() == b""
    async with open_stock(data_size_limit=65536) as stock:
        talk = await data_begun(stock.port)
        talk.send(endless * 3)
        await until(lambda: sum(map(len, stock_locals(stock.protocols[0], "line_fragments"))) > 170_000)
        await talk.close()


async def test_a3_octets_that_come_put_off_the_deadline(tmp_path: Path) -> None:
    """Content may take longer than the idle limit as long as it comes; plain aiosmtpd's timer runs on."""
    async with ours(tmp_path) as front:
        talk = await data_begun(front.port("gateway"))
        content = connection_of(front).talk.content
        for turn in range(1, 4):
            talk.send(b"x" * 200_000)
            await until(lambda: content.octets >= turn * 200_000)  # noqa: B023 - awaited within the turn
            front.sweep(after=200)
        assert (await talk.say(b"\r\n.")).startswith("250")
    async with open_stock(timeout=300) as stock:
        talk = await data_begun(stock.port)
        timer = stock.protocols[0]._timeout_handle
        talk.send(b"x\r\n" * 100)
        await until(lambda: len(stock_locals(stock.protocols[0], "data")) == 100)
        assert stock.protocols[0]._timeout_handle is timer
        await talk.close()


async def test_a4_a_client_that_half_closes_still_gets_its_250(tmp_path: Path) -> None:
    """A half-close behind the final dot cancels nothing; plain aiosmtpd cancels the handler."""
    go_on = asyncio.Event()
    async with ours(tmp_path) as front:
        front.mail.before = go_on.wait
        talk = await data_begun(front.port("gateway"))
        talk.send(b"x: y\r\n.\r\n")
        talk.writer.write_eof()
        await until(lambda: connection_of(front)._ended)
        go_on.set()
        assert (await talk.reply())[0].startswith("250 2.0.0")
        assert len(front.mail.messages) == 1
    async with open_stock() as stock:
        stock.handler.before = asyncio.Event().wait
        talk = await data_begun(stock.port)
        talk.send(b"x: y\r\n.\r\n")
        talk.writer.write_eof()
        await until(lambda: stock.handler.cancelled)


async def test_a5_auth_works_on_implicit_tls(tmp_path: Path) -> None:
    """AUTH is offered and taken on implicit TLS; plain aiosmtpd does neither."""

    async def probe(port: int) -> bool:
        talk = await Talk.open(port, tls=client_tls())
        talk.send(b"EHLO client.example\r\n")
        offered = any(line[4:].startswith("AUTH ") for line in await talk.reply())
        taken = (await talk.say(f"AUTH PLAIN {PLAIN}")).startswith("235")
        await talk.close()
        return offered and taken

    mine, plain = await both(tmp_path, probe, listener="submissions", tls=server_tls(), auth_require_tls=True)
    assert (mine, plain) == (True, False)


async def test_a6_long_auth_responses_are_read(tmp_path: Path) -> None:
    """A response of 12288 octets is a wrong password; plain aiosmtpd answers with the text of an exception."""
    line = base64.b64encode(b"\0ana\0" + b"x" * 9200)

    async def probe(port: int) -> bool:
        talk = await Talk.open(port)
        await talk.say("EHLO client.example")
        await talk.say("AUTH PLAIN")
        answer = await talk.say(line)
        await talk.close()
        return answer.startswith("535 5.7.8")

    assert await both(tmp_path, probe, listener="clear") == (True, False)


async def test_a7_mechanisms_match_in_any_case(tmp_path: Path) -> None:
    """`auth plain` is AUTH PLAIN; plain aiosmtpd says 504."""

    async def probe(port: int) -> bool:
        talk = await Talk.open(port)
        await talk.say("EHLO client.example")
        answer = await talk.say(f"auth plain {PLAIN}")
        await talk.close()
        return answer.startswith("235")

    assert await both(tmp_path, probe, listener="clear") == (True, False)


async def test_a8_a_failed_sign_in_is_answered(tmp_path: Path) -> None:
    """A wrong password gets 535; plain aiosmtpd with AuthResult(success=False) says nothing at all."""

    async def probe(port: int) -> bool:
        talk = await Talk.open(port)
        await talk.say("EHLO client.example")
        talk.send(b"AUTH PLAIN AGFuYQB4\r\nNOOP\r\n")
        answer = (await talk.reply())[0]
        await talk.close()
        return answer.startswith("535")

    assert await both(tmp_path, probe, listener="clear") == (True, False)


async def test_a9_failed_sign_ins_end(tmp_path: Path) -> None:
    """After a few wrong passwords we hang up; plain aiosmtpd goes on for ever."""

    async def probe(port: int) -> bool:
        talk = await Talk.open(port)
        await talk.say("EHLO client.example")
        answers = [await talk.say("AUTH PLAIN AGFuYQB4") for _ in range(10)]
        await talk.close()
        wrong = sum(one.startswith("535") for one in answers)
        return 3 <= wrong < 10 and any(one.startswith("421 4.7.0") for one in answers)

    def refuse(*_: object) -> AuthResult:
        return AuthResult(success=False, handled=False)  # the one way in which it answers at all: A8

    assert await both(tmp_path, probe, listener="clear", authenticator=refuse) == (True, False)


async def test_a10_limits_belong_to_one_session(tmp_path: Path) -> None:
    """Another client's connection changes no limit of ours; in plain aiosmtpd it clears them for everybody."""

    async def probe(port: int) -> bool:
        talk = await Talk.open(port)
        await talk.say("EHLO client.example")
        other = await Talk.open(port)
        answer = await talk.say("MAIL FROM:<ana@example.com> SIZE=1".ljust(528))
        await talk.close()
        await other.close()
        return answer.startswith("250")

    assert await both(tmp_path, probe) == (True, False)


@pytest.mark.parametrize(
    "path",
    [
        b"<a\rR@b.example>",
        b"<a\0b@b.example>",
        b"c@b.example",
        b"<c@b.example",
        b"<(x)c@b.example>",
        b"<y.z!x>",
    ],
)
async def test_a11_addresses_follow_the_strict_grammar(tmp_path: Path, path: bytes) -> None:
    """What is no path is refused; plain aiosmtpd takes it."""

    async def probe(port: int) -> bool:
        talk = await Talk.open(port)
        await talk.say("EHLO client.example")
        await talk.say("MAIL FROM:<ana@example.com>")
        answer = await talk.say(b"RCPT TO:" + path)
        await talk.close()
        return answer.startswith("5")

    assert await both(tmp_path, probe) == (True, False)


async def test_a12_dsn_parameters_are_taken_and_keep_their_case(tmp_path: Path) -> None:
    """RET, ENVID, NOTIFY, ORCPT and AUTH are taken as they are given; plain aiosmtpd says 555."""

    async def probe(port: int) -> bool:
        talk = await Talk.open(port)
        await talk.say("EHLO client.example")
        answer = await talk.say("MAIL FROM:<ana@example.com> RET=HDRS ENVID=QqXx AUTH=<>")
        await talk.say("RSET")
        await talk.close()
        return answer.startswith("250")

    assert await both(tmp_path, probe) == (True, False)


async def test_a13_utf8_addresses_need_smtputf8(tmp_path: Path) -> None:
    """A UTF-8 address without the parameter is refused; plain aiosmtpd takes it, even broken UTF-8."""

    async def probe(port: int) -> bool:
        talk = await Talk.open(port)
        await talk.say("EHLO client.example")
        answers = [await talk.say("MAIL FROM:<ána@example.com>"), await talk.say("RSET")]
        answers += [await talk.say(b"MAIL FROM:<\xff@example.com>")]
        await talk.close()
        return answers[0].startswith("550 5.6.7") and answers[2].startswith("501")

    assert await both(tmp_path, probe) == (True, False)


@pytest.mark.parametrize("octets", [b"a\nb", b"a\rb", b"a\0b", b"a\n.\n"])
async def test_a14_bare_line_ends_and_nul_are_refused(tmp_path: Path, octets: bytes) -> None:
    """Content with a bare CR, bare LF or NUL is 554; plain aiosmtpd passes it on."""

    async def probe(port: int) -> bool:
        talk = await data_begun(port)
        answer = await talk.say(octets + b"\r\n.")
        await talk.close()
        return answer.startswith("554 5.5.2")

    assert await both(tmp_path, probe) == (True, False)


async def test_a15_extensions_are_offered_and_replies_have_enhanced_codes(tmp_path: Path) -> None:
    """PIPELINING, ENHANCEDSTATUSCODES, DSN, CHUNKING and LIMITS are offered; plain aiosmtpd has none of them."""

    async def probe(port: int) -> bool:
        talk = await Talk.open(port)
        talk.send(b"EHLO client.example\r\n")
        offered = {line[4:].split()[0] for line in await talk.reply()}
        answer = await talk.say("NOOP")
        await talk.close()
        wanted = {"PIPELINING", "ENHANCEDSTATUSCODES", "DSN", "CHUNKING", "LIMITS"}
        return wanted <= offered and answer.startswith("250 2.0.0 ")

    assert await both(tmp_path, probe) == (True, False)


async def test_a16_the_answer_to_ehlo_is_one_write(tmp_path: Path) -> None:
    """All lines of a reply leave in one write; plain aiosmtpd writes each alone."""
    async with ours(tmp_path) as front:
        line = Line(door_named(front, "gateway"))
        before = line.wire.writes
        await line.feed([b"EHLO client.example\r\n"])
        assert line.wire.writes == before + 1
        line.end()
    stock, wire = Stock(), Wire()
    protocol = stock.protocol()
    protocol.connection_made(wire)
    protocol.data_received(b"EHLO client.example\r\n")
    await until(lambda: b"250 HELP" in wire.written)
    assert wire.writes > 5
    assert protocol._handler_coroutine is not None
    protocol._handler_coroutine.cancel()
    await asyncio.gather(protocol._handler_coroutine, return_exceptions=True)
    protocol.connection_lost(None)


async def test_a17_our_own_faults_are_451_without_their_text(tmp_path: Path) -> None:
    """An unexpected exception is 451 4.3.0 with an incident; plain aiosmtpd sends class and text, for good."""
    fault = RuntimeError("upstream secret detail")
    async with ours(tmp_path) as front:
        front.mail.failure = fault
        mine = await (await data_begun(front.port("gateway"))).say("x: y\r\n.")
    assert mine.startswith("451 4.3.0")
    assert "secret" not in mine
    async with open_stock() as stock:
        stock.handler.failure = fault
        assert "secret" in await (await data_begun(stock.port)).say("x: y\r\n.")


async def test_a18_connections_and_recipients_are_limited(tmp_path: Path) -> None:
    """One network gets so many connections, one message so many recipients; plain aiosmtpd knows no limit."""

    async def probe(port: int) -> bool:
        talks = [await Talk.open(port) for _ in range(4)]
        await talks[0].say("EHLO client.example")
        await talks[0].say("MAIL FROM:<ana@example.com>")
        answers = [await talks[0].say("RCPT TO:<c@example.org>") for _ in range(4)]
        refused = talks[3].greeting[0].startswith("421 4.7.0")
        for talk in talks:
            await talk.close()
        return refused and answers[3].startswith("452 4.5.3") and answers[2].startswith("250")

    few = {"connections": {"per_network": 3}, "recipients": 3}
    async with ours(tmp_path, limits=few) as front:
        assert await probe(front.port("gateway"))
    async with open_stock() as stock:
        assert not await probe(stock.port)


async def test_a19_stopping_tells_idle_clients(tmp_path: Path) -> None:
    """A client that is idle when we stop hears 421 4.3.2; with plain aiosmtpd the line goes dead."""
    async with ours(tmp_path) as front:
        talk = await Talk.open(front.port("gateway"))
        await front.submission.stop(5.0)
        assert (await talk.rest()).startswith(b"421 4.3.2")
    (port,) = free_ports(1)
    controller = Controller(StockHandler(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        talk = await Talk.open(port)
    finally:
        await asyncio.to_thread(controller.stop)
    assert await talk.rest() == b""


async def test_a20_a_proxy_header_is_not_believed(tmp_path: Path) -> None:
    """PROXY is no command here, and the client's address stays its own; plain aiosmtpd believes anybody."""
    forged = "PROXY TCP4 198.51.100.1 127.0.0.1 5000 25"
    async with ours(tmp_path) as front:
        talk = await Talk.open(front.port("gateway"))
        assert (await talk.say(forged)).startswith("500 5.5.1")
        for line in OPEN:
            await talk.say(line)
        await talk.say("x: y\r\n.")
        assert front.mail.messages[0].client == "127.0.0.1"
    async with open_stock(proxy_protocol_timeout=5.0) as stock:
        talk = await Talk.open(stock.port, greeting=False)
        await talk.say(forged)
        assert stock.handler.clients == ["198.51.100.1"]
        await talk.close()


async def test_a21_long_lines_are_carried(tmp_path: Path) -> None:
    """A line of 70,000 octets passes unchanged; plain aiosmtpd refuses the whole message."""

    async def probe(port: int) -> bool:
        talk = await data_begun(port)
        answer = await talk.say(b"x: y\r\n\r\n" + b"z" * 70_000 + b"\r\n.")
        await talk.close()
        return answer.startswith("250")

    assert await both(tmp_path, probe) == (True, False)


async def test_a22_logs_hold_no_content_and_no_raw_octets(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Even at DEBUG no content, no password and no control octet is logged; plain aiosmtpd logs content."""
    caplog.set_level(logging.DEBUG)

    async def probe(port: int) -> bool:
        caplog.clear()
        talk = await Talk.open(port)
        await talk.say(b"NOOP \x1b[31mred")
        for line in OPEN:
            await talk.say(line)
        await talk.say("x: y\r\n\r\nthe secret body\r\n.")
        await talk.close()
        return "secret body" not in caplog.text and "\x1b" not in caplog.text

    assert await both(tmp_path, probe) == (True, False)
