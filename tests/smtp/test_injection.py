"""S7, S8 and S18: nothing that a client sends gets into a header, a log line or a command but as harmless text."""

import logging
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.message import read_header
from relay.submission.trace import Arrival, date_time, prefix, protocol, received
from tests.support.submission import PASSWORD, PLAIN, client_tls, open_front
from tests.support.talk import Talk

BAD_OCTETS = [bytes([octet]) for octet in (*range(32), 127) if octet not in (13,)] + [b"\r"]
QUEUE_ID = "35QZPT4QG0000"


def arrival(helo: str = "client.example", **changes: object) -> Arrival:
    """Give an arrival by ESMTPSA."""
    values: dict[str, object] = {
        "helo": helo,
        "client": "192.0.2.7",
        "hostname": "relay.example.com",
        "extended": True,
        "smtputf8": False,
        "authenticated": True,
        "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384",
    }
    return Arrival(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "command",
    [
        b"EHLO a%sb",
        b"MAIL FROM:<a%sb@example.com>",
        b"MAIL FROM:<ana@example.com> ENVID=a%sb",
        b"MAIL FROM:<ana@example.com> AUTH=a%sb",
        b"MAIL FROM:<ana@example.com> BODY=%s7BIT",
    ],
)
async def test_control_octets_in_commands_are_refused(command: bytes, tmp_path: Path) -> None:
    """S7: every control octet, in every place, is 501; the session goes on."""
    async with open_front(tmp_path, limits={"errors": 1000, "junk_commands": 1000}) as front:
        talk = await Talk.open(front.port("gateway"))
        await talk.say("EHLO client.example")
        for octet in BAD_OCTETS:
            answer = await talk.say(command % octet)
            assert answer.startswith("501 5."), (octet, answer)
        await talk.close()


@pytest.mark.parametrize(
    "argument", [b"<c%s@example.org>", b"<c@example.org> ORCPT=rfc822;c%s", b"<c@example.org> NOTIFY=NEVER%s"]
)
async def test_control_octets_in_recipients_are_refused(argument: bytes, tmp_path: Path) -> None:
    """S7: the same for RCPT and its parameters; octets above 127 need SMTPUTF8."""
    async with open_front(tmp_path, limits={"errors": 1000}) as front:
        talk = await Talk.open(front.port("gateway"))
        await talk.say("EHLO client.example")
        await talk.say("MAIL FROM:<ana@example.com>")
        for octet in [*BAD_OCTETS, b"\x80", b"\xff", "é".encode()]:
            answer = await talk.say(b"RCPT TO:" + argument % octet)
            assert answer.startswith(("501 5.", "553 5.6.7")), (octet, answer)
        await talk.close()


@pytest.mark.parametrize(
    "helo",
    [
        "a) by evil (b",
        "a; Mon, 1 Jan",
        "x" * 255,
        "a for <v@example.org>",
        "(",
        "[192.0.2.1",
        "a(b)c",
        "<script>",
        "-",
    ],
)
async def test_ehlo_names_are_sanitised_in_received(helo: str, tmp_path: Path) -> None:
    """S8: no name after EHLO ends a comment, adds a clause or a line of Received; it is one word."""
    async with open_front(tmp_path) as front:
        talk = await Talk.open(front.port("gateway"))
        await talk.say(f"EHLO {helo}")
        await talk.say("MAIL FROM:<ana@example.com>", "RCPT TO:<c@example.org>", "DATA")
        await talk.say("From: ana@example.com\r\nDate: x\r\nMessage-ID: <a@b>\r\n\r\n.")
        lines = front.mail.messages[0].prefix.split(b"\r\n")
        assert len(lines) == 4
        assert lines[0].count(b" ") == 3
        assert lines[0].startswith(b"Received: from ")
        assert lines[0].endswith(b" ([127.0.0.1])")
        assert all(len(line) <= 998 for line in lines)
        await talk.close()


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=300))
def test_any_name_leaves_received_as_one_field(helo: str) -> None:
    """Whatever the name, Received is one well-formed field of printable ASCII."""
    lines = received(arrival(helo), QUEUE_ID, 1_790_000_000_000_000)
    assert [one.name for one in read_header(lines + b"\r\n").fields] == ["received"]
    assert lines.replace(b"\r\n", b"").decode("ascii").isprintable()
    assert lines.count(b";") == 1
    assert b" for " not in lines


