"""What a relay that was killed has left in its store, read from a copy."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Left:
    """One message as a crash has left it."""

    name: str
    """The name the load gave it; that of the message it reports on, for a report."""
    report: bool
    closed: bool
    content: str
    """"inline", "spool" (and the file is there), "gone", or "lost" when the file is not there."""
    events: list[str]
    deliveries: list[tuple[str, str, str]]
    """Role, target, state."""

    @property
    def states(self) -> set[str]:
        """Give the states its deliveries are in."""
        return {state for _, _, state in self.deliveries}


@dataclass
class Snapshot:
    """What a crash has left."""

    messages: list[Left] = field(default_factory=list)
    orphans: set[str] = field(default_factory=set)
    """Spool files without a message."""
    version: int = 0

    def of(self, name: str) -> Left | None:
        """Give a message by its name."""
        return next((one for one in self.messages if one.name == name and not one.report), None)

    def reports_on(self, name: str) -> list[Left]:
        """Give the reports on a message."""
        return [one for one in self.messages if one.name == name and one.report]


def look(path: Path, files: set[str]) -> Snapshot:
    """Read a database (a copy: it is changed), beside which these spool files were; see that it is sound."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if not database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchall():
            return Snapshot(orphans=files)
        version = int(database.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()[0])
        known = {row[0] for row in database.execute("SELECT spool_name FROM content WHERE spool_name <> ''")}
        rows = database.execute(
            "SELECT id, subject, reverse_path, closed_at, spool_name, wire, content.message FROM message"
            " LEFT JOIN content ON content.message = id"
        ).fetchall()
        return Snapshot([_left(database, row, files) for row in rows], files - known, version)


def _left(database: sqlite3.Connection, row: tuple[Any, ...], files: set[str]) -> Left:
    number, subject, reverse_path, closed_at, spool_name, wire, kept = row
    if kept is None:
        content = "gone"
    elif spool_name is not None:
        content = "spool" if spool_name in files else "lost"
    else:
        content = "inline"
    report = reverse_path == ""
    name = name_reported(bytes(wire or b"")) if report else subject
    events = [
        row[0] for row in database.execute("SELECT name FROM event WHERE message = ? ORDER BY id", (number,))
    ]
    deliveries = database.execute("SELECT role, target, state FROM delivery WHERE message = ?", (number,))
    return Left(name, report, closed_at is not None, content, events, deliveries.fetchall())


def name_reported(content: bytes) -> str:
    """Give the name of the message that a report is on: it returns the header section."""
    return content.rpartition(b"\r\nSubject: ")[2].partition(b"\r\n")[0].decode() if content else ""
