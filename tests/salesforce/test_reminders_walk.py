"""A long random walk on both sides, with faults, clock jumps and restarts: in the end both sides are equal."""

import contextlib
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from relay.demo.salesforce.faults import Action, Injected, locked, unavailable
from relay.demo.salesforce.simulator import Simulator
from relay.reminders.calls import SyncRules
from relay.reminders.mapping import importable, remote_task
from relay.reminders.model import Priority, Reminder, State, Values
from relay.reminders.store import Wanted
from relay.storage.database import Database, Transaction
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase
from tests.support.reminders import ANA, BO, Desk, desk
from tests.support.salesforce import salesforce

__all__ = ["salesforce"]

T = TypeVar("T")

STEPS = int(os.environ.get("RELAY_WALK_STEPS", "10000"))
SEEDS = tuple(int(seed) for seed in os.environ.get("RELAY_WALK_SEEDS", "1").split(","))
_MOST = 60
"""So many reminders there are at most: beyond, more is deleted than made."""


class Killed(BaseException):
    """The process is no more."""


class Dying:
    """A database under a process that is killed before or after one of its next writes."""

    def __init__(self, under: Database, writes: int, *, stored: bool) -> None:
        self._under, self._left, self._stored = under, writes, stored

    async def write(self, unit: Callable[[Transaction], T]) -> T:
        """Write, or be killed."""
        self._left -= 1
        if self._left == 0 and self._stored:
            await self._under.write(unit)
        if self._left <= 0:
            raise Killed
        return await self._under.write(unit)

    async def read(self, query: Callable[[Transaction], T]) -> T:
        """Read."""
        return await self._under.read(query)

    async def close(self) -> None:
        """Close nothing: what is under it is closed by whoever opened it."""


