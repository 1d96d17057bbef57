"""The Email to Salesforce address is in the envelope and nowhere that anybody else can read (smtp.md S15, S18)."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.demo.capture import Manners
from tests.support.eventually import eventually
from tests.support.raw_client import RawClient
from tests.support.running import BCC, BO_BCC, PASSWORD, RunningRelay, running_relay, trusting

_CONTENT = (
    b"From: ana@example.com\r\nTo: kim@buyer.example\r\nBcc: blind@partner.example\r\nSubject: a private subject\r\n"
    b"Message-ID: <%s@example.com>\r\nDate: Mon, 09 Nov 2026 09:14:03 +0100\r\n\r\nThe body is private.\r\n"
)
_SECRET_PART = BCC.partition("@")[2].partition(".")[0]
"""What makes the address a secret; no mask may let it through."""


def _verdict(address: str) -> str | None:
    """Refuse log copies with a text that quotes the address, as real hops do."""
    if address == BCC:
        return f"550 5.1.1 <{address}>: Recipient address rejected: {address.upper()} unknown"
    if address == BO_BCC:
        return f"451 4.2.1 <{address}> is busy, {address.lower()} may be tried later"
    if address.startswith("refuse"):
        return f"550 5.1.1 <{address}> no such mailbox"
    return None


@pytest.fixture(scope="module")
def shared_relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRelay]:
    """A relay that logs all it can, before a hop that takes no log copy."""
    folder: Path = tmp_path_factory.mktemp("relay")
    changes = {"logs": {"level": "debug", "format": "json"}}
    with running_relay(folder, changes, Manners(verdict=_verdict)) as relay:
        yield relay


def _submit(relay: RunningRelay, name: str, *recipients: str) -> str:
    with relay.client() as client:
        answer = client.submit("ana@example.com", recipients, _CONTENT % name.encode())
        assert answer.startswith(b"250"), answer
        heard = b"".join(client.heard).decode()
    assert _SECRET_PART not in heard.lower()
    return f"<{name}@example.com>"


def _everything_readable(relay: RunningRelay, query: str) -> str:
    """Give all that the commands and the logs show of a message."""
    texts = [relay.service.logs()]
    for command in (
        ("trace", query),
        ("trace", query, "--json"),
        ("log", "--json"),
        ("log",),
        ("queue", "list"),
        ("queue", "list", "--json"),
        ("user", "list"),
        ("user", "list", "--json"),
        ("config", "show"),
        ("check",),
    ):
        done = relay.service.run(*command)
        texts += [done.stdout, done.stderr]
    return "\n".join(texts)


def test_a_refused_log_copy_stays_a_secret(relay: RunningRelay) -> None:
    """The hop refuses the log copy and quotes its address: nothing shows it, and the rep gets no report."""
    query = _submit(relay, "refused-copy", "kim@buyer.example", "refuse@buyer.example")
    mail = relay.mail_for("kim@buyer.example")
    report = relay.mail_for("ana@example.com")
    assert _SECRET_PART.encode() not in mail.content.lower()
    assert _SECRET_PART.encode() not in report.content.lower()
    assert b"log_copy" not in report.content
    shown = _everything_readable(relay, query)
    assert _SECRET_PART not in shown.lower()
    states = eventually(lambda: relay.states(query), lambda found: "active" not in found.values())
    assert states["kim@buyer.example"] == "sent"
    assert sorted(states.values()) == ["bounced", "bounced", "sent"]


def test_only_a_refused_log_copy_makes_no_report(relay: RunningRelay) -> None:
    """When everybody but the log copy is taken, nothing goes to the rep (RFC 3461 §5.2.5, NOTIFY=NEVER)."""
    _submit(relay, "quiet-copy", "kim@buyer.example")
    relay.mail_for("kim@buyer.example")
    _submit(relay, "quiet-marker", "marker@buyer.example")
    relay.mail_for("marker@buyer.example")
    assert all(message.sender for message in relay.hop.messages)


def test_nothing_private_is_in_the_logs(relay: RunningRelay) -> None:
    """Neither passwords nor subjects nor bodies are logged, at any level; blind recipients' fields do not leave."""
    query = _submit(relay, "private", "kim@buyer.example", "blind@partner.example")
    mail = relay.mail_for("blind@partner.example")
    assert b"blind@partner.example" not in mail.content
    logs = relay.service.logs()
    for private in (PASSWORD, "The body is private", "a private subject"):
        assert private not in logs
    assert query.strip("<>") in _everything_readable(relay, query)


def test_a_wrong_password_is_not_logged(relay: RunningRelay) -> None:
    """What somebody typed for a password is in no log line, encoded or not."""
    with RawClient(relay.submission) as client:
        client.say("EHLO client.test")
        client.start_tls(trusting(relay.ca))
        client.say("EHLO client.test")
        assert client.sign_in("ana", "almost-my-password").startswith(b"535")
    logs = relay.service.logs()
    assert "almost-my-password" not in logs
    assert base64.b64encode(b"\0ana\0almost-my-password").decode() not in logs


@pytest.mark.parametrize(
    "commands",
    [
        ("MAIL FROM:<ana@example.com>", "RCPT TO:<{bcc}> NOTIFY=MAYBE"),
        ("MAIL FROM:<ana@example.com>", "RCPT TO:{bcc}"),
        ("MAIL FROM:<ana@example.com>", "RCPT TO:<{bcc}", "RCPT TO:<{bcc}>x"),
        ("MAIL FROM:<{bcc}>",),
        ("VRFY {bcc}", "EXPN {bcc}", "HELP {bcc}"),
    ],
    ids=str,
)
def test_an_address_in_a_refused_command_stays_a_secret(
    relay: RunningRelay, commands: tuple[str, ...]
) -> None:
    """A rep's client that writes the address wrongly, or where it does not belong, does not put it in the logs."""
    with relay.client() as client:
        for command in commands:
            client.say(command.format(bcc=BCC))
    assert _SECRET_PART not in relay.service.logs().lower()
    assert _SECRET_PART not in relay.service.run("log", "--json").stdout


def test_the_address_given_by_hand_stays_a_secret(relay: RunningRelay) -> None:
    """A rep who adds the address as a recipient, or writes to it alone, does not publish it either."""
    query = _submit(relay, "by-hand", "kim@buyer.example", BCC)
    relay.mail_for("kim@buyer.example")
    assert _SECRET_PART not in _everything_readable(relay, query).lower()
