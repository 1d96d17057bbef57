"""`relay backup` and `relay restore`: a copy of everything the relay must not lose, and the way back."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from relay.cli.common import EXIT_USAGE, ConfigOption, JsonOption, caller, fail, load_configuration
from relay.cli.show import print_json
from relay.clock import SystemClock, rfc3339
from relay.config.types import write_size
from relay.errors import CommandError
from relay.queue.restoring import Restored, look_into, reason_of, restore
from relay.queue.store import QueueStore
from relay.reminders.outgoing import OutgoingStore
from relay.storage.backup import Manifest, back_up
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase

File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("backup")(backup)
    app.command("restore")(restore_command)


def backup(
    context: typer.Context,
    file: File,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of an older one.")] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Write everything in state_dir into one file, while the service works: queue, mail log, reps, spool.

    The file is secret: it holds mail and Email to Salesforce addresses. It is there whole or not at all.
    """
    configuration = load_configuration(context, config)
    made_at = rfc3339(SystemClock().now())
    names = QueueStore().spool_names
    try:
        manifest = back_up(
            configuration.state_dir, file, names, made_at, configuration.hostname, replace=replace
        )
    except CommandError as error:
        fail(str(error), error.exit_code)
    if json:
        print_json("relay.backup/1", [_manifest_json(manifest)])
    else:
        print(f"{file}: {_manifest_text(manifest)}")
    _tell_missing(manifest)


def restore_command(
    file: File,
    into: Annotated[
        Path | None,
        typer.Option("--into", metavar="STATE_DIR", help="The folder it goes into: empty, or not there yet."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only verify it and count what is in it.")] = False,
    json: JsonOption = False,
) -> None:
    """Put a backup into an empty state_dir, every file verified; its mail is held until it is released.

    What was sent after the backup was made would be sent again: look at `relay queue list`, cancel what has arrived,
    then `relay queue release --all`.
    """
    if into is None and not check:
        fail("say --into STATE_DIR, or --check", EXIT_USAGE)
    try:
        if check or into is None:
            restored = asyncio.run(look_into(file))
        else:
            restored = asyncio.run(restore(file, into, caller(), SystemClock()))
            asyncio.run(_doubt_reminders(into))
    except CommandError as error:
        fail(str(error), error.exit_code)
    _show(restored, None if check else into, json)


async def _doubt_reminders(into: Path) -> None:
    """What was still to be made in Salesforce when the backup was made may be there by now: it is searched first."""
    database = await SqliteDatabase.open(into / DATABASE_NAME, create=False)
    try:
        await database.write(OutgoingStore().doubt)
    finally:
        await database.close()


def _show(restored: Restored, into: Path | None, json: bool) -> None:
    manifest, counts = restored.manifest, restored.standing.counts
    if json:
        state = {"restored": into is not None, "deliveries": dict(counts), "reps": restored.reps}
        print_json("relay.restore/1", [_manifest_json(manifest) | state])
        _tell_missing(manifest)
        return
    print(f"made at {manifest.made_at} on {manifest.hostname}: {_manifest_text(manifest)}")
    waiting = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    print(f"deliveries not final: {waiting or 'none'}; reps entered by command: {restored.reps}")
    _tell_missing(manifest)
    if into is None:
        print("the backup is sound")
    elif counts:
        print(f'held as "{reason_of(manifest)}": after `relay serve`, look at `relay queue list` and release')


def _manifest_text(manifest: Manifest) -> str:
    spooled = sum(member.octets for member in manifest.spool.values())
    files = "1 spool file" if len(manifest.spool) == 1 else f"{len(manifest.spool)} spool files"
    return f"a database of {_size(manifest.database.octets)}, {files} of {_size(spooled)}"


def _size(octets: int) -> str:
    unit = 1 << 20 if octets >= 10 << 20 else 1 << 10
    return write_size(-(-octets // unit) * unit)


def _manifest_json(manifest: Manifest) -> dict[str, object]:
    return {
        "made_at": manifest.made_at,
        "hostname": manifest.hostname,
        "database_octets": manifest.database.octets,
        "spool_files": len(manifest.spool),
        "spool_octets": sum(member.octets for member in manifest.spool.values()),
        "missing": list(manifest.missing),
    }


def _tell_missing(manifest: Manifest) -> None:
    for name in manifest.missing:
        typer.echo(f"warning: the spool file {name}, which a message names, was not there", err=True)
