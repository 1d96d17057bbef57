"""`relay backup` and `relay restore`."""

import typer


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
