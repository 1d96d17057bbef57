"""What keeps reminders in step is loaded once anything asks for it, and not before."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from relay.config.loader import Configuration
from relay.directory.model import Directory
from relay.errors import StorageUnavailable
from relay.metrics import Metrics
from relay.remembering import Remembering
from relay.reminders.model import RepKey
from relay.reminders.switches import SwitchStore
from relay.storage.database import Database
from tests.support.clock import FakeClock
from tests.support.settings import GOOD, loaded

CONTROLS = "logging: {controls: {domain: relay.example}}\n"
LIMIT = 20


@asynccontextmanager
async def remembering(
    database: Database, settings: Callable[[], Configuration]
) -> AsyncIterator[Remembering]:
    """Run it beside a test."""

    async def going_by() -> tuple[Configuration, Directory]:
        return settings(), Directory(())

    made = Remembering(database, FakeClock(), going_by, lambda: None, Metrics())
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await made.close()


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(LIMIT):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


async def test_nothing_is_loaded_until_somebody_has_switched(database: Database, tmp_path: Path) -> None:
    """However often it is woken, it loads nothing; once anybody's reminders were kept in step it does."""
    configuration, looks = loaded(tmp_path), 0

    def settings() -> Configuration:
        nonlocal looks
        looks += 1
        return configuration

    async with remembering(database, settings) as made:
        for look in range(1, 4):
            await until(lambda look=look: looks >= look)  # type: ignore[misc]
            await database.read(lambda tx: tx.execute("SELECT 1"))
            assert not made.loaded
            made.wake()
        await database.write(lambda tx: SwitchStore().ask(tx, RepKey("ana")))
        made.wake()
        await until(lambda: made.loaded)


async def test_a_domain_for_control_addresses_asks_for_it(database: Database, tmp_path: Path) -> None:
    """Mail may ask for reminders then; also when the settings get it later, and when the store did not answer first."""
    now = [loaded(tmp_path)]
    failures = [StorageUnavailable("not now")]

    def settings() -> Configuration:
        if failures:
            raise failures.pop()
        return now[0]

    async with remembering(database, settings) as made:
        await until(lambda: not failures)
        now[0] = loaded(tmp_path, GOOD + CONTROLS)
        made.wake()
        await until(lambda: made.loaded)
