"""`relay config show` and `relay config schema`: the settings as they are in force, and the form they have."""

import json as json_text
from typing import Annotated

import typer

from relay.cli.common import ConfigOption, JsonOption, load_configuration
from relay.cli.show import print_json
from relay.cli.user_access import as_changed, left_out_of
from relay.config.loader import Configuration
from relay.config.writing import block
from relay.directory.effective import effective, leaves

_PLACE_COLUMN = 64


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(no_args_is_help=True, help="The settings: what is in force, and the form they have.")
    group.command("show")(show)
    group.command("schema")(schema)
    app.add_typer(group, name="config")


def show(
    context: typer.Context,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show Email to Salesforce addresses in full: they are secrets.")
    ] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Print all settings as they are in force, with where each was written, or who changed it on the page.

    What was not written has its default.
    """
    entered = load_configuration(context, config)
    for problem in left_out_of(entered):
        typer.echo(str(problem), err=True)
    configuration = as_changed(entered)
    values = effective(configuration.settings, reveal=reveal)
    if json:
        items = [
            {"path": path, "value": value, "place": configuration.place(path)}
            for path, value in leaves(values)
        ]
        print_json("relay.config/1", items)
        return
    for line, path in block(values):
        print(f"{line:<{_PLACE_COLUMN}} # {_place(configuration, path)}")


def schema() -> None:
    """Print the JSON Schema of the settings, for editors that complete and underline."""
    from relay.config.reference import json_schema

    print(json_text.dumps(json_schema(), indent=2, ensure_ascii=False))


def _place(configuration: Configuration, path: str) -> str:
    return configuration.place(path)
