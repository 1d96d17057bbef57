"""A relay that records, for tests: queue, recording and settings are real, mail is sent by script, Salesforce is simulated."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from relay.clock import SystemClock
from relay.config.loader import Configuration, load
from relay.delivery_kind import Role, Transport
from relay.demo.salesforce.simulator import Simulator
from relay.directory.model import Directory
from relay.directory.store import DirectoryStore, reps_of_settings
from relay.ids import QueueId, queue_id_of
from relay.maillog.store import LoggedEvent, MailLog
from relay.metrics import Metrics
from relay.policy.decision import PlannedDelivery
from relay.policy.rules import compile_rules
from relay.queue.model import NewMessage, State
from relay.queue.rules import rules_of
from relay.queue.runner import Runner
from relay.queue.selection import ListedDelivery, Selection
from relay.queue.store import QueueStore
from relay.recording import Recording
from relay.salesforce.record_rows import RecordRow
from relay.salesforce.store import RecordStore
from relay.storage.spool import Spool
from relay.storage.sqlite import SqliteDatabase
from tests.support.builders import envelope, log_copy, mailbox, new_message, record, to_recipient
from tests.support.couriers import ScriptedCourier
from tests.support.salesforce import rep as seeded
from tests.support.salesforce import settings as salesforce_settings

PATIENCE = 20.0
ANA, BO = "ana@example.com", "bo@example.com"
OUT = "person1@buyer.example"


class MovedClock(SystemClock):
    """The machine's clock, which can be moved on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> int:
        """Give the instant, moved on."""
        return super().now() + round(self.ahead * 1_000_000)

    def monotonic(self) -> float:
        """Give seconds, moved on."""
        return super().monotonic() + self.ahead


@dataclass
class RecordingHouse:
    """What a test of recording needs at hand."""

    salesforce: Simulator
    configuration: Configuration
    directory: Directory
    clock: MovedClock
    database: SqliteDatabase
    queue: QueueStore
    mail_log: MailLog
    courier: ScriptedCourier
    recording: Recording
    runner: Runner
    spool: Spool
    records: RecordStore = field(default_factory=RecordStore)
    running: list[asyncio.Task[None]] = field(default_factory=list)
    scarce: bool = False
    """Whether the disk is nearly full."""

    def start(self) -> None:
        """Set the queue to work."""
        self.running.append(asyncio.create_task(self.runner.run()))

    async def accept(
        self,
        *recipients: str,
        login: str = "ana",
        message_id: str | None = None,
        subject: str = "The offer",
        content: bytes | None = None,
        mode: str = "api",
        spooled: bool = False,
    ) -> QueueId:
        """Take in a mail of a rep, with a record; give its queue id. `spooled`: its content is in the spool."""
        people = recipients or (OUT,)
        number = self.runner.next_number()
        identifier = message_id or f"<{number}@example.com>"
        text = content or mail_text(login, people, identifier, subject)
        message = new_message(
            number=number,
            envelope=envelope(f"{login}@example.com", people),
            login=login,
            accepted_at=self.clock.now(),
            content=text,
            spool_name=await self._spooled(text) if spooled else None,
            message_id=identifier,
            subject=subject,
            mode=mode,
        )
        await self.runner.accept(message, [*map(to_recipient, people), record("salesforce")], ())
        return queue_id_of(message.number)

    async def _spooled(self, text: bytes) -> str:
        file = self.spool.create()
        file.write(text)
        await file.sync()
        return file.name

    async def delivery(self, message: QueueId) -> ListedDelivery:
        """Give the record of a message as people are shown it."""
        one = Selection(message=message, states=tuple(State), role=Role.RECORD)
        (found,) = await self.database.read(lambda tx: self.queue.list(tx, one, 9))
        return found

    async def deliveries(self, message: QueueId) -> list[ListedDelivery]:
        """Give all deliveries of a message."""
        one = Selection(message=message, states=tuple(State))
        return await self.database.read(lambda tx: self.queue.list(tx, one, 99))

    async def wait_for(self, message: QueueId, *states: State) -> ListedDelivery:
        """Wait until the record of a message is in one of these states."""
        async with asyncio.timeout(PATIENCE):
            while (found := await self.delivery(message)).state not in states:  # noqa: ASYNC110 - it is in the store
                await asyncio.sleep(0.01)
        return found

    async def recorded(self, *messages: QueueId) -> list[ListedDelivery]:
        """Wait until the records of all messages are made."""
        return [await self.wait_for(one, State.SENT) for one in messages]

    async def held(self, message: QueueId) -> ListedDelivery:
        """Wait until the record of a message is held."""
        return await self.wait_for(message, State.HELD)

    async def tried(self, message: QueueId, attempts: int = 1) -> ListedDelivery:
        """Wait until the record of a message was tried so often, and waits."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await self.delivery(message)
                if found.state is State.DEFERRED and found.attempts >= attempts:
                    return found
                await asyncio.sleep(0.01)

    async def row(self, message: QueueId) -> RecordRow:
        """Give the one intended record of a message."""
        (one,) = await self.rows(message)
        return one

    async def rows(self, message: QueueId) -> Sequence[RecordRow]:
        """Give the intended records of a message."""
        delivery = await self.delivery(message)
        found = await self.database.read(lambda tx: self.records.of_deliveries(tx, [delivery.id]))
        return found[delivery.id]

    async def events(self, message: QueueId, name: str) -> list[LoggedEvent]:
        """Give the events of a message of this name."""
        found = await self.database.read(lambda tx: self.mail_log.of_message(tx, message))
        return [one for one in found if one.name == name]

    def later(self, seconds: float) -> None:
        """Turn the clocks on, of the relay and of Salesforce, and look what is due."""
        self.clock.ahead += seconds
        self.salesforce.advance(timedelta(seconds=seconds))
        self.runner.wake()

    def reload(self) -> None:
        """Read the settings anew, as `relay reload` does."""
        configuration = load(self.configuration.path)
        self.directory = Directory(reps_of_settings(configuration.settings, configuration.place, []))
        self.recording.use(configuration)
        self.try_now()

    def try_now(self) -> None:
        """End all pauses, as `relay records retry` does."""
        self.recording.wake()
        self.runner.wake()

    async def stop(self) -> None:
        """Stop in good order."""
        await self.runner.stop(2.0)
        await asyncio.gather(*self.running)
        await self.recording.close()


def mail_text(login: str, to: Sequence[str], message_id: str, subject: str) -> bytes:
    """Write a plain mail in its wire form."""
    lines = [
        f"From: {login.capitalize()} <{login}@example.com>",
        f"To: {', '.join(to)}",
        f"Subject: {subject}",
        f"Message-ID: {message_id}",
        "Date: Mon, 21 Sep 2026 14:13:20 +0000",
        "",
        "Dear customer, here is the offer.",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()


def written(
    folder: Path, salesforce: Simulator, logging: str = "", reps: int = 0, more: str = "", **auth: str
) -> Path:
    """Write settings that record in the simulator, for ana and bo, and for rep0, rep1 and so on."""
    path = folder / "config.yaml"
    users = [_user(salesforce, f"rep{one}") for one in range(reps)] + [
        _user(salesforce, "ana"),
        _user(salesforce, "bo"),
    ]
    path.write_text(
        f"""version: 1
