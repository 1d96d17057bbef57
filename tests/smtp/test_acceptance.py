"""From the end of data to the answer: what is stored, what is refused, and what happens when something breaks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from relay.errors import StorageFull, StorageUnavailable
from relay.maillog.events import MessageAccepted, MessageRefused
from tests.support.submission import LOG_COPY, PLAIN, Front, client_tls, front_of, open_front
from tests.support.talk import Talk, until
from tests.support.wire import Line, door_named

MAIL = b"From: ana@example.com\r\nSubject: The offer\r\n\r\nhello\r\n"


async def begun(front: Front, listener: str = "gateway") -> Talk:
    """Connect, sign in where that is asked, and say who it is from and to."""
    tls = client_tls() if listener == "submissions" else None
    talk = await Talk.open(front.port(listener), tls=tls)
    await talk.say("EHLO client.example")
    if tls:
        await talk.say(f"AUTH PLAIN {PLAIN}")
    await envelope(talk)
    return talk


async def envelope(talk: Talk) -> None:
    """Say who it is from and to."""
    answer = await talk.say("MAIL FROM:<ana@example.com>", "RCPT TO:<c@example.org>")
    assert answer.count("250") == 2, answer


async def send(talk: Talk, content: bytes = MAIL) -> str:
    """Send content by DATA and give the answer."""
    assert (await talk.say("DATA")).startswith("354")
    talk.send(content + b".\r\n")
    return (await talk.reply())[-1]


@asynccontextmanager
async def connected(
    folder: Path, listener: str = "gateway", **changes: Any
) -> AsyncIterator[tuple[Front, Talk]]:
    """Give a connection whose envelope is said."""
    async with open_front(folder, **changes) as front:
        talk = await begun(front, listener)
        yield front, talk
        await talk.close()


async def test_a_message_is_stored_with_everything_the_queue_needs(tmp_path: Path) -> None:
    """Content is byte-exact, the prefix stands apart, and the event and plan name every target."""
    async with connected(tmp_path, "submissions") as (front, talk):
        answer = await send(talk)
        message, (event,) = front.mail.messages[0], front.mail.events
        assert isinstance(event, MessageAccepted)
        assert answer == f"250 2.0.0 Queued as {event.message}"
        assert front.mail.contents == [MAIL]
        assert message.octets == len(MAIL) + len(message.prefix)
        assert (message.subject, message.header_from, message.login) == (
            "The offer",
            "ana@example.com",
            "ana",
        )
        assert [one.target for one in front.mail.plans[0]] == ["c@example.org", LOG_COPY]
        assert event.recipients == ("c@example.org",)
        assert event.tls.startswith("TLSv1.")
        assert b"with ESMTPSA id " in message.prefix


async def test_the_log_copy_is_in_no_reply_and_no_event(tmp_path: Path) -> None:
    """S15: the log copy's address is nowhere but in the plan."""
    async with connected(tmp_path, "submissions") as (front, talk):
        answer = await send(talk)
        assert "emailtosalesforce" not in answer
        assert "emailtosalesforce" not in repr(front.mail.events)
        assert b"emailtosalesforce" not in front.mail.messages[0].prefix


async def test_blind_copies_are_left_out(tmp_path: Path) -> None:
    """Bcc and Resent-Bcc are ranges to skip, and do not count; the content itself is as it came."""
    content = (
        b"From: ana@example.com\r\nBcc: x@example.org,\r\n y@example.org\r\nTo: c@example.org\r\n\r\nhi\r\n"
    )
    async with connected(tmp_path) as (front, talk):
        await send(talk, content)
        message = front.mail.messages[0]
        (start, end) = message.skips[0]
        assert content[start:end] == b"Bcc: x@example.org,\r\n y@example.org\r\n"
        assert message.octets == len(content) - (end - start) + len(message.prefix)
        assert front.mail.contents == [content]


@pytest.mark.parametrize(("setting", "code"), [("refuse", "554 5.6.0"), ("keep", "250 2.0.0")])
async def test_a_signed_bcc_is_refused_or_kept(setting: str, code: str, tmp_path: Path) -> None:
    """A Bcc that a DKIM signature names is refused, or by the setting kept: never taken out."""
    content = (
        b"DKIM-Signature: v=1; h=from:bcc; b=x\r\nFrom: ana@example.com\r\nBcc: x@example.org\r\n\r\nhi\r\n"
    )
    async with connected(tmp_path, limits={"signed_bcc": setting}) as (front, talk):
        assert (await send(talk, content)).startswith(code)
        assert all(one.skips == () for one in front.mail.messages)


