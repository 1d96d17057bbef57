"""The capturing hop keeps exactly what it is sent."""

import smtplib
import ssl
from collections.abc import Iterator

import pytest
import trustme

from relay.demo.capture import Capture, Manners
from tests.support.corpus import corpus
from tests.support.raw_client import RawClient


@pytest.fixture
def hop() -> Iterator[Capture]:
    """A hop without TLS or AUTH."""
    with Capture() as capture:
        yield capture


def test_the_whole_corpus_is_kept_octet_by_octet(hop: Capture) -> None:
    """What is kept is what was sent, for every message of the corpus on one connection."""
    with RawClient(hop.port) as client:
        client.say("EHLO client.test")
        for sample in corpus():
            assert client.submit("a@example.com", ["b@example.com"], sample.sent).startswith(b"250")
    assert [message.content for message in hop.messages] == [sample.sent for sample in corpus()]


def test_the_envelope_is_kept_with_its_parameters(hop: Capture) -> None:
    """Paths keep their case and quotes; parameters stand beside them."""
    with RawClient(hop.port) as client:
        client.say("EHLO client.test")
        client.say("MAIL FROM:<A@example.com> BODY=8BITMIME RET=HDRS")
        client.say('RCPT TO:<"odd > one"@example.com> NOTIFY=NEVER')
        assert client.say("RCPT TO:<refuse@example.com>").startswith(b"550")
        assert client.say("RCPT TO:<defer@example.com>").startswith(b"451")
        client.say("DATA")
        assert client.say(".").startswith(b"250")
    (message,) = hop.messages
    assert message.sender == "A@example.com"
    assert message.parameters == ("BODY=8BITMIME", "RET=HDRS")
    assert message.addresses == ('"odd > one"@example.com',)
    assert message.recipients[0].parameters == ("NOTIFY=NEVER",)
    assert message.refused == ("refuse@example.com", "defer@example.com")
    assert message.content == b""


@pytest.mark.parametrize("text", [b"a\n.\nb\r\n", b"a\r.\rb\r\n", b"a\r\n.\rb\r\n", b"a\n.\r\nb\r\n"])
def test_only_crlf_dot_crlf_ends_the_content(hop: Capture, text: bytes) -> None:
    """A hop that took anything else for the end could not show smuggling."""
    with RawClient(hop.port) as client:
        for line in ("EHLO c", "MAIL FROM:<a@b.c>", "RCPT TO:<d@e.f>", "DATA"):
            client.say(line)
        client.send(text + b".\r\n")
        assert client.reply().startswith(b"250")
    assert [message.wire for message in hop.messages] == [text]


def test_commands_out_of_order_are_refused(hop: Capture) -> None:
    """No mail without EHLO, no recipients without a sender, no content without recipients."""
    with RawClient(hop.port) as client:
        assert client.say("MAIL FROM:<a@b.c>").startswith(b"503")
        client.say("EHLO c")
        assert client.say("RCPT TO:<a@b.c>").startswith(b"503")
        client.say("MAIL FROM:<>")
        assert client.say("DATA").startswith(b"503")
        assert client.say("WHAT").startswith(b"500")


def test_tls_and_sign_in() -> None:
    """With a certificate and logins, smtplib's STARTTLS and AUTH work, and nobody else gets in."""
    ca = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost").configure_cert(server)
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    with Capture(Manners(tls=server, logins={"relay": "secret"})) as hop:
        with smtplib.SMTP("localhost", hop.port, timeout=30) as client:
            client.starttls(context=trusting)
            with pytest.raises(smtplib.SMTPSenderRefused):
                client.sendmail("a@example.com", ["b@example.com"], b"x\r\n")
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("relay", "wrong")
            client.login("relay", "secret")
            client.sendmail("a@example.com", ["b@example.com"], b"x\r\n")
        (message,) = hop.wait_for(1)
    assert message.tls
    assert message.login == "relay"


def test_a_taken_port_is_told(hop: Capture) -> None:
    """Starting on a port in use raises OSError."""
    with pytest.raises(OSError, match="address already in use"):
        Capture(port=hop.port).start()
