"""The `relay` command: its commands, and how trouble reaches the person at the keyboard."""

import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Protocol

import typer

from relay.cli.common import ConfigOption, remember_config
from relay.cli.straight import print_anything
from relay.errors import CommandError, ConfigError, RelayError

_EXIT_CONFIG = 78


class Part(Protocol):
    """A file of commands."""

    def register(self, app: typer.Typer) -> None:
        """Add its commands to the command line."""
        ...


def _parts(command: str) -> Iterable[Part]:
    """Give the parts of the command line that a command is in: all of them, but for the one that must be small and quick."""
    if command == "serve":
        from relay.cli import serve

        return (serve,)
    from relay.cli import (
        backup,
        check,
        config,
        demo,
        explain,
        hash_password,
        log,
        queue,
        records,
        reminders,
        rule_tests,
        salesforce,
        serve,
        service,
        trace,
        user,
    )

    return (
        serve,
        service,
        demo,
        check,
        config,
        trace,
        explain,
        rule_tests,
        log,
        queue,
        records,
        user,
        salesforce,
        reminders,
        hash_password,
        backup,
    )


def command_of(arguments: Sequence[str]) -> str:
    """Give the command in what was typed, "" where none comes first: only options that everybody takes stand before it."""
    rest = iter(arguments)
    for one in rest:
        if one in ("-c", "--config"):
            next(rest, None)
        elif not one.startswith(("--config=", "-c")):
            return one
    return ""


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"relay {version('crm-relay')}")
        raise typer.Exit


def build(command: str = "") -> typer.Typer:
    """Give the command line with every command registered; `command`: the one that is asked for, and maybe the only one."""
    app = typer.Typer(
        help="An SMTP relay that gets sales mail into Salesforce without anybody noticing.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,  # a traceback with local values could show a secret
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def options(
        context: typer.Context,
        config: ConfigOption = None,
        version: Annotated[
            bool,
            typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop."),
        ] = False,
    ) -> None:
        """Keep what stands before the command."""
        remember_config(context, config)

    for part in _parts(command):
        part.register(app)
    return app


def main() -> None:
    """Run the command line; problems go to standard error in plain words, with the exit code that fits."""
    print_anything()
    try:
        build(command_of(sys.argv[1:]))()
    except ConfigError as exc:
        for problem in exc.problems:
            print(problem, file=sys.stderr)
        sys.exit(_EXIT_CONFIG)
    except CommandError as exc:
        print(f"relay: {exc}", file=sys.stderr)
        sys.exit(exc.exit_code)
    except RelayError as exc:
        print(f"relay: {exc}", file=sys.stderr)
        sys.exit(1)
