"""Salesforce takes nothing for hours while a thousand mails wait: little is asked, little is written, nothing is missing."""

import asyncio
from pathlib import Path

import pytest

from relay.demo.salesforce import faults
from relay.demo.salesforce.simulator import Simulator
from tests.support.recording_house import RecordingHouse, recording_house
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce

_MAILS = 1100
_HOURS = 4
_LIMIT = 200.0
_LEFT = """
    SELECT count(*) FROM delivery WHERE role = 'record' AND (state IN ('waiting', 'queued', 'active')
        OR (state = 'deferred' AND next_attempt_at <= ?))
"""
_SENT = "SELECT count(*) FROM delivery WHERE role = 'record' AND state = 'sent'"
_WRITTEN = "SELECT count(*) FROM event WHERE name = 'delivery.deferred'"


async def _count(house: RecordingHouse, query: str, *values: int) -> int:
    return int(str((await house.database.read(lambda tx: tx.execute(query, values)))[0][0]))


async def _until_all_wait(house: RecordingHouse) -> None:
    async with asyncio.timeout(_LIMIT):
        while await _count(house, _LEFT, house.clock.now()):  # noqa: ASYNC110 - it is in the store
            await asyncio.sleep(0.05)


async def _all_recorded(house: RecordingHouse) -> None:
    async with asyncio.timeout(_LIMIT):
        while await _count(house, _SENT) < _MAILS:  # noqa: ASYNC110 - it is in the store
            await asyncio.sleep(0.05)
    made = house.salesforce.rows("EmailMessage")
    assert len(made) == len({row["MessageIdentifier"] for row in made}) == _MAILS


async def _hours(house: RecordingHouse, *, calls: int, writes: float) -> None:
    """Let hours pass, a quarter at a time; in each there are so few calls, and so few writes for each mail."""
    for _ in range(_HOURS):
        asked, written = len(house.salesforce.calls), await _count(house, _WRITTEN)
        for _ in range(4):
            house.later(900)
            await _until_all_wait(house)
        assert len(house.salesforce.calls) - asked <= calls
        assert await _count(house, _WRITTEN) - written <= writes * _MAILS


@pytest.mark.timeout(900)
async def test_the_calls_of_the_day_are_used_up(tmp_path: Path, salesforce: Simulator) -> None:
    """An hour costs a call or two and puts each mail off once; when the limit is lifted all are recorded, each once."""
    people(salesforce, 1)
    salesforce.use_elsewhere(salesforce.toggles.daily_limit)
    async with recording_house(tmp_path, salesforce, start=False) as house:
        for _ in range(_MAILS):
            await house.accept()
        house.start()
        await _until_all_wait(house)
        await _hours(house, calls=2, writes=1.5)
        salesforce.toggles.daily_limit *= 100
        house.later(3700)
        await _all_recorded(house)


@pytest.mark.timeout(900)
async def test_maintenance_for_hours(tmp_path: Path, salesforce: Simulator) -> None:
    """A page with 503 in place of every answer: one mail tries now and then; when it is over all are recorded, each once."""
    people(salesforce, 1)
    salesforce.inject(faults.html(503, times=None))
    async with recording_house(tmp_path, salesforce, start=False) as house:
        for _ in range(_MAILS):
            await house.accept()
        house.start()
        await _until_all_wait(house)
        await _hours(house, calls=12, writes=4.5)
        salesforce.clear_faults()
        house.later(3700)
        await _all_recorded(house)
