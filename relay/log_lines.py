"""How one line of the program's log looks: text for people, JSON with ECS field names for machines.

Pure. Every control character is escaped, so that nobody can write a line of their own. Addresses and
subjects are shown as the settings allow.
"""

import json
import logging
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Protocol

from pydantic_core import PydanticSerializationError, to_json

from relay.event_words import time_of_day, to_the_second, verb_of, words_of

current_message: ContextVar[str] = ContextVar("current_message", default="")
"""The queue id of the message that is worked on; every line written meanwhile carries it."""

_ADDRESS = re.compile(r"[^\s<>()\",;:@]{1,64}@[^\s<>()\",;:@]{1,255}")
LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}


class LoggedEvent(Protocol):
    """An event of the mail log, as far as a line needs to know it (relay.maillog.events)."""

    @property
    def name(self) -> str:
        """Give its stable name, such as "message.accepted"."""
        ...

    @property
    def level(self) -> int:
        """Give its level, as logging counts them."""
        ...

    @property
    def at(self) -> int:
        """Give the instant: UTC microseconds."""
        ...

    @property
    def message(self) -> str | None:
        """Give the queue id of its message."""
        ...

    def data(self) -> Mapping[str, object]:
        """Give its own fields."""
        ...


class Discretion:
    """What a line may show of addresses and subjects, by the settings `logs.addresses` and `logs.subjects`."""

    def __init__(self, addresses: str = "full", subjects: str = "omit", key: bytes = b"") -> None:
        self.subjects = subjects == "full"
        self.plain = addresses == "full"
        """Whether addresses are shown as they are."""
        self._kind = addresses
        self._key = key
        self._shown = lru_cache(maxsize=4096)(self._conceal)

    def address(self, text: str) -> str:
        """Give an address as it may be shown."""
        return text if self._kind == "full" or not text else self._shown(text)

    def prose(self, text: str) -> str:
        """Give a text, such as a reply, with the addresses in it as they may be shown."""
        if self._kind == "full" or "@" not in text:
            return text
        return _ADDRESS.sub(lambda match: self._shown(match[0]), text)

    def _conceal(self, address: str) -> str:
        if self._kind == "domain":
            return f"*@{address.rpartition('@')[2]}"
        digest = blake2b(address.casefold().encode("utf-8", "replace"), key=self._key, digest_size=8)
        return f"h:{digest.hexdigest()}"


_ADDRESSES = frozenset({"sender", "recipients", "targets"})
_PROSE = frozenset({"reply", "reason", "login", "decision", "rule", "by"})
_ECS = {
    "login": "user.name",
    "client": "client.ip",
    "sender": "smtp.from",
    "recipients": "smtp.to",
    "targets": "smtp.to",
    "message_id": "email.message_id",
    "subject": "email.subject",
    "reply": "smtp.reply",
    "reason": "event.reason",
    "hop": "server.address",
    "rule": "rule.name",
    "octets": "relay.size",
    "sent": "relay.delivered",
    "seconds": "event.duration",
    "next_attempt_at": "relay.next_attempt",
}
"""The field of a JSON line for each field of an event; the others are called relay.<name>."""


def ecs_field(name: str) -> str:
    """Give what a field of an event is called in a JSON line."""
    return _ECS.get(name) or f"relay.{name}"


class Lines(Protocol):
    """Writes what is logged as lines, without the line end."""

    def event(self, event: LoggedEvent) -> str:
        """Write an event of the mail log."""
        ...

    def record(self, record: logging.LogRecord) -> str:
        """Write any other record."""
        ...