server: {{hostname: relay.example.com, state_dir: {folder}}}
listeners: [{{name: submission, address: "127.0.0.1:0", tls: none, auth: none, trust: {{networks: [127.0.0.0/8]}}}}]
upstream: {{default: main, routes: {{main: {{kind: smarthost, host: 127.0.0.1, port: 25, tls: none}}}}}}
notices: {{from: postmaster@example.com, route: main}}
logging:
  mode: api
{logging}
retry: {{logging: {{schedule: [30s, 2m], give_up_after: 7d}}}}
users:
{"".join(users)}{salesforce_settings(salesforce, folder, **auth)}{more}"""
    )
    return path


def _user(salesforce: Simulator, login: str) -> str:
    """Seed the Salesforce user of a rep, unless it is there; give the rep's settings."""
    address, username = f"{login}@example.com", f"{login}@example.com.crm"
    there = [str(row["Id"]) for row in salesforce.rows("User") if row["Username"] == username]
    user = there[0] if there else seeded(salesforce, username, f"{login}@crm.example")
    keys = f"salesforce_user_id: {user}, salesforce_username: {username}"
    copy = f"email_to_salesforce: {login}@a1.le.salesforce.com"
    return f"  - {{login: {login}, addresses: [{address}], {keys}, {copy}}}\n"


@asynccontextmanager
async def recording_house(
    folder: Path,
    salesforce: Simulator,
    logging: str = "",
    *,
    start: bool = True,
    reps: int = 0,
    more: str = "",
    space: float | None = 0.02,
    clock: MovedClock | None = None,
    poll: float = 0.05,
    **auth: str,
) -> AsyncIterator[RecordingHouse]:
    """Give a relay that records in the simulator; `logging`: more lines of that group, two spaces in."""
    configuration = load(written(folder, salesforce, logging, reps, more, **auth))
    clock = clock or MovedClock()
    database = await SqliteDatabase.open(folder / "relay.db", create=True)
    directory: Directory = await database.read(
        lambda tx: DirectoryStore().snapshot(tx, configuration.settings, configuration.place)
    )
    spool, mail_log, meter = Spool(folder / "spool"), MailLog(), Metrics()
    rules = replace(rules_of(configuration.settings, "relay.example.com"), poll=poll)
    queue = QueueStore(spool, clock=clock)
    queue.use(keep_content=False, waits=rules.waits)
    courier = ScriptedCourier()
    house: RecordingHouse
    recording = Recording(
        database,
        queue,
        mail_log,
        clock,
        lambda: house.directory,
        meter,
        lambda: house.runner.wake(),
        lambda: compile_rules(configuration.settings, configuration.place, house.directory.reps()),
        space,
        spool,
        lambda: house.scarce,
    )
    runner = Runner(database, queue, mail_log, spool, [courier, recording], rules, clock, meter=meter)
    house = RecordingHouse(
        salesforce,
        configuration,
        directory,
        clock,
        database,
        queue,
        mail_log,
        courier,
        recording,
        runner,
        spool,
    )
    recording.use(configuration)
    if start:
        house.start()
    try:
        yield house
    finally:
        await house.stop()
        spool.close()
        await database.close()


__all__ = [
    "ANA",
    "OUT",
    "NewMessage",
    "PlannedDelivery",
    "RecordingHouse",
    "Transport",
    "log_copy",
    "mailbox",
    "recording_house",
]
