"""Print docs/events.md, the page of all events, from the events themselves.

Pure. Run as `python -m relay.maillog.reference`.
"""

import dataclasses
import inspect
import logging
import sys
from collections.abc import Sequence
from typing import get_args, get_type_hints

from relay.log_lines import ecs_field
from relay.maillog import events
from relay.maillog.events import Event

_INTRODUCTION = """\
# Events

What can happen to a message or a sign-in, as a closed set. Each event is written to the store in the
transaction that makes it true (`relay trace`, `relay log`), and as one line to standard error. Every message
ends with one `message.closed`. Printed from the code by `make docs`.

With each event stand its instant (`at`; `@timestamp` in a JSON line) and, where there is one, its message
(`email.local_id`, the queue id). An Email to Salesforce address stands nowhere but masked. `logs.addresses`
and `logs.subjects` say how addresses and subjects are shown on standard error.
"""


def all_events() -> Sequence[type[Event]]:
    """Give every event that can happen, in the order they are declared."""
    kinds = [kind for kind in vars(events).values() if inspect.isclass(kind) and issubclass(kind, Event)]
    return [kind for kind in kinds if isinstance(getattr(kind, "name", None), str)]


def page() -> str:
    """Print the page."""
    return _INTRODUCTION + "".join(_section(kind) for kind in all_events())


def _section(kind: type[Event]) -> str:
    level = logging.getLevelName(kind.level).lower()
    hints = get_type_hints(kind)
    rows = [
        f"| `{field.name}` | {_kind_of(hints[field.name])} | `{ecs_field(field.name)}` |\n"
        for field in dataclasses.fields(kind)
        if field.name not in ("at", "message")
    ]
    head = f"\n## {kind.name}\n\n{inspect.getdoc(kind)} Level {level}.\n\n"
    return head + "| field | kind | in a JSON line |\n|---|---|---|\n" + "".join(rows)


def _kind_of(hint: object) -> str:
    if type(None) in get_args(hint):
        (inner,) = (one for one in get_args(hint) if one is not type(None))
        return f"{_kind_of(inner)}, may be missing"
    names = {str: "text", bool: "true or false", int: "whole number", float: "number"}
    for plain, name in names.items():
        if hint is plain:
            return name
    return "list of text" if get_args(hint)[:1] == (str,) else str(hint)


if __name__ == "__main__":
    sys.stdout.write(page())
