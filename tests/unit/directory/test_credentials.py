"""Every wrong sign-in looks and costs the same; right ones are quick; secrets stay out of every log."""

import asyncio
import hashlib
import logging

import pytest

from relay.address import Address
from relay.directory.credentials import (
    Blocked,
    CredentialRules,
    Credentials,
    Proven,
    Unavailable,
    Verdict,
    Wrong,
)
from relay.directory.model import Directory, Rep, Token
from relay.directory.passwords import Busy, Cost, PasswordPool, cost_of, hash_password, new_token
from relay.directory.throttle import Limits
from relay.ids import Login
from tests.support.clock import FakeClock

APP_PASSWORD = new_token()
PASSWORD = "Tr0ub4dor&3-not-in-any-log"
HASH = hash_password(PASSWORD.encode())
OTHER_HASH = hash_password(b"another one")


def token_of(text: str, name: str = "Laptop") -> Token:
    """Give an app password as it is stored."""
    return Token(name, hashlib.sha256(text.encode()).hexdigest())


def rep(
    login: str, *, password: str | None = None, tokens: tuple[Token, ...] = (), disabled: bool = False
) -> Rep:
    """Make a rep."""
    return Rep(
        login=Login(login),
        addresses=(Address(login, "example.com"),),
        password=password,
        tokens=tokens,
        disabled=disabled,
    )


REPS = (
    rep("ana", password=HASH, tokens=(token_of(APP_PASSWORD),)),
    rep("tokens-only", tokens=(token_of("only-" + APP_PASSWORD),)),
    rep("gone", password=HASH, tokens=(token_of("gone-" + APP_PASSWORD),), disabled=True),
    rep("gateway-only"),
)


class Recorder(PasswordPool):
    """A real pool that also remembers which hashes were checked."""

    def __init__(self) -> None:
        super().__init__()
        self.hashes: list[str] = []
        self.gate: asyncio.Event | None = None

    async def check(self, encoded: str, prepared: bytes) -> bool:
        self.hashes.append(encoded)
        if self.gate is not None:
            await self.gate.wait()
        return await super().check(encoded, prepared)


class Desk:
    """Credentials with everything around them in the test's hands."""

    def __init__(self, reps: tuple[Rep, ...] = REPS, limit: int = 8) -> None:
        self.directory = Directory(reps)
        self.pool = Recorder()
        self.clock = FakeClock()
        rules = CredentialRules(Limits(limit, 600.0, 900.0), remember=600.0)
        self.credentials = Credentials(lambda: self.directory, rules, self.clock, self.pool)

    async def sign_in(self, login: str, password: str | bytes, network: str = "192.0.2.1") -> Verdict:
        octets = password if isinstance(password, bytes) else password.encode()
        return await self.credentials.verify(login, octets, network)


FAILURES = [
    ("unknown login", "nobody", PASSWORD),
    ("wrong password", "ana", "wrong"),
    ("app password of another rep", "ana", "only-" + APP_PASSWORD),
    ("rep without a password", "tokens-only", "wrong"),
    ("rep known to a gateway alone", "gateway-only", "wrong"),
    ("disabled rep with the right password", "gone", PASSWORD),
    ("disabled rep with the right app password", "gone", "gone-" + APP_PASSWORD),
    ("empty login", "", "wrong"),
    ("login with NUL", "ana\0", PASSWORD),
    ("login of 300 octets", "a" * 300, "wrong"),
    ("login beyond ASCII", "ånå", "wrong"),
    ("empty password", "ana", ""),
    ("password with NUL", "ana", "wrong\0wrong"),
    ("password that is no UTF-8", "ana", b"\xff\xfe\xfd"),
    ("password of 2000 octets", "ana", "x" * 2000),
]


@pytest.mark.parametrize(("login", "password"), [f[1:] for f in FAILURES], ids=[f[0] for f in FAILURES])
async def test_every_failure_is_the_same_and_costs_one_check(login: str, password: str | bytes) -> None:
    """The verdict is equal in every failing case, after exactly one argon2 check of the same cost."""
    desk = Desk()
    assert await desk.sign_in(login, password) == Wrong(delay_seconds=0.1)
    assert desk.pool.checks == 1
    assert [cost_of(encoded) for encoded in desk.pool.hashes] == [cost_of(HASH)]


async def test_an_app_password_is_proven_without_argon2() -> None:
    """An app password signs in on the loop, and its name is known."""
    desk = Desk()
    verdict = await desk.sign_in("ana", APP_PASSWORD)
    assert verdict == Proven(REPS[0], "Laptop")
    assert desk.pool.checks == 0


@pytest.mark.parametrize("login", ["ana", "ANA", "Ana", "\uff41\uff4e\uff41"])
async def test_logins_are_compared_without_case(login: str) -> None:
    """Case and width do not matter in a login."""
    assert isinstance(await Desk().sign_in(login, APP_PASSWORD), Proven)


async def test_two_app_passwords_of_one_name_both_work() -> None:
    """Names of app passwords are labels, not keys."""
    desk = Desk((rep("ana", tokens=(token_of("first-one"), token_of("second-one"))),))
    assert isinstance(await desk.sign_in("ana", "first-one"), Proven)
    assert isinstance(await desk.sign_in("ana", "second-one"), Proven)


