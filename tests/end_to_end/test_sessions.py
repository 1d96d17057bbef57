"""What a client meets on a running relay, port by port: greeting, TLS, replies, limits, and the Received field."""

import re
import socket
import ssl
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import pytest

from relay.demo.service import free_ports
from tests.support.raw_client import RawClient
from tests.support.running import BCC, PASSWORD, RunningRelay, running_relay, trusting

_LIMIT = 30.0
_CONTENT = (
    b"From: ana@example.com\r\nSubject: x\r\nDate: Mon, 9 Nov 2026 09:14:03 +0100\r\n"
    b"Message-ID: <session@example.com>\r\n\r\nHello\r\n"
)
_RECEIVED = re.compile(
    r"Received: from (?P<helo>\S+) \(\[(?P<client>[^]]+)\]\)\r\n"
    r" by (?P<by>\S+) with (?P<protocol>\S+) id (?P<id>[0-9A-HJKMNP-TV-Z]{13})"
    r"(?:\r\n \((?P<tls>[\w. -]+)\))?;\r\n (?P<date>[^\r]+)\r\n"
)
_REPLY_LINE = re.compile(rb"([245]\d\d|3[35]4)([ -])(?:([245]\.\d{1,3}\.\d{1,3}) )?[ -~]*\r\n")


@pytest.fixture(scope="module")
def clear_port() -> int:
    """The port of a listener that takes sign-ins in clear text."""
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def shared_relay(tmp_path_factory: pytest.TempPathFactory, clear_port: int) -> Iterator[RunningRelay]:
    """A relay with small limits and a fourth listener in clear text."""
    clear = {"name": "clear", "address": f"127.0.0.1:{clear_port}", "tls": "none", "auth": "required"}
    changes = {
        "auth": {"require_tls": False},
        "limits": {"message_size": "1MiB", "errors": 100},
        "notices": {"postmaster": "office@example.com"},
        "more_listeners": [clear],
    }
    with running_relay(tmp_path_factory.mktemp("relay"), changes) as relay:
        yield relay


def _received(content: bytes) -> dict[str, str | None]:
    match = _RECEIVED.match(content.decode())
    assert match is not None, content[:400]
    return match.groupdict()


def _over_tls(relay: RunningRelay) -> ssl.SSLSocket:
    plain = socket.create_connection(("localhost", relay.submissions), _LIMIT)
    return trusting(relay.ca).wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)