@pytest.mark.parametrize(
    ("changes", "keyword"),
    [
        ({}, "ESMTPSA"),
        ({"tls": ""}, "ESMTPA"),
        ({"authenticated": False}, "ESMTPS"),
        ({"authenticated": False, "tls": ""}, "ESMTP"),
        ({"smtputf8": True}, "UTF8SMTPSA"),
        ({"smtputf8": True, "authenticated": False, "tls": ""}, "UTF8SMTP"),
        ({"extended": False, "authenticated": False, "tls": ""}, "SMTP"),
    ],
)
def test_the_with_keyword_tells_how_it_came(changes: dict[str, object], keyword: str) -> None:
    """RFC 3848 and RFC 6531 §4.3."""
    assert protocol(arrival(**changes)) == keyword


def test_received_is_written_as_rfc_5321_has_it() -> None:
    """From, by, with, id, the cipher as a comment, the date; an IPv6 client as an address literal."""
    assert received(arrival(client="2001:db8::1"), QUEUE_ID, 1_790_000_000_000_000) == (
        b"Received: from client.example ([IPv6:2001:db8::1])\r\n"
        b" by relay.example.com with ESMTPSA id 35QZPT4QG0000\r\n"
        b" (TLSv1.3 TLS_AES_256_GCM_SHA384);\r\n"
        b" Mon, 21 Sep 2026 14:13:20 +0000\r\n"
    )


@pytest.mark.parametrize(
    ("header", "added"),
    [
        (b"Date: x\r\nMessage-ID: <a@b>\r\n\r\n", []),
        (b"Date: x\r\n\r\n", ["message-id"]),
        (b"Message-ID: <a@b>\r\n\r\n", ["date"]),
        (b"\r\n", ["date", "message-id"]),
        (b"DKIM-Signature: h=From:Date:Message-ID; b=x\r\n\r\n", []),
        (b"DKIM-Signature: h=from:message-id; b=x\r\n\r\n", ["date"]),
    ],
)
def test_date_and_message_id_are_added_when_they_may_be(header: bytes, added: list[str]) -> None:
    """RFC 6409 §8.2, §8.3: added when missing, never when a signature names them as absent (RFC 6376 §5.4)."""
    lines = prefix(arrival(), QUEUE_ID, 1_790_000_000_000_000, read_header(header))
    assert [one.name for one in read_header(lines + b"\r\n").fields] == ["received", *added]


def test_dates_are_those_of_rfc_5322() -> None:
    """The date has a numeric zone and is right beyond a leap day."""
    assert date_time(1_709_251_199_000_000) == "Thu, 29 Feb 2024 23:59:59 +0000"


async def test_passwords_are_in_no_log_at_any_level(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """S18: neither the initial response, nor a continuation, nor a password sent in the wrong place is logged."""
    caplog.set_level(logging.DEBUG)
    encoded = PLAIN.rstrip("=")
    async with open_front(tmp_path) as front:
        talk = await Talk.open(front.port("submissions"), tls=client_tls())
        await talk.say("EHLO client.example")
        await talk.say("AUTH CRAM-MD5", PLAIN)
        await talk.say(PLAIN)
        await talk.say("AUTH LOGIN", "YW5h", "d3Jvbmctc2VjcmV0")
        await talk.say(f"auth plain {PLAIN}")
        await talk.say("MAIL FROM:<ana@example.com>")
        await talk.close()
    assert "MAIL FROM:<ana@example.com>" in caplog.text
    for secret in (PASSWORD, encoded, "d3Jvbmctc2VjcmV0", "wrong-secret"):
        assert secret not in caplog.text