async def test_a_proven_password_is_remembered_for_a_while() -> None:
    """The second sign-in within minutes costs nothing, a later one is checked again."""
    desk = Desk()
    assert await desk.sign_in("ana", PASSWORD) == Proven(REPS[0], how="password")
    assert await desk.sign_in("ANA", PASSWORD) == Proven(REPS[0], how="cache")
    assert desk.pool.checks == 1
    desk.clock.advance(601)
    assert await desk.sign_in("ana", PASSWORD) == Proven(REPS[0], how="password")
    assert desk.pool.checks == 2


async def test_a_changed_password_is_not_proven_by_memory() -> None:
    """What was proven for an old hash, or a rep since disabled, is worth nothing at once."""
    desk = Desk()
    assert isinstance(await desk.sign_in("ana", PASSWORD), Proven)
    desk.directory = Directory((rep("ana", password=OTHER_HASH),))
    assert isinstance(await desk.sign_in("ana", PASSWORD), Wrong)
    desk.directory = Directory((rep("ana", password=HASH, disabled=True),))
    assert isinstance(await desk.sign_in("ana", PASSWORD), Wrong)


async def test_wrong_passwords_are_not_remembered() -> None:
    """The same wrong password is checked each time: only success may be quick."""
    desk = Desk()
    for _ in range(3):
        await desk.sign_in("ana", "wrong")
    assert desk.pool.checks == 3


async def test_decoys_cost_what_this_directory_s_hashes_cost() -> None:
    """Where hashes were made elsewhere with another cost, an unknown login costs that much, too."""
    cheap = "$argon2id$v=19$m=64,t=3,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"
    desk = Desk((rep("ana", password=cheap),))
    await desk.sign_in("nobody", "wrong")
    assert [cost_of(encoded) for encoded in desk.pool.hashes] == [Cost(64, 3, 1)]


async def test_too_many_failures_block_before_any_check() -> None:
    """After the limit the right password is not looked at either, elsewhere than where it is known."""
    desk = Desk(limit=3)
    for n in range(3):
        assert isinstance(await desk.sign_in("tokens-only", "wrong", f"192.0.2.{n}"), Wrong)
    assert await desk.sign_in("tokens-only", "only-" + APP_PASSWORD, "192.0.2.9") == Blocked(900.0)
    assert await desk.sign_in("Tokens-Only", "only-" + APP_PASSWORD, "192.0.2.9") == Blocked(900.0)
    assert desk.pool.checks == 3


async def test_unknown_logins_are_blocked_just_the_same() -> None:
    """That a login is locked does not tell whether it exists."""
    verdicts = {}
    for login in ("ana", "nobody"):
        desk = Desk(limit=3)
        verdicts[login] = [await desk.sign_in(login, "wrong", f"192.0.2.{n}") for n in range(5)]
    assert verdicts["ana"] == verdicts["nobody"]


async def test_guesses_at_once_are_checked_no_more_often_than_the_limit() -> None:
    """Fifty guesses begun together cost three checks; the rest learn that they are blocked."""
    desk = Desk(limit=3)
    verdicts = await asyncio.gather(*(desk.sign_in("ana", f"wrong {n}") for n in range(50)))
    assert sum(isinstance(verdict, Wrong) for verdict in verdicts) == 3
    assert sum(isinstance(verdict, Blocked) for verdict in verdicts) == 47
    assert desk.pool.checks == 3


async def test_right_passwords_at_once_all_get_their_turn() -> None:
    """Twenty reps behind one address who sign in together are all let in, though the limit is three."""
    desk = Desk(limit=3)
    verdicts = await asyncio.gather(*(desk.sign_in("ana", PASSWORD) for _ in range(20)))
    assert all(isinstance(verdict, Proven) for verdict in verdicts)


async def test_hanging_up_is_a_wrong_guess() -> None:
    """A client that goes before the verdict has used up a guess."""
    desk = Desk(limit=3)
    desk.pool.gate = asyncio.Event()
    for _ in range(3):
        guess = asyncio.ensure_future(desk.sign_in("ana", "wrong"))
        await asyncio.sleep(0)
        guess.cancel()
        with pytest.raises(asyncio.CancelledError):
            await guess
    assert isinstance(await desk.sign_in("ana", PASSWORD), Blocked)


async def test_a_busy_pool_is_unavailable_and_nobody_s_fault() -> None:
    """When too many checks wait, the verdict is "not now", whoever asks, and is not counted."""

    class FullPool(PasswordPool):
        async def check(self, encoded: str, prepared: bytes) -> bool:
            raise Busy

    rules = CredentialRules(Limits(3, 600.0, 900.0), remember=600.0)
    directory = Directory(REPS)
    credentials = Credentials(lambda: directory, rules, FakeClock(), FullPool())
    for login in ("ana", "nobody") * 5:
        assert await credentials.verify(login, b"wrong", "192.0.2.1") == Unavailable()


async def test_no_secret_is_in_any_log_line_or_repr(caplog: pytest.LogCaptureFixture) -> None:
    """S18: at DEBUG, neither right nor wrong passwords, app passwords or hashes are in what is logged or shown."""
    caplog.set_level(logging.DEBUG)
    desk = Desk()
    shown = [
        repr(await desk.sign_in(login, password))
        for login, password in (
            ("ana", PASSWORD),
            ("ana", APP_PASSWORD),
            ("ana", "wrong-secret"),
            ("nobody", "wrong-secret"),
            ("gone", PASSWORD),
        )
    ]
    text = "\n".join([*shown, *caplog.messages, repr(REPS), repr(desk.credentials), repr(desk.directory)])
    for secret in (PASSWORD, APP_PASSWORD, "wrong-secret", HASH, REPS[0].tokens[0].sha256):
        assert secret not in text
