"""Tests for relay.salesforce.turns and describe: whose turn it is, and what is asked once."""

import asyncio

import pytest

from relay.salesforce.describe import Hourly, Kept
from relay.salesforce.turns import Turns, Workers
from tests.support.clock import FakeClock


async def step() -> None:
    """Let everything run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_logged_goes_first() -> None:
    """Calls in the background wait behind all others, however long they have waited."""
    turns, order = Turns(1), []

    async def call(name: str, background: bool) -> None:
        await turns.take(background=background)
        order.append(name)
        await step()
        turns.give_back(background=background)

    await turns.take(background=False)
    calls = [asyncio.ensure_future(call(name, name.startswith("b"))) for name in ("b1", "b2", "log1", "log2")]
    await step()
    turns.give_back(background=False)
    await asyncio.gather(*calls)
    assert order == ["log1", "log2", "b1", "b2"]


async def test_background_leaves_a_place_free() -> None:
    """With several places, slow background calls never hold them all."""
    turns = Turns(3)
    waiting = [asyncio.ensure_future(turns.take(background=True)) for _ in range(3)]
    await step()
    assert [one.done() for one in waiting] == [True, True, False]
    await asyncio.wait_for(turns.take(background=False), 30)
    waiting[2].cancel()


async def test_who_gives_up_takes_no_place() -> None:
    """A call that is cancelled while it waits, or in the moment it gets its turn, leaves the place to the next."""
    turns = Turns(1)
    await turns.take(background=False)
    first = asyncio.ensure_future(turns.take(background=False))
    second = asyncio.ensure_future(turns.take(background=False))
    await step()
    turns.give_back(background=False)
    first.cancel()
    await asyncio.wait_for(second, 30)


async def test_workers_hand_on_results_and_errors() -> None:
    """What the thread gives or raises comes out of the future."""
    workers = Workers(1)

    def fail() -> int:
        raise ValueError("no")

    assert await workers.run(lambda: 5) == 5
    with pytest.raises(ValueError, match="no"):
        await workers.run(fail)
    workers.close()


async def test_asked_once_an_hour() -> None:
    """Any number ask at the same time and later: Salesforce is asked once, then again after an hour."""
    clock, asked = FakeClock(), list[str | None]()
    kept: Hourly[int] = Hourly(clock)

    async def ask(known: Kept[int] | None) -> Kept[int]:
        asked.append(known.modified if known is not None else None)
        await asyncio.sleep(0)
        return Kept(len(asked), "yesterday")

    assert await asyncio.gather(*(kept.get("Task", ask) for _ in range(9))) == [1] * 9
    clock.advance(3599)
    assert await kept.get("Task", ask) == 1
    clock.advance(2)
    assert await kept.get("Task", ask) == 2
    kept.forget("Task")
    assert await kept.get("Task", ask) == 3
    assert asked == [None, "yesterday", None]


async def test_a_failure_is_not_kept() -> None:
    """All who wait have the failure; the next one asks anew."""
    kept: Hourly[int] = Hourly(FakeClock())
    tries: list[int] = []

    async def ask(_known: Kept[int] | None) -> Kept[int]:
        tries.append(1)
        await asyncio.sleep(0)
        if len(tries) == 1:
            raise ValueError("not now")
        return Kept(7)

    results = await asyncio.gather(kept.get("Task", ask), kept.get("Task", ask), return_exceptions=True)
    assert [type(one) for one in results] == [ValueError, ValueError]
    assert await kept.get("Task", ask) == 7
