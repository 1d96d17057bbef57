"""S6: signing in, on both kinds of TLS, and what guessing gets."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from relay.directory.credentials import Blocked, Unavailable, Wrong
from relay.directory.model import Directory, Rep
from relay.ids import Login
from relay.maillog.events import SignInBlocked, SignInFailed
from tests.support.builders import mailbox
from tests.support.submission import PASSWORD, PLAIN, Front, client_tls, open_front
from tests.support.talk import Talk, until


@asynccontextmanager
async def signed_off(folder: Path, listener: str = "submissions") -> AsyncIterator[tuple[Front, Talk]]:
    """Give a connection inside TLS that has not signed in."""
    async with open_front(folder) as front:
        if listener == "submissions":
            talk = await Talk.open(front.port(listener), tls=client_tls())
        else:
            talk = await Talk.open(front.port(listener))
            await talk.say("EHLO client.example")
            await talk.start_tls(client_tls())
        await talk.say("EHLO client.example")
        yield front, talk
        await talk.close()


def plain(login: bytes, password: bytes, authorize_as: bytes = b"") -> str:
    """Give AUTH PLAIN with its initial response."""
    return "AUTH PLAIN " + base64.b64encode(b"\0".join((authorize_as, login, password))).decode()


@pytest.mark.parametrize("listener", ["submission", "submissions", "optional"])
@pytest.mark.parametrize("initial", [True, False])
async def test_plain_and_login_work_on_both_kinds_of_tls(
    listener: str, initial: bool, tmp_path: Path
) -> None:
    """PLAIN and LOGIN, with and without initial response, prove the rep; the client's address goes along."""
    async with signed_off(tmp_path, listener) as (front, talk):
        if initial:
            answer = await talk.say(f"AUTH PLAIN {PLAIN}")
        else:
            await talk.say("AUTH LOGIN")
            await talk.say(base64.b64encode(b"ana"))
            answer = await talk.say(base64.b64encode(PASSWORD.encode()))
        assert answer.startswith("235 2.7.0")
        assert front.passwords.asked == [("ana", PASSWORD.encode(), "127.0.0.1")]
        assert (await talk.say("MAIL FROM:<ana@example.com>")).startswith("250")


async def test_unknown_login_and_wrong_password_are_answered_alike(tmp_path: Path) -> None:
    """The two replies are the same octets, for every kind of wrong."""
    async with signed_off(tmp_path) as (_front, talk):
        answers = {await talk.say(plain(login, b"guess")) for login in (b"ana", b"nobody", b"bo", b"x" * 300)}
        assert len(answers) == 1
        assert answers.pop().startswith("535 5.7.8")


async def test_after_five_failures_we_hang_up_and_not_before_three(tmp_path: Path) -> None:
    """Four wrong passwords are answered 535, the fifth 421; each is in the mail log without its password."""
    async with signed_off(tmp_path) as (front, talk):
        answers = [await talk.say(plain(b"ana", b"wrong-secret")) for _ in range(5)]
        assert [one[:3] for one in answers] == ["535"] * 4 + ["421"]
        assert await talk.rest() == b""
        await until(lambda: len(front.log.events) == 5)
        assert all(isinstance(one, SignInFailed) and one.login == "ana" for one in front.log.events)
        assert "wrong-secret" not in repr(front.log.events)


async def test_the_mail_log_tells_an_admin_what_is_wrong(tmp_path: Path) -> None:
    """What the client is not told: no such login, a disabled rep, a rep of a gateway, or the password."""
    async with signed_off(tmp_path) as (front, talk):
        dora = Rep(Login("dora"), (mailbox("dora@example.com"),))
        front.directory = Directory([*front.directory.reps(), dora])
        for login in (b"Ana", b"nobody", b"bo", b"dora"):
            assert (await talk.say(plain(login, b"guess"))).startswith("535")
        await until(lambda: len(front.log.events) == 4)
        assert [one.reason for one in front.log.events if isinstance(one, SignInFailed)] == [
            "wrong password",
            "there is no such login",
            "the rep is disabled",
            "the rep has no password",
        ]


