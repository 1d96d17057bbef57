"""What every command shares: its options, how it gets at settings and store, and how a running service is woken."""

import asyncio
import os
import pwd
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer

from relay.config.loader import Configuration, find_config, load
from relay.errors import CommandError, ConfigError, RelayError, StorageError
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase
from relay.web.admin import wake

T = TypeVar("T")

EXIT_USAGE = 2
EXIT_TRY_AGAIN = 75
EXIT_CONFIG = 78

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The settings file; else $RELAY_CONFIG, /etc/relay/config.yaml or ./config.yaml.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def remember_config(context: typer.Context, config: Path | None) -> None:
    """Keep the -c that stands before the command."""
    context.obj = config


def config_path(context: typer.Context, config: Path | None) -> Path:
    """Find the settings file; the -c behind the command wins over the one before it."""
    before = context.find_root().obj
    return find_config(config or (before if isinstance(before, Path) else None))


def load_configuration(context: typer.Context, config: Path | None) -> Configuration:
    """Load the settings, or print every problem and exit with 78."""
    try:
        return load(config_path(context, config))
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        raise typer.Exit(EXIT_CONFIG) from None
    except CommandError as error:
        fail(str(error), error.exit_code)


def fail(text: str, exit_code: int = 1) -> NoReturn:
    """Say on standard error what cannot be done, and exit."""
    print(f"relay: {text}", file=sys.stderr)
    raise typer.Exit(exit_code)


@asynccontextmanager
async def open_store(configuration: Configuration) -> AsyncIterator[SqliteDatabase]:
    """Open the database of the settings, which a service may be using meanwhile; nothing is made or migrated.

    Raises CommandError: 75 when there is none yet, 77 when it belongs to another user, 78 when it is not usable.
    """
    if sys.platform != "win32":
        _check_owner(configuration.state_dir)
    database = await SqliteDatabase.open(configuration.state_dir / DATABASE_NAME, create=False)
    try:
        yield database
    finally:
        await database.close()


def _check_owner(folder: Path) -> None:
    """Refuse to work as another user, root too: files made by root would lock the service out of its own queue."""
    try:
        owner = folder.stat().st_uid
    except FileNotFoundError:
        raise CommandError(f"{folder} is not there yet: `relay serve` makes it", EXIT_TRY_AGAIN) from None
    except PermissionError:
        raise CommandError(f"{folder} is not yours to read; run this as its owner", 77) from None
    if owner != os.geteuid():
        name = _user_name(owner)
        raise CommandError(f"{folder} belongs to {name}; run this as that user: sudo -u {name} relay …", 77)


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"


def with_store(configuration: Configuration, work: Callable[[SqliteDatabase], Awaitable[T]]) -> T:
    """Open the database, do the work, close it; trouble is told on standard error with the exit code that fits."""

    async def whole() -> T:
        async with open_store(configuration) as database:
            return await work(database)

    try:
        return asyncio.run(whole())
    except CommandError as error:
        fail(str(error), error.exit_code)
    except StorageError as error:
        fail(f"the store does not answer: {error}", EXIT_TRY_AGAIN)
    except RelayError as error:
        fail(str(error))


def wake_service(configuration: Configuration, *, waits: bool = False) -> None:
    """Tell a running service that something is due; `waits`: when there is none, say that nothing happens until then."""
    if not wake(configuration.state_dir) and waits:
        print(nobody_answers(configuration), file=sys.stderr)


def nobody_answers(configuration: Configuration) -> str:
    """Say that what is due stays where it is, since no service runs."""
    return f"no service answers in {configuration.state_dir}: nothing moves until `relay serve` runs"


def caller() -> str:
    """Give who runs this command, for the mail log."""
    real = os.environ.get("SUDO_USER")
    name = _user_name(os.getuid())
    return f"{real} (as {name})" if real and real != name else name