class JsonLines:
    """One JSON object a line. All but ASCII is escaped, and so is every control character."""

    def __init__(self, discretion: Discretion) -> None:
        self._discretion = discretion
        self._json = json.JSONEncoder(separators=(",", ":"), default=str).encode
        self._heads: dict[str, str] = {}
        self._shown: dict[str, tuple[str, Callable[[Any], object] | None]] = {}

    def event(self, event: LoggedEvent) -> str:
        """Write an event: what ECS names by its name, the rest as relay.*."""
        line: dict[str, object] = {}
        if event.message is not None:
            line["email.local_id"] = event.message
        shown = self._shown
        for field, value in event.data().items():
            if value is not None:
                name, show = shown.get(field) or self._learnt(field)
                if show is None:
                    line[name] = value
                elif name:
                    line[name] = show(value)
        rest = self._encode(line)
        return f'{{"@timestamp":"{rfc3339(event.at)}",{self._head(event)}{"," if line else ""}{rest[1:]}'

    def _learnt(self, field: str) -> "tuple[str, Callable[[Any], object] | None]":
        """Find out, once, how a field of events is called in a line and shown; a name of "": it is left out."""
        show = self._discretion
        found: tuple[str, Callable[[Any], object] | None] = (ecs_field(field), None)
        if field in _ADDRESSES and not show.plain:
            found = (
                found[0],
                lambda value: show.address(value) if isinstance(value, str) else _each(show.address, value),
            )
        elif field in _PROSE and not show.plain:
            found = (found[0], lambda value: show.prose(value) if isinstance(value, str) else value)
        elif field == "subject" and not show.subjects:
            found = ("", str)
        elif field == "seconds":  # ECS counts event.duration in nanoseconds
            found = (found[0], lambda value: round(value * 1e9) if isinstance(value, float) else value)
        elif field == "next_attempt_at":
            found = (found[0], lambda value: rfc3339(value) if isinstance(value, int) else value)
        self._shown[field] = found
        return found

    def _head(self, event: LoggedEvent) -> str:
        """Give what every line of an event's kind has, written already; one for each name, of which there are dozens."""
        head = self._heads.get(event.name)
        if head is None:
            fields: dict[str, object] = {
                "log.level": LEVELS.get(event.level, "info"),
                "ecs.version": "8.17.0",
                "service.name": "relay",
                "event.dataset": f"relay.{event.name.partition('.')[0]}",
                "event.action": event.name,
            }
            head = self._heads[event.name] = self._encode(fields)[1:-1]
        return head

    def _encode(self, line: dict[str, object]) -> str:
        try:
            # A fifth of the time that the standard library takes, and the same text.
            text = to_json(line, ensure_ascii=True).decode("ascii")
        except PydanticSerializationError:
            text = self._json(line)
        # DEL is the one control character that JSON takes for printable.
        return text if "\x7f" not in text else text.replace("\x7f", "\\u007f")

    def record(self, record: logging.LogRecord) -> str:
        """Write a record; an exception keeps its traceback in error.stack_trace."""
        line: dict[str, object] = {
            "@timestamp": rfc3339(int(record.created * 1_000_000)),
            "log.level": LEVELS.get(record.levelno, record.levelname.lower()),
            "message": self._discretion.prose(record.getMessage()),
            "ecs.version": "8.17.0",
            "service.name": "relay",
            "event.dataset": "relay",
            "log.logger": record.name,
        }
        if message := current_message.get():
            line["email.local_id"] = message
        if record.exc_info and record.exc_info[0] is not None:
            line["error.type"] = record.exc_info[0].__name__
            line["error.message"] = self._discretion.prose(str(record.exc_info[1]))
            line["error.stack_trace"] = self._discretion.prose(_traceback(record))
        return self._encode(line)


class TextLines:
    """Lines for people: time of day (UTC), what happened, the queue id, the rest in words."""

    def __init__(self, discretion: Discretion) -> None:
        self._discretion = discretion

    def event(self, event: LoggedEvent) -> str:
        """Write an event: `09:14:03 accepted  1Q8ZK2V0T7M3C  ana -> bob@buyer.example  48 KiB`."""
        verb, words = self._told(event)
        return escape(f"{time_of_day(event.at)} {verb:<9} {event.message or '-':<13}  {words}")

    def chapter(self, event: LoggedEvent) -> str:
        """Write an event for the story of its message, whose queue id stands above it."""
        verb, words = self._told(event)
        return escape(f"{time_of_day(event.at)} {verb:<9} {words}")

    def _told(self, event: LoggedEvent) -> tuple[str, str]:
        return verb_of(event.name), words_of(event.name, self._shown(event.data()))

    def record(self, record: logging.LogRecord) -> str:
        """Write a record; each line of a traceback is indented, so that none can be taken for a record."""
        head = f"{time_of_day(int(record.created * 1_000_000))} {LEVELS.get(record.levelno, 'note'):<9}"
        text = self._discretion.prose(record.getMessage())
        line = escape(f"{head} {current_message.get() or '-':<13}  {record.name}: {text}")
        if not record.exc_info or record.exc_info[0] is None:
            return line
        trace = self._discretion.prose(_traceback(record)).splitlines()
        return "\n".join([line, *(f"    | {escape(part)}" for part in trace)])

    def _shown(self, data: Mapping[str, object]) -> dict[str, object]:
        show = self._discretion
        shown = dict(data)
        for field, value in data.items():
            if field in _ADDRESSES:
                shown[field] = show.address(value) if isinstance(value, str) else _each(show.address, value)
            elif field in _PROSE and isinstance(value, str):
                shown[field] = show.prose(value)
        if not show.subjects:
            shown.pop("subject", None)
        return shown


def _each(show: Callable[[str], str], values: object) -> list[str]:
    return [show(str(value)) for value in values] if isinstance(values, tuple | list) else []


def escape(text: str) -> str:
    r"""Write every character that does not print - controls, bidi marks, lone surrogates - as \n, \x1b, \u202e."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _traceback(record: logging.LogRecord) -> str:
    return logging.Formatter().formatException(record.exc_info) if record.exc_info else ""


def rfc3339(instant: int) -> str:
    """Write an instant as RFC 3339 UTC with milliseconds; one second is formatted once."""
    seconds, microseconds = divmod(instant, 1_000_000)
    return f"{to_the_second(seconds)}.{microseconds // 1000:03d}Z"
