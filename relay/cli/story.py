"""The story of a message, for `relay trace` and `relay queue show`: what was decided, each delivery, each event."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from relay.cli.pauses import with_reasons
from relay.cli.show import Json, delivery_json, event_json, instant, minute, print_json, safe
from relay.log_lines import Discretion, TextLines
from relay.maillog.store import LoggedEvent, MailLog
from relay.queue.selection import FoundMessage, ListedDelivery
from relay.queue.store import QueueStore
from relay.storage.database import Transaction
from relay.storage.sqlite import SqliteDatabase


@dataclass(frozen=True, slots=True)
class Story:
    """A message and all that happened to it."""

    message: FoundMessage
    events: Sequence[LoggedEvent]


async def stories(database: SqliteDatabase, queries: Sequence[str], limit: int) -> list[Story]:
    """Find messages and what happened to them, at most `limit` for each query."""
    store, log = QueueStore(), MailLog()

    def read(tx: Transaction, query: str) -> list[Story]:
        return [Story(found, log.of_message(tx, found.id)) for found in store.find(tx, query, limit)]

    found: list[Story] = []
    for query in queries:
        found += await database.read(partial(read, query=query))
    return found


def show_stories(found: Sequence[Story], state_dir: Path, schema: str | None) -> None:
    """Print stories: as JSON when a schema is given, else for people."""
    shown = [_explained(story, state_dir) for story in found]
    if schema is not None:
        print_json(schema, [story_json(story) for story in shown])
        return
    for number, story in enumerate(shown):
        if number:
            print()
        for line in story_lines(story):
            print(line)


def _explained(story: Story, state_dir: Path) -> Story:
    deliveries = with_reasons(state_dir, story.message.deliveries)
    return replace(story, message=replace(story.message, deliveries=deliveries))


def story_json(story: Story) -> Json:
    """Give a story as `--json` shows it."""
    message = story.message
    return {
        "id": message.id,
        "message_id": message.message_id,
        "rep": message.login,
        "sender": message.sender,
        "recipients": list(message.recipients),
        "accepted_at": instant(message.accepted_at),
        "closed_at": instant(message.closed_at),
        "subject": message.subject,
        "size": message.octets,
        "client": message.client,
        "listener": message.listener,
        "mode": message.mode,
        "decision": message.why,
        "rule": message.rule,
        "deliveries": [delivery_json(delivery) for delivery in message.deliveries],
        "events": [
            {name: value for name, value in event_json(event).items() if name != "message"}
            for event in story.events
        ],
    }


def story_lines(story: Story) -> list[str]:
    """Tell a story for people, one line each."""
    message = story.message
    lines = [f"{message.id}  {safe(message.subject) or '(no subject)'}"]
    facts = (
        ("Message-ID", message.message_id or "-"),
        ("from", f"{message.sender or '<>'}{f' (rep {message.login})' if message.login else ''}"),
        ("to", ", ".join(message.recipients) or "-"),
        ("accepted", f"{minute(message.accepted_at)} UTC from {message.client or 'the relay itself'}"),
        ("size", f"{message.octets} octets"),
        ("decision", f"{message.why}  [{message.rule}]" if message.rule else message.why),
        ("closed", f"{minute(message.closed_at)} UTC" if message.closed_at else "not yet"),
    )
    lines += [f"  {name:<10} {safe(text)}" for name, text in facts]
    lines += ["  deliveries"]
    lines += [f"    {line}" for delivery in message.deliveries for line in _delivery_lines(delivery)]
    if story.events:
        lines += ["  events"]
    text = TextLines(Discretion())
    lines += [f"    {_dated(text.chapter, event)}" for event in story.events]
    return lines


def _delivery_lines(delivery: ListedDelivery) -> list[str]:
    attempts = "1 attempt" if delivery.attempts == 1 else f"{delivery.attempts} attempts"
    due = f", next {minute(delivery.next_attempt_at)} UTC" if delivery.next_attempt_at else ""
    target = delivery.target or "(nobody)"
    lines = [safe(f"{delivery.state:<9} {delivery.role:<9} {target}  ({attempts}{due})")]
    if delivery.reason:
        lines.append(safe(f"          {delivery.reason}"))
    if delivery.rule:
        lines.append(safe(f"          by {delivery.rule}"))
    return lines


@dataclass(frozen=True, slots=True)
class _Kept:
    """A kept event in the form that lines are written from."""

    event: LoggedEvent

    @property
    def name(self) -> str:
        return self.event.name

    @property
    def level(self) -> int:
        return 20

    @property
    def at(self) -> int:
        return self.event.at

    @property
    def message(self) -> str | None:
        return self.event.message

    def data(self) -> dict[str, object]:
        return self.event.data


def event_line(lines: TextLines, event: LoggedEvent) -> str:
    """Write an event for people, with date and time in UTC; one that this version does not know, plainly."""
    return _dated(lines.event, event)


def _dated(write: Callable[[_Kept], str], event: LoggedEvent) -> str:
    day = minute(event.at)[:10]
    try:
        return f"{day} {write(_Kept(event))}"
    except (KeyError, TypeError, ValueError):
        return f"{minute(event.at)} " + safe(f"{event.name} {event.data}")