def test_both_ports_offer_the_same(relay: RunningRelay) -> None:
    """STARTTLS and implicit TLS lead to the same features (RFC 8314 §3.3), without ETRN and ATRN (RFC 6409 §7)."""
    with RawClient(relay.submission) as client:
        client.say("EHLO client.test")
        client.start_tls(trusting(relay.ca))
        one = client.say("EHLO client.test")
    with _over_tls(relay) as client:
        client.recv(4096)
        client.sendall(b"EHLO client.test\r\n")
        assert client.recv(4096) == one
    words = set(one.decode().replace("-", " ").split())
    assert {"PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "AUTH", "SIZE"} <= words
    assert not {"ETRN", "ATRN", "STARTTLS", "VRFY"} & words


def test_tls_is_closed_properly(relay: RunningRelay) -> None:
    """Behind QUIT comes close_notify: the client can tell the end from an attack (RFC 8314 §3.4)."""
    with _over_tls(relay) as client:
        client.recv(4096)
        client.sendall(b"QUIT\r\n")
        assert client.recv(4096).startswith(b"221 ")
        assert client.recv(4096) == b""


def test_the_relay_speaks_first(relay: RunningRelay) -> None:
    """Whatever a client says before the greeting, the greeting is the first thing said (RFC 5321 §3.1)."""
    with socket.create_connection(("127.0.0.1", relay.gateway), _LIMIT) as client:
        client.sendall(b"EHLO hasty\r\n")
        assert client.recv(4096)[:4] in {b"220 ", b"554 ", b"421 "}


@pytest.mark.parametrize("name", ["[192.0.2.1]", "another.example", "localhost", "x_y", "[IPv6:2001:db8::1]"])
def test_the_clients_name_is_not_judged(relay: RunningRelay, name: str) -> None:
    """A name that is not the client's own is taken (RFC 5321 §4.1.4), and stands in Received."""
    with RawClient(relay.gateway) as client:
        assert client.say(f"EHLO {name}").startswith(b"250")
        assert client.submit("ana@example.com", ["kim@buyer.example"], _CONTENT).startswith(b"250")
    assert _received(relay.mail_for("kim@buyer.example").content)["helo"] == name


@pytest.mark.parametrize("name", ["a) by evil (b", "x;y", "é.example", "a\tb", "a\x7fb", "x" * 400])
def test_a_hostile_client_name_does_not_get_into_the_content(relay: RunningRelay, name: str) -> None:
    """What would end a comment or a clause of Received is refused or written otherwise (smtp.md S8)."""
    with RawClient(relay.gateway) as client:
        if not client.say(f"EHLO {name}".encode()).startswith(b"250"):
            return
        assert client.submit("ana@example.com", ["kim@buyer.example"], _CONTENT).startswith(b"250")
    content = relay.mail_for("kim@buyer.example").content
    assert _received(content)["by"] == "relay.example.com"
    assert re.fullmatch(r"[\w.-]+", _received(content)["helo"] or "")


def test_received_tells_how_it_came(relay: RunningRelay, clear_port: int) -> None:
    """ESMTPSA with the cipher, UTF8SMTPSA, ESMTPA and ESMTP (RFC 3848, RFC 6531 §4.3); numeric zone; no `for`."""
    with relay.client() as client:
        client.submit("ana@example.com", ["tls@buyer.example"], _CONTENT)
        client.submit("ana@example.com", ["utf8@buyer.example"], _CONTENT, " SMTPUTF8")
    with RawClient(clear_port) as client:
        client.say("EHLO client.test")
        client.sign_in("ana", PASSWORD)
        client.submit("ana@example.com", ["clear@buyer.example"], _CONTENT)
    with RawClient(relay.gateway) as client:
        client.say("EHLO client.test")
        client.submit("ana@example.com", ["gateway@buyer.example"], _CONTENT)
    shown = {}
    for name in ("tls", "utf8", "clear", "gateway"):
        content = relay.mail_for(f"{name}@buyer.example").content
        found = _received(content)
        shown[name] = found["protocol"]
        assert (found["helo"], found["client"], found["by"]) == (
            "client.test",
            "127.0.0.1",
            "relay.example.com",
        )
        assert parsedate_to_datetime(found["date"] or "").utcoffset() is not None
        assert bool(found["tls"]) == (name in {"tls", "utf8"})
        assert content.count(b"Received:") == 1
        assert b"buyer.example" not in content
    assert shown == {"tls": "ESMTPSA", "utf8": "UTF8SMTPSA", "clear": "ESMTPA", "gateway": "ESMTP"}


def test_return_path_is_left_alone(relay: RunningRelay) -> None:
    """A Return-Path field is neither read, removed nor added (RFC 5321 §4.4)."""
    content = b"Return-Path: <elsewhere@example.org>\r\n" + _CONTENT
    with relay.client() as client:
        client.submit("ana@example.com", ["refuse@buyer.example", "kim@buyer.example"], content)
    arrived = relay.mail_for("kim@buyer.example")
    report = relay.mail_for("ana@example.com")
    assert arrived.content.endswith(content)
    assert arrived.content.count(b"Return-Path") == 1
    assert (report.sender, report.addresses) == ("", ("ana@example.com",))


_CONVERSATION = (
    "HELP\r\nVRFY ana\r\nEXPN all\r\nNOOP\r\nTURN\r\nETRN x\r\nNONSENSE\r\nDATA\r\n"
    "RCPT TO:<a@b.example>\r\nEHLO\r\nHELO\r\nEHLO client.test\r\nMAIL\r\nMAIL FROM:\r\nMAIL FROM:<a b>\r\n"
    "MAIL FROM:<bo@example.com>\r\nMAIL FROM:<ána@example.com>\r\nMAIL FROM:<ána@example.com> SMTPUTF8\r\n"
    "MAIL FROM:<ana@example.com> SIZE=9999999\r\nMAIL FROM:<ana@example.com> X=Y\r\nAUTH\r\nAUTH X\r\nAUTH PLAIN ====\r\n"
    "AUTH PLAIN AGFuYQB3cm9uZw==\r\nSTARTTLS x\r\nMAIL FROM:<ana@example.com> RET=ALL\r\nRCPT TO:<>\r\n"
    "MAIL FROM:<ana@example.com>\r\nRCPT TO:<b@b@b>\r\nRCPT TO:<bücher@b.example>\r\nRCPT TO:<x> NOTIFY=MAYBE\r\n"
    "RCPT TO:<"
    + "l" * 65
    + "@b.example>\r\nRSET\r\nRSET x\r\nDATA x\r\nNOOP "
    + "x" * 600
    + "\r\nQUIT x\r\nBDAT\r\n"
).encode()


@pytest.mark.parametrize("port", ["submission", "gateway", "clear", "signed-in"])
def test_every_reply_is_well_formed(relay: RunningRelay, clear_port: int, port: str) -> None:
    """One code on all lines, 512 octets at most, ASCII, and an enhanced code of the same class (RFC 5321 §4.2, 2034 §4)."""
    with RawClient(
        {"submission": relay.submission, "gateway": relay.gateway}.get(port, clear_port)
    ) as client:
        if port == "signed-in":
            client.say("EHLO client.test")
            client.sign_in("ana", PASSWORD)
        for line in _CONVERSATION.split(b"\r\n")[:-1]:
            greeting = line[:4] in {b"EHLO", b"HELO"}
            try:
                reply = client.say(line)
            except OSError as trouble:
                raise AssertionError(f"no reply to {line[:60]!r}") from trouble
            _check_reply(reply, enhanced=not (greeting and reply.startswith(b"250")))
            if reply.startswith(b"421"):
                break


def _check_reply(reply: bytes, *, enhanced: bool) -> None:
    for line in reply.splitlines(keepends=True):
        match = _REPLY_LINE.fullmatch(line)
        assert match is not None, line
        assert len(line) <= 512
        assert match[1] == reply[:3]
        if enhanced and line[:1] in b"245":
            assert match[3] is not None, line
            assert match[3][:1] == line[:1]


@pytest.mark.parametrize(("parameters", "ascii_only"), [("", True), (" SMTPUTF8", False)])
def test_utf8_in_replies_only_where_it_was_asked_for(
    relay: RunningRelay, parameters: str, ascii_only: bool
) -> None:
    """A refused From in UTF-8 is not quoted to a client that did not say SMTPUTF8 (RFC 6531 §3.7.4)."""
    content = "From: Café <café@exämple.example>\r\nSubject: ü\r\n\r\nx\r\n".encode()
    with relay.client() as client:
        answer = client.submit("ana@example.com", ["kim@buyer.example"], content, parameters)
    assert answer.startswith(b"550 5.7.1")
    assert answer.isascii() or not ascii_only
    answer.decode()


@pytest.mark.parametrize("name", ["postmaster", "Postmaster", "POSTMASTER"])
def test_postmaster_needs_no_domain(relay: RunningRelay, name: str) -> None:
    """<Postmaster> in any case reaches the address of the settings (RFC 5321 §4.5.1)."""
    with relay.client() as client:
        assert client.submit("ana@example.com", [name], _CONTENT).startswith(b"250")
    assert relay.mail_for("office@example.com")


def test_a_hundred_recipients_are_taken_and_no_more(relay: RunningRelay) -> None:
    """The 101st is 452 4.5.3; the hundred get the mail, in one transaction where the hop allows (RFC 5321 §4.5.3.1)."""
    with relay.client() as client:
        client.say("MAIL FROM:<ana@example.com>")
        for number in range(100):
            assert client.say(f"RCPT TO:<r{number}@buyer.example>").startswith(b"250")
        assert client.say("RCPT TO:<more@buyer.example>").startswith(b"452 4.5.3")
        assert client.say("DATA").startswith(b"354")
        client.send(_CONTENT + b".\r\n")
        assert client.reply().startswith(b"250")
    arrived = relay.hop.wait_until(lambda all_: sum(len(m.addresses) for m in all_) >= 101)
    everyone = [address for message in arrived for address in message.addresses]
    assert sorted(everyone) == sorted([*(f"r{n}@buyer.example" for n in range(100)), BCC])


def test_too_large_is_refused_and_the_session_goes_on(relay: RunningRelay) -> None:
    """Past the limit 552 5.3.4 behind the final dot, nothing is sent on, and the next message is taken (RFC 1870 §6)."""
    line = b"x" * 76 + b"\r\n"
    with relay.client() as client:
        assert client.submit("ana@example.com", ["big@buyer.example"], _CONTENT + line * 16000).startswith(
            b"552 5.3.4"
        )
        fits = _CONTENT + line * 13400
        assert (
            client.submit("ana@example.com", ["fits@buyer.example"], fits, f" SIZE={len(fits)}")[:3] == b"250"
        )
    assert relay.mail_for("fits@buyer.example").content.endswith(fits)
    assert [m.addresses[0] for m in relay.hop.messages] == ["fits@buyer.example"]


def test_a_loop_is_stopped(relay: RunningRelay) -> None:
    """More than fifty Received fields are 554 5.4.6; such words in the body do not count (RFC 5321 §6.3)."""
    field = b"Received: from a by b; Mon, 9 Nov 2026 09:14:03 +0100\r\n"
    with relay.client() as client:
        assert client.submit("ana@example.com", ["kim@buyer.example"], field * 51 + _CONTENT).startswith(
            b"554 5.4.6"
        )
        assert client.submit("ana@example.com", ["kim@buyer.example"], _CONTENT + field * 99).startswith(
            b"250"
        )


def test_what_is_said_in_clear_behind_starttls_is_never_obeyed(relay: RunningRelay) -> None:
    """Commands in the segment of STARTTLS get no reply inside TLS (RFC 3207 §6, smtp.md S4)."""
    with RawClient(relay.submission) as client:
        client.say("EHLO client.test")
        client.send(b"STARTTLS\r\nEHLO injected\r\nNOOP\r\nQUIT\r\n")
        answer = client.reply()
        if not answer.startswith(b"220"):
            assert answer[:1] in b"45"
            return
        context = trusting(relay.ca)
        try:
            client.socket = context.wrap_socket(client.socket, server_hostname="localhost")
            assert client.say("VRFY x").startswith((b"530", b"252", b"502"))
        except (OSError, ConnectionError):
            return  # hung up on: nothing was obeyed


def test_replies_to_a_group_leave_together(relay: RunningRelay) -> None:
    """MAIL and four RCPT in one segment are answered in one (RFC 2920 §3.2)."""
    with socket.create_connection(("127.0.0.1", relay.gateway), _LIMIT) as client:
        client.recv(4096)
        client.sendall(b"EHLO client.test\r\n")
        client.recv(4096)
        group = b"MAIL FROM:<ana@example.com>\r\n" + b"RCPT TO:<kim@buyer.example>\r\n" * 4
        client.sendall(group)
        assert client.recv(4096).count(b"\r\n") == 5