@pytest.mark.parametrize("size", [65_536, 65_537, 300_000])
async def test_large_content_goes_to_the_spool(size: int, tmp_path: Path) -> None:
    """Up to 64 KiB stays inline, more is in the spool; both are byte-exact."""
    content = (b"From: ana@example.com\r\n\r\n" + b"..x" * 30 + b"\r\n").ljust(size - 2, b"y") + b"\r\n"
    async with connected(tmp_path) as (front, talk):
        assert (await send(talk, content)).startswith("250")
        assert front.mail.contents == [content]
        assert (front.mail.messages[0].spool_name is None) == (size <= 65_536)


@pytest.mark.parametrize("command", ["DATA", "BDAT"])
async def test_large_content_that_is_refused_leaves_no_file(command: str, tmp_path: Path) -> None:
    """A bare LF at the end of 100 KB: 554, and the spool is empty."""
    content = b"From: ana@example.com\r\n\r\n" + b"y" * 100_000 + b"\n\r\n"
    async with connected(tmp_path) as (front, talk):
        if command == "DATA":
            answer = await send(talk, content)
        else:
            answer = await talk.say(f"BDAT {len(content)} LAST".encode() + b"\r\n" + content[:-2])
        assert answer.startswith("554 5.5.2")
        assert list(front.spool_folder.iterdir()) == []


async def test_a_client_that_vanishes_in_its_data_leaves_nothing(tmp_path: Path) -> None:
    """S16: the connection is lost before the final dot: nothing is stored, no file is left."""
    async with connected(tmp_path) as (front, talk):
        await talk.say("DATA")
        talk.send(b"From: ana@example.com\r\n\r\n" + b"y" * 200_000)
        await until(lambda: bool(list(front.spool_folder.iterdir())))
        talk.writer.transport.abort()
        await until(lambda: front.submission.connections == 0)
        assert list(front.spool_folder.iterdir()) == []
        assert not front.mail.messages


@pytest.mark.parametrize(
    "content",
    [MAIL, b"X: y\r\n\r\n" + b"y" * 100_000 + b"\r\n", b"X: y\r\n" * 20_000 + b"\r\n"],
    ids=["inline", "spool", "large header"],
)
async def test_a_client_that_vanishes_behind_the_dot_loses_nothing(content: bytes, tmp_path: Path) -> None:
    """S16: the message is being stored when the connection is reset: it is stored."""
    go_on, there = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        there.set()
        await go_on.wait()

    async with connected(tmp_path) as (front, talk):
        front.mail.before = wait
        await talk.say("DATA")
        talk.send(content + b".\r\n")
        await asyncio.wait_for(there.wait(), 20)
        talk.reset()
        await until(lambda: front.submission.connections == 0)
        go_on.set()
        await until(lambda: front.mail.contents == [content])


async def test_a_client_that_vanishes_while_its_header_is_read_loses_nothing(tmp_path: Path) -> None:
    """The envelope was taken at the final dot: a connection lost right behind it empties no message."""
    content = b"X: y\r\n" * 20_000 + b"\r\n"
    line = Line(door_named(front := front_of(tmp_path), "gateway"))
    await line.feed([b"EHLO x\r\n", b"MAIL FROM:<ana@example.com>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n"])
    await line.feed([content + b".\r\n"])
    line.end()
    await until(lambda: line.house.idle)
    assert front.mail.contents == [content]
    assert [str(one.address) for one in front.mail.messages[0].envelope.recipients] == ["c@example.org"]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (StorageFull("full"), "452 4.3.1"),
        (StorageUnavailable("gone"), "451 4.3.0"),
        (ValueError("inside"), "451 4.3.0"),
    ],
)
async def test_what_cannot_be_stored_is_temporary(failure: Exception, code: str, tmp_path: Path) -> None:
    """A full or absent store, or a fault of ours, is 4yz without inside words, and the session goes on."""
    async with connected(tmp_path) as (front, talk):
        front.mail.failure = failure
        answer = await send(talk)
        assert answer.startswith(code)
        assert str(failure) not in answer
        front.mail.failure = None
        await envelope(talk)
        assert (await send(talk)).startswith("250")


@pytest.mark.parametrize(("failure", "left"), [(StorageFull("full"), 0), (StorageUnavailable("gone"), 1)])
async def test_a_full_disk_is_not_filled_further(failure: Exception, left: int, tmp_path: Path) -> None:
    """When the store is full the spool file goes at once; when it is unclear what was stored, the sweep has it."""
    async with connected(tmp_path) as (front, talk):
        front.mail.failure = failure
        assert (await send(talk, MAIL + b"y" * 100_000 + b"\r\n")).startswith("45")
        assert len(list(front.spool_folder.iterdir())) == left


