"""What every database promises (relay.storage.database)."""

import asyncio
import threading
from pathlib import Path

import pytest

from relay.errors import StorageConflict, StorageError, StorageUnavailable
from relay.storage.database import Database, Transaction
from tests.store.conftest import Opener

WAIT = 30.0


def put(key: str, value: str = "") -> "Unit":
    """Make a unit that keeps a value under a key."""
    return Unit(key, value)


class Unit:
    """Keeps a value in the table `meta`, the one table that every schema has."""

    def __init__(self, key: str, value: str) -> None:
        self.key = key
        self.value = value

    def __call__(self, tx: Transaction) -> str:
        tx.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (self.key, self.value))
        return self.key


def keys(tx: Transaction) -> set[str]:
    """Give the keys of what was put, without the schema's own."""
    rows = tx.execute("SELECT key FROM meta WHERE key LIKE 't-%'")
    return {str(row[0]) for row in rows}


class Gate:
    """A unit that holds the writer until it is opened, so that others wait together behind it."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()

    def __call__(self, tx: Transaction) -> None:
        self.reached.set()
        assert self._open.wait(WAIT)

    async def closed_on(self, database: Database) -> "asyncio.Task[None]":
        """Send the writer into the gate and wait until it is there."""
        task = asyncio.create_task(database.write(self))
        assert await asyncio.to_thread(self.reached.wait, WAIT)
        return task

    def open(self) -> None:
        """Let the writer go on."""
        self._open.set()


async def test_a_unit_gives_its_result(database: Database) -> None:
    """What the unit returns is what `write` returns, and a read then sees what it did."""
    assert await database.write(put("t-1")) == "t-1"
    assert await database.read(keys) == {"t-1"}


async def test_what_was_written_is_there_after_opening_again(
    database: Database, opener: Opener, tmp_path: Path
) -> None:
    """A second opening of the same data, while the first is still open, sees every unit that returned."""
    await database.write(put("t-1"))
    again = await opener(tmp_path)
    assert await again.read(keys) == {"t-1"}
    await again.close()


async def test_a_unit_that_raises_changes_nothing_and_fails_alone(database: Database) -> None:
    """Of three units in one commit the middle one fails: it leaves nothing behind, and both others are kept."""

    def fails(tx: Transaction) -> None:
        put("t-bad")(tx)
        raise ValueError("changed its mind")

    gate = Gate()
    first = await gate.closed_on(database)
    results = [asyncio.create_task(database.write(unit)) for unit in (put("t-1"), fails, put("t-2"))]
    await asyncio.sleep(0)
    gate.open()
    await first
    good, bad, other = await asyncio.gather(*results, return_exceptions=True)
    assert (good, other) == ("t-1", "t-2")
    assert isinstance(bad, ValueError)
    assert await database.read(keys) == {"t-1", "t-2"}


async def test_whatever_a_unit_raises_reaches_its_caller_alone(database: Database) -> None:
    """Even StopIteration, which no future takes, keeps neither its caller nor its neighbours waiting."""

    def odd(tx: Transaction) -> None:
        raise StopIteration

    gate = Gate()
    first = await gate.closed_on(database)
    waiting = [asyncio.create_task(database.write(unit)) for unit in (odd, put("t-1"))]
    await asyncio.sleep(0)
    gate.open()
    await first
    bad, good = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), WAIT)
    assert isinstance(bad, RuntimeError)
    assert good == "t-1"


async def test_a_broken_rule_of_the_schema_is_a_conflict(database: Database) -> None:
    """The same key twice raises StorageConflict, inside the unit, which may go on after it."""
    await database.write(put("t-1"))

    def tries(tx: Transaction) -> str:
        with pytest.raises(StorageConflict):
            put("t-1")(tx)
        return put("t-2")(tx)

    assert await database.write(tries) == "t-2"
    with pytest.raises(StorageConflict):
        await database.write(put("t-1"))
    assert await database.read(keys) == {"t-1", "t-2"}


async def test_wrong_sql_is_a_storage_error(database: Database) -> None:
    """No exception of the database's library leaves the storage."""
    with pytest.raises(StorageError):
        await database.write(lambda tx: tx.execute("SELEKT"))
    with pytest.raises(StorageError):
        await database.read(lambda tx: tx.execute_many("SELEKT", [()]))


async def test_a_cancelled_caller_changes_nothing(database: Database) -> None:
    """A unit whose caller was cancelled while it waited is carried out all the same."""
    gate = Gate()
    first = await gate.closed_on(database)
    caller = asyncio.create_task(database.write(put("t-1")))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    gate.open()
    await first
    await database.write(put("t-2"))
    assert await database.read(keys) == {"t-1", "t-2"}


