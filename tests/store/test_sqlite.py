"""What is SQLite's own: one commit for many units, full disks, other processes, and whose file it is."""

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apsw
import pytest

from relay.delivery_kind import Transport
from relay.errors import CommandError, StorageFull, StorageUnavailable
from relay.queue.store import QueueStore
from relay.storage import sqlite
from relay.storage.database import Transaction
from relay.storage.sqlite import SqliteDatabase
from tests.store.test_database import Gate, keys, put
from tests.support.builders import NOW, lease, new_message, to_recipient
from tests.support.faulty_disk import FaultyDisk


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    """Give an empty SQLite database."""
    opened = await SqliteDatabase.open(tmp_path / "relay.db", create=True)
    yield opened
    await opened.close()


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    """Give a disk that can be told to fail; the databases opened after it are on it."""
    with FaultyDisk.installed() as installed:
        yield installed


async def together(database: SqliteDatabase, *units: "object") -> list[object]:
    """Run units that have been waiting together, and give their results or exceptions."""
    gate = Gate()
    first = await gate.closed_on(database)
    waiting = [asyncio.create_task(database.write(unit)) for unit in units]  # type: ignore[arg-type]
    await asyncio.sleep(0)
    gate.open()
    await first
    return list(await asyncio.gather(*waiting, return_exceptions=True))


async def test_units_that_wait_share_one_commit(database: SqliteDatabase) -> None:
    """Twenty units that came while the writer was busy are made durable with one flush."""
    before = database.commits
    await together(database, *(put(f"t-{n}") for n in range(20)))
    assert database.commits == before + 2  # the gate's, and one for all twenty
    assert len(await database.read(keys)) == 20


async def test_what_one_unit_queues_another_claims_in_the_same_commit(database: SqliteDatabase) -> None:
    """So a report can be under way as soon as the settlement that caused it is durable (docs/queue.md, point 17)."""
    store, before = QueueStore(), database.commits
    accepted, claimed = await together(
        database,
        lambda tx: store.accept(tx, new_message(), [to_recipient()], lease=None),
        lambda tx: store.claim(tx, Transport.SMTP, NOW, 10, lease()),
    )
    assert database.commits == before + 2  # the gate's, and one for both
    assert [one.id for one in claimed[0].deliveries] == [one.id for one in accepted]  # type: ignore[index, attr-defined]


async def test_each_commit_is_measured(tmp_path: Path) -> None:
    """Who opens the database hears how long every commit took."""
    took: list[float] = []
    database = await SqliteDatabase.open(tmp_path / "relay.db", create=True, observe=took.append)
    await database.write(put("a"))
    await database.write(put("b"))
    await database.close()
    assert len(took) == database.commits == 2
    assert all(0 < seconds < 60 for seconds in took)


async def test_a_commit_takes_a_bounded_number_of_units(database: SqliteDatabase) -> None:
    """More units than one commit takes are spread over several, and all are kept."""
    before = database.commits
    await together(database, *(put(f"t-{n}") for n in range(sqlite.UNITS_PER_COMMIT + 1)))
    assert database.commits == before + 3
    assert len(await database.read(keys)) == sqlite.UNITS_PER_COMMIT + 1


