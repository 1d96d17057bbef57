"""How the schema comes about, and what happens when program and database are of different ages."""

import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from relay.directory.model import Rep
from relay.errors import CommandError, StorageUnavailable
from relay.ids import Login
from relay.storage.connection import connect
from relay.storage.migrate import Migration, check, migrate, migrations
from relay.web.ending import tied

DUMPS = Path(__file__).parent / "schemas"
NEXT = Migration(2, 1, "ALTER TABLE message ADD COLUMN extra TEXT")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[apsw.Connection]:
    """Give a connection to an empty file."""
    path = tmp_path / "relay.db"
    path.touch()
    opened = connect(path)
    yield opened
    opened.close()


def schema(connection: apsw.Connection) -> set[str]:
    """Give all statements that make up the schema, whatever their white space."""
    rows = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    return {" ".join(str(row[0]).split()) for row in rows}


def test_versions_are_numbered_without_a_gap() -> None:
    """The files are 0001, 0002 …, and none claims to be readable by a program newer than itself."""
    steps = migrations()
    assert [step.version for step in steps] == list(range(1, len(steps) + 1))
    assert all(1 <= step.readable_since <= step.version for step in steps)


def test_an_empty_database_gets_every_step_once(
    connection: apsw.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """Migrating twice is migrating once; a new one is told, as when the disk with the old one was not mounted."""
    caplog.set_level(logging.INFO)
    steps = migrations()
    assert migrate(connection, steps) == steps[-1].version
    assert caplog.messages == [f"{connection.filename} is new and empty"]
    before = schema(connection)
    assert migrate(connection, steps) == steps[-1].version
    assert schema(connection) == before
    assert len(caplog.messages) == 1


def test_a_step_is_applied_to_what_is_there(
    connection: apsw.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """A database with data gets only the steps it lacks, and keeps its data."""
    first = migrations()[:1]
    migrate(connection, first)
    connection.execute("INSERT INTO event VALUES (1, 1, NULL, 'auth.failed', '{}')")
    with caplog.at_level(logging.INFO):
        assert migrate(connection, [*first, NEXT]) == 2
    assert caplog.messages == [f"{connection.filename} was brought up to date: schema 1 is now 2"]
    assert connection.execute("SELECT count(*) FROM event").fetchall() == [(1,)]
    assert connection.execute("SELECT extra FROM message").fetchall() == []


def test_a_step_that_fails_changes_nothing(connection: apsw.Connection) -> None:
    """Half a step and its version are undone together; the database is as it was."""
    first = migrations()[:1]
    migrate(connection, first)
    before = schema(connection)
    broken = dataclasses.replace(NEXT, sql=NEXT.sql + "; CREATE TABLE message (id INTEGER)")
    with pytest.raises(StorageUnavailable):
        migrate(connection, [*first, broken])
    assert schema(connection) == before
    check(connection, first)


def test_a_newer_database_is_worked_with_while_it_says_it_can_be(connection: apsw.Connection) -> None:
    """Additive changes leave older programs of the same major version working: after a rollback mail still flows."""
    first = migrations()[:1]
    migrate(connection, [*first, NEXT])
    check(connection, first)
    assert migrate(connection, first) == 2


def test_a_database_too_new_refuses_an_older_program(connection: apsw.Connection) -> None:
    """The text names both versions and the ways out; the exit code is 78; nothing is touched."""
    first = migrations()[:1]
    migrate(connection, [*first, dataclasses.replace(NEXT, readable_since=2)])
    before = schema(connection)
    for attempt in (lambda: check(connection, first), lambda: migrate(connection, first)):
        with pytest.raises(CommandError, match=r"newer relay \(schema 2\).*knows schema 1.*backup") as caught:
            attempt()
        assert caught.value.exit_code == 78
    assert schema(connection) == before


def test_an_older_database_is_not_changed_by_a_command(connection: apsw.Connection) -> None:
    """Only what may create a database brings it up to date; a command says so with exit code 75."""
    first = migrations()[:1]
    migrate(connection, first)
    with pytest.raises(CommandError, match="relay serve") as caught:
        check(connection, [*first, NEXT])
    assert caught.value.exit_code == 75


def test_somebody_elses_database_is_refused(connection: apsw.Connection) -> None:
    """An SQLite file with other tables is not ours to change: exit code 78."""
    connection.execute("CREATE TABLE notes (text TEXT)")
    with pytest.raises(CommandError) as caught:
        migrate(connection, migrations())
    assert caught.value.exit_code == 78
    assert schema(connection) == {"CREATE TABLE notes (text TEXT)"}


@pytest.mark.parametrize("dump", sorted(DUMPS.glob("*.sql")), ids=lambda path: path.stem)
def test_a_database_of_every_earlier_schema_is_brought_up_to_date(
    connection: apsw.Connection, tmp_path: Path, dump: Path
) -> None:
    """A dump kept from each version, with data in it, ends at the same schema as a new database, its data kept."""
    connection.execute(dump.read_text("utf-8"))
    kept = connection.execute("SELECT count(*) FROM delivery").fetchall()
    migrate(connection, migrations())
    (tmp_path / "new.db").touch()
    new = connect(tmp_path / "new.db")
    migrate(new, migrations())
    assert schema(connection) == schema(new)
    assert connection.execute("SELECT count(*) FROM delivery").fetchall() == kept != [(0,)]
    new.close()


def test_a_session_from_before_it_was_tied_to_a_password_fits_none(connection: apsw.Connection) -> None:
    """Whoever was signed in by a password before the update signs in again; nothing else of theirs is lost."""
    connection.execute((DUMPS / "0004.sql").read_text("utf-8"))
    migrate(connection, migrations())
    ((id_hash, kept),) = connection.execute("SELECT id_hash, tie FROM page_session").fetchall()
    for password in (None, "", "$argon2id$any"):
        assert not tied(str(id_hash), str(kept), Rep(Login("ana"), (), password=password))