class Walk:
    """Somebody who works on both sides, without sense but with a memory of what there is."""

    def __init__(self, at: Desk, folder: Path, seed: int) -> None:
        self.at = at
        self.folder = folder
        self.random = random.Random(seed)
        self.number = 0
        self.stranger = at.salesforce.integration_user
        here: list[Callable[[], object]] = [
            self.add,
            self.edit,
            self.edit,
            self.edit,
            self.toggle,
            self.delete,
            self.assign,
        ]
        there: list[Callable[[], object]] = [
            self.seed,
            self.change,
            self.change,
            self.change,
            self.close,
            self.remove,
            self.undelete,
            self.purge,
            self.reassign,
        ]
        self.acts = [*here, *here, *there, *there, self.cycle, self.cycle, self.send, self.pass_time]
        self.rare = [self.fault, self.jump, self.restart, self.expire, self.kill, self.kill]

    async def step(self) -> None:
        """Do something on one of the sides, or between them."""
        act = self.random.choice(self.rare if self.random.random() < 0.03 else self.acts)
        done = act()
        if done is not None:
            await done  # type: ignore[misc]  # those of our side are coroutines

    def name(self) -> str:
        self.number += 1
        return f"Reminder {self.number}"

    def day(self) -> date | None:
        return self.random.choice([None, *(date(2026, 12, 1) + timedelta(days=n) for n in range(5))])

    # Here

    async def some(self) -> Reminder | None:
        wanted = Wanted(None, tuple(State))
        number = await self.at.database.read(lambda tx: self.at.store.count(tx, wanted))
        if not number:
            return None
        which = self.random.randrange(number)
        (one,) = await self.at.database.read(lambda tx: self.at.store.list(tx, wanted, 1, which))
        return one

    async def add(self) -> None:
        number = await self.at.database.read(lambda tx: self.at.store.count(tx, Wanted(None)))
        if number < _MOST:
            priority = self.random.choice(list(Priority))
            await self.at.add(self.name(), self.random.choice([ANA, BO]), due=self.day(), priority=priority)

    async def edit(self) -> None:
        one = await self.some()
        if one is None:
            return
        match self.random.randrange(4):
            case 0:
                await self.at.edit(
                    one.id, title=f"{one.values.title.partition(' /')[0]} / here {self.number}"
                )
            case 1:
                await self.at.edit(one.id, details=self.name())
            case 2:
                await self.at.edit(one.id, due=self.day())
            case _:
                await self.at.edit(one.id, priority=self.random.choice(list(Priority)))

    async def toggle(self) -> None:
        one = await self.some()
        if one is not None:
            await self.at.edit(one.id, state=self.random.choice(list(State)))

    async def delete(self) -> None:
        one = await self.some()
        if one is not None and self.random.random() < 0.5:
            await self.at.delete(one.id)

    async def assign(self) -> None:
        one = await self.some()
        if one is not None and self.random.random() < 0.3:
            to = self.random.choice([ANA, BO])
            await self.at.database.write(lambda tx: self.at.store.assign(tx, one.id, to, self.at.clock.now()))

    # In Salesforce

    def task(self, *, deleted: bool = False) -> str | None:
        found = self.at.salesforce.rows("Task", deleted=deleted)
        return str(self.random.choice(found)["Id"]) if found else None

    def seed(self) -> None:
        if len(self.at.tasks()) < _MOST:
            self.at.seed(
                self.random.choice([ANA, BO]),
                Subject=self.name(),
                Priority=self.random.choice(["Low", "Normal", "High"]),
                TaskSubtype=self.random.choice(["Task", "Task", "Task", "Call", "Email"]),
            )

    async def settled_task(self) -> str | None:
        """Give a Task; without a key none of which our side has not heard that it was made: see docs/reminders.md."""
        task = self.task()
        if task is None or self.at.salesforce.toggles.relay_key_field:
            return task
        subject = self.at.salesforce.row(task)["Subject"]
        ours = [*await self.at.reminders(ANA), *await self.at.reminders(BO)]
        doubtful = [one.base.subject for one in ours if one.base is not None and one.salesforce_id is None]
        return None if subject in doubtful else task

    async def change(self) -> None:
        task = await self.settled_task()
        if task is None:
            return
        day = self.day()
        fields: dict[str, object] = self.random.choice(
            [
                {
                    "Subject": f"{str(self.at.salesforce.row(task)['Subject']).partition(' /')[0]} / there {self.number}"
                },
                {"Description": self.name()},
                {"ActivityDate": None if day is None else day.isoformat()},
                {"Priority": self.random.choice(["Low", "Normal", "High"])},
                {"Status": self.random.choice(["In Progress", "Not Started", "Deferred"])},
            ]
        )
        self.at.salesforce.edit("Task", task, **fields)

    async def close(self) -> None:
        task = await self.settled_task()
        if task is not None:
            self.at.salesforce.edit("Task", task, Status="Completed")

    def remove(self) -> None:
        task = self.task()
        if task is not None and self.random.random() < 0.5:
            self.at.salesforce.remove("Task", task)

    def undelete(self) -> None:
        task = self.task(deleted=True)
        if task is not None and self.random.random() < 0.1:
            self.at.salesforce.undelete("Task", task)

    def purge(self) -> None:
        task = self.task(deleted=True)
        if task is not None and self.random.random() < 0.3:
            self.at.salesforce.purge("Task", task)

    async def reassign(self) -> None:
        task = await self.settled_task()
        if task is not None and self.random.random() < 0.3:
            to = self.random.choice([self.stranger, *self.at.users.values()])
            self.at.salesforce.edit("Task", task, OwnerId=to)

    # Between them

    async def cycle(self) -> None:
        await self.at.synchroniser().cycle(whole=self.random.random() < 0.05)

    async def send(self) -> None:
        await self.at.synchroniser().send()

    def pass_time(self) -> None:
        seconds = self.random.choice([1, 60, 400, 7200])
        self.at.clock.advance(seconds)
        self.at.salesforce.advance(timedelta(seconds=seconds))

    def jump(self) -> None:
        """Our clock is set, Salesforce's is not."""
        self.at.clock.instant += (
            self.random.choice([-1, 1]) * self.random.choice([60, 3600, 86_400]) * 1_000_000
        )

    def fault(self) -> None:
        salesforce = self.at.salesforce
        salesforce.clear_faults()
        nth = self.random.randrange(1, 4)
        salesforce.inject(
            self.random.choice(
                [
                    Injected(Action.RESET_BEFORE, nth=nth),
                    Injected(Action.RESET_AFTER_COMMIT, nth=nth, times=2),
                    Injected(Action.RESET_AFTER_COMMIT, method="POST"),
                    Injected(Action.RESET_AFTER_COMMIT, method="PATCH"),
                    Injected(Action.RESET_AFTER_COMMIT, method="DELETE"),
                    Injected(Action.TRUNCATE, nth=nth),
                    unavailable(nth=nth),
                    locked(method="POST"),
                    locked(method="PATCH"),
                ]
            )
        )

    def expire(self) -> None:
        self.at.salesforce.expire_tokens()

    async def restart(self) -> None:
        """The process ends and another one begins; what is stored is all it has."""
        await self.at.database.close()
        self.at.database = await SqliteDatabase.open(self.folder / DATABASE_NAME, create=False)

    async def kill(self) -> None:
        """The process is killed in the middle of a cycle; another one begins later."""
        database, dying = self.at.database, self.random.randrange(1, 12)
        self.at.database = Dying(database, dying, stored=self.random.random() < 0.5)
        with contextlib.suppress(Killed):
            await self.at.synchroniser().cycle()
        self.at.database = database

    async def settle(self) -> None:
        """Let both sides come to rest: Salesforce well, time passing, nobody changing anything."""
        self.at.salesforce.clear_faults()
        for _ in range(12):
            self.at.clock.advance(4000)
            self.at.salesforce.advance(timedelta(seconds=4000))
            outcome = await self.at.synchroniser().cycle(whole=True)
            assert not outcome.troubles, outcome.troubles
        outcome = await self.at.synchroniser().cycle(whole=True)
        assert not any(outcome.tallies.values()), outcome.tallies

    async def check(self) -> None:
        """Both sides have the same, and nothing was made twice."""
        owners = {user: rep for rep, user in self.at.users.items()}
        here: dict[str, tuple[str, Values]] = {}
        for rep in (ANA, BO):
            for one in await self.at.reminders(rep):
                if one.salesforce_id is not None:
                    here[one.salesforce_id] = (rep, one.values)
        there: dict[str, tuple[str, Values]] = {}
        for row in self.at.tasks():
            task = remote_task(row)  # type: ignore[arg-type]  # a row of the simulator is one of a query
            rep = owners.get(task.owner_id)
            if rep is not None and (task.id in here or importable(task)):
                there[task.id] = (rep, task.values)
        assert here == there
        names = [str(row["Subject"]).partition(" /")[0] for row in self.at.tasks()]
        assert len(names) == len(set(names)), sorted(names)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: it is not the disk that is tried here."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as made:
        yield Path(made)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("keyed", "steps"), [(False, STEPS), (True, STEPS // 10)], ids=["without a key", "with Relay_Key__c"]
)
@pytest.mark.parametrize("seed", SEEDS)
async def test_both_sides_end_equal(
    salesforce: Simulator, folder: Path, seed: int, keyed: bool, steps: int
) -> None:
    """After 10,000 random steps on both sides nothing differs, and nothing is there twice."""
    salesforce.toggles.relay_key_field = keyed
    async with desk(salesforce, folder) as at:
        at.on = {ANA, BO}
        at.rules = SyncRules(deletions=1000)
        await at.switch(ANA)
        await at.switch(BO)
        walk = Walk(at, folder, seed)
        for number in range(1, steps + 1):
            await walk.step()
            if number % 1000 == 0:
                await walk.settle()
                await walk.check()
        await walk.settle()
        await walk.check()
