"""Keep reminders in step while the service runs: what was changed here at once, what was changed there every so often."""

import asyncio
import fcntl
import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from relay.clock import Clock
from relay.config.loader import Configuration
from relay.config.secrets import read_secret
from relay.directory.model import Directory, login_key
from relay.errors import RelayError, StorageUnavailable
from relay.maillog.events import Event, ReminderDeletionsWait, RemindersSwitched, RemindersSynced
from relay.maillog.store import MailLog
from relay.reminders.calls import NoMeter, ReminderMeter, SyncRep, SyncRules
from relay.reminders.follow_ups import FollowUps
from relay.reminders.mapping import subject_rule
from relay.reminders.model import NOTHING, RepKey, long_id
from relay.reminders.outgoing import OutgoingStore
from relay.reminders.switches import SwitchStore, wanted_sync
from relay.reminders.sync import Outcome, Synchroniser
from relay.reminders.taking import Parts
from relay.storage.database import Database, Transaction

if TYPE_CHECKING:
    from relay.salesforce.client import SalesforceClient

logger = logging.getLogger(__name__)

LOCK_NAME = "reminders.lock"
_SECOND = 1_000_000
_IDLE = 60.0
"""Seconds between looks at the switches while nobody's are kept in step."""
_MAIL_EVERY = 2.0
"""Seconds between looks for reminders that mail asks for, where the settings have control addresses."""
_JITTER = 0.1
_FIRST_AGAIN = 30.0
_LOCK_EVERY = 0.1
_LOCK_LIMIT = 3600.0
NO_USER = "the rep has no Salesforce user id: set salesforce_user_id, or run `relay user sync-salesforce`"
OFF = "these reminders are not kept in step: reminders.sync is off for this rep, or salesforce: is missing"


def client_of(configuration: Configuration, clock: Clock, database: Database) -> "SalesforceClient | None":
    """Make what asks Salesforce; None when the settings name no organisation. Replaced tokens are kept in the store."""
    settings, base = configuration.settings.salesforce, configuration.path.parent
    if settings is None:
        return None
    from relay.salesforce.client import SalesforceClient  # loaded when used
    from relay.salesforce.token_store import StoredTokens

    return SalesforceClient(
        settings,
        resolve=configuration.resolve,
        secret=lambda reference: read_secret(reference, base),
        clock=clock,
        tokens=StoredTokens(database, clock),
    )


