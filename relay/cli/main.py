"""The `relay` command: its commands, and how trouble reaches the person at the keyboard."""

import io
import sys
from typing import Annotated

import typer

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
from relay.cli.common import ConfigOption, remember_config
from relay.errors import CommandError, ConfigError, RelayError

_PARTS = (
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
_EXIT_CONFIG = 78


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"relay {version('crm-relay')}")
        raise typer.Exit


def build() -> typer.Typer:
    """Give the command line with every command registered."""
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

    for part in _PARTS:
        part.register(app)
    return app


def main() -> None:
    """Run the command line; problems go to standard error in plain words, with the exit code that fits."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a character gets its escape
            stream.reconfigure(errors="backslashreplace")
    try:
        build()()
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
