"""Print docs/commands.md: every command with its arguments and options, as `--help` tells them.

Pure but for `python -m relay.cli.reference FILE`, which writes the page.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from typer.core import TyperCommand, TyperGroup

from relay.cli.main import build

_WIDTH = 100
_HEAD = """\
# Commands

This page is printed from the program (`make docs`).

Every command that reads the settings takes `-c FILE` before or behind its name; see [settings](configuration.md) for where they are looked
for without it. Listings take `--json`: `{"schema": "relay.queue.list/1", "items": [...]}`; fields may be added, and are taken away or
changed only with a new number. Times are RFC 3339 in UTC.

| exit code | means |
|---|---|
| 0 | done |
| 1 | looked at, and not well: nothing found, or nothing could be done |
| 2 | wrong usage |
| 69 | no running service answers |
| 75 | not now: the store does not answer or is not there yet; try again |
| 77 | not permitted: run it as the owner of `state_dir` |
| 78 | the settings cannot be used |
"""


def page() -> str:
    """Give the text of docs/commands.md."""
    app = build()
    app.rich_markup_mode = None  # plain text
    root = typer.main.get_command(app)
    return "\n".join([_HEAD, *_sections(root, "relay")])


def _sections(command: object, name: str) -> Iterator[str]:
    if isinstance(command, TyperGroup):
        for below in sorted(command.commands):
            yield from _sections(command.commands[below], f"{name} {below}")
    elif isinstance(command, TyperCommand):
        context = command.make_context(
            name, [], resilient_parsing=True, terminal_width=_WIDTH, help_option_names=["-h", "--help"]
        )
        yield f"## {name}\n\n```\n{command.get_help(context).rstrip()}\n```\n"


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else "docs/commands.md").write_text(page(), encoding="utf-8")