async def test_on_commit_runs_once_after_the_commit(database: Database) -> None:
    """The actions of units that were kept run, in order; those of a unit that raised do not."""
    done: list[str] = []

    def good(name: str) -> "Unit":
        class Noted(Unit):
            def __call__(self, tx: Transaction) -> str:
                tx.on_commit(lambda: done.append(name))
                return super().__call__(tx)

        return Noted(f"t-{name}", "")

    def bad(tx: Transaction) -> None:
        tx.on_commit(lambda: done.append("bad"))
        raise ValueError

    gate = Gate()
    first = await gate.closed_on(database)
    waiting = [asyncio.create_task(database.write(unit)) for unit in (good("one"), bad, good("two"))]
    await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(first, *waiting, return_exceptions=True)
    await database.write(put("t-3"))  # the writer comes to this only after the actions
    assert done == ["one", "two"]


async def test_a_slow_action_keeps_nobody_waiting(database: Database) -> None:
    """Whoever waits for the commit is told before a slow action has run; a quick one has run by then."""
    done: list[str] = []
    told = threading.Event()

    def unit(tx: Transaction) -> None:
        tx.on_commit(lambda: done.append("slow" if told.wait(20) else "never told"), slow=True)
        tx.on_commit(lambda: done.append("quick"))

    await database.write(unit)
    assert done == ["quick"]
    told.set()
    await database.write(put("t-1"))
    assert done == ["quick", "slow"]


async def test_an_action_that_fails_spoils_nothing(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told in the program's log, and the writer goes on."""

    def unit(tx: Transaction) -> None:
        tx.on_commit(lambda: 1 // 0)  # type: ignore[arg-type,return-value]

    await database.write(unit)
    assert await database.write(put("t-1")) == "t-1"
    assert "ZeroDivisionError" in caplog.text


async def test_changes_counts_the_last_statement(database: Database) -> None:
    """An UPDATE or DELETE tells how many rows it met."""

    def unit(tx: Transaction) -> tuple[int, int]:
        tx.execute_many("INSERT INTO meta (key, value) VALUES (?, ?)", [("t-1", ""), ("t-2", "")])
        tx.execute("UPDATE meta SET value = 'x' WHERE key LIKE 't-%'")
        both = tx.changes()
        tx.execute("DELETE FROM meta WHERE key = 't-none'")
        return both, tx.changes()

    assert await database.write(unit) == (2, 0)


async def test_a_read_changes_nothing(database: Database) -> None:
    """A change in a query is refused."""
    with pytest.raises(StorageError):
        await database.read(put("t-1"))
    assert await database.read(keys) == set()


async def test_a_read_sees_one_state(database: Database) -> None:
    """What is committed while a query runs is not seen by its later statements."""
    loop = asyncio.get_running_loop()

    def query(tx: Transaction) -> tuple[set[str], set[str]]:
        before = keys(tx)
        asyncio.run_coroutine_threadsafe(database.write(put("t-1")), loop).result(WAIT)
        return before, keys(tx)

    assert await database.read(query) == (set(), set())
    assert await database.read(keys) == {"t-1"}


async def test_reads_go_on_while_the_writer_is_busy(database: Database) -> None:
    """A long unit keeps no reader waiting."""
    gate = Gate()
    first = await gate.closed_on(database)
    assert await asyncio.wait_for(database.read(keys), WAIT) == set()
    gate.open()
    await first


async def test_close_finishes_what_waits(database: Database, opener: Opener, tmp_path: Path) -> None:
    """Units that were handed over before `close` are durable when it returns; later ones are refused."""
    gate = Gate()
    first = await gate.closed_on(database)
    waiting = [asyncio.create_task(database.write(put(f"t-{n}"))) for n in range(5)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    gate.open()
    await closing
    await asyncio.gather(first, *waiting)
    with pytest.raises(StorageUnavailable):
        await database.write(put("t-late"))
    with pytest.raises(StorageUnavailable):
        await database.read(keys)
    await database.close()  # again: does nothing
    again = await opener(tmp_path)
    assert await again.read(keys) == {f"t-{n}" for n in range(5)}
    await again.close()


async def test_many_units_at_once_are_all_kept(database: Database) -> None:
    """A thousand callers each get their own result."""
    results = await asyncio.gather(*(database.write(put(f"t-{n}")) for n in range(1000)))
    assert results == [f"t-{n}" for n in range(1000)]
    assert len(await database.read(keys)) == 1000