async def test_the_incident_of_a_fault_is_in_the_logs_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The reply names an incident, and one log line with the traceback has the same number."""
    async with connected(tmp_path) as (front, talk):
        front.mail.failure = ValueError("inside")
        answer = await send(talk)
        incident = answer.partition("(incident ")[2].rstrip(")")
        lines = [one for one in caplog.records if incident in one.getMessage()]
        assert len(lines) == 1
        assert lines[0].exc_info


async def test_low_disk_is_told_at_mail(tmp_path: Path) -> None:
    """Without room MAIL is 452 4.3.1, and with room again it is taken."""
    async with connected(tmp_path) as (front, talk):
        await talk.say("RSET")
        front.room = False
        assert (await talk.say("MAIL FROM:<ana@example.com>")).startswith("452 4.3.1")
        front.room = True
        assert (await talk.say("MAIL FROM:<ana@example.com>")).startswith("250")


async def test_mail_that_goes_in_circles_is_refused(tmp_path: Path) -> None:
    """More Received fields than limits.received_hops is 554 5.4.6; other lines do not count."""
    hop = b"Received: from a by b; Mon, 21 Sep 2026 14:13:20 +0000\r\n"
    async with connected(tmp_path, limits={"received_hops": 5}) as (_front, talk):
        assert (await send(talk, hop * 6 + b"From: ana@example.com\r\n\r\n")).startswith("554 5.4.6")
        await envelope(talk)
        assert (await send(talk, b"From: ana@example.com\r\n\r\n" + hop * 9)).startswith("250")


async def test_the_hourly_limit_says_when(tmp_path: Path) -> None:
    """Past limits.messages_per_user MAIL is 450 4.2.1 with the time, across sessions; an hour later it is taken."""
    async with open_front(tmp_path, limits={"messages_per_user": "2/h"}) as front:
        first, talk = await begun(front, "submissions"), await begun(front, "submissions")
        for one in (first, talk):
            assert (await send(one)).startswith("250")
        await first.close()
        answer = await talk.say("MAIL FROM:<ana@example.com>")
        assert answer == "450 4.2.1 2 mails in an hour; the next is possible at 15:14 UTC (R1304)"
        front.clock.advance(3601)
        assert (await talk.say("MAIL FROM:<ana@example.com>")).startswith("250")
        await talk.close()


async def test_what_could_not_be_stored_does_not_count(tmp_path: Path) -> None:
    """A client that tries again while the store is in trouble has not used up its rep's messages afterwards."""
    async with open_front(tmp_path, limits={"messages_per_user": "1/h"}) as front:
        talk = await begun(front, "submissions")
        front.mail.failure = StorageUnavailable("away")
        assert (await send(talk)).startswith("451 4.3.0")
        front.mail.failure = None
        await talk.say("MAIL FROM:<ana@example.com>", "RCPT TO:<c@example.org>")
        assert (await send(talk)).startswith("250")
        assert (await talk.say("MAIL FROM:<ana@example.com>")).startswith("450 4.2.1")
        await talk.close()


async def test_the_hourly_limit_holds_for_a_gateways_rep(tmp_path: Path) -> None:
    """At a gateway the rep is known after the data: then it is 450."""
    async with open_front(tmp_path, limits={"messages_per_user": "1/h"}) as front:
        talk = await begun(front)
        assert (await send(talk)).startswith("250")
        await envelope(talk)
        assert (await send(talk)).startswith("450 4.2.1")
        await talk.close()


async def test_a_session_takes_so_many_messages(tmp_path: Path) -> None:
    """After limits.messages_per_session MAIL is 421; the client goes on with a new connection."""
    async with connected(tmp_path, limits={"messages_per_session": 1}) as (_front, talk):
        assert (await send(talk)).startswith("250")
        assert (await talk.say("MAIL FROM:<ana@example.com>")).startswith("421 4.7.0")
        assert await talk.rest() == b""


async def test_recipients_past_the_limit_are_452(tmp_path: Path) -> None:
    """100 recipients are taken, the rest 452 4.5.3; the earlier ones get the mail (RFC 5321 §4.5.3.1.10)."""
    async with connected(tmp_path) as (front, talk):
        answers = (await talk.say(*[f"RCPT TO:<c{n}@example.org>" for n in range(101)])).split(" | ")
        assert [one[:3] for one in answers] == ["250"] * 99 + ["452"] * 2
        assert answers[-1].startswith("452 4.5.3")
        await send(talk)
        assert len(front.mail.messages[0].envelope.recipients) == 100


