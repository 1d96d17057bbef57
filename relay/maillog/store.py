"""The mail log in the database: what happened, appended in the transaction that makes it true.

Each event is also one line for the program's log, through the handlers of the logger "relay.maillog", once it is durable:
as it is to those that take events, and to others as a record that carries the event as `record.event`.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

from pydantic_core import PydanticSerializationError, to_json

from relay.ids import Login, QueueId, number_of, queue_id_of
from relay.maillog.events import Event
from relay.storage.database import Row, Transaction, Value
from relay.storage.portions import add_rows

logger = logging.getLogger("relay.maillog")

# An id is at least `at` * 2048 and above all before it, so that a span of time can be looked up by id. Where the clock
# was set back, ids run ahead of it: what began after an instant is never below instant * 2048.
_ID_SHIFT = 11
_COLUMNS = 5

APPEND = "INSERT INTO event (id, at, message, name, data) VALUES "
"""Some events."""

OF_MESSAGE = "SELECT id, at, message, name, data FROM event WHERE message = ? ORDER BY id"
"""All that happened to one message."""

SELECT = "SELECT id, at, message, name, data FROM event WHERE {conditions} ORDER BY id LIMIT ?"
"""What happened after an event, oldest first."""

LATEST = "SELECT id, at, message, name, data FROM event WHERE {conditions} ORDER BY id DESC LIMIT ?"
"""What happened last, newest first."""

OF_LOGIN = (
    "(data LIKE ? ESCAPE '\\' OR message IN (SELECT id FROM message WHERE id = event.message AND login = ?))"
)
"""Whether an event is about this rep, or about a message of theirs."""

PURGE = "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id < ? AND at < ? ORDER BY id LIMIT ?)"
"""The oldest events, so many at a time."""


@runtime_checkable
class EventHandler(Protocol):
    """A logging handler that takes events as they are; a record each would cost more than the line."""

    def take(self, events: Sequence[Event]) -> None:
        """Write a line for each; never waits."""
        ...


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One event as it was kept."""

    id: int
    at: int
    message: QueueId | None
    name: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are meant: those that meet every condition named."""

    since: int | None = None
    """At this instant or later."""
    until: int | None = None
    """Before this instant."""
    names: tuple[str, ...] = ()
    """One of these, such as "delivery.sent"; a name that ends in `.` means its whole family: "delivery."."""
    message: QueueId | None = None
    login: Login | None = None
    """About this rep or a message of theirs."""
    text: str | None = None
    """Contained in the event's data, whatever the case (of ASCII letters)."""


class MailLog:
    """What happened to each message, kept for `retention.events`."""

    def append(self, tx: Transaction, events: Sequence[Event]) -> None:
        """Keep the events in this transaction; their lines are written when it is durable."""
        if events:
            tx.gather(self._store, events)

    def _store(self, tx: Transaction, events: Sequence[Event]) -> None:
        values: list[Value] = []
        last = tx.last_id("event")
        for event in events:
            last = max(last + 1, event.at << _ID_SHIFT)
            values += _values(last, event)
        tx.note_id("event", last)
        add_rows(tx, APPEND, _COLUMNS, values)
        tx.on_commit(partial(self.write, events))

    def write(self, events: Iterable[Event]) -> None:
        """Write the events' lines to the program's log, and only there."""
        told = [event for event in events if logger.isEnabledFor(event.level)]
        for handler in _handlers():
            if isinstance(handler, EventHandler):
                handler.take(told)
            else:
                for event in told:
                    if event.level >= handler.level:
                        handler.handle(_record(event))

    def of_message(self, tx: Transaction, message: QueueId) -> list[LoggedEvent]:
        """Give all that happened to a message, in order."""
        return [_event(row) for row in tx.execute(OF_MESSAGE, (number_of(message),))]

    def select(self, tx: Transaction, filter: EventFilter, after_id: int, limit: int) -> list[LoggedEvent]:
        """Give at most `limit` events behind the one with id `after_id` (0: from the beginning), in order."""
        conditions, values = _conditions(filter)
        sql = SELECT.format(conditions=" AND ".join(["id > ?", *conditions]))
        return [_event(row) for row in tx.execute(sql, (after_id, *values, limit))]

    def latest(self, tx: Transaction, filter: EventFilter, limit: int) -> list[LoggedEvent]:
        """Give the last `limit` events, in order."""
        conditions, values = _conditions(filter)
        sql = LATEST.format(conditions=" AND ".join(["id > 0", *conditions]))
        return [_event(row) for row in reversed(tx.execute(sql, (*values, limit)))]

    def purge(self, tx: Transaction, before: int, limit: int = 5000) -> int:
        """Forget events from before an instant, the oldest first, at most `limit`; give how many."""
        tx.execute(PURGE, (before << _ID_SHIFT, before, limit))
        return tx.changes()


def _handlers() -> Iterator[logging.Handler]:
    """Give the handlers that the logger's records go to."""
    one: logging.Logger | None = logger
    while one is not None:
        yield from one.handlers
        one = one.parent if one.propagate else None


def _record(event: Event) -> logging.LogRecord:
    record = logging.LogRecord(logger.name, event.level, "", 0, event.name, None, None)
    record.event = event
    return record


def _values(number: int, event: Event) -> tuple[Value, ...]:
    message = None if event.message is None else number_of(event.message)
    return number, event.at, message, event.name, _encode(event.data())


def _encode(data: object) -> str:
    try:
        return to_json(
            data
        ).decode()  # a third of the time that the standard library takes, four times a message
    except PydanticSerializationError:
        # A lone surrogate, out of a badly encoded header, is no text that a database takes.
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace").decode("utf-8")


def _event(row: Row) -> LoggedEvent:
    number, at, message, name, data = row
    assert isinstance(number, int)
    assert isinstance(at, int)
    return LoggedEvent(
        number,
        at,
        queue_id_of(message) if isinstance(message, int) else None,
        str(name),
        json.loads(str(data)),
    )


def _conditions(filter: EventFilter) -> tuple[list[str], list[Value]]:
    parts: list[str] = []
    values: list[Value] = []
    if filter.since is not None:
        parts.append("id >= ? AND at >= ?")
        values += [filter.since << _ID_SHIFT, filter.since]
    if filter.until is not None:
        parts.append("at < ?")
        values.append(filter.until)
    if filter.names:
        parts.append("(" + " OR ".join(["name LIKE ? ESCAPE '\\'"] * len(filter.names)) + ")")
        values += [_like(name) + ("%" if name.endswith(".") else "") for name in filter.names]
    if filter.message is not None:
        parts.append("message = ?")
        values.append(number_of(filter.message))
    if filter.login is not None:
        parts.append(OF_LOGIN)
        values += [f'%"login":{_like(_encode(filter.login))}%', filter.login]
    if filter.text is not None:
        parts.append("lower(data) LIKE lower(?) ESCAPE '\\'")
        values.append(f"%{_like(filter.text)}%")
    return parts, values


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
