"""The databases that every contract test runs over."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from relay.maillog.store import MailLog
from relay.queue.store import QueueStore
from relay.storage.database import Database
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase
from tests.support.clock import FakeClock

Opener = Callable[[Path], Awaitable[Database]]


async def open_sqlite(folder: Path) -> Database:
    """Open, or make, the SQLite database of a folder."""
    return await SqliteDatabase.open(folder / DATABASE_NAME, create=True)


OPENERS: dict[str, Opener] = {"sqlite": open_sqlite}
"""How each kind of database is opened in a folder; opening the same folder again gives the same data."""


@pytest.fixture(params=sorted(OPENERS))
def opener(request: pytest.FixtureRequest) -> Opener:
    """Give how this kind of database is opened."""
    return OPENERS[request.param]


@pytest.fixture
async def database(opener: Opener, tmp_path: Path) -> AsyncIterator[Database]:
    """Give an empty database of each kind, closed at the end."""
    opened = await opener(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> FakeClock:
    """Give a clock to turn by hand."""
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> QueueStore:
    """Give a queue store without a spool."""
    return QueueStore(clock=clock)


@pytest.fixture
def mail_log() -> MailLog:
    """Give a mail log."""
    return MailLog()