async def test_sizes_count_as_rfc_1870_says(tmp_path: Path) -> None:
    """Stuffing dots and the final dot do not count: a declared size that was taken is never 552 later."""
    body = b"X: y\r\n\r\n" + b"..\r\n" * 250
    real = len(body) - 250
    async with open_front(tmp_path, limits={"message_size": f"{real}B"}) as front:
        talk = await Talk.open(front.port("gateway"))
        await talk.say("EHLO client.example")
        assert (await talk.say(f"MAIL FROM:<ana@example.com> SIZE={real}")).startswith("250")
        await talk.say("RCPT TO:<c@example.org>")
        assert (await send(talk, body)).startswith("250")
        await envelope(talk)
        assert (await send(talk, body + b"z\r\n")).startswith("552 5.3.4")
        await talk.close()


async def test_a_header_section_over_the_limit_is_552(tmp_path: Path) -> None:
    """limits.header_size holds inline and in the spool; a large body is no header."""
    field = b"X-Field: " + b"y" * 900 + b"\r\n"
    async with connected(tmp_path, limits={"header_size": "64KiB"}) as (front, talk):
        assert (await send(talk, field * 80 + b"\r\nbody\r\n")).startswith("552 5.3.4")
        await envelope(talk)
        assert (await send(talk, field + b"\r\n" + field * 200)).startswith("250")
        assert len(front.mail.messages) == 1
        await envelope(talk)
        talk.send(b"BDAT 400000\r\n" + b"x: y\r\n" * 10 + b"z" * 399_940)
        assert (await talk.reply())[0].startswith("552 5.3.4")


async def test_a_refusal_is_in_the_mail_log_with_its_rule(tmp_path: Path) -> None:
    """RFC 6409 §5.2: refused senders, recipients and messages are events; commands out of order are not."""
    async with open_front(tmp_path) as front:
        talk = await begun(front, "submissions")
        await send(talk, b"From: boss@example.com\r\n\r\n")
        await talk.say("RCPT TO:<c@example.org>")
        await talk.say("MAIL FROM:<boss@example.com>")
        await until(lambda: len(front.log.events) == 2)
        first, second = front.log.events
        assert isinstance(first, MessageRefused)
        assert isinstance(second, MessageRefused)
        assert first.sender == "ana@example.com"
        assert first.recipients == ("c@example.org",)
        assert first.rule == second.rule == "logging.unacceptable_sender (config.yaml:1)"
        assert second.login == "ana"
        await talk.close()


async def test_stopping_lets_a_transaction_end(tmp_path: Path) -> None:
    """A message under way is taken, then 421 4.3.2; new connections are not, and idle ones hear 421 at once."""
    async with open_front(tmp_path) as front:
        talk, idle = await begun(front), await Talk.open(front.port("gateway"))
        await talk.say("DATA")
        stopping = asyncio.create_task(front.submission.stop(20.0))
        assert (await idle.rest()).startswith(b"421 4.3.2")
        with pytest.raises(OSError, match=r"Connect\b|refused"):
            await Talk.open(front.port("gateway"))
        talk.send(MAIL + b".\r\n")
        assert (await talk.reply())[0].startswith("250 2.0.0")
        assert (await talk.rest()).startswith(b"421 4.3.2")
        await stopping
        assert len(front.mail.messages) == 1
        await asyncio.gather(talk.close(), idle.close())


async def test_stopping_waits_for_what_is_being_stored(tmp_path: Path) -> None:
    """With no grace left the client is cut, but a message being stored is stored."""
    go_on = asyncio.Event()
    async with open_front(tmp_path) as front:
        front.mail.before = go_on.wait
        talk = await begun(front)
        await talk.say("DATA")
        talk.send(MAIL + b".\r\n")
        await until(lambda: not front.submission._house.idle)
        stopping = asyncio.create_task(front.submission.stop(0.0))
        assert await talk.rest() == b""
        go_on.set()
        await stopping
        assert len(front.mail.messages) == 1
        await talk.close()


async def test_tls_ends_with_close_notify(tmp_path: Path) -> None:
    """RFC 8446 §6.1: hanging up inside TLS sends close_notify: the client sees an end, not a cut."""
    async with open_front(tmp_path) as front:
        talk = await Talk.open(front.port("submissions"), tls=client_tls())
        assert (await talk.say("QUIT")).startswith("221")
        assert await asyncio.wait_for(talk.reader.read(), 20) == b""
        await talk.close()
