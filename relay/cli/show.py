"""How commands show things: JSON with a schema, tables, spans of time, and mail's own text without its tricks.

What comes out of mail - subjects, addresses, replies - is escaped, so that nobody can write on an admin's terminal.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from relay.cli.table import table_lines
from relay.clock import rfc3339
from relay.ids import LARGEST, instant_of
from relay.log_lines import escape
from relay.maillog.store import LoggedEvent
from relay.queue.selection import ListedDelivery

Json = Mapping[str, object]

_SPAN = re.compile(r"(\d{1,6})(s|m|h|d)")
_LAST_INSTANT = instant_of(LARGEST)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="Show at most so many.")]


def print_json(schema: str, items: Sequence[Json], **beside: object) -> None:
    """Print `{"schema": "relay.queue.list/1", "items": [...]}`, and what may stand beside the items."""
    json.dump({"schema": schema, "items": items, **beside}, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


def print_line(line: Json) -> None:
    """Print one JSON object on one line, at once."""
    print(json.dumps(line, ensure_ascii=False, separators=(",", ":")), flush=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table. Nothing is ever cut: where a terminal lacks the room, the last columns stand below each row."""
    cells = [[safe(str(cell)) for cell in row] for row in rows]
    terminal = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for line in table_lines(columns, cells, terminal):
        print(line)


def safe(text: str) -> str:
    """Give text from mail as it may be shown on a terminal."""
    return escape(text)


def instant(microseconds: int | None) -> str | None:
    """Give an instant as RFC 3339 UTC."""
    return None if microseconds is None else rfc3339(microseconds)


def minute(microseconds: int) -> str:
    """Give an instant for people: date and time of day to the second, in UTC."""
    return f"{datetime.fromtimestamp(microseconds // 1_000_000, UTC):%Y-%m-%d %H:%M:%S}"


def ago(microseconds: int, now: int) -> str:
    """Give how long ago an instant was, or in how long it is, in one number and unit."""
    seconds = abs(now - microseconds) // 1_000_000
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def read_since(text: str, now: int) -> int:
    """Read `2h`, `7d`, `2026-11-22` or `2026-11-22T09:14:00Z` as an instant in the past.

    What lies before 1970 or beyond the time that ids can name is the nearest instant they can. Raises typer.BadParameter.
    """
    return min(max(_read_since(text, now), 0), _LAST_INSTANT)


def _read_since(text: str, now: int) -> int:
    if match := _SPAN.fullmatch(text):
        return now - int(match[1]) * _SECONDS[match[2]] * 1_000_000
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is neither a span such as 2h nor a time such as 2026-11-22"
        ) from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return round(when.timestamp()) * 1_000_000


def delivery_json(delivery: ListedDelivery) -> Json:
    """Give a delivery as `--json` shows it; a log copy's target comes masked from the store."""
    return {
        "id": delivery.id,
        "message": delivery.message,
        "role": delivery.role,
        "transport": delivery.transport,
        "target": delivery.target,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_attempt": instant(delivery.next_attempt_at),
        "reason": delivery.reason,
        "rule": delivery.rule,
        "rep": delivery.login,
        "sender": delivery.sender,
        "accepted_at": instant(delivery.accepted_at),
    }


def event_json(event: LoggedEvent) -> Json:
    """Give an event as `--json` shows it."""
    data = dict(event.data)
    for name in [key for key in data if key.endswith("_at") and isinstance(data[key], int)]:
        data[name.removesuffix("_at")] = rfc3339(data.pop(name))
    return {"at": rfc3339(event.at), "event": event.name, "message": event.message, **data}
