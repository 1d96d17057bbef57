"""The database of one node: SQLite with group commit.

One thread writes, with a connection of its own: it takes all units of work that wait, runs them, and makes them durable
with one commit and one flush. When one of them fails all are rolled back and run again, each in a savepoint. A few more threads read. Nothing of it runs on the event loop.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from time import perf_counter
from typing import Generic, TypeVar

import apsw

from relay.errors import StorageError, StorageUnavailable
from relay.storage.connection import SqliteTransaction, connect, prepare_place, translate
from relay.storage.database import Transaction
from relay.storage.migrate import check, migrate, migrations

T = TypeVar("T")
Observer = Callable[[float], None]
Action = tuple[Callable[[], None], bool]
logger = logging.getLogger(__name__)

DATABASE_NAME = "relay.db"
"""The file's name in state_dir."""
UNITS_PER_COMMIT = 256
WAITING_WRITES = 2000
WAITING_READS = 200
READERS = 2
WAIT_SECONDS = 30.0
"""How long a caller waits for a place in the queue of units."""
_HURRIED = 2.0
_LOOK_AGAIN = 0.005
_CLOSE_SECONDS = 10.0
"""How long a thread that a dead disk holds is waited for at the end; it ends with the process."""


@dataclass(slots=True, eq=False)
class _Job(Generic[T]):
    """A unit of work on its way through a thread and back."""

    work: Callable[[Transaction], T]
    future: "asyncio.Future[T]"
    result: T | None = None
    error: BaseException | None = None

    def resolve(self) -> None:
        """Hand the result to whoever waits; on the event loop."""
        if self.future.cancelled():
            if self.error is not None:
                logger.error("a unit of work failed after its caller had gone", exc_info=self.error)
        elif isinstance(self.error, StopIteration):  # which no future takes
            self.future.set_exception(RuntimeError("a unit of work raised StopIteration"))
        elif self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]  # None is T's own here


