"""Make a backup of a state folder while the service works in it: the database and the spool files it names.

One tar file: `relay.db`, `spool/NAME` for each, and at the end `manifest.json` with the size and SHA-256 of each.
"""

import errno
import hashlib
import json
import os
import shutil
import tarfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import apsw

from relay.errors import CommandError, StorageError
from relay.storage.connection import SqliteTransaction, connect, prepare_place, sync_folder, translate
from relay.storage.database import Transaction
from relay.storage.spool import SPOOL_NAME
from relay.storage.sqlite import DATABASE_NAME

MANIFEST_NAME = "manifest.json"
SCHEMA = "relay.backup/1"
_HELD = ".backup-"
_LEFT_AFTER = 24 * 3600.0
"""Seconds after which what a backup that was killed has left in state_dir is removed."""

SpoolNames = Callable[[Transaction], Collection[str]]
"""Asks a database which spool files its messages name (relay.queue.store.QueueStore.spool_names)."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file in a backup."""

    octets: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself."""

    made_at: str
    """RFC 3339."""
    hostname: str
    database: Member
    spool: dict[str, Member] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    """Spool files that messages name and that were not there when the backup was made."""

    def to_json(self) -> str:
        """Write it as it stands in the backup."""
        members = {name: _member_json(member) for name, member in sorted(self.spool.items())}
        return json.dumps(
            {
                "schema": SCHEMA,
                "made_at": self.made_at,
                "hostname": self.hostname,
                "database": _member_json(self.database),
                "spool": members,
                "missing": list(self.missing),
            },
            indent=1,
        )


def _member_json(member: Member) -> dict[str, object]:
    return {"octets": member.octets, "sha256": member.sha256}


def back_up(
    state_dir: Path, file: Path, names: SpoolNames, made_at: str, hostname: str, *, replace: bool = False
) -> Manifest:
    """Write a backup into the file, whole or not at all: it is written beside, flushed, and moved.

    What the service does meanwhile is not in it, and it waits for moments only. Raises CommandError: 1 when the file
    is there already, 75 when there is no database yet or the disk is full, 77 when something is not permitted.
    """
    prepare_place(state_dir / DATABASE_NAME, create=False)
    with _told(file):
        if file.exists() and not replace:
            raise CommandError(f"{file} is there already; --replace puts the new backup in its place")
    with _told(file), _folders(state_dir, file) as (held, beside):
        snapshot = beside / DATABASE_NAME
        missing = _snapshot(state_dir, snapshot, held, names)
        manifest = _write(beside / "backup", snapshot, held, (made_at, hostname, missing))
        (beside / "backup").replace(file)
        sync_folder(file.parent)
    return manifest


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """Say what went wrong with the disk in one line."""
    try:
        yield
    except PermissionError as exc:
        raise CommandError(f"{exc.filename or file}: not permitted", 77) from exc
    except OSError as exc:
        raise CommandError(f"{exc.filename or file}: {exc.strerror}; no backup was made", 75) from exc
    except StorageError as exc:
        raise CommandError(f"{exc}; no backup was made", 75) from exc


@contextmanager
def _folders(state_dir: Path, file: Path) -> Iterator[tuple[Path, Path]]:
    """Give a folder on the spool's disk for links, and one beside the file; both go at the end."""
    for left in state_dir.glob(f"{_HELD}*"):
        with suppress(FileNotFoundError):
            if left.stat().st_mtime < time.time_ns() / 1e9 - _LEFT_AFTER:
                shutil.rmtree(left, ignore_errors=True)
    with (
        TemporaryDirectory(prefix=_HELD, dir=state_dir) as held,
        TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as beside,
    ):
        yield Path(held), Path(beside)


def _snapshot(state_dir: Path, snapshot: Path, held: Path, names: SpoolNames) -> tuple[str, ...]:
    """Copy the database as it is at one moment, and keep hold of the spool files it names; give those not there."""
    writer = connect(state_dir / DATABASE_NAME)
    reader = connect(state_dir / DATABASE_NAME, reader=True)
    try:
        # A spool file is removed after the commit that closes its message: while nobody else can write, all that
        # the snapshot names are there. Links keep them, whatever happens to their messages afterwards.
        writer.execute("BEGIN IMMEDIATE")
        try:
            reader.execute("BEGIN")
            wanted = names(SqliteTransaction(reader))
            missing = [name for name in wanted if not _keep(state_dir / SPOOL_NAME / name, held / name)]
        finally:
            writer.execute("ROLLBACK")
        _copy(reader, snapshot)
    except apsw.Error as exc:
        raise translate(exc, writer) from exc
    finally:
        reader.close()
        writer.close()
    return tuple(sorted(missing))


def _keep(file: Path, link: Path) -> bool:
    try:
        os.link(file, link)
    except FileNotFoundError:
        return False
    except OSError as exc:
        if exc.errno not in (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK):
            raise
        shutil.copyfile(file, link)
    return True


def _copy(source: apsw.Connection, target: Path) -> None:
    target.touch(mode=0o600)
    copy = apsw.Connection(str(target))
    try:
        with copy.backup("main", source, "main") as backup:
            backup.step()  # all pages at once: in steps it would begin anew whenever the service commits
        copy.execute("PRAGMA journal_mode=DELETE").fetchall()  # one file, without a WAL beside it
    finally:
        copy.close()


def _write(target: Path, database: Path, held: Path, about: tuple[str, str, tuple[str, ...]]) -> Manifest:
    descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        with tarfile.open(fileobj=out, mode="w") as tar:
            main = _add(tar, database, DATABASE_NAME)
            spool = {
                path.name: _add(tar, path, f"{SPOOL_NAME}/{path.name}") for path in sorted(held.iterdir())
            }
            made_at, hostname, missing = about
            manifest = Manifest(made_at, hostname, main, spool, missing)
            text = manifest.to_json().encode()
            tar.addfile(_info(MANIFEST_NAME, len(text)), BytesIO(text))
        out.flush()
        os.fsync(out.fileno())
    return manifest


def _info(name: str, octets: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = octets, 0o600
    return info


def _add(tar: tarfile.TarFile, path: Path, name: str) -> Member:
    with path.open("rb") as file:
        octets = os.fstat(file.fileno()).st_size
        reader = Hashing(file)
        tar.addfile(_info(name, octets), reader)
    return Member(octets, reader.digest.hexdigest())


class Hashing:
    """A file that is read, with the SHA-256 of what was read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.octets = 0
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read, and take it into the hash."""
        chunk = self._file.read(size)
        self.octets += len(chunk)
        self.digest.update(chunk)
        return chunk