async def test_a_caller_waits_for_a_place_and_not_for_ever(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With as many units waiting as there may be, the next caller gets StorageUnavailable after its wait."""
    monkeypatch.setattr(sqlite, "WAIT_SECONDS", 0.01)
    gate = Gate()
    first = await gate.closed_on(database)
    waiting = [asyncio.create_task(database.write(put(f"t-{n}"))) for n in range(sqlite.WAITING_WRITES - 1)]
    await asyncio.sleep(0)
    with pytest.raises(StorageUnavailable, match="wait"):
        await database.write(put("t-late"))
    gate.open()
    await asyncio.gather(first, *waiting)
    assert await database.write(put("t-later")) == "t-later"


@pytest.mark.parametrize(
    ("error", "expected"), [(apsw.FullError, StorageFull), (apsw.IOError, StorageUnavailable)]
)
async def test_a_failed_commit_fails_every_unit_of_it(
    disk: FaultyDisk, tmp_path: Path, error: type[apsw.Error], expected: type[Exception]
) -> None:
    """When the write-ahead log cannot be written nobody is told yes, nothing is kept, and the next commit is good."""
    database = await SqliteDatabase.open(tmp_path / "relay.db", create=True)
    gate = Gate()
    first = await gate.closed_on(database)
    waiting = [asyncio.create_task(database.write(put(f"t-{n}"))) for n in range(3)]
    await asyncio.sleep(0)
    disk.write_error = error
    gate.open()
    results = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert [type(result) for result in results[1:]] == [expected] * 3
    assert len({id(result) for result in results}) == 4
    disk.write_error = None
    assert await database.write(put("t-after")) == "t-after"
    assert await database.read(keys) == {"t-after"}
    await database.close()


async def test_a_failed_flush_is_no_commit(disk: FaultyDisk, tmp_path: Path) -> None:
    """What could not be flushed is refused, and is not there when the database is opened again."""
    database = await SqliteDatabase.open(tmp_path / "relay.db", create=True)
    disk.sync_error = apsw.IOError
    done: list[str] = []

    def unit(tx: Transaction) -> str:
        tx.on_commit(lambda: done.append("told"))
        return put("t-1")(tx)

    with pytest.raises(StorageUnavailable):
        await database.write(unit)
    disk.sync_error = None
    assert await database.write(put("t-2")) == "t-2"
    await database.close()
    again = await SqliteDatabase.open(tmp_path / "relay.db", create=False)
    assert await again.read(keys) == {"t-2"}
    assert done == []
    await again.close()


async def test_a_full_database_refuses_one_unit_and_goes_on(database: SqliteDatabase) -> None:
    """A unit that finds no room gets StorageFull; when it undid the whole transaction, those before it do too."""

    def cramp(tx: Transaction) -> None:
        pages = tx.execute("PRAGMA page_count")[0][0]
        tx.execute(f"PRAGMA max_page_count = {pages}")

    await database.write(cramp)
    results = await together(database, put("t-1"), put("t-big", "x" * 100_000), put("t-2"))
    assert isinstance(results[1], StorageFull)
    assert results[0] == "t-1" or isinstance(results[0], StorageFull)
    assert results[2] == "t-2"
    await database.write(lambda tx: tx.execute("PRAGMA max_page_count = 1000000"))
    assert await database.write(put("t-3", "x" * 100_000)) == "t-3"
    kept = {str(result) for result in results if isinstance(result, str)}
    assert await database.read(keys) == kept | {"t-3"}


async def test_two_processes_write_to_one_file(database: SqliteDatabase, tmp_path: Path) -> None:
    """A command at the keyboard and the service both write; nothing of either is lost or refused."""
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from relay.storage.sqlite import SqliteDatabase\n"
        "from tests.store.test_database import put\n"
        "async def main():\n"
        "    database = await SqliteDatabase.open(Path(sys.argv[1]), create=False)\n"
        "    for n in range(100):\n"
        "        await database.write(put(f't-other-{n}'))\n"
        "    await database.close()\n"
        "asyncio.run(main())\n"
    )
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path / "relay.db"), stderr=subprocess.PIPE
    )
    ours = 0
    while other.returncode is None:
        await database.write(put(f"t-ours-{ours}"))
        ours += 1
    _, complaints = await other.communicate()
    assert (other.returncode, complaints) == (0, b"")
    assert len(await database.read(keys)) == 100 + ours


async def test_a_writer_kept_out_too_long_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that does not let go makes the unit fail with StorageUnavailable, not hang."""
    monkeypatch.setattr("relay.storage.connection.BUSY_MILLISECONDS", 20)
    database = await SqliteDatabase.open(tmp_path / "relay.db", create=True)
    other = apsw.Connection(str(tmp_path / "relay.db"))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable, match="another process"):
        await database.write(put("t-1"))
    other.execute("ROLLBACK")
    assert await database.write(put("t-2")) == "t-2"
    other.close()
    await database.close()