async def test_a_locked_login_is_told_how_long(tmp_path: Path) -> None:
    """A lock-out is 421 4.7.0 with the time to wait, and an event."""
    async with signed_off(tmp_path) as (front, talk):
        front.passwords.verdict = Blocked(840.0)
        assert await talk.say(f"AUTH PLAIN {PLAIN}") == (
            "421 4.7.0 Too many wrong passwords; try again in 14 minutes (R1103)"
        )
        await until(lambda: bool(front.log.events))
    async with signed_off(tmp_path) as (other, talk):
        other.passwords.verdict = Blocked(60.0, network=True)
        await talk.say(f"AUTH PLAIN {PLAIN}")
        await until(lambda: bool(other.log.events))
    assert [
        one.reason for one in (*front.log.events, *other.log.events) if isinstance(one, SignInBlocked)
    ] == [
        "the login is locked out for another 14 minutes",
        "the network is locked out for another 60 seconds",
    ]


async def test_a_directory_that_is_away_is_454(tmp_path: Path) -> None:
    """That passwords cannot be checked is 454 4.7.0 and counts against nobody."""
    async with signed_off(tmp_path) as (front, talk):
        front.passwords.verdict = Unavailable()
        assert (await talk.say(f"AUTH PLAIN {PLAIN}")).startswith("454 4.7.0")
        front.passwords.verdict = None
        assert (await talk.say(f"AUTH PLAIN {PLAIN}")).startswith("235")


async def test_a_fault_while_checking_is_451_without_its_text(tmp_path: Path) -> None:
    """An exception of ours says nothing of itself to the client, and the session goes on."""
    async with signed_off(tmp_path) as (front, talk):
        front.passwords.failure = RuntimeError("ldap://inside")
        answer = await talk.say(f"AUTH PLAIN {PLAIN}")
        assert answer.startswith("451 4.3.0")
        assert "ldap" not in answer
        front.passwords.failure = None
        assert (await talk.say(f"AUTH PLAIN {PLAIN}")).startswith("235")


@pytest.mark.parametrize(
    "response",
    [b"ana", b"\0ana", b"a\0b\0c\0d", b"\0a\0b\0c\0", b"\0\xff\xfe\0x", b""],
    ids=["no-nul", "one-nul", "three-nul", "four-nul", "not-utf8", "empty"],
)
async def test_malformed_plain_responses_are_501(response: bytes, tmp_path: Path) -> None:
    """A PLAIN response has two NULs and UTF-8 (RFC 4616 §2)."""
    async with signed_off(tmp_path) as (front, talk):
        await talk.say("AUTH PLAIN")
        assert (await talk.say(base64.b64encode(response))).startswith("501 5.5.2")
        assert not front.passwords.asked


@pytest.mark.parametrize("text", ["AGFu YQB4", "AGFu=QB4", "AGFuYQB4=", "AGF-YQB_", "AGFuYQ", "====", "\x01"])
async def test_responses_that_are_not_base64_are_501(text: str, tmp_path: Path) -> None:
    """Blanks, inner padding and other alphabets are refused (RFC 4954 §4)."""
    async with signed_off(tmp_path) as (front, talk):
        await talk.say("AUTH PLAIN")
        assert (await talk.say(text)).startswith("501 5.5.2")
        assert not front.passwords.asked


async def test_nobody_may_act_as_somebody_else(tmp_path: Path) -> None:
    """An authorization identity other than the login is a wrong password; the login itself is granted."""
    async with signed_off(tmp_path) as (_front, talk):
        assert (await talk.say(plain(b"ana", PASSWORD.encode(), b"bo"))).startswith("535 5.7.8")
        assert (await talk.say(plain(b"ana", PASSWORD.encode(), b"ana"))).startswith("235")


@pytest.mark.parametrize(
    ("octets", "code"), [(12286, "535 5.7.8"), (12287, "500 5.5.6"), (60_000, "500 5.5.6")]
)
async def test_responses_may_be_12288_octets_long(octets: int, code: str, tmp_path: Path) -> None:
    """A response line of 12288 octets is read, a longer one is 500 5.5.6 (RFC 4954 §4); the session goes on."""
    line = base64.b64encode(b"\0ana\0" + b"x" * 9205)[:octets].ljust(octets, b"A")
    if octets == 12286:
        line = base64.b64encode(b"\0ana\0" + b"x" * 9208)
        assert len(line) == 12284
    async with signed_off(tmp_path) as (_front, talk):
        await talk.say("AUTH PLAIN")
        assert (await talk.say(line)).startswith(code)
        assert (await talk.say("NOOP")).startswith("250")


