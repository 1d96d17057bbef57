"""Nobody who has not signed in, and is not on a trusted network, gets anything through (smtp.md S1)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.demo.service import free_ports
from tests.support.raw_client import RawClient
from tests.support.running import RunningRelay, running_relay, trusting

_RECIPIENTS = (
    "v@ext.example",
    "v%ext.example@example.com",
    "v%ext.example",
    '"v@ext.example"',
    '"v%ext.example"',
    "v@ext.example@example.com",
    '"v@ext.example"@example.com',
    '"v%ext.example"@example.com',
    "@example.com:v@ext.example",
    "@example.com,@x.example:v@ext.example",
    "ext.example!v",
    "ext.example!v@example.com",
    "v@[127.0.0.1]",
    "v%ext.example@[127.0.0.1]",
    "v@ext.example@[127.0.0.1]",
    "ext.example!v@[127.0.0.1]",
    "v@localhost",
    "v%ext.example@localhost",
    "v@ext.example.",
    "postmaster",
)
_SENDERS = ("", "x@ext.example", "ana@example.com", "spam@localhost", "spam", "spam@[127.0.0.1]")


@pytest.fixture(scope="module")
def far_gateway() -> int:
    """The port of a gateway that trusts another network than ours."""
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def shared_relay(tmp_path_factory: pytest.TempPathFactory, far_gateway: int) -> Iterator[RunningRelay]:
    """A relay with a fourth listener that is not for us."""
    listener = {
        "name": "far",
        "address": f"127.0.0.1:{far_gateway}",
        "tls": "none",
        "auth": "none",
        "trust": {"networks": ["192.0.2.0/24"]},
    }
    folder: Path = tmp_path_factory.mktemp("relay")
    changes = {
        "more_listeners": [listener],
        "limits": {"errors": 100000, "junk_commands": 100000, "connections": {"per_network": 500}},
    }
    with running_relay(folder, changes) as relay:
        yield relay


def _try_everything(client: RawClient) -> list[tuple[str, str]]:
    """Offer every sender with every recipient; give those for which data would have been taken."""
    taken = []
    for sender in _SENDERS:
        for recipient in _RECIPIENTS:
            client.send(f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())
            answers = [client.reply() for _ in range(3)]
            if answers[-1].startswith(b"354"):
                client.send(b"Subject: spam\r\n\r\nspam\r\n.\r\n")
                taken.append((sender, recipient))
                client.reply()
            assert client.say("RSET")[:1] in b"25"
    return taken


def _nothing_was_sent(relay: RunningRelay) -> None:
    """A lawful message sent afterwards is the only one that arrives."""
    with relay.client() as client:
        content = b"From: ana@example.com\r\nSubject: lawful\r\n\r\nx\r\n"
        assert client.submit("ana@example.com", ["lawful@buyer.example"], content).startswith(b"250")
    relay.mail_for("lawful@buyer.example")
    assert len(relay.hop.messages) == 1


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
def test_nothing_without_signing_in(relay: RunningRelay, tls: bool) -> None:
    """On the submission port every item is refused, with TLS and without."""
    with RawClient(relay.submission) as client:
        client.say("EHLO client.test")
        if tls:
            client.start_tls(trusting(relay.ca))
            client.say("EHLO client.test")
        assert _try_everything(client) == []
        assert all(
            answer[:3] in {b"220", b"250", b"530", b"503", b"501", b"550", b"554"} for answer in client.heard
        )
    _nothing_was_sent(relay)


def test_nothing_from_a_network_that_is_not_trusted(relay: RunningRelay, far_gateway: int) -> None:
    """On a gateway for another network we are refused from the start, or every item is."""
    with RawClient(far_gateway) as client:
        if client.greeting.startswith(b"220"):
            client.say("EHLO client.test")
            assert _try_everything(client) == []
        else:
            assert client.greeting[:1] in b"45"
    _nothing_was_sent(relay)


def test_signs_of_routing_in_a_local_part_are_left_alone(relay: RunningRelay) -> None:
    """Signed in, % and ! are ordinary characters: the address goes to the next hop as it was given."""
    with relay.client() as client:
        for recipient in ("v%ext.example@buyer.example", "ext.example!v@buyer.example"):
            content = b"From: ana@example.com\r\nSubject: x\r\n\r\nx\r\n"
            assert client.submit("ana@example.com", [recipient], content).startswith(b"250")
            assert relay.mail_for(recipient)
