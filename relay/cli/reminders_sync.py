"""`relay reminders sync`: one whole cycle now, by the running service or, where there is none, by the command itself."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import typer

from relay.cli.common import (
    EXIT_TRY_AGAIN,
    ConfigOption,
    JsonOption,
    caller,
    fail,
    load_configuration,
    wake_service,
    with_store,
)
from relay.cli.user_access import directory
from relay.cli.user_output import print_object
from relay.clock import SystemClock
from relay.config.loader import Configuration
from relay.directory.change_store import ChangeStore
from relay.directory.changes import merged_configuration
from relay.directory.model import Directory, Rep, login_key
from relay.directory.store import DirectoryStore
from relay.reminders.model import RepKey
from relay.reminders.outgoing import decide_deletions
from relay.reminders.switches import SwitchStore, wanted_sync
from relay.reminding import NO_USER, OFF, answer_of, client_of, synchroniser_of
from relay.storage.database import Transaction
from relay.storage.lease import holder
from relay.storage.sqlite import SqliteDatabase

SWITCHES = SwitchStore()
WAIT_SECONDS = 1800.0
"""How long a running service is waited for: a first run can take a while."""
_LOOK_EVERY = 0.05


def going_by(tx: Transaction, configuration: Configuration) -> tuple[Configuration, Directory]:
    """Give the settings and the reps with what was changed on the page."""
    merged = merged_configuration(configuration, ChangeStore().read(tx).for_all)
    return merged, DirectoryStore().snapshot(tx, merged.settings, merged.place)


def turned(tx: Transaction, configuration: Configuration, key: RepKey, now: int) -> bool:
    """Tell whether a rep's reminders are kept in step, and begin or end that where a setting was changed."""
    merged, reps = going_by(tx, configuration)
    rep = next((one for one in reps.reps() if login_key(one.login) == key), None)
    on = rep is not None and wanted_sync(merged.settings, rep)
    SWITCHES.turn(tx, key, on, now)
    return on


def rep_of(configuration: Configuration, login: str) -> Rep:
    """Find a rep. Exits when there is none of that login."""
    rep = directory(configuration).by_login(login)
    if rep is None:
        fail(f"there is no rep {login!r}; see `relay user list`")
    return rep


def sync(
    context: typer.Context,
    rep: Annotated[str, typer.Option("--as", metavar="REP", help="Whose reminders.")],
    switch: Annotated[
        bool | None,
        typer.Option(
            "--on/--off", help="Switch it on or off for this rep first; the settings stay as they are."
        ),
    ] = None,
    deletions: Annotated[
        bool | None,
        typer.Option(
            "--confirm-deletions/--keep-deleted",
            help="Where many Tasks were deleted in Salesforce at once: delete here, too, or keep what stands here.",
        ),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Bring a rep's reminders in step with Salesforce: one whole cycle, now; prints what it came to."""
    del as_json  # what is printed is JSON either way
    configuration = load_configuration(context, config)
    whose = rep_of(configuration, rep)
    job = _Job(configuration, whose, RepKey(login_key(whose.login)), switch, deletions)
    answer = with_store(configuration, job.run)
    print_object({"schema": "relay.reminders.sync/1", "rep": whose.login, **answer})
    if answer["trouble"]:
        fail(str(answer["trouble"]), 1 if answer["trouble"] == OFF else EXIT_TRY_AGAIN)


@dataclass(frozen=True, slots=True)
class _Job:
    """One run that somebody waits for."""

    configuration: Configuration
    rep: Rep
    key: RepKey
    switch: bool | None
    deletions: bool | None

    async def run(self, database: SqliteDatabase) -> Mapping[str, object]:
        """Prepare it, and have the service or this command carry it out."""
        on = await database.write(self._prepare)
        if self.switch is False and not on:
            return {"pulled": 0, "pushed": 0, "deleted": 0, "conflicts": 0, "errors": 0, "trouble": ""}
        if holder(self.configuration.state_dir) is None:
            return await self._by_itself(database, on)
        asked = await database.write(lambda tx: SWITCHES.ask(tx, self.key))
        wake_service(self.configuration)
        return await self._awaited(database, asked)

    def _prepare(self, tx: Transaction) -> bool:
        now = SystemClock().now()
        if self.switch is not None:
            value = "two_way" if self.switch else "off"
            ChangeStore().set(tx, self.rep.login, "reminders", value, caller(), now)
        if self.deletions is not None:
            decide_deletions(tx, self.key, confirmed=self.deletions)
        return turned(tx, self.configuration, self.key, now)

    async def _by_itself(self, database: SqliteDatabase, on: bool) -> Mapping[str, object]:
        merged, reps = await database.read(lambda tx: going_by(tx, self.configuration))
        clock = SystemClock()
        salesforce = client_of(merged, clock, database)
        if salesforce is None or not on:
            fail(OFF)
        try:
            synchroniser, missing = synchroniser_of(merged, reps, salesforce, database, clock, [self.key])
            if missing:
                fail(NO_USER)
            outcome = await synchroniser.cycle(whole=True)
        finally:
            await salesforce.close()
        return await database.read(lambda tx: answer_of(tx, self.key, outcome, [self.key]))

    async def _awaited(self, database: SqliteDatabase, asked: int) -> Mapping[str, object]:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while (  # noqa: ASYNC110 - the answer comes from another process
                    standing := await database.read(lambda tx: SWITCHES.get(tx, self.key))
                ).answered < asked:
                    await asyncio.sleep(_LOOK_EVERY)
        except TimeoutError:
            fail("the service has not answered for half an hour; its program log tells", EXIT_TRY_AGAIN)
        answer: dict[str, object] = json.loads(standing.answer)
        return answer
