"""Bring a database to the schema of this program, or say why the two do not go together.

Each file of migrations/ is one version, applied whole or not at all. `meta` holds the version, and the oldest
version of the program's schema that can still work with it (`readable_since`).
"""

import logging
from dataclasses import dataclass
from importlib import resources

import apsw

from relay.errors import CommandError, StorageUnavailable

logger = logging.getLogger(__name__)

_META = "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID"
_READ_META = "SELECT value FROM meta WHERE key = ?"
_HAS_META = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'meta'"
_HAS_TABLES = "SELECT count(*) FROM sqlite_schema"
_WRITE_META = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_MARK = "-- readable since:"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    version: int
    readable_since: int
    """The oldest program (by the version of its schema) that can work with a database after this step."""
    sql: str


def migrations() -> list[Migration]:
    """Give the steps that this program brings along, in order."""
    folder = resources.files("relay.storage") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda f: f.name)
    return [_parse(file.name, file.read_text("utf-8")) for file in files]


def _parse(name: str, sql: str) -> Migration:
    first = sql.partition("\n")[0]
    assert first.startswith(_MARK), f"{name} does not begin with {_MARK!r}"
    return Migration(int(name[:4]), int(first.removeprefix(_MARK)), sql)


def migrate(connection: apsw.Connection, steps: list[Migration]) -> int:
    """Apply every step that is missing, all in one transaction; give the version the database is at.

    Raises CommandError 78 for a database that is too new or not the relay's, StorageUnavailable when it fails;
    then nothing has changed.
    """
    try:
        connection.execute(
            "BEGIN IMMEDIATE"
        )  # so that of two programs started together one waits for the other
        check(connection, steps, may_migrate=True)
        before = _number(connection, "version")
        version = _apply(connection, steps)
        connection.execute("COMMIT")
    except apsw.Error as exc:
        raise StorageUnavailable(f"the database could not be brought up to date: {exc}") from exc
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    if not before:
        logger.info("%s is new and empty", connection.filename)
    elif version > before:
        logger.info("%s was brought up to date: schema %d is now %d", connection.filename, before, version)
    return version


def _apply(connection: apsw.Connection, steps: list[Migration]) -> int:
    connection.execute(_META)
    version = _number(connection, "version")
    for step in steps:
        if step.version > version:
            connection.execute(step.sql)
            connection.execute(_WRITE_META, ("version", str(step.version)))
            connection.execute(_WRITE_META, ("readable_since", str(step.readable_since)))
            version = step.version
    return version


def check(connection: apsw.Connection, steps: list[Migration], *, may_migrate: bool = False) -> None:
    """See that this program can work with the database as it is.

    Raises CommandError: 78 when it is too new or not the relay's, 75 when it is too old and may not be changed.
    """
    ours = steps[-1].version
    version = _number(connection, "version")
    if version == 0 and connection.execute(_HAS_TABLES).fetchall()[0][0] and not _has_meta(connection):
        raise CommandError(f"{connection.filename} is not a database of the relay", 78)
    if version > ours and _number(connection, "readable_since") > ours:
        raise CommandError(
            f"{connection.filename} was made by a newer relay (schema {version}); this one knows schema {ours}. "
            "Run the newer relay, or restore a backup from before the upgrade",
            78,
        )
    if version < ours and not may_migrate:
        raise CommandError(
            f"{connection.filename} is from an older relay (schema {version}, now {ours}): "
            "start `relay serve` once, which brings it up to date",
            75,
        )


def _has_meta(connection: apsw.Connection) -> bool:
    return bool(connection.execute(_HAS_META).fetchall())


def _number(connection: apsw.Connection, key: str) -> int:
    if not _has_meta(connection):
        return 0
    rows = connection.execute(_READ_META, (key,)).fetchall()
    return int(str(rows[0][0])) if rows else 0
