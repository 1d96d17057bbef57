"""`relay trace QUERY`: the life of a message, from acceptance to the fate of every delivery."""

from typing import Annotated

import typer

from relay.cli.common import ConfigOption, JsonOption, fail, load_configuration, with_store
from relay.cli.show import LimitOption
from relay.cli.story import show_stories, stories


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(trace)


def trace(
    context: typer.Context,
    query: Annotated[
        list[str],
        typer.Argument(
            metavar="QUERY",
            help="A queue id or its end, a Message-ID, an address, a login, or words of the subject.",
        ),
    ],
    limit: LimitOption = 20,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Tell what became of messages, newest first: what was decided and by which rule, each delivery, each event."""
    configuration = load_configuration(context, config)
    words = " ".join(query)
    shown = with_store(configuration, lambda database: stories(database, [words], limit))
    if not shown:
        fail(f"no message is known by {words!r}")
    show_stories(shown, configuration.state_dir, "relay.trace/1" if json else None)