class _Lane:
    """A bounded queue of jobs to threads, and their way back to the event loop."""

    def __init__(self, limit: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._places = asyncio.Semaphore(limit)
        self._jobs: SimpleQueue[_Job[object] | None] = SimpleQueue()
        self._closed = False

    async def submit(self, work: Callable[[Transaction], T]) -> T:
        """Have a thread run the work; give its result or raise what it raised."""
        if self._places.locked():
            await self._wait_for_place()
        else:
            await self._places.acquire()
        if self._closed:
            self._places.release()
            raise StorageUnavailable("the database is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(work, future))  # type: ignore[arg-type]  # a queue of jobs of every kind
        return await future

    async def _wait_for_place(self) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise StorageUnavailable("too many units of work wait for the database") from None

    def take(self, most: int) -> list[_Job[object]]:
        """Wait for a job, then give all that wait, at most so many; nothing at the end. For the threads."""
        first = self._jobs.get()
        if first is None:
            return []
        jobs = [first]
        while len(jobs) < most and not self._jobs.empty():
            job = self._jobs.get()
            if job is None:  # the end: told again to the next call
                self._jobs.put(None)
                break
            jobs.append(job)
        return jobs

    def give_back(self, jobs: list[_Job[object]]) -> None:
        """Resolve the jobs on the event loop, all in one callback. For the threads."""
        try:
            self._loop.call_soon_threadsafe(self._resolve, jobs)
        except RuntimeError:
            logger.warning("the event loop ended before the database was closed")

    def _resolve(self, jobs: list[_Job[object]]) -> None:
        for job in jobs:
            self._places.release()
            job.resolve()

    def end(self, threads: int) -> None:
        """Take no more; the threads finish what waits and end."""
        self._closed = True
        for _ in range(threads):
            self._jobs.put(None)


class _Writer:
    """The one thread that changes the database."""

    def __init__(self, path: Path, connection: apsw.Connection, lane: _Lane, observe: Observer) -> None:
        self._path = path
        self._observe = observe
        self._connection = connection
        self._lane = lane
        self.commits = 0
        self.thread = threading.Thread(target=self._run, name="relay-store-writer", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while jobs := self._lane.take(UNITS_PER_COMMIT):
            actions: list[Action] = []
            try:
                left = jobs
                while left:
                    left = self._commit(left, actions)
            except Exception as exc:  # the thread must live on: without it nothing is ever written again
                logger.exception("the writer came upon what it did not expect")
                self._fail(jobs, StorageUnavailable(str(exc)))
            # Before the event loop is woken: it would wait for Python's lock, which actions hold meanwhile.
            _run_actions(actions, slow=False)
            self._lane.give_back(jobs)
            _run_actions(actions, slow=True)
        _close(self._connection)

    def _commit(self, jobs: list[_Job[object]], actions: list[Action]) -> list[_Job[object]]:
        """Run the jobs in one transaction; give those it did not come to, for another one."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            tx = SqliteTransaction(self._connection)
            if not self._run_together(jobs, tx):
                self._connection.execute("BEGIN IMMEDIATE")
                tx = SqliteTransaction(self._connection)
                left = self._run_one_by_one(jobs, tx)
                if left is not None:
                    return left
            began = perf_counter()
            self._connection.execute("COMMIT")
            self.commits += 1
            # Measured behind the commit, as an action: a fault in it must not tell callers that nothing was stored.
            actions += [*tx.actions, (partial(self._observe, perf_counter() - began), False)]
        except apsw.Error as exc:
            self._fail(jobs, translate(exc, self._connection))
        return []

    def _run_together(self, jobs: list[_Job[object]], tx: SqliteTransaction) -> bool:
        """Run the jobs as one, the usual way: a savepoint each would cost a quarter more. False: all is undone."""
        try:
            for job in jobs:
                job.result = job.work(tx)
            tx.finish()
        except BaseException:  # noqa: BLE001 - each runs again, and whose fault it is comes out then
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            return False
        return True

    def _run_one_by_one(self, jobs: list[_Job[object]], tx: SqliteTransaction) -> list[_Job[object]] | None:
        """Run each job in a savepoint. When one of them ends the transaction, give those it did not come to."""
        for position, job in enumerate(jobs):
            self._run_in_savepoint(job, tx)
            if job.error is not None and not self._connection.in_transaction:
                # A full disk or a failed read can undo the whole transaction (sqlite.org/lang_transaction.html §3.1).
                lost = (
                    job.error if isinstance(job.error, StorageError) else StorageUnavailable(str(job.error))
                )
                self._fail(jobs[:position], lost)
                return jobs[position + 1 :]
        return None

    def _run_in_savepoint(self, job: _Job[object], tx: SqliteTransaction) -> None:
        marked = len(tx.actions)
        try:
            tx.execute("SAVEPOINT unit")
            job.result = job.work(tx)
            tx.finish()
            tx.execute("RELEASE unit")
        except BaseException as exc:  # noqa: BLE001 - whatever it is belongs to the caller; the thread must live on
            job.error = exc
            tx.forget(marked)
            self._undo_savepoint()

    def _undo_savepoint(self) -> None:
        if not self._connection.in_transaction:
            return
        try:
            self._connection.execute("ROLLBACK TO unit")
            self._connection.execute("RELEASE unit")
        except apsw.Error:
            self._connection.execute("ROLLBACK")

    def _fail(self, jobs: list[_Job[object]], error: StorageError) -> None:
        """Fail every job that had not failed by itself, and make the connection fit for the next ones."""
        logger.error("a commit of %d units of work failed: %s", len(jobs), error)
        for job in jobs:
            if job.error is None:
                job.error = type(error)(
                    str(error)
                )  # one each: an exception that is raised twice grows its traceback
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except apsw.Error:
            self._reopen()

    def _reopen(self) -> None:
        try:
            self._connection.close(True)
            self._connection = connect(self._path)
        except (apsw.Error, StorageError):
            logger.exception("the database cannot be opened again; the next unit of work tries anew")


def _close(connection: apsw.Connection) -> None:
    try:
        connection.close()
    except apsw.Error:  # what was committed is in the write-ahead log; the next opening finds it there
        logger.exception("a connection to the database could not be closed in order")


def _run_actions(actions: list[Action], *, slow: bool) -> None:
    for action, is_slow in actions:
        if is_slow is slow:
            _run_action(action)


def _run_action(action: Callable[[], None]) -> None:
    try:
        action()
    except Exception:
        logger.exception("what was to follow a commit failed")


def _read(connection: apsw.Connection, lane: _Lane) -> None:
    """Answer queries, each over one consistent state of the database, until the lane ends. A thread's whole life."""
    while jobs := lane.take(1):
        job = jobs[0]
        try:
            with connection:
                job.result = job.work(SqliteTransaction(connection))
        except BaseException as exc:  # noqa: BLE001 - it belongs to the caller; the thread must live on
            job.error = translate(exc, connection) if isinstance(exc, apsw.Error) else exc
        lane.give_back(jobs)
    _close(connection)


class SqliteDatabase:
    """An SQLite file, as relay.storage.database.Database promises. Made by `open`, ended by `close`."""

    def __init__(
        self, path: Path, writer: apsw.Connection, readers: list[apsw.Connection], observe: Observer
    ) -> None:
        self._writes = _Lane(WAITING_WRITES)
        self._reads = _Lane(WAITING_READS)
        self._writer = _Writer(path, writer, self._writes, observe)
        self._readers = [
            threading.Thread(
                target=_read, args=(reader, self._reads), name=f"relay-store-reader-{n}", daemon=True
            )
            for n, reader in enumerate(readers)
        ]
        for thread in self._readers:
            thread.start()

    @classmethod
    async def open(cls, path: Path, *, create: bool, observe: Observer = lambda _: None) -> "SqliteDatabase":
        """Open the file; `create` makes it and brings its schema up to date, else it must be there and be current.

        `observe` is told how many seconds each commit took, on the writer's thread.
        Raises CommandError (75: not there yet or too old; 77: somebody else's; 78: too new or no database of ours)
        or StorageUnavailable.
        """
        writer, readers = await asyncio.to_thread(_open, path, create)
        return cls(path, writer, readers, observe)

    @property
    def commits(self) -> int:
        """How many commits were made: fewer than units of work when they came together."""
        return self._writer.commits

    async def write(self, unit: Callable[[Transaction], T]) -> T:
        """Run the unit and give its result once it is durable (relay.storage.database.Database.write)."""
        return await self._writes.submit(unit)

    async def read(self, query: Callable[[Transaction], T]) -> T:
        """Run a query over one consistent state of the database; a change in it raises StorageError."""
        return await self._reads.submit(query)

    async def close(self, grace: float = _CLOSE_SECONDS) -> None:
        """Finish what waits, then let go of the file; each thread gets `grace` seconds, at least two and at most ten.

        Calling it again does nothing.
        """
        limit = min(max(grace, _HURRIED), _CLOSE_SECONDS)
        self._reads.end(len(self._readers))
        for thread in self._readers:
            await _ended(thread, limit)
        # The writer ends last: the last connection brings the WAL file into the main one and removes it.
        self._writes.end(1)
        await _ended(self._writer.thread, limit)
        if self._writer.thread.is_alive():
            logger.error("the database does not answer; what it was told last may not be stored")


async def _ended(thread: threading.Thread, limit: float) -> None:
    """Wait for the end of a thread, for so long. In no thread of its own: nobody could break that off."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit
    while thread.is_alive() and loop.time() < end:  # noqa: ASYNC110 - a thread sets no event when it is gone
        await asyncio.sleep(_LOOK_AGAIN)


def _open(path: Path, create: bool) -> tuple[apsw.Connection, list[apsw.Connection]]:
    prepare_place(path, create=create)
    writer = connect(path)
    try:
        if create:
            migrate(writer, migrations())
        else:
            check(writer, migrations())
        return writer, [connect(path, reader=True) for _ in range(READERS)]
    except BaseException:
        writer.close()
        raise
