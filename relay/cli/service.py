"""`relay reload` and `relay stop`: have a running service read its settings anew, or end."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from relay.cli.common import (
    EXIT_CONFIG,
    EXIT_TRY_AGAIN,
    ConfigOption,
    JsonOption,
    fail,
    load_configuration,
)
from relay.cli.show import print_json
from relay.config.types import read_duration
from relay.errors import CommandError
from relay.process import wait_for_end
from relay.storage.lease import holder
from relay.web.admin import ask

EXIT_NOT_RUNNING = 69
_RELOAD_LIMIT = 60.0


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(reload)
    app.command()(stop)


def reload(context: typer.Context, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Have the running service take its settings into use, all or none, and print what changed.

    `+` is new, `-` is gone, `~` is another value, `!` changes at the next restart only. Exits with 78 and every
    problem when the settings cannot be used - the earlier ones stay - and with 69 when no service runs.
    """
    try:
        configuration = load_configuration(context, config)
    except typer.Exit:
        print("relay: the settings were not taken; a running service keeps the earlier ones", file=sys.stderr)
        raise
    try:
        answer = ask(configuration.state_dir, "POST", "/reload", _RELOAD_LIMIT)
    except CommandError as error:
        fail(str(error), error.exit_code)
    problems, changes = _lines(answer, "problems"), _lines(answer, "changes")
    if json:
        print_json("relay.reload/1", [{"line": line} for line in problems or changes])
    if answer.get("reloaded") is not True:
        for line in problems:
            print(line, file=sys.stderr)
        fail("the settings were not taken; the earlier ones stay in use", EXIT_CONFIG)
    if not json:
        for line in changes:
            print(line)
    said = (
        "settings are in use" if changes else "no setting has changed; certificates and secrets are read anew"
    )
    typer.echo(said, err=True)


def _lines(answer: dict[str, object], name: str) -> list[str]:
    lines = answer.get(name)
    return [str(line) for line in lines] if isinstance(lines, list) else []


def stop(
    context: typer.Context,
    wait: Annotated[
        str, typer.Option("--wait", metavar="SPAN", help="How long to wait for its end; 0s: not at all.")
    ] = "90s",
    config: ConfigOption = None,
) -> None:
    """Have the running service finish what is under way and end. Said a second time: at once.

    Exits with 0 when it has ended, 69 when none runs, 75 when it has not ended in time.
    """
    limit = _seconds(wait)
    configuration = load_configuration(context, config)
    try:
        process = holder(configuration.state_dir)
    except CommandError as error:
        fail(str(error), error.exit_code)
    if process is None:
        fail(f"no service runs in {configuration.state_dir}", EXIT_NOT_RUNNING)
    _tell(configuration.state_dir, process)
    if not limit:
        return
    if not wait_for_end(lambda: holder(configuration.state_dir) is not None, process, limit):
        fail(f"the service still finishes what is under way, after {wait}", EXIT_TRY_AGAIN)


def _seconds(text: str) -> float:
    try:
        return float(read_duration(text).total_seconds())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--wait") from None


def _tell(state_dir: Path, process: int) -> None:
    """Ask over the admin socket; where nobody answers there any more, by a signal."""
    try:
        ask(state_dir, "POST", "/stop")
    except CommandError as error:
        if not process:
            fail(str(error), error.exit_code)
        try:
            os.kill(process, signal.SIGTERM)
        except ProcessLookupError:
            return
        except PermissionError:
            fail(f"process {process} belongs to another user; run this as that user", 77)
