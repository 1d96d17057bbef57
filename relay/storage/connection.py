"""One connection to an SQLite file: how it is opened, what it is set to, and what its errors mean.

Only relay.storage imports apsw; its exceptions end here.
"""

import errno
import os
import pwd
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import apsw

from relay.errors import CommandError, StorageConflict, StorageError, StorageFull, StorageUnavailable
from relay.storage.database import Row, Transaction, Value

T = TypeVar("T")

BUSY_MILLISECONDS = 10_000
"""How long a statement waits for another process (a command at the keyboard) to let go of the database."""

_STATEMENTS = 256

_SETTINGS = (
    "journal_mode=WAL",  # readers never wait for the writer, and one flush a commit is enough
    "synchronous=FULL",  # NORMAL would lose the last commits with the power: 250 means durable
    "wal_autocheckpoint=4096",  # 16 MiB: content that came and went meanwhile never reaches the main file
    "journal_size_limit=67108864",  # after a burst the WAL file shrinks again
    "cache_size=-2048",  # 2 MiB: mail passes at the end of every table and index, which is less than that
    "mmap_size=0",  # an I/O error in mapped memory is a signal, not an error code
    "temp_store=MEMORY",  # savepoints keep their undo in memory, not in a file in /tmp
    "foreign_keys=ON",  # of the directory; message, delivery and event have none: it would cost each message
    "trusted_schema=OFF",
)

LAST_ID = "SELECT max(id) FROM {table}"
"""Where the ids of a table have got to."""

_READER_SETTINGS = ("query_only=ON", "cache_size=-1024")


def connect(path: Path, *, reader: bool = False) -> apsw.Connection:
    """Open the existing file, set up as the relay needs it; `reader`: nothing can be changed through it.

    Raises StorageUnavailable, or CommandError 78 when the file is not a database.
    """
    try:
        connection = apsw.Connection(
            str(path), flags=apsw.SQLITE_OPEN_READWRITE, statementcachesize=_STATEMENTS
        )
        connection.set_busy_timeout(BUSY_MILLISECONDS)
        for setting in (*_SETTINGS, *_READER_SETTINGS) if reader else _SETTINGS:
            connection.execute(f"PRAGMA {setting}").fetchall()
    except apsw.NotADBError as exc:
        raise CommandError(f"{path} is not a database of the relay", 78) from exc
    except apsw.Error as exc:
        raise StorageUnavailable(f"{path} cannot be opened: {exc}") from exc
    return connection


class SqliteTransaction:
    """What a unit of work sees of a connection (relay.storage.database.Transaction)."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self.actions: list[tuple[Callable[[], None], bool]] = []
        """What is to be done after the commit, in order, and whether it is slow."""
        self._ids: dict[str, int] = {}
        self._gathered: dict[Callable[[Transaction, list[Any]], None], list[Any]] = {}

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """Run one statement and give its rows."""
        try:
            return self._cursor.execute(sql, parameters).fetchall()
        except apsw.Error as exc:
            raise translate(exc, self._connection) from exc

    def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """Run one statement for each row of parameters."""
        try:
            self._cursor.executemany(sql, rows).fetchall()
        except apsw.Error as exc:
            raise translate(exc, self._connection) from exc

    def changes(self) -> int:
        """Give how many rows the last statement changed."""
        return self._connection.changes()

    def last_id(self, table: str) -> int:
        """Give the highest id of a table, 0 when it is empty, or the one that was noted last."""
        known = self._ids.get(table)
        if known is None:
            found = self.execute(LAST_ID.format(table=table))[0][0]
            known = self._ids[table] = found if isinstance(found, int) else 0
        return known

    def note_id(self, table: str, number: int) -> None:
        """Note the highest id that was given out."""
        self._ids[table] = number

    def gather(self, store: Callable[[Transaction, list[T]], None], items: Sequence[T]) -> None:
        """Keep the items for the end of the transaction."""
        self._gathered.setdefault(store, []).extend(items)

    def finish(self) -> None:
        """Store what was gathered, in the order in which it first came; before a commit or a savepoint's release."""
        while self._gathered:
            store = next(iter(self._gathered))
            store(self, self._gathered.pop(store))

    def forget(self, actions: int) -> None:
        """Forget what was gathered, and what was to be done after the commit beyond so many actions."""
        self._gathered.clear()
        del self.actions[actions:]

    def on_commit(self, action: Callable[[], None], *, slow: bool = False) -> None:
        """Keep the action for after the commit."""
        self.actions.append((action, slow))


def translate(error: apsw.Error, connection: apsw.Connection) -> StorageError:
    """Say in the relay's own words what an SQLite error means for the caller."""
    match error:
        case apsw.FullError():
            return StorageFull("the disk of the database is full")
        case apsw.IOError() if connection.system_errno in (errno.ENOSPC, errno.EDQUOT):
            return StorageFull("the disk of the database is full")
        case apsw.ConstraintError() | apsw.MismatchError():
            return StorageConflict(str(error))
        case apsw.BusyError() | apsw.LockedError():
            return StorageUnavailable("another process has been writing to the database for too long")
        case _:
            return StorageUnavailable(f"{type(error).__name__}: {error}")


def prepare_place(path: Path, *, create: bool) -> None:
    """See that the file and its folder are ours alone; `create` makes what is missing (0600 in 0700).

    Raises CommandError: 75 when there is no database and none may be made, 77 when it is somebody else's.
    """
    folder = path.parent
    try:
        if create:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_owner(folder, folder.stat())
        if create and not path.is_symlink():
            _create_file(path)
        check_owner(path, os.lstat(path))
    except FileNotFoundError as exc:
        raise CommandError(f"there is no database at {path} yet: `relay serve` makes it", 75) from exc
    except PermissionError as exc:
        raise CommandError(f"{path}: not permitted; run this as the owner of {folder}", 77) from exc
    except OSError as exc:
        raise StorageUnavailable(f"{path} cannot be made: {exc.strerror}") from exc


def _create_file(path: Path) -> None:
    # Made here and not by SQLite, whose file would be readable for others; -wal and -shm take its mode over.
    flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder to the disk, so that a file just made in it is still there after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_owner(place: Path, found: os.stat_result) -> None:
    """See that a file or folder is this user's and that no other user can change it. Raises CommandError 77."""
    if found.st_uid != os.geteuid():
        raise CommandError(
            f"{place} belongs to user {_name(found.st_uid)}: run this as that user "
            f"(`sudo -u {_name(found.st_uid)} relay …`)",
            77,
        )
    if stat.S_ISLNK(found.st_mode):
        raise CommandError(f"{place} is a symbolic link, which is not followed", 77)
    if found.st_mode & 0o022:
        raise CommandError(f"{place} can be changed by other users: chmod go-w {place}", 77)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
