"""`relay test`: decide about the examples of mail in a file, and say which come out otherwise than expected."""

from pathlib import Path
from typing import Annotated

import typer

from relay.cli.common import ConfigOption, JsonOption, load_configuration

DEFAULT_FILE = "relay-tests.yaml"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("test")(rule_tests)


def rule_tests(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help=f"Files of examples; {DEFAULT_FILE} beside the settings."),
    ] = None,
    name: Annotated[
        str, typer.Option("-k", metavar="NAME", help="Only examples whose name contains this.")
    ] = "",
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the results as JUnit XML, too.")
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Test the rules by examples: each a mail, and what must become of it. Nothing is sent.

    Exits with 1 when an example comes out otherwise than expected.
    """
    configuration = load_configuration(context, config)
    from relay.cli.rule_results import tell  # loaded when used: `relay serve` needs none of it

    tell(configuration, files or [configuration.resolve(DEFAULT_FILE)], name, junit, json=json)
