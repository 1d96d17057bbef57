"""Work of one kind is written as one unit, and what is wrong with one item is told to nobody else."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from relay.queue.together import MOST, Together
from relay.storage.database import Transaction
from relay.storage.sqlite import SqliteDatabase


class Wrong(Exception):
    """What the unit raises for a negative number."""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    """Give a database that is closed at the end."""
    opened = await SqliteDatabase.open(tmp_path / "state" / "relay.db", create=True)
    yield opened
    await opened.close()


class Doubler:
    """A unit that doubles numbers, and remembers what it was given at once."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    def unit(self, tx: Transaction, numbers: Sequence[int]) -> list[int]:
        """Double them; Wrong for a negative one."""
        self.calls.append(list(numbers))
        if any(number < 0 for number in numbers):
            raise Wrong
        return [2 * number for number in numbers]


async def test_what_waits_is_one_unit(database: SqliteDatabase) -> None:
    """Items written at the same time share a unit, each gets its own result, and a unit is bounded."""
    doubler = Doubler()
    together = Together(lambda: database, doubler.unit)
    results = await asyncio.gather(*(together.write(number) for number in range(MOST + 1)))
    assert results == [2 * number for number in range(MOST + 1)]
    assert [len(call) for call in doubler.calls] == [MOST, 1]


async def test_one_that_fails_spoils_no_other(database: SqliteDatabase) -> None:
    """Where a unit fails each item is written by itself, and only the wrong one is told so."""
    together = Together(lambda: database, Doubler().unit, patience=0.001)
    one, wrong, other = await asyncio.gather(
        together.write(1), together.write(-1), together.write(2), return_exceptions=True
    )
    assert (one, other) == (2, 4)
    assert isinstance(wrong, Wrong)


async def test_a_caller_who_is_gone_changes_nothing(database: SqliteDatabase) -> None:
    """A cancelled caller's item is written all the same, and the others get their results."""
    doubler = Doubler()
    together = Together(lambda: database, doubler.unit)
    gone = asyncio.ensure_future(together.write(1))
    stays = asyncio.ensure_future(together.write(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == 4
    assert doubler.calls == [[1, 2]]
