"""Reminders of reps at a simulated Salesforce: a store, the real client, and what keeps both in step."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from relay.config.loader import Configuration
from relay.demo.salesforce.simulator import Simulator
from relay.directory.model import Directory
from relay.reminders.calls import Salesforce, SyncRep, SyncRules
from relay.reminders.model import NOTHING, Reminder, ReminderId, RepKey, State, Tally
from relay.reminders.store import Edit, NewReminder, ReminderStore, Wanted
from relay.reminders.switches import SwitchStore
from relay.reminders.sync import Outcome, Synchroniser
from relay.reminders.taking import Parts
from relay.reminding import client_of
from relay.storage.database import Database
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase
from tests.support.clock import FakeClock
from tests.support.salesforce import rep as seed_rep
from tests.support.salesforce import settings as salesforce_settings
from tests.support.settings import GOOD, loaded

ANA = RepKey("ana")
BO = RepKey("bo")


@dataclass(slots=True)
class Desk:
    """Reminders of some reps, and Salesforce."""

    database: Database
    clock: FakeClock
    salesforce: Simulator
    client: Salesforce
    users: dict[RepKey, str]
    rules: SyncRules = field(default_factory=SyncRules)
    store: ReminderStore = field(default_factory=ReminderStore)
    switches: SwitchStore = field(default_factory=SwitchStore)
    on: set[RepKey] = field(default_factory=lambda: {ANA})

    def synchroniser(self) -> Synchroniser:
        """Make what keeps both in step, as a start of the service does."""
        reps = [SyncRep(key, user, "") for key, user in self.users.items() if key in self.on]
        owners = {one.user_id: one.key for one in reps}
        parts = Parts(self.database, self.client, self.clock, self.rules, self.users, owners)
        return Synchroniser(parts, reps, nullcontext)

    async def switch(self, rep: RepKey = ANA, *, on: bool = True) -> None:
        """Turn the switch of a rep."""
        await self.database.write(lambda tx: self.switches.turn(tx, rep, on, self.clock.now()))

    async def cycle(self, *, whole: bool = False) -> Tally:
        """Do one cycle; give what it came to for ana. The test fails when Salesforce did not answer."""
        outcome = await self.synchroniser().cycle(whole=whole)
        assert not outcome.troubles, outcome.troubles
        return outcome.tallies.get(ANA, NOTHING)

    async def outcome(self) -> Outcome:
        """Do one cycle; give all that it came to."""
        return await self.synchroniser().cycle()

    async def add(self, title: str, rep: RepKey = ANA, *, on: bool = True, **more: object) -> Reminder:
        """Enter a reminder."""
        new = replace(NewReminder(rep, title), **more)  # type: ignore[arg-type]  # fields, by name
        return await self.database.write(lambda tx: self.store.add(tx, new, on=on, now=self.clock.now()))

    async def edit(self, which: ReminderId, **more: object) -> Reminder:
        """Change a reminder."""
        edit = replace(Edit(), **more)  # type: ignore[arg-type]  # fields, by name
        return await self.database.write(lambda tx: self.store.edit(tx, which, edit, self.clock.now()))

    async def delete(self, which: ReminderId) -> None:
        """Delete a reminder."""
        await self.database.write(lambda tx: self.store.delete(tx, which, self.clock.now()))

    async def reminders(self, rep: RepKey = ANA) -> list[Reminder]:
        """Give all reminders of a rep."""
        wanted = Wanted(rep, tuple(State))
        return await self.database.read(lambda tx: self.store.list(tx, wanted, 1000))

    async def only(self, rep: RepKey = ANA) -> Reminder:
        """Give the one reminder that there is."""
        (found,) = await self.reminders(rep)
        return found

    def tasks(self) -> list[dict[str, object]]:
        """Give the Tasks in Salesforce."""
        return self.salesforce.rows("Task")

    def task(self) -> dict[str, object]:
        """Give the one Task that there is."""
        (found,) = self.tasks()
        return found

    def seed(self, rep: RepKey = ANA, **fields: object) -> str:
        """Make a Task in Salesforce, as a person does."""
        return self.salesforce.add("Task", **({"OwnerId": self.users[rep], "Subject": "Call Anna"} | fields))


def configured(
    salesforce: Simulator, folder: Path, more: str = "", reps: Sequence[RepKey] = (ANA, BO)
) -> tuple[Configuration, dict[RepKey, str]]:
    """Write settings for some reps with users in Salesforce."""
    users = {key: seed_rep(salesforce, f"{key}@example.com.crm", f"{key}@example.com") for key in reps}
    text = GOOD.partition("users:")[0] + more + salesforce_settings(salesforce, folder) + "users:\n"
    for key, user in users.items():
        text += f"  - login: {key}\n    addresses: [{key}@example.com]\n    salesforce_user_id: {user}\n"
        text += "    email_to_salesforce: emailtosalesforce@a1b2.le.salesforce.com\n"
    return loaded(folder, text), users


def directory_of(configuration: Configuration) -> Directory:
    """Give the reps of settings."""
    from relay.directory.store import reps_of_settings

    return Directory(reps_of_settings(configuration.settings, configuration.place, []))


@asynccontextmanager
async def desk(salesforce: Simulator, folder: Path, clock: FakeClock | None = None) -> AsyncIterator[Desk]:
    """Set up an empty store beside a simulated Salesforce, with the real client between them."""
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240 - one call, before anything runs
    configuration, users = configured(salesforce, folder)
    clock = clock or FakeClock(int(salesforce.now().timestamp()) * 1_000_000)
    database = await SqliteDatabase.open(folder / DATABASE_NAME, create=True)
    client = client_of(configuration, clock, database)
    assert client is not None
    try:
        yield Desk(database, clock, salesforce, client, users)
    finally:
        await client.close()
        await database.close()