async def test_the_connection_is_set_up_for_durability(database: SqliteDatabase) -> None:
    """WAL with synchronous=FULL on the writer; readers cannot change anything."""

    def settings(tx: Transaction) -> list[object]:
        names = ("journal_mode", "synchronous", "mmap_size", "query_only")
        return [tx.execute(f"PRAGMA {name}")[0][0] for name in names]

    assert await database.write(settings) == ["wal", 2, 0, 0]
    assert await database.read(settings) == ["wal", 2, 0, 1]


async def test_files_are_ours_alone_whatever_the_umask(tmp_path: Path) -> None:
    """With umask 0 the folder made is 0700, and the database, its WAL and its index are 0600."""
    old = os.umask(0)
    try:
        database = await SqliteDatabase.open(tmp_path / "state" / "relay.db", create=True)
        await database.write(put("t-1"))
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}
    await database.close()
    assert modes == {"relay.db": 0o600, "relay.db-wal": 0o600, "relay.db-shm": 0o600}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


async def refused(path: Path, *, create: bool) -> CommandError:
    """Give the error that opening the path ends with."""
    with pytest.raises(CommandError) as caught:
        await SqliteDatabase.open(path, create=create)
    return caught.value


async def test_only_create_makes_a_database(tmp_path: Path) -> None:
    """A command before the first `relay serve` gets exit code 75 and leaves nothing behind."""
    error = await refused(tmp_path / "state" / "relay.db", create=False)
    assert error.exit_code == 75
    assert "relay serve" in str(error)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
async def test_somebody_elses_folder_is_refused(tmp_path: Path) -> None:
    """Root running a command on the service's folder gets exit code 77 and the user's name."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    error = await refused(folder / "relay.db", create=True)
    assert error.exit_code == 77
    assert "nobody" in str(error)
    assert os.listdir(folder) == []


async def test_a_folder_that_others_can_change_is_refused(tmp_path: Path) -> None:
    """In a folder others can write to, they could swap the database for their own: exit code 77."""
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o777)
    assert (await refused(folder / "relay.db", create=True)).exit_code == 77


async def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    """A link in the database's place could make us overwrite another file."""
    (tmp_path / "target").write_bytes(b"")
    (tmp_path / "relay.db").symlink_to(tmp_path / "target")
    assert (await refused(tmp_path / "relay.db", create=True)).exit_code == 77
    assert (await refused(tmp_path / "relay.db", create=False)).exit_code == 77


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """It is not touched: exit code 78."""
    path = tmp_path / "relay.db"
    path.write_bytes(b"These are my notes.\n" * 100)
    path.chmod(0o600)
    assert (await refused(path, create=True)).exit_code == 78
    assert path.read_bytes().startswith(b"These are my notes.")


async def test_kill_9_loses_nothing_that_was_told_to_be_kept(tmp_path: Path) -> None:
    """A process that writes from many callers is killed in the middle: every key it printed is there afterwards."""
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from relay.storage.sqlite import SqliteDatabase\n"
        "from tests.store.test_database import put\n"
        "async def caller(database, n):\n"
        "    for m in range(10_000):\n"
        "        print(await database.write(put(f't-{n}-{m}', 'x' * 500)), flush=True)\n"
        "async def main():\n"
        "    database = await SqliteDatabase.open(Path(sys.argv[1]), create=True)\n"
        "    await asyncio.gather(*(caller(database, n) for n in range(8)))\n"
        "asyncio.run(main())\n"
    )
    told: set[str] = set()
    for _ in range(3):
        (tmp_path / "state").mkdir(mode=0o700, exist_ok=True)
        victim = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script.replace("t-{n}", f"t-{len(told)}-{{n}}"),
            str(tmp_path / "state" / "relay.db"), stdout=subprocess.PIPE,
        )  # fmt: skip
        assert victim.stdout is not None
        for _ in range(200):
            told.add((await victim.stdout.readline()).decode().strip())
        victim.kill()
        rest, _ = await victim.communicate()
        told |= {line for line in rest.decode().splitlines(keepends=True) if line.endswith("\n")}
        told = {line.strip() for line in told}
    database = await SqliteDatabase.open(tmp_path / "state" / "relay.db", create=False)
    assert told <= await database.read(keys)
    await database.close()
