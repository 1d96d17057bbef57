"""Signing in at a real listener: every failure is answered alike (S6), and no password is in any log (S18)."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from relay.directory.credentials import CredentialRules, Credentials
from relay.directory.model import Directory
from relay.directory.passwords import PasswordPool, hash_password
from relay.directory.throttle import Limits
from relay.maillog.events import SignInFailed
from relay.submission.listener import Submission
from tests.support.raw_client import RawClient
from tests.support.submission import PASSWORD, KeptEvents, front_of

CHOSEN = "Chosen-by-a-person-1"
WRONG = "Wrong-but-still-nobodys-business"
FAILURES = [
    ("ana", WRONG),
    ("ana", ""),
    ("nobody", WRONG),
    ("bo", PASSWORD),
    ("without", WRONG),
    ("chosen", WRONG),
    ("ån", WRONG),
]
WHY = [
    "wrong password",
    "wrong password",
    "there is no such login",
    "the rep is disabled",
    "the rep has no password",
    "wrong password",
    "there is no such login",
]
"""What the mail log says of each, for the admin."""


@dataclass
class Desk:
    """A clear-text listener with real credentials behind it."""

    port: int
    pool: PasswordPool
    log: KeptEvents


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Open the listener, with ana (app password), bo (disabled), chosen (password) and without (neither)."""
    front = front_of(tmp_path, auth={"require_tls": "false"})
    ana, bo = front.parts.reps().reps()
    chosen = replace(ana, login="chosen", addresses=(), tokens=(), password=hash_password(CHOSEN.encode()))
    without = replace(ana, login="without", addresses=(), tokens=())
    directory, pool = Directory([ana, bo, chosen, without]), PasswordPool()
    rules = CredentialRules(Limits(1000, 600.0, 900.0, longest_delay=0.0), 600.0)
    credentials = Credentials(lambda: directory, rules, front.clock, pool)
    submission = Submission(replace(front.parts, credentials=credentials, reps=lambda: directory))
    names = [listener.name for listener in front.parts.settings.listeners]
    bound = dict(zip(names, await submission.start(), strict=True))
    yield Desk(bound["clear"].port, pool, front.log)
    await submission.stop(0.0)
    credentials.close()


def plain(port: int, login: str, password: str) -> list[bytes]:
    """Sign in by PLAIN, and give every reply from there on."""
    with RawClient(port) as client:
        client.say("EHLO client.example")
        client.heard.clear()
        client.sign_in(login, password)
        return client.heard


def by_login(port: int, login: str, password: str) -> list[bytes]:
    """Sign in by LOGIN, and give every reply from there on."""
    with RawClient(port) as client:
        client.say("EHLO client.example")
        client.heard.clear()
        client.say("AUTH LOGIN")
        for part in (login, password):
            client.say(base64.b64encode(part.encode()))
        return client.heard


@pytest.mark.parametrize("mechanism", [plain, by_login])
async def test_every_failure_is_answered_alike_after_one_check(desk: Desk, mechanism: object) -> None:
    """S6: who does not exist, is disabled, has no password or another one hears the same, for the same work; the admin, why."""
    assert callable(mechanism)
    answers = set()
    for login, password in FAILURES:
        before = desk.pool.checks
        heard = await asyncio.to_thread(mechanism, desk.port, login, password)
        answers.add(heard[-1])
        assert desk.pool.checks == before + 1, login
    assert len(answers) == 1
    assert answers.pop().startswith(b"535 5.7.8 ")
    failed = [event for event in desk.log.events if isinstance(event, SignInFailed)]
    assert [event.reason for event in failed] == WHY
    assert len({(event.mechanism, event.client) for event in failed}) == 1


@pytest.mark.parametrize(("login", "password"), [("ana", PASSWORD), ("ANA", PASSWORD), ("chosen", CHOSEN)])
async def test_right_ones_get_in(desk: Desk, login: str, password: str) -> None:
    """App password and password prove the rep, by either mechanism."""
    for mechanism in (plain, by_login):
        heard = await asyncio.to_thread(mechanism, desk.port, login, password)
        assert heard[-1].startswith(b"235 2.7.0 ")


async def test_no_password_is_logged_at_any_level(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """S18: with every logger at DEBUG, no password is in a line, an event or a reply; nor is it in base64."""
    caplog.set_level(logging.DEBUG)
    for name in ("relay", "mail.log", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    heard: list[bytes] = []
    for login, password in (*FAILURES, ("ana", PASSWORD), ("chosen", CHOSEN)):
        for mechanism in (plain, by_login):
            heard += await asyncio.to_thread(mechanism, desk.port, login, password)
    with_password_as_command = await asyncio.to_thread(_out_of_step, desk.port)
    text = "\n".join(
        [caplog.text, repr(desk.log.events), repr(heard), repr(with_password_as_command)]
        + [repr(vars(record)) for record in caplog.records]
    )
    for secret in (PASSWORD, CHOSEN, WRONG):
        assert secret not in text
        assert base64.b64encode(secret.encode()).decode() not in text
        for login in ("ana", "nobody", "chosen"):
            assert base64.b64encode(f"\0{login}\0{secret}".encode()).decode() not in text


def _out_of_step(port: int) -> list[bytes]:
    """Send a password where a command is expected, as clients do that miss a reply."""
    with RawClient(port) as client:
        client.say("EHLO client.example")
        client.say(base64.b64encode(WRONG.encode()))
        client.say(WRONG)
        client.say(f"AUTH PLAIN {base64.b64encode(WRONG.encode()).decode()} {WRONG}")
        client.say(f"AUTH {WRONG}")
        return client.heard
