"""`relay demo`: the whole relay on loopback, shown and checked."""

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(demo)


def demo(
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Leave it running, and say how to point a mail client at it and look into Salesforce.",
        ),
    ] = False,
    port_base: Annotated[
        int,
        typer.Option(
            help="The first of five ports in a row; others are taken when one is in use.", min=0, max=65000
        ),
    ] = 25870,
) -> None:
    """Run the whole relay on loopback beside a simulated Salesforce, show what came of some mails, and check it.

    Needs no settings file and leaves nothing behind. Exits with 1 when anything did not arrive as said.
    """
    from relay.demo.run import run  # loaded when used: the demonstration is not part of the service

    raise typer.Exit(run(keep=keep, base=port_base))
