"""Reach the store of reps from the command line, and keep commands away from the reps of the settings."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from relay.address import Address
from relay.cli.common import EXIT_TRY_AGAIN, open_store, wake_service
from relay.config.loader import Configuration
from relay.directory.change_store import ChangeStore
from relay.directory.changes import Changes, merged_configuration, merged_users
from relay.directory.model import Directory, Rep
from relay.directory.store import ORIGIN, DirectoryStore, reps_of_settings
from relay.errors import CommandError, ConfigError, Problem
from relay.storage.database import Transaction
from relay.web.ending import end_fallen

T = TypeVar("T")
STORE = DirectoryStore()


def refuse_taken(
    directory: Directory, login: str | None, addresses: tuple[Address, ...], but: Rep | None = None
) -> None:
    """Raise CommandError, naming where, when another rep than `but` has the login or one of the addresses."""
    holder = None if login is None else directory.by_login(login)
    if holder is not None:
        raise CommandError(f"the login {login!r} is taken already: {holder.login} ({holder.origin})")
    for address in addresses:
        holder = directory.owner(address)
        if holder is not None and holder is not but:
            raise CommandError(f"the address {address} is {holder.login}'s already ({holder.origin})")


def own(directory: Directory, login: str) -> Rep:
    """Find a rep that commands may change. Raises CommandError for nobody, and for a rep of the settings."""
    rep = directory.by_login(login)
    if rep is None:
        raise CommandError(f"there is no rep {login!r}; see `relay user list`")
    require_own(rep)
    return rep


def require_own(rep: Rep) -> None:
    """Raise CommandError, naming the place, for a rep of the settings: they are read-only here."""
    if rep.origin != ORIGIN:
        raise CommandError(f"{rep.login} stands in the settings ({rep.origin}): change it there")


def snapshot(tx: Transaction, configuration: Configuration) -> Directory:
    """Give all reps as they are in this transaction. Raises ConfigError when two clash."""
    return STORE.snapshot(tx, configuration.settings, configuration.place)


def directory(configuration: Configuration) -> Directory:
    """Give all reps; those of the settings alone while there is no store yet."""
    try:
        return asyncio.run(_read(configuration))
    except CommandError as exc:
        if exc.exit_code != EXIT_TRY_AGAIN:
            raise
    problems: list[Problem] = []
    reps = reps_of_settings(configuration.settings, configuration.place, problems)
    if problems:
        raise ConfigError(tuple(problems))
    return Directory(reps)


def as_changed(configuration: Configuration) -> Configuration:
    """Give the settings with what was changed on the page; as they are while there is no store yet."""

    async def read() -> tuple[Changes, Directory]:
        async with open_store(configuration) as database:
            changes = await database.read(ChangeStore().read)
            merged = merged_configuration(configuration, changes.for_all)
            return changes, await database.read(lambda tx: snapshot(tx, merged))

    try:
        changes, reps = asyncio.run(read())
    except CommandError as exc:
        if exc.exit_code != EXIT_TRY_AGAIN:
            raise
        return configuration
    return merged_users(merged_configuration(configuration, changes.for_all), reps.reps())


def left_out_of(configuration: Configuration) -> tuple[Problem, ...]:
    """Give a warning for each pattern of the page that does not count any more; none while there is no store yet."""
    from relay.policy.rules import left_out  # loaded when used: most commands on reps need none of it

    async def read() -> tuple[Problem, ...]:
        async with open_store(configuration) as database:
            changes = await database.read(ChangeStore().read)
            merged = merged_configuration(configuration, changes.for_all)
            reps = await database.read(lambda tx: snapshot(tx, merged))
            return left_out(merged.settings, merged.place, reps.reps())

    try:
        return asyncio.run(read())
    except CommandError as exc:
        if exc.exit_code != EXIT_TRY_AGAIN:
            raise
        return ()


async def _read(configuration: Configuration) -> Directory:
    async with open_store(configuration) as database:
        return await database.read(lambda tx: snapshot(tx, configuration))


def write(configuration: Configuration, unit: Callable[[Transaction], T]) -> T:
    """Carry a change out, end what it leaves no rep to sign in by, and tell a running service, or the next, of it."""

    def changed(tx: Transaction) -> T:
        result = unit(tx)
        end_fallen(tx, snapshot(tx, configuration))
        return result

    async def run() -> T:
        async with open_store(configuration) as database:
            return await database.write(changed)

    result = asyncio.run(run())
    wake_service(configuration)
    return result
