"""Nothing that a client hides in a message comes out of the relay as a message of its own (smtp.md S2, S3)."""

import re

import pytest

from tests.support.corpus import corpus
from tests.support.running import RunningRelay

_ENDS = [
    "0a2e0a",
    "0a2e0d",
    "0d2e0a",
    "0d2e0d",
    "0a2e0d0a",
    "0d2e0d0a",
    "0d0a2e0a",
    "0d0a2e0d",
    "0d0a002e0d0a",
    "0d0a2e000d0a",
    "0d0a2e0d0d0a",
    "0d0d0a2e0d0d0a",
]
_HIDDEN = (
    b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@buyer.example>\r\nDATA\r\n"
    b"From: evil@example.org\r\n\r\nsmuggled\r\n"
)
_HEADER = b"From: ana@example.com\r\nSubject: x\r\n\r\n"
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")
_LONE_DOT = re.compile(rb"(?:^|\r\n)\.(?!\.)")


@pytest.mark.parametrize("end", _ENDS)
@pytest.mark.parametrize("how", ["DATA", "BDAT"])
def test_nothing_is_smuggled_out(relay: RunningRelay, end: str, how: str) -> None:
    """A message with a false end is refused whole; what follows on the connection is the client's next message."""
    content = _HEADER + b"text" + bytes.fromhex(end) + _HIDDEN
    with relay.client() as client:
        client.send(b"MAIL FROM:<ana@example.com>\r\nRCPT TO:<kim@buyer.example>\r\n")
        assert [client.reply()[:3] for _ in range(2)] == [b"250", b"250"]
        if how == "DATA":
            client.say("DATA")
            client.send(content + b".\r\n")
        else:
            client.send(f"BDAT {len(content)} LAST\r\n".encode() + content)
        assert client.reply().startswith(b"554 5.5.2")
        assert client.say("NOOP").startswith(b"250")
        after = client.submit("ana@example.com", ["after@buyer.example"], _HEADER + b"lawful\r\n")
        assert after.startswith(b"250")
    relay.mail_for("after@buyer.example")
    assert len(relay.hop.messages) == 1


def test_every_dot_is_doubled_on_the_way_out(relay: RunningRelay) -> None:
    """On the wire to the hop all lines end in CRLF, and no line starts with a single dot, whatever the message."""
    some = [
        sample
        for sample in corpus()
        if b"\r\n." in sample.sent or sample.name.startswith(("dots", "line", "control"))
    ]
    with relay.client() as client:
        for sample in some:
            assert client.submit("ana@example.com", ["kim@buyer.example"], sample.sent).startswith(b"250")
    for message in relay.hop.wait_for(len(some), 60):
        assert not _BARE.search(message.wire)
        assert not _LONE_DOT.search(message.wire)


def test_chunks_are_stuffed_on_the_way_out(relay: RunningRelay) -> None:
    """What came by BDAT, where dots are not doubled, arrives with the dots it had."""
    content = _HEADER + b".\r\n..\r\n.x\r\n"
    with relay.client() as client:
        client.send(b"MAIL FROM:<ana@example.com>\r\nRCPT TO:<kim@buyer.example>\r\n")
        for octets in (content[:50], content[50:]):
            client.send(f"BDAT {len(octets)}\r\n".encode() + octets)
        client.send(b"BDAT 0 LAST\r\n")
        assert [client.reply()[:3] for _ in range(5)] == [b"250"] * 5
    assert relay.mail_for("kim@buyer.example").content.endswith(content)
