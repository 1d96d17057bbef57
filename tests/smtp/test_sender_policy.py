"""Who may send as whom, asked of a real listener (smtp.md S12), and that the log copy stays a secret (S15)."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from relay.delivery_kind import Role
from tests.support.raw_client import RawClient
from tests.support.submission import LOG_COPY, PASSWORD, PLAIN, client_tls, open_front
from tests.support.talk import Talk

OUT = "buyer@customer.example"


def send(port: int, sender: str, recipients: Sequence[str], content: bytes) -> tuple[bytes, bytes]:
    """Sign in as ana and send one message; give the last reply, and everything that was heard."""
    with RawClient(port) as client:
        client.say("EHLO client.example")
        client.start_tls(client_tls())
        client.say("EHLO client.example")
        assert client.sign_in("ana", PASSWORD).startswith(b"235")
        parameters = "" if sender.isascii() else " SMTPUTF8"
        return client.submit(sender, recipients, content, parameters), b"".join(client.heard)


TAKEN = [
    ("ana@example.com", b"From: ana@example.com\r\n\r\nx\r\n"),
    ("ANA@EXAMPLE.com", b"From: Ana <Ana.Lee@Example.com>\r\n\r\nx\r\n"),
    (
        "ana@example.com",
        b"From: ana.lee@example.com, ana@example.com\r\nSender: ana@example.com\r\n\r\nx\r\n",
    ),
    ("ana@example.com", b'From: "ceo@example.com" <ana@example.com>\r\n\r\nx\r\n'),
    ("ana@example.com", b"From: J\xf6rg <ana@example.com>\r\n\r\nx\r\n"),
    ("", b"From: ana@example.com\r\nSubject: read\r\n\r\nx\r\n"),
    ("ana@example.com", b"no header, no blank line\r\n"),
]

REFUSED = [
    ("bo@example.com", b"From: ana@example.com\r\n\r\nx\r\n"),
    ("ana+x@example.com", b"From: ana@example.com\r\n\r\nx\r\n"),
    ("ana@example.com", b"From: bo@example.com\r\n\r\nx\r\n"),
    ("", b"From: bo@example.com\r\n\r\nx\r\n"),
    ("ana@example.com", b"From: ana@example.com\r\nFrom: ana@example.com\r\n\r\nx\r\n"),
    ("ana@example.com", b"From: ana@example.com\r\nTo: x\r\nFROM : bo@example.com\r\n\r\nx\r\n"),
    ("ana@example.com", b"From: ana@example.com, bo@example.com\r\n\r\nx\r\n"),
    ("ana@example.com", b'From: "ana@example.com" <x@evil.example>\r\n\r\nx\r\n'),
    ("ana@example.com", b"From: Sales: ana@example.com;\r\n\r\nx\r\n"),
    ("ana@example.com", b"From: =?utf-8?q?ceo=40example.com=2C?= <ana@example.com>\r\n\r\nx\r\n"),
    ("ana@example.com", "From: \u0430na@example.com\r\n\r\nx\r\n".encode()),
    ("\u0430na@example.com", b"From: ana@example.com\r\n\r\nx\r\n"),
    ("ana@example.com", b"From: ana@example.com\r\nResent-From: x@evil.example\r\n\r\nx\r\n"),
    ("ana@example.com", b"From:\r\n\r\nx\r\n"),
    ("ana@example.com", b"From: \xff\xfe\r\n\r\nx\r\n"),
    ("ana@example.com", b"From: ana@example.com.\r\n\r\nx\r\n"),
]


@pytest.mark.parametrize(("sender", "content"), TAKEN)
async def test_the_reps_own_mail_is_taken(sender: str, content: bytes, tmp_path: Path) -> None:
    """Mail that shows the rep's acceptable addresses alone, or no From at all, is answered 250."""
    async with open_front(tmp_path) as front:
        answer, _ = await asyncio.to_thread(send, front.port("submission"), sender, [OUT], content)
        assert answer.startswith(b"250 2.0.0 ")
        assert len(front.mail.messages) == 1


@pytest.mark.parametrize(("sender", "content"), REFUSED)
async def test_every_other_sender_is_refused(sender: str, content: bytes, tmp_path: Path) -> None:
    """Mail that shows anybody else, or nobody for certain, is answered 550 5.7.1, and nothing is kept."""
    async with open_front(tmp_path) as front:
        answer, _ = await asyncio.to_thread(send, front.port("submission"), sender, [OUT], content)
        assert answer.startswith(b"550 5.7.1 ")
        assert not front.mail.messages


@pytest.mark.parametrize(
    "field",
    [
        b"From: ana@example.com\r\n.\t<bo@example.com>",
        b"From: ana@example.com,\r\n. bo@example.com",
        b"From:\r\n.\tbo@example.com",
        b"From\r\n. : bo@example.com",
        b".From: bo@example.com",
    ],
)
async def test_no_transparency_dot_hides_a_sender(field: bytes, tmp_path: Path) -> None:
    """A line that folds only once the hop has taken its dot away is read as the hop will read it."""
    async with open_front(tmp_path) as front:
        talk = await Talk.open(front.port("submissions"), tls=client_tls())
        await talk.say("EHLO client.example")
        await talk.say(f"AUTH PLAIN {PLAIN}")
        await talk.say("MAIL FROM:<ana@example.com>", f"RCPT TO:<{OUT}>", "DATA")
        talk.send(field + b"\r\nSubject: x\r\n\r\nx\r\n.\r\n")
        assert (await talk.reply())[0].startswith("550 5.7.1 ")
        assert not front.mail.messages
        await talk.close()


async def test_a_log_copy_given_by_hand_stays_a_secret(tmp_path: Path) -> None:
    """The Email to Salesforce address as a recipient is the log copy: in no reply, no event, no second time."""
    content = b"From: ana@example.com\r\nTo: buyer@customer.example\r\n\r\nx\r\n"
    async with open_front(tmp_path) as front:
        port = front.port("submission")
        _, heard = await asyncio.to_thread(send, port, "ana@example.com", [OUT, LOG_COPY], content)
        _, refused = await asyncio.to_thread(
            send, port, "ana@example.com", [LOG_COPY], b"From: x@evil.example\r\n\r\nx\r\n"
        )
        (plan,) = front.mail.plans
        assert [(one.role, one.notify) for one in plan] == [(Role.RECIPIENT, None), (Role.LOG_COPY, "NEVER")]
        told = repr([*front.mail.events, *front.log.events])
        assert "emailtosalesforce@a1" in told
        assert LOG_COPY not in told
        assert LOG_COPY.encode() not in heard + refused
