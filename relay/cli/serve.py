"""`relay serve`: run the service until it is told to stop."""

import typer

from relay.cli.common import ConfigOption, load_configuration


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(serve)


def serve(context: typer.Context, config: ConfigOption = None) -> None:
    """Take mail, keep it, forward it; until SIGTERM or Ctrl-C. A second signal skips the waiting."""
    configuration = load_configuration(context, config).at_rest()
    from relay.server import run  # loaded when used: it brings in every part of the service

    raise typer.Exit(run(configuration))
