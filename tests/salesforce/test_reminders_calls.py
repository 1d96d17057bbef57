"""What keeping reminders in step costs: calls of Salesforce, counted, and memory, measured."""

import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from relay.demo.salesforce.simulator import Simulator
from relay.reminders.model import RepKey, Tally
from relay.reminders.store import Edit, NewReminder
from relay.reminders.switches import SwitchStore
from relay.reminding import Reminding
from relay.salesforce.client import SalesforceClient
from relay.salesforce.model import Row
from relay.storage.database import Transaction
from tests.support.reminders import ANA, Desk, configured, desk, directory_of
from tests.support.salesforce import salesforce

__all__ = ["salesforce"]

MANY = 10_000
_MIB = 1 << 20


@pytest.fixture
async def at(salesforce: Simulator, tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a desk."""
    async with desk(salesforce, tmp_path) as opened:
        yield opened


async def test_first_run_of_ten_thousand(at: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 Tasks come in with a handful of calls, their progress is shown, and the next run finds nothing."""
    for number in range(MANY):
        at.seed(Subject=f"Task {number}")
    await at.switch()
    seen: list[tuple[int, int | None]] = []
    note = SwitchStore.progress

    def watched(
        store: SwitchStore, tx: Transaction, rep: RepKey, done: int, total: int | None = None
    ) -> None:
        seen.append((done, total))
        note(store, tx, rep, done, total)

    monkeypatch.setattr(SwitchStore, "progress", watched)  # it listens, and does the same
    at.salesforce.clear_calls()
    assert await at.cycle() == Tally(pulled=MANY)
    told = Counter(call.operation for call in at.salesforce.calls)
    assert told.total() <= MANY // 200, told
    assert told["query_more"] == MANY // 2000 - 1, told
    assert seen[0] == (0, MANY)
    assert seen[-1] == (MANY, MANY)
    assert len(seen) == 1 + MANY // 200
    assert await at.cycle() == Tally()


async def test_sending_costs_a_call_for_200(at: Desk) -> None:
    """1,000 new reminders are made with 5 calls; changing them costs 5 looks and 5 calls, deleting them as much."""
    await at.switch()
    await at.cycle()
    now = at.clock.now()

    def add(tx: Transaction) -> list[int]:
        return [at.store.add(tx, NewReminder(ANA, f"Reminder {n}"), on=True, now=now).id for n in range(1000)]

    made = await at.database.write(add)
    at.salesforce.clear_calls()
    await at.synchroniser().send()
    told = Counter(call.operation for call in at.salesforce.calls)
    assert told["collection_create"] == 5
    assert told.total() <= 5 + 3, told  # the organisation's words, and whether it has our key: once an hour
    await at.cycle()
    await at.database.write(lambda tx: [at.store.edit(tx, one, Edit(details="x"), now) for one in made])
    at.salesforce.clear_calls()
    await at.synchroniser().send()
    assert Counter(call.operation for call in at.salesforce.calls) == {"queryAll": 5, "collection_update": 5}
    await at.database.write(lambda tx: [at.store.delete(tx, one, now) for one in made])
    at.salesforce.clear_calls()
    await at.synchroniser().send()
    assert Counter(call.operation for call in at.salesforce.calls) == {"queryAll": 5, "collection_delete": 5}
    assert not at.tasks()


async def test_idle_day_of_300_reps(salesforce: Simulator, tmp_path: Path) -> None:
    """300 reps on one identity cost a call in 5 minutes, deletions noticed included: 290 on a day on which nothing happens."""
    names = [RepKey(f"rep{number}") for number in range(300)]
    configuration, users = configured(salesforce, tmp_path, "reminders: {sync: two_way}\n", names)
    (tmp_path / "state").mkdir()
    for user in users.values():
        for number in range(3):
            salesforce.add("Task", Subject=f"Task {number}", OwnerId=user)
    async with desk(salesforce, tmp_path / "other") as at:
        directory = directory_of(configuration)
        client = at.client
        assert isinstance(client, SalesforceClient)
        configuration_now = configuration

        async def going_by() -> tuple[object, object]:
            return configuration_now, directory

        reminding = Reminding(at.database, at.clock, going_by, lambda: client)  # type: ignore[arg-type]  # as they are
        at.clock.chances = 0.0  # without jitter it is asked most often
        await reminding.step()
        salesforce.clear_calls()
        ends = at.clock.now() + 6 * 3600 * 1_000_000
        removed = str(salesforce.rows("Task")[0]["Id"])
        salesforce.remove("Task", removed)
        salesforce.purge("Task", removed)
        while at.clock.now() < ends:
            pause = await reminding.step()
            at.clock.advance(pause)
            salesforce.advance(timedelta(seconds=pause))
        told = Counter(call.operation for call in salesforce.calls)
        assert 70 <= told["queryAll"] <= 72, told
        assert 4 * told["queryAll"] + 2 <= 300  # and every 12 hours the list of deletions
        held = [len(await at.reminders(name)) for name in names]
        assert sum(held) == 899


class _Endless:
    """A Salesforce that shows 10,000 large Tasks, making each page when it is asked for."""

    def __init__(self, user: str) -> None:
        self._user = user

    async def pages(self, soql: str, **_options: object) -> AsyncIterator[list[Row]]:
        for page in range(MANY // 2000):
            yield [self._task(page * 2000 + number) for number in range(2000)]

    def _task(self, number: int) -> Row:
        stamp = "2026-11-22T10:00:00.000+0000"
        stamps = dict.fromkeys(("CreatedDate", "LastModifiedDate", "SystemModstamp"), stamp)
        about = {"OwnerId": self._user, "Subject": f"Task {number}", "Description": f"{number} " * 800}
        return {"Id": f"00T{number:015d}", **about, "IsClosed": False, **stamps}

    async def query(self, soql: str, **_options: object) -> list[Row]:
        return [{"OwnerId": self._user, "total": MANY}]

    async def statuses(self) -> tuple[()]:
        return ()

    def server_now(self) -> int:
        return 1_795_000_000_000_000

    def paused(self, identity: str = "") -> None:
        return None


async def test_memory_of_the_first_run_is_bounded(at: Desk) -> None:
    """60 MB of Tasks pass through the first run with no more than a page and a portion in memory."""
    at.client = _Endless(at.users[ANA])  # type: ignore[assignment]  # it needs no more than that
    await at.switch()
    synchroniser = at.synchroniser()
    tracemalloc.start()
    try:
        outcome = await synchroniser.cycle()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert outcome.tallies[ANA].pulled == MANY
    assert peak < 40 * _MIB, f"{peak / _MIB:.0f} MiB"