@asynccontextmanager
async def guard(state_dir: Path) -> AsyncIterator[None]:
    """Wait until nobody else on this state folder keeps reminders in step, and keep others from it.

    The system lets go of the lock with the process. Raises RelayError after an hour,
    StorageUnavailable when there is no such folder.
    """
    flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(state_dir / LOCK_NAME, flags, 0o600)
    except OSError as exc:
        raise StorageUnavailable(f"{state_dir / LOCK_NAME} cannot be opened: {exc.strerror}") from exc
    try:
        try:
            async with asyncio.timeout(_LOCK_LIMIT):
                while not _locked(descriptor):  # noqa: ASYNC110 - another process holds it
                    await asyncio.sleep(_LOCK_EVERY)
        except TimeoutError:
            raise RelayError("another process has been keeping reminders in step for an hour") from None
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Reminding:
    """Reminders of all reps, as the settings and the page say it at each moment."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        going_by: Callable[[], Awaitable[tuple[Configuration, Directory]]],
        salesforce: "Callable[[], SalesforceClient | None]",
        meter: ReminderMeter | None = None,
    ) -> None:
        """Make it; `going_by` gives settings and reps as they are now, `salesforce` what all parts ask Salesforce with."""
        self._database = database
        self._clock = clock
        self._going_by = going_by
        self._shared = salesforce
        self._own: tuple[object, SalesforceClient | None] = (None, None)
        self._meter = meter or NoMeter()
        self._switches = SwitchStore()
        self._outgoing = OutgoingStore()
        self._log = MailLog()
        self._follow_ups = FollowUps()
        self._woken = asyncio.Event()
        self._poll_at = 0.0
        self._failures = 0
        self._counted = False

    def wake(self) -> None:
        """Look at once for switches that were turned, for runs that are asked for, and for what is to be told."""
        self._woken.set()

    async def run(self) -> None:
        """Run until cancelled. Trouble of the store or of Salesforce is told, and tried again later."""
        while True:
            self._woken.clear()
            try:
                pause = await self.step()
            except RelayError as exc:
                logger.warning("reminders are not kept in step just now: %s", exc)
                pause = _IDLE
            except Exception:
                logger.exception("keeping reminders in step came upon what it did not expect")
                pause = _IDLE
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()

    async def step(self) -> float:
        """Do what is due; give for how many seconds nothing will be."""
        configuration, directory = await self._going_by()
        on = await self.turn(configuration, directory)
        await self._follow_up(configuration, directory)
        asked = {one.rep: one.asked for one in await self._database.read(self._switches.asking)}
        salesforce = await self._salesforce(configuration) if on else None
        outcome = Outcome()
        if salesforce is not None:
            whole = bool(asked.keys() & set(on))
            if whole:
                salesforce.try_now()
            outcome = await self._work(configuration, directory, salesforce, on, whole=whole)
        await self._tell(outcome, asked, on)
        pause = await self._pause(_users(directory, on))
        return min(pause, _MAIL_EVERY) if configuration.settings.logging.controls.domain else pause

    async def _follow_up(self, configuration: Configuration, directory: Directory) -> None:
        """Make the reminders that mail has asked for."""
        settings = configuration.settings
        domain = settings.logging.controls.domain
        if not domain or not await self._database.read(self._follow_ups.waiting):
            return
        more = True
        while more:
            _, more = await self._database.write(
                lambda tx: self._follow_ups.take(
                    tx, directory, domain.lower(), lambda rep: wanted_sync(settings, rep), self._clock.now()
                )
            )

    async def close(self) -> None:
        """End what was made to ask Salesforce with."""
        if self._own[1] is not None:
            await self._own[1].close()
        self._own = (None, None)

    async def _salesforce(self, configuration: Configuration) -> "SalesforceClient | None":
        """Give what all parts ask Salesforce with, or one of our own where no other part does."""
        shared = self._shared()
        settings = configuration.settings.salesforce
        if shared is None and settings != self._own[0]:
            await self.close()
            self._own = (settings, client_of(configuration, self._clock, self._database))
        return shared or self._own[1]

    async def _work(
        self,
        configuration: Configuration,
        directory: Directory,
        salesforce: "SalesforceClient",
        on: list[RepKey],
        *,
        whole: bool,
    ) -> Outcome:
        """Do a cycle when one is due or asked for, else send what is due."""
        synchroniser, missing = synchroniser_of(
            configuration, directory, salesforce, self._database, self._clock, on, self._meter
        )
        users = _users(directory, on)
        if whole or self._clock.monotonic() >= self._poll_at or await self._first_due(users):
            outcome = await synchroniser.cycle(whole=whole)
            self._plan(outcome, configuration)
        elif await self._due(users) == 0:
            outcome = await synchroniser.send()
        else:
            return Outcome()
        outcome.troubles |= dict.fromkeys(missing, NO_USER)
        return outcome

    async def turn(self, configuration: Configuration, directory: Directory) -> list[RepKey]:
        """Begin and end what the settings and the page say; give those whose reminders are kept in step."""
        wanted = {
            RepKey(login_key(rep.login)): wanted_sync(configuration.settings, rep) for rep in directory.reps()
        }
        standings = await self._database.read(self._switches.all)
        gone = [key for key, one in standings.items() if one.running and key not in wanted]
        turned = [key for key, on in wanted.items() if on != (key in standings and standings[key].running)]
        if turned or gone:
            todo = {key: wanted.get(key, False) for key in (*gone, *turned)}
            await self._database.write(lambda tx: self._turn(tx, todo))
        return [key for key, on in wanted.items() if on]

    def _turn(self, tx: Transaction, turned: Mapping[RepKey, bool]) -> None:
        now = self._clock.now()
        for key, on in turned.items():
            if self._switches.turn(tx, key, on, now):
                self._log.append(tx, [RemindersSwitched(at=now, login=key, sync="two_way" if on else "off")])

    def _plan(self, outcome: Outcome, configuration: Configuration) -> None:
        """Say when Salesforce is asked again: after `every` and up to a tenth more; sooner when it did not answer."""
        every = configuration.settings.reminders.every.total_seconds()
        wait = every * (1 + _JITTER * self._clock.chance())
        self._failures = self._failures + 1 if outcome.faults else 0
        if self._failures:
            wait = min(wait, _FIRST_AGAIN * 2 ** min(self._failures - 1, 10))
        self._poll_at = self._clock.monotonic() + wait

    async def _first_due(self, on: Collection[RepKey]) -> bool:
        if self._failures:
            return False
        standings = await self._database.read(self._switches.all)
        return any(key in on and one.first_running and not one.storm for key, one in standings.items())

    async def _due(self, users: Mapping[RepKey, str]) -> float | None:
        """Give in how many seconds something is to be told that can be; 0: now; None: nothing waits."""

        def read(tx: Transaction) -> int | None:
            standings = self._switches.all(tx)
            ready = {key for key, one in standings.items() if one.first_done and not one.storm}
            return self._outgoing.next_due(tx, {key: user for key, user in users.items() if key in ready})

        at = await self._database.read(read)
        return None if at is None else max(0.0, (at - self._clock.now()) / _SECOND)

    async def _pause(self, users: Mapping[RepKey, str]) -> float:
        until_poll = max(1.0, self._poll_at - self._clock.monotonic()) if users else _IDLE
        due = await self._due(users)
        return min(until_poll, _IDLE if due is None else max(1.0, due))

    async def _tell(self, outcome: Outcome, asked: Mapping[RepKey, int], on: list[RepKey]) -> None:
        """Write what happened into the mail log, and answer those who wait for a run."""
        if on and (outcome.tallies or not self._counted):
            self._counted = True
            self._meter.reminders_hold(await self._database.read(self._switches.counts))
        if not asked and not outcome.troubles and not any(outcome.tallies.values()):
            return

        def unit(tx: Transaction) -> None:
            self._log.append(tx, self._events(tx, outcome))
            for key, text in outcome.troubles.items():
                self._switches.trouble(tx, [key], text)
            for key, number in asked.items():
                self._switches.answer(tx, key, number, json.dumps(answer_of(tx, key, outcome, on)))

        await self._database.write(unit)

    def _events(self, tx: Transaction, outcome: Outcome) -> list[Event]:
        now = self._clock.now()
        events: list[Event] = []
        for key, tally in outcome.tallies.items():
            if tally:
                events.append(RemindersSynced(at=now, login=key, **asdict(tally)))
            storm = self._switches.get(tx, key).storm
            if storm:
                events.append(ReminderDeletionsWait(at=now, login=key, deletions=storm))
        return events


def _users(directory: Directory, on: Collection[RepKey]) -> dict[RepKey, str]:
    """Give the Salesforce users of those who have one: for anybody else nothing can be asked or told."""
    users = {RepKey(login_key(rep.login)): rep.salesforce_user_id for rep in directory.reps()}
    return {key: long_id(user) for key, user in users.items() if user and key in on}


def synchroniser_of(
    configuration: Configuration,
    directory: Directory,
    salesforce: "SalesforceClient",
    database: Database,
    clock: Clock,
    on: Collection[RepKey],
    meter: ReminderMeter | None = None,
) -> tuple[Synchroniser, list[RepKey]]:
    """Make what keeps the reminders of some reps in step; and name those of them who have no Salesforce user."""
    users: dict[RepKey, str] = {}
    reps: list[SyncRep] = []
    missing: list[RepKey] = []
    for rep in directory.reps():
        key = RepKey(login_key(rep.login))
        if rep.salesforce_user_id:
            users[key] = long_id(rep.salesforce_user_id)
        if key in on and key not in users:
            missing.append(key)
        elif key in on:
            reps.append(SyncRep(key, users[key], salesforce.identity_of(rep)))
    settings = configuration.settings
    rules = SyncRules(
        subject_rule(settings.reminders.subject_sync, settings.logging.subject),
        settings.reminders.first_import == "all_open",
        settings.reminders.deletions,
    )
    owners = {rep.user_id: rep.key for rep in reps}
    parts = Parts(database, salesforce, clock, rules, users, owners)
    return Synchroniser(parts, reps, lambda: guard(configuration.state_dir), meter), missing


def answer_of(tx: Transaction, key: RepKey, outcome: Outcome, on: Collection[RepKey]) -> dict[str, object]:
    """Say what a run came to for one rep, for whoever asked for it; also that deletions wait for a word."""
    standing = SwitchStore().get(tx, key)
    trouble = outcome.troubles.get(key, standing.trouble if standing.storm else "") if key in on else OFF
    return {**asdict(outcome.tallies.get(key, NOTHING)), "trouble": trouble}