async def test_a_thousand_pipelined_guesses_are_five(tmp_path: Path) -> None:
    """Guesses in one segment are checked one after the other, and the fifth ends the connection."""
    async with signed_off(tmp_path) as (front, talk):
        talk.send((plain(b"ana", b"guess") + "\r\n").encode() * 1000)
        answers = (await talk.rest()).splitlines()
        assert [one[:3] for one in answers] == [b"535"] * 4 + [b"421"]
        assert len(front.passwords.asked) == 5


@pytest.mark.parametrize("login", [b"ana\r\nb", b"a\x1b[31m", "ána".encode(), b"a\x00"[:1], b"x" * 300])
async def test_logins_are_escaped_in_the_mail_log(login: bytes, tmp_path: Path) -> None:
    """S7: no control octet of a login gets into an event; long ones are cut."""
    async with signed_off(tmp_path) as (front, talk):
        await talk.say(plain(login, b"guess"))
        await until(lambda: bool(front.log.events))
        event = front.log.events[0]
        assert isinstance(event, SignInFailed)
        assert event.login.isprintable()
        assert len(event.login) <= 320


async def test_auth_within_a_transaction_is_503(tmp_path: Path) -> None:
    """After MAIL no AUTH is taken, and the transaction stands (RFC 4954 §4)."""
    async with signed_off(tmp_path) as (_front, talk):
        await talk.say(f"AUTH PLAIN {PLAIN}")
        await talk.say("MAIL FROM:<ana@example.com>")
        assert (await talk.say(f"AUTH PLAIN {PLAIN}")).startswith("503")
        assert (await talk.say("RCPT TO:<c@example.org>")).startswith("250")


async def test_clear_text_only_where_it_is_allowed(tmp_path: Path) -> None:
    """With auth.require_tls: false AUTH is offered and taken in clear text; otherwise it is 538."""
    async with open_front(tmp_path) as front:
        talk = await Talk.open(front.port("clear"))
        await talk.say("EHLO client.example")
        assert (await talk.say(f"AUTH PLAIN {PLAIN}")).startswith("538 5.7.11")
        assert not front.passwords.asked
        await talk.close()
    async with open_front(tmp_path, auth={"require_tls": "false"}) as front:
        talk = await Talk.open(front.port("clear"))
        talk.send(b"EHLO client.example\r\n")
        assert "250-AUTH PLAIN LOGIN" in await talk.reply()
        assert (await talk.say(f"AUTH PLAIN {PLAIN}")).startswith("235")
        await talk.close()


@pytest.mark.parametrize("gone", ["disabled", "removed"])
@pytest.mark.parametrize("commands", [0, 1, 3])
async def test_a_rep_who_is_disabled_sends_nothing_from_then_on(
    gone: str, commands: int, tmp_path: Path
) -> None:
    """`relay user disable` ends a sign-in that stands already, wherever the transaction is; signing in again is refused."""
    said = [
        "MAIL FROM:<ana@example.com>",
        "RCPT TO:<c@example.org>",
        "DATA",
        "From: ana@example.com\r\n\r\n.",
    ]
    async with signed_off(tmp_path) as (front, talk):
        assert (await talk.say(f"AUTH PLAIN {PLAIN}")).startswith("235")
        for command in said[:commands]:
            assert (await talk.say(command))[0] in "23"
        reps = [replace(rep, disabled=True) for rep in front.directory.reps() if gone == "disabled"]
        front.directory = Directory(reps)
        assert (await talk.say(said[commands])).startswith("530 5.7.0")
        assert not front.mail.messages
        front.passwords.verdict = Wrong(0.0)
        await talk.say("RSET")
        assert (await talk.say(f"AUTH PLAIN {PLAIN}")).startswith("535")


async def test_a_reps_new_addresses_hold_at_once(tmp_path: Path) -> None:
    """What was changed about a rep holds for the next command of a session that goes on."""
    async with signed_off(tmp_path) as (front, talk):
        assert (await talk.say(f"AUTH PLAIN {PLAIN}")).startswith("235")
        (ana,) = (rep for rep in front.directory.reps() if rep.login == "ana")
        front.directory = Directory([replace(ana, addresses=(mailbox("ana@example.net"),))])
        assert (await talk.say("MAIL FROM:<ana@example.com>")).startswith("550 5.7.1")
        assert (await talk.say("MAIL FROM:<ana@example.net>")).startswith("250")
