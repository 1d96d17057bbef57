"""Unpack a backup and verify it: every file against the manifest, the database by SQLite's own check."""

import json
import os
import re
import tarfile
from pathlib import Path
from typing import IO, cast

import apsw

from relay.errors import CommandError, StorageError
from relay.storage.backup import MANIFEST_NAME, SCHEMA, Hashing, Manifest, Member, SpoolNames
from relay.storage.connection import SqliteTransaction, connect, sync_folder
from relay.storage.migrate import check, migrations
from relay.storage.spool import SPOOL_NAME
from relay.storage.sqlite import DATABASE_NAME

_NAME = re.compile(rf"{DATABASE_NAME}|{re.escape(MANIFEST_NAME)}|{SPOOL_NAME}/[0-9a-z]{{32}}")
_CHUNK = 1 << 20
_LONGEST_MANIFEST = 256 << 20


def unpack(file: Path, folder: Path, *, spool: bool) -> Manifest:
    """Unpack a backup into an empty folder (0600), flushed; with `spool` False its spool files are only read.

    Raises CommandError: 1 when it is no backup or a file in it is not what the manifest says, 75 or 77 when it
    cannot be read or the disk is full.
    """
    try:
        with tarfile.open(file, "r:") as tar:
            found, text = _members(tar, folder, spool)
    except tarfile.TarError as exc:
        raise CommandError(f"{file} is not a backup of the relay, or is cut off: {exc}") from exc
    except FileNotFoundError as exc:
        raise CommandError(f"{exc.filename or file} is not there") from exc
    except PermissionError as exc:
        raise CommandError(f"{exc.filename or file}: not permitted", 77) from exc
    except OSError as exc:
        raise CommandError(f"{exc.filename or file}: {exc.strerror}", 75) from exc
    manifest = _manifest(file, text)
    _compare(file, manifest, found)
    return manifest


def _members(tar: tarfile.TarFile, folder: Path, spool: bool) -> tuple[dict[str, Member], bytes]:
    found: dict[str, Member] = {}
    text = b""
    if spool:
        (folder / SPOOL_NAME).mkdir(mode=0o700)
    for info in tar:
        source = tar.extractfile(info) if info.isreg() and _NAME.fullmatch(info.name) else None
        if source is None or info.name in found:
            raise tarfile.TarError(f"{info.name!r} does not belong into a backup")
        if info.name == MANIFEST_NAME:
            text = source.read(_LONGEST_MANIFEST)
        else:
            found[info.name] = _taken(
                source, folder / info.name if spool or info.name == DATABASE_NAME else None
            )
    for place in (folder / SPOOL_NAME, folder) if spool else (folder,):
        sync_folder(place)
    return found, text


def _taken(source: IO[bytes], target: Path | None) -> Member:
    """Read a member through, into a file where one is wanted."""
    reader = Hashing(source)  # type: ignore[arg-type]  # it only reads
    if target is None:
        while reader.read(_CHUNK):
            pass
    else:
        descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            while chunk := reader.read(_CHUNK):
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
    return Member(reader.octets, reader.digest.hexdigest())


def _manifest(file: Path, text: bytes) -> Manifest:
    try:
        read = json.loads(text)
        if read["schema"] != SCHEMA:
            raise CommandError(f"{file} was made by a newer relay ({read['schema']})", 78)
        return Manifest(
            str(read["made_at"]),
            str(read["hostname"]),
            _member(read["database"]),
            {str(name): _member(member) for name, member in read["spool"].items()},
            tuple(map(str, read["missing"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise CommandError(f"{file} has no manifest that can be read: it is cut off or no backup") from exc


def _member(read: object) -> Member:
    entry = cast("dict[str, object]", read)
    return Member(int(str(entry["octets"])), str(entry["sha256"]))


def _compare(file: Path, manifest: Manifest, found: dict[str, Member]) -> None:
    wanted = {DATABASE_NAME: manifest.database}
    wanted |= {f"{SPOOL_NAME}/{name}": member for name, member in manifest.spool.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found or name not in wanted:
            raise CommandError(f"{file} is damaged: {name} is {'missing' if name in wanted else 'too much'}")
        if wanted[name] != found[name]:
            raise CommandError(f"{file} is damaged: {name} is not what was written")


def verify_database(path: Path, names: SpoolNames, manifest: Manifest) -> None:
    """See that SQLite finds the database sound and that every spool file it names is in the backup.

    Raises CommandError: 1 when not, 78 when a newer relay has made it.
    """
    try:
        connection = connect(path)
    except StorageError as exc:
        raise CommandError(f"the database of the backup cannot be opened: {exc}") from exc
    try:
        check(connection, migrations(), may_migrate=True)
        told = [str(row[0]) for row in connection.execute("PRAGMA integrity_check").fetchall()]
        if told != ["ok"]:
            raise CommandError(f"the database of the backup is damaged: {told[0]}")
        lost = set(names(SqliteTransaction(connection))) - manifest.spool.keys() - set(manifest.missing)
        if lost:
            raise CommandError(f"the backup lacks {len(lost)} spool files that its messages name")
    except (apsw.Error, StorageError) as exc:
        raise CommandError(f"the database of the backup is damaged: {exc}") from exc
    finally:
        connection.close()
