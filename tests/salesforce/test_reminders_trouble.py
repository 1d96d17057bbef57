"""Reminders when much goes wrong at once: many deletions however they are noticed, long pauses, one rep's faults."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from relay.reminders.calls import SyncRules
from relay.reminders.model import Link, State, Tally
from relay.reminders.outgoing import decide_deletions
from tests.support.reminders import ANA, BO, Desk, desk
from tests.support.salesforce import salesforce

__all__ = ["salesforce"]


@pytest.fixture
async def at(salesforce: Simulator, tmp_path: Path) -> AsyncIterator[Desk]:
    """Everything that is needed, with nobody switched on."""
    async with desk(salesforce, tmp_path / "here") as made:
        yield made


async def _filled(at: Desk, number: int) -> list[str]:
    tasks = [at.seed(Subject=f"Task {one}") for one in range(number)]
    await at.switch()
    await at.cycle()
    return tasks


async def _asked(at: Desk) -> tuple[int, int]:
    """Give about how many deletions somebody is asked, and how many reminders there are."""
    standing = await at.database.read(lambda tx: at.switches.get(tx, ANA))
    return standing.storm, len(await at.reminders())


def _pass(at: Desk, **span: int) -> None:
    at.salesforce.advance(timedelta(**span))
    at.clock.advance(timedelta(**span).total_seconds())


async def test_a_storm_that_sending_comes_upon_asks_first(at: Desk) -> None:
    """Reminders completed here, whose Tasks were then deleted there at once, wait for a word like all others."""
    at.rules = SyncRules(deletions=3)
    tasks = await _filled(at, 6)
    for one in await at.reminders():
        await at.edit(one.id, state=State.DONE)
    _pass(at, minutes=1)
    for task in tasks:
        at.salesforce.remove("Task", task)
    await at.synchroniser().send()
    assert await _asked(at) == (6, 6)


async def test_a_storm_that_left_no_trace_asks_first(at: Desk) -> None:
    """Tasks that cannot be seen any more are not given up hundred by hundred, below what somebody is asked at."""
    for task in await _filled(at, 500):
        at.salesforce.remove("Task", task)
        at.salesforce.purge("Task", task)
    _pass(at, minutes=5)
    await at.cycle()
    assert await _asked(at) == (500, 500)


async def test_a_storm_is_over_when_the_bin_was_emptied_back(at: Desk) -> None:
    """What was taken out of the bin again is in step again after a whole run, without an answer and without a double."""
    at.rules = SyncRules(deletions=3)
    tasks = await _filled(at, 6)
    for task in tasks[:5]:
        at.salesforce.remove("Task", task)
    await at.cycle()
    at.salesforce.undelete("Task", tasks[0])
    await at.synchroniser().cycle(whole=True)
    assert await _asked(at) == (4, 6)
    for task in tasks[1:5]:
        at.salesforce.undelete("Task", task)
    await at.cycle(whole=True)
    assert await _asked(at) == (0, 6)
    assert {one.sync(True) for one in await at.reminders()} == {Link.LINKED}
    assert await at.cycle() == Tally()


async def test_off_during_a_storm_and_on_again_asks_again(at: Desk) -> None:
    """Nothing stays behind that is neither asked about nor looked at."""
    at.rules = SyncRules(deletions=3)
    for task in (await _filled(at, 6))[:5]:
        at.salesforce.remove("Task", task)
    await at.cycle()
    await at.switch(on=False)
    _pass(at, days=20)
    await at.switch()
    await at.cycle()
    assert await _asked(at) == (5, 6)
    await at.database.write(lambda tx: decide_deletions(tx, ANA, confirmed=True))
    await at.cycle()
    assert await _asked(at) == (0, 1)


async def test_what_changed_there_while_it_was_off_comes_in(at: Desk) -> None:
    """A Task completed two days before it is switched on again is done here with the first run."""
    (task,) = await _filled(at, 1)
    await at.switch(on=False)
    at.salesforce.edit("Task", task, Status="Completed")
    _pass(at, days=2)
    await at.switch()
    assert await at.cycle() == Tally(pulled=1)
    assert (await at.only()).values.state is State.DONE


async def test_one_reps_first_run_keeps_nobody_waiting(at: Desk) -> None:
    """A question that Salesforce refuses for somebody new leaves the others in step."""
    at.on = {ANA, BO}
    await _filled(at, 0)
    await at.switch(BO)
    at.seed(Subject="New")
    refusal = {"errorCode": "INVALID_QUERY_FILTER_OPERATOR", "message": "no"}
    at.salesforce.inject(
        Injected(Action.ANSWER, operation="query", nth=2, times=10, status=400, body=[refusal])
    )
    outcome = await at.outcome()
    assert list(outcome.troubles) == [BO]
    assert len(await at.reminders()) == 1


async def test_changes_go_out_while_polls_pause(at: Desk) -> None:
    """At 80 % of the day's calls Salesforce is asked nothing more, and told what was done here."""
    await _filled(at, 0)
    at.salesforce.toggles.daily_limit = 1000
    at.salesforce.use_elsewhere(850)
    await at.cycle()
    await at.add("Call Anna")
    await at.outcome()
    assert at.task()["Subject"] == "Call Anna"


async def test_given_to_a_teammate_who_keeps_nothing_in_step(at: Desk) -> None:
    """The Task gets the teammate's user as its owner all the same, and then is left alone."""
    await _filled(at, 1)
    one = await at.only()
    await at.database.write(lambda tx: at.store.assign(tx, one.id, BO, at.clock.now()))
    assert (await at.outcome()).tallies == {BO: Tally(pushed=1)}
    assert at.task()["OwnerId"] == at.users[BO]
    assert (await at.reminders(), len(await at.reminders(BO))) == ([], 1)
    assert await at.cycle() == Tally()
