"""How many calls a day of a large team takes: a part of such a day in haste, counted, and put into docs/recording.md."""

import asyncio
import random
from functools import partial
from pathlib import Path

import pytest

from relay.demo.salesforce.simulator import Simulator
from tests.salesforce.test_recording_figures import all_sent
from tests.support.hurried import HurriedClock, HurriedLoop
from tests.support.recording_house import recording_house
from tests.support.salesforce import people, watched

REPS, MAILS, DAY = 300, 50, 9 * 3600.0
"""So many reps send so many mails each in so many seconds."""
SPAN = 400.0
"""Seconds of that day that are looked at."""
FACTOR = 30.0
"""How many of them pass in one of ours: a call that takes 10 ms here takes 0.3 s there."""


@pytest.mark.parametrize(("kind", "most"), [("client_credentials", 12_000), ("jwt", 19_000)])
def test_a_day_of_three_hundred_reps(tmp_path: Path, kind: str, most: int) -> None:
    """Mails that come by chance, each to somebody else, share calls: far fewer than the 45,000 of a call for each step."""
    clock = HurriedClock(FACTOR)
    with watched(clock) as salesforce, asyncio.Runner(loop_factory=partial(HurriedLoop, FACTOR)) as runner:
        a_day = runner.run(_part_of_a_day(tmp_path, salesforce, clock, kind))
    assert a_day <= most


async def _part_of_a_day(folder: Path, salesforce: Simulator, clock: HurriedClock, kind: str) -> float:
    """Record the mails of the part; give how many calls a day of this pace takes."""
    chance, number = random.Random(1), round(REPS * MAILS * SPAN / DAY)
    people(salesforce, number)
    async with recording_house(
        folder, salesforce, reps=REPS, space=None, kind=kind, clock=clock, poll=5.0
    ) as house:
        assert house.recording._tools is not None
        await house.recording._tools.organization.shape()  # asked once an hour, however many mails
        salesforce.clear_calls()
        began, messages = clock.monotonic(), []
        for one, at in enumerate(sorted(chance.uniform(0.0, SPAN) for _ in range(number))):
            await asyncio.sleep(max(0.0, began + at - clock.monotonic()))
            rep = f"rep{chance.randrange(REPS)}"
            messages.append(await house.accept(f"person{one + 1}@buyer.example", login=rep))
        await all_sent(house, messages, patience=3600.0)
        took = max(SPAN, clock.monotonic() - began)  # longer on a machine that is busy
        return len(salesforce.calls) * DAY / took
