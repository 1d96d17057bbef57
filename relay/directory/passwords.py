"""Make and check secrets that reps sign in with: passwords that people choose, app passwords that we generate.

A chosen password is kept as an argon2id hash, which is dear on purpose: it is checked in a small pool of
threads. An app password has 130 random bits, so that a plain SHA-256 of it is safe to keep and quick to check.
"""

import asyncio
import contextlib
import hashlib
import re
import secrets
import unicodedata
from base64 import b64encode
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

MAXIMUM_PASSWORD = 1024
"""Octets; a longer one is nobody's."""

_ENCODED = re.compile(
    r"\$argon2id\$v=19\$m=(\d{1,10}),t=(\d{1,10}),p=(\d{1,10})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{16,86})"
)
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 letters: without l, o, 0 and 1, which are misread
_GROUPS, _GROUP_LENGTH = 5, 6  # 30 letters of 5 bits: 150 bits
_THREADS = 2
_WAITING = 64


@dataclass(frozen=True, slots=True, order=True)
class Cost:
    """What one check of a password costs: argon2id's parameters."""

    memory: int = 19456
    """KiB."""
    rounds: int = 2
    lanes: int = 1


DEFAULT_COST = Cost()
"""OWASP's first choice for argon2id: 19 MiB, 2 rounds, 1 lane - some 30 ms."""
_HIGHEST = Cost(memory=262_144, rounds=16, lanes=8)


class Busy(Exception):
    """More passwords wait to be checked than can be soon."""


def cost_of(encoded: str) -> Cost:
    """Read the parameters of an argon2id hash.

    Raises ValueError when it is no such hash, or asks for more than 256 MiB, 16 rounds or 8 lanes: whoever
    may write settings must not be able to take the memory of the machine by a typing mistake.
    """
    match = _ENCODED.fullmatch(encoded)
    if match is None:
        raise ValueError("is not an argon2id hash; `relay hash-password` makes one")
    cost = Cost(int(match[1]), int(match[2]), int(match[3]))
    if cost.memory > _HIGHEST.memory or cost.rounds > _HIGHEST.rounds or cost.lanes > _HIGHEST.lanes:
        raise ValueError("is an argon2id hash that costs more than 256 MiB, 16 rounds or 8 lanes a check")
    if cost.lanes < 1 or cost.rounds < 1 or cost.memory < 8 * cost.lanes:
        raise ValueError("is an argon2id hash with impossible parameters")
    return cost


def prepare(password: bytes) -> bytes | None:
    """Give the octets of a password that are hashed and compared, or None for what no password can be.

    RFC 8265 §4.2 (OpaqueString) in short: UTF-8 in form NFC, so that the same keys give the same octets on
    every system; no control characters; 1 to 1024 octets.
    """
    if not 1 <= len(password) <= MAXIMUM_PASSWORD:
        return None
    try:
        text = unicodedata.normalize("NFC", password.decode())
    except UnicodeDecodeError:
        return None
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        return None
    return text.encode()


def hash_password(password: bytes) -> str:
    """Hash a password that a person chose. Raises ValueError for one that cannot be used."""
    prepared = prepare(password)
    if prepared is None:
        raise ValueError("a password has 1 to 1024 octets of UTF-8 and no control characters")
    cost, salt = DEFAULT_COST, secrets.token_bytes(16)
    from argon2.low_level import ARGON2_VERSION, Type, hash_secret

    encoded = hash_secret(prepared, salt, cost.rounds, cost.memory, cost.lanes, 32, Type.ID, ARGON2_VERSION)
    return encoded.decode()


def check_password(encoded: str, prepared: bytes) -> bool:
    """Say whether a prepared password fits its hash; this takes tens of milliseconds and megabytes."""
    # Where nobody has chosen a password, none of it is loaded.
    from argon2.exceptions import VerificationError
    from argon2.low_level import Type, verify_secret

    try:
        cost_of(encoded)
        return verify_secret(encoded.encode(), prepared, Type.ID)
    except (VerificationError, ValueError):
        return False


def decoy(cost: Cost) -> str:
    """Give a hash that fits no password: checking it costs as much as checking a real one of this cost."""
    salt, digest = _base64(secrets.token_bytes(16)), _base64(secrets.token_bytes(32))
    return f"$argon2id$v=19$m={cost.memory},t={cost.rounds},p={cost.lanes}${salt}${digest}"


def _base64(octets: bytes) -> str:
    return b64encode(octets).rstrip(b"=").decode()


def new_token() -> str:
    """Make an app password: 150 random bits in five groups that can be read out and typed."""
    letters = [secrets.choice(_ALPHABET) for _ in range(_GROUPS * _GROUP_LENGTH)]
    groups = ["".join(letters[at : at + _GROUP_LENGTH]) for at in range(0, len(letters), _GROUP_LENGTH)]
    return "-".join(groups)


def digest_of(token: bytes) -> bytes:
    """Give the SHA-256 by which an app password is known."""
    return hashlib.sha256(token).digest()


class PasswordPool:
    """Checks passwords on two threads, so that the event loop goes on and memory stays bounded."""

    def __init__(self, threads: int = _THREADS, waiting: int = _WAITING) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._room = threads + waiting
        self._held = 0
        self.checks = 0
        """Checks asked for since the start."""

    async def check(self, encoded: str, prepared: bytes) -> bool:
        """Say whether the password fits the hash. Raises Busy when too many wait already."""
        if self._held >= self._room:
            raise Busy
        self._held += 1
        self.checks += 1
        loop = asyncio.get_running_loop()
        job = self._threads.submit(check_password, encoded, prepared)
        # The place is free when the thread is, not when a client that hung up stops waiting for it.
        job.add_done_callback(lambda done: self._ended(loop, done))
        return await asyncio.wrap_future(job)

    def _ended(self, loop: asyncio.AbstractEventLoop, _job: "Future[bool]") -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody counts any more
            loop.call_soon_threadsafe(self._give_back)

    def _give_back(self) -> None:
        self._held -= 1

    def close(self) -> None:
        """Let go of the threads; checks that wait are not made."""
        self._threads.shutdown(wait=False, cancel_futures=True)
