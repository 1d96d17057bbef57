"""Put a backup back into an empty state folder, with all of its mail held; or only look whether that would work."""

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from relay.clock import Clock
from relay.directory.store import DirectoryStore
from relay.errors import CommandError, StorageError
from relay.maillog.events import QueueRestored
from relay.maillog.store import MailLog
from relay.queue.listing import Standing
from relay.queue.store import QueueStore
from relay.storage.backup import Manifest
from relay.storage.connection import sync_folder
from relay.storage.database import Transaction
from relay.storage.lease import LOCK_NAME, StateLock, holder
from relay.storage.spool import SPOOL_NAME
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase
from relay.storage.unpacking import unpack, verify_database

_UNPACKED = ".restoring-"


@dataclass(frozen=True, slots=True)
class Restored:
    """What is in a backup, or was put back from it."""

    manifest: Manifest
    standing: Standing
    """Open deliveries as they are now; after a restore all of them are held."""
    reps: int


def reason_of(manifest: Manifest) -> str:
    """Give the reason that every delivery of a restored backup is held for."""
    return f"restored from a backup of {manifest.made_at}"


async def look_into(file: Path) -> Restored:
    """Verify a backup and count what is in it; nothing is left behind. Raises CommandError."""
    with TemporaryDirectory(prefix="relay-backup-") as place:
        folder = Path(place)
        manifest = unpack(file, folder, spool=False)
        verify_database(folder / DATABASE_NAME, QueueStore().spool_names, manifest)
        return await _counted(folder, manifest)


async def restore(file: Path, into: Path, by: str, clock: Clock) -> Restored:
    """Put a backup into a folder that is empty or not there, verified before anything counts.

    The database moves there last: before that the folder holds none. Raises CommandError: 1 when the folder is not
    empty or the backup is damaged, 75 when a service works there or the disk is full, 77 when it is not permitted.
    """
    try:
        if (process := holder(into)) is not None:
            raise CommandError(f"a relay (process {process or 'unknown'}) works in {into}: stop it first", 75)
        _check_empty(into)  # before anything is made in a folder that may be anybody's
        with StateLock(into):
            _check_empty(into)
            with TemporaryDirectory(prefix=_UNPACKED, dir=into) as place:
                folder = Path(place)
                manifest = unpack(file, folder, spool=True)
                verify_database(folder / DATABASE_NAME, QueueStore().spool_names, manifest)
                await _hold(folder, manifest, by, clock.now())
                restored = await _counted(folder, manifest)
                _move(folder, into)
    except OSError as exc:
        raise CommandError(f"{exc.filename or into}: {exc.strerror}; nothing was restored", 75) from exc
    return restored


def _check_empty(into: Path) -> None:
    left = [entry.name for entry in into.iterdir() if entry.name != LOCK_NAME] if into.exists() else []
    if left:
        raise CommandError(f"{into} is not empty ({left[0]} is there): a backup goes into an empty folder")


async def _hold(folder: Path, manifest: Manifest, by: str, now: int) -> None:
    reason = reason_of(manifest)

    def hold(tx: Transaction) -> None:
        held = QueueStore().hold_everything(tx, reason)
        MailLog().append(tx, [QueueRestored(at=now, deliveries=held, made_at=manifest.made_at, by=by)])

    database = await _opened(folder)
    try:
        await database.write(hold)
    except StorageError as exc:
        raise CommandError(f"{exc}; nothing was restored", 75) from exc
    finally:
        await database.close()


async def _counted(folder: Path, manifest: Manifest) -> Restored:
    database = await _opened(folder)
    try:
        standing = await database.read(QueueStore().standing)
        reps = await database.read(DirectoryStore().reps)
    except StorageError as exc:
        raise CommandError(f"the database of the backup cannot be read: {exc}") from exc
    finally:
        await database.close()
    return Restored(manifest, standing, len(reps))


async def _opened(folder: Path) -> SqliteDatabase:
    """Open the unpacked database; one of an older relay is brought up to date."""
    try:
        return await SqliteDatabase.open(folder / DATABASE_NAME, create=True)
    except StorageError as exc:
        raise CommandError(f"the database of the backup cannot be opened: {exc}", 75) from exc


def _move(folder: Path, into: Path) -> None:
    """Move what was unpacked to where it belongs, the database last and flushed."""
    if (folder / f"{DATABASE_NAME}-wal").exists():  # closing the database has brought it into the main file
        raise CommandError(f"the database in {folder} is still in use; nothing was restored", 75)
    sync_folder(folder / SPOOL_NAME)
    (folder / SPOOL_NAME).rename(into / SPOOL_NAME)
    descriptor = os.open(folder / DATABASE_NAME, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(into)
    (folder / DATABASE_NAME).rename(into / DATABASE_NAME)
    sync_folder(into)
