"""Passwords and app passwords are made strong and checked within bounds."""

import asyncio
import math
import re

import pytest

from relay.directory.passwords import (
    DEFAULT_COST,
    Busy,
    Cost,
    PasswordPool,
    check_password,
    cost_of,
    decoy,
    hash_password,
    new_token,
    prepare,
)


def test_a_password_fits_its_own_hash_only() -> None:
    """What was hashed is recognised, anything else is not."""
    encoded = hash_password(b"correct horse")
    assert check_password(encoded, b"correct horse")
    assert not check_password(encoded, b"correct horsf")
    assert cost_of(encoded) == DEFAULT_COST


def test_a_password_is_the_same_in_both_unicode_forms() -> None:
    """`é` typed on a Mac (two code points) and elsewhere (one) is one password."""
    assert check_password(hash_password("café".encode()), prepare("cafe\u0301".encode()) or b"")


@pytest.mark.parametrize("password", [b"", b"\xff\xfe", b"a\0b", b"a\r\nb", b"x" * 1025, "a\x85b".encode()])
def test_what_no_password_can_be(password: bytes) -> None:
    """Empty, over-long, undecodable and control characters are refused."""
    assert prepare(password) is None
    with pytest.raises(ValueError, match="octets"):
        hash_password(password)


@pytest.mark.parametrize(
    "encoded",
    [
        "plain text",
        "$2b$12$abcdefghijklmnopqrstuv",
        "$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
        "$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
        "$argon2id$v=19$m=19456,t=4000000000,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
        "$argon2id$v=19$m=19456,t=2,p=255$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
        "$argon2id$v=19$m=0,t=0,p=0$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$" + "A" * 4000,
    ],
)
def test_hashes_that_are_none_or_cost_too_much(encoded: str) -> None:
    """A hash that would take the machine's memory or days is refused before it is computed."""
    with pytest.raises(ValueError, match="argon2id"):
        cost_of(encoded)
    assert not check_password(encoded, b"x")


def test_a_decoy_is_a_real_hash_that_fits_nothing() -> None:
    """A decoy is computed like any hash, with the cost it was made for."""
    cost = Cost(memory=64, rounds=1, lanes=1)
    assert cost_of(decoy(cost)) == cost
    assert not check_password(decoy(cost), b"x")


def test_app_passwords_are_long_readable_and_different() -> None:
    """At least 128 random bits, in groups without letters that are misread."""
    tokens = {new_token() for _ in range(200)}
    assert len(tokens) == 200
    assert all(re.fullmatch(r"[a-km-np-z2-9]{6}(-[a-km-np-z2-9]{6}){4}", token) for token in tokens)
    assert 30 * math.log2(32) >= 128


async def test_the_pool_is_bounded() -> None:
    """More checks than there is room for are refused at once, and room comes back."""
    pool = PasswordPool(threads=1, waiting=1)
    encoded = decoy(Cost(memory=64, rounds=1))
    first, second = (asyncio.ensure_future(pool.check(encoded, b"x")) for _ in range(2))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await pool.check(encoded, b"x")
    assert await asyncio.gather(first, second) == [False, False]
    await asyncio.sleep(0)
    assert await pool.check(encoded, b"x") is False
    assert pool.checks == 3
    pool.close()
