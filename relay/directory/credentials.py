"""Decide whether a login and a password prove who is there.

Whatever is wrong - no such login, a disabled one, one without a password, the wrong password - the verdict is
the same value after the same work: one argon2 check, of the rep's hash or of a decoy that costs as much.
Logins and passwords appear in no log line and no exception of this module.
"""

import asyncio
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b

from relay.clock import Clock
from relay.directory.model import Directory, Rep, login_key
from relay.directory.passwords import (
    DEFAULT_COST,
    Busy,
    Cost,
    PasswordPool,
    cost_of,
    decoy,
    digest_of,
    prepare,
)
from relay.directory.throttle import Attempt, Full, Limits, Locked, Throttle, network_of

_TURN_WAIT = 10.0
"""Seconds a guess waits for others of its login or network to end."""
_WAITING = 256
_VERDICTS = 10_000


@dataclass(frozen=True, slots=True)
class Proven:
    """The rep is who they say. `token` names the app password; None: it was the password."""

    rep: Rep
    token: str | None = None
    how: str = "token"
    """token, password or cache: for metrics."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Login or password are wrong - which, is not said. Answer only after `delay_seconds`."""

    delay_seconds: float


@dataclass(frozen=True, slots=True)
class Blocked:
    """Too many wrong passwords for this login or from this network; try again in so many seconds."""

    seconds: float
    network: bool = False
    """Whether it is the network's, of whatever login."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """It could not be found out just now: answer 454 4.7.0."""


Verdict = Proven | Wrong | Blocked | Unavailable


@dataclass(frozen=True, slots=True)
class CredentialRules:
    """How long a proven password is remembered, and the limits on wrong ones."""

    limits: Limits
    remember: float
    """Seconds; 0: not at all."""


@dataclass(slots=True)
class _Remembered:
    """A password that was proven: until when that stands, and for which stored hash."""

    until: float
    encoded: str = field(repr=False)


class Credentials:
    """Checks sign-ins against the directory as it is at that moment. Lives on one event loop."""

    def __init__(
        self,
        directory: Callable[[], Directory],
        rules: CredentialRules,
        clock: Clock,
        pool: PasswordPool | None = None,
    ) -> None:
        self._directory = directory
        self._rules = rules
        self._clock = clock
        self._pool = pool or PasswordPool()
        self._throttle = Throttle(rules.limits, clock.monotonic)
        self._key = secrets.token_bytes(32)
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._ended = asyncio.Event()
        self._waiting = 0
        self._costs: tuple[Directory | None, list[Cost]] = (None, [DEFAULT_COST])

    def change(self, rules: CredentialRules) -> None:
        """Go on under new rules; what was counted and remembered stays."""
        self._rules = rules
        self._throttle.change(rules.limits)

    def close(self) -> None:
        """Let go of the threads that check passwords."""
        self._pool.close()

    async def verify(self, login: str, password: bytes, network: str) -> Verdict:
        """Say whether the password proves the login, for a client at an address (or in a network).

        App passwords first, then passwords proven a short while ago, then argon2 off the loop. A caller that
        is cancelled has made a wrong guess: hanging up early must not be a way round the counter.
        """
        key = login_key(login)
        attempt = await self._begin(key, network_of(network))
        if not isinstance(attempt, Attempt):
            return attempt
        proven: Proven | None = None
        try:
            proven = await self._prove(key, password)
        except Busy:
            self._throttle.abandoned(attempt)
            return Unavailable()
        except BaseException:
            self._throttle.failed(attempt)
            raise
        finally:
            self._let_next_begin()
        if proven is None:
            return Wrong(self._throttle.failed(attempt))
        self._throttle.succeeded(attempt)
        return proven

    async def _begin(self, key: str, network: str) -> Attempt | Blocked | Unavailable:
        """Take a place at the counter; wait, within a limit, while other guesses hold all that are left."""
        begun = self._throttle.begin(key, network)
        if isinstance(begun, Full):
            if self._waiting >= _WAITING:
                return Unavailable()
            self._waiting += 1
            try:
                async with asyncio.timeout(_TURN_WAIT):
                    while isinstance(begun, Full):
                        await self._ended.wait()
                        begun = self._throttle.begin(key, network)
            except TimeoutError:
                return Unavailable()
            finally:
                self._waiting -= 1
        return Blocked(begun.seconds, begun.network) if isinstance(begun, Locked) else begun

    def _let_next_begin(self) -> None:
        self._ended.set()
        self._ended = asyncio.Event()

    async def _prove(self, key: str, password: bytes) -> Proven | None:
        """Find the rep whom this proves; None after exactly one check of a password. Raises Busy."""
        directory = self._directory()
        rep = directory.by_login(key)
        if rep is not None and rep.disabled:
            rep = None
        prepared = prepare(password)
        if rep is not None and prepared is not None:
            by_token = self._token(directory, rep, prepared)
            if by_token is not None:
                return by_token
            if rep.password is not None:
                return await self._check_password(key, rep, rep.password, prepared)
        await self._pool.check(decoy(self._cost_for(directory, key)), prepared or b"\0")
        return None

    def _token(self, directory: Directory, rep: Rep, prepared: bytes) -> Proven | None:
        digest = digest_of(prepared)
        held = directory.by_token(digest)
        if held is None or held[0] is not rep:
            return None
        # Found by a look-up, granted by a comparison in constant time with what this rep really has.
        proven = any(hmac.compare_digest(digest.hex(), token.sha256) for token in rep.tokens)
        return Proven(rep, held[1]) if proven else None

    async def _check_password(self, key: str, rep: Rep, encoded: str, prepared: bytes) -> Proven | None:
        name = blake2b(key.encode() + b"\0" + prepared, key=self._key, digest_size=32).digest()
        remembered = self._remembered.get(name)
        if remembered is not None and remembered.encoded == encoded and self._stands(remembered):
            self._remembered.move_to_end(name)
            return Proven(rep, how="cache")
        if not await self._pool.check(encoded, prepared):
            return None
        self._remember(name, encoded)
        return Proven(rep, how="password")

    def _stands(self, remembered: _Remembered) -> bool:
        return self._clock.monotonic() < remembered.until

    def _remember(self, name: bytes, encoded: str) -> None:
        """Keep what was proven, as a keyed hash, for this stored hash alone: a new password ends it at once."""
        if self._rules.remember <= 0:
            return
        self._remembered[name] = _Remembered(self._clock.monotonic() + self._rules.remember, encoded)
        self._remembered.move_to_end(name)
        if len(self._remembered) > _VERDICTS:
            self._remembered.popitem(last=False)

    def _cost_for(self, directory: Directory, key: str) -> Cost:
        """Pick what a decoy costs: one of the costs that this directory's passwords have.

        The same login gets the same one each time, as a real one would, so that reps whose hashes were made
        elsewhere, with other parameters, are not told from logins that do not exist.
        """
        if self._costs[0] is not directory:
            costs = [cost for rep in directory.reps() if (cost := _cost(rep.password)) is not None]
            self._costs = (directory, sorted(costs) or [DEFAULT_COST])
        choices = self._costs[1]
        pick = blake2b(key.encode(), key=self._key, digest_size=8).digest()
        return choices[int.from_bytes(pick) % len(choices)]


def _cost(encoded: str | None) -> Cost | None:
    try:
        return None if encoded is None else cost_of(encoded)
    except ValueError:  # not a hash that is ever checked
        return None
