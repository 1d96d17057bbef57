"""*Message*: the life of one mail from accepted to logged - the decision and its rule, each attempt's raw reply, each record.

Its rep sees it whole, the body too while it is kept. Admins and auditors see everything but the body. Reading a body is
itself recorded.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.responses import HTMLResponse, Response

from relay.errors import RelayError
from relay.ids import number_of, queue_id_of
from relay.maillog.store import LoggedEvent
from relay.queue.model import FINAL
from relay.queue.selection import FoundMessage
from relay.salesforce.waiting import explained
from relay.storage.database import Transaction
from relay.web.access import Access, PageRoute, get
from relay.web.asking import Ask
from relay.web.mail_body import POLICY, harmless, parts_of
from relay.web.pages.today import Line, line_of
from relay.web.records import NOTHING, ShownRecording, instance_of, recorded, shown_recording
from relay.web.sent_mail import one_message
from relay.web.waiting import why_it_waits

_EVENTS = 500
_TOLD = (
    "verb",
    "targets",
    "recipients",
    "decision",
    "rule",
    "reply",
    "hop",
    "attempt",
    "category",
    "code",
    "record",
    "deleted",
    "reason",
    "by",
)
"""The facts of events that a person understands, in the order in which they are told."""
_MARKS = {
    "sent": "ok",
    "skipped": "skip",
    "cancelled": "skip",
    "held": "bad",
    "bounced": "bad",
    "expired": "bad",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One event of the timeline."""

    at: int
    key: str
    """Which text tells what happened."""
    told: Sequence[tuple[str, str]]
    """The facts, by the key of their name."""


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get("/messages/{id}", show, Access.SIGNED_IN),
        get("/messages/{id}/body", body, Access.SIGNED_IN),
    )


async def show(ask: Ask) -> Response:
    """Show everything that is known of a message."""
    found, events = await _found(ask)
    mine = found.login == ask.rep.login
    instance = instance_of(ask)

    def read(tx: Transaction) -> tuple[Line | None, ShownRecording]:
        sent = one_message(tx, found.id) if mine else None
        records = {} if sent is None else recorded(tx, [sent], instance)
        line = None if sent is None else line_of(sent, ask.now, records.get(sent.id, NOTHING))
        return line, shown_recording(tx, [one.id for one in found.deliveries], instance)

    line, recording = await ask.house.database.read(read)
    deliveries = explained(found.deliveries, why_it_waits(ask), ask.now)
    return ask.render(
        "message.html",
        200,
        message=replace(found, deliveries=deliveries),
        reasons={one.id: one.reason for one in deliveries},
        mine=mine,
        line=line,
        recording=recording,
        steps=[step_of(one, ask) for one in events],
        marks=_MARKS,
        kept=mine and any(one.state not in FINAL for one in found.deliveries),
        size=ask.words.size(found.octets),
    )


async def body(ask: Ask) -> Response:
    """Give a mail's body for the sandboxed frame, to its owner only; that it was read is recorded."""
    found, _ = await _found(ask)
    if found.login != ask.rep.login:
        raise ask.refuse()
    parts = await parts_of(ask.house, found.id)
    await ask.house.database.write(lambda tx: ask.audit(tx, "body.read", found.id))
    # Deeply nested HTML takes a second.
    shown = await asyncio.to_thread(harmless, parts.html) if parts is not None and parts.html else ""
    html = ask.house.renderer.render("message_body.html", ask, {"parts": parts, "html": shown})
    return HTMLResponse(html, headers={"content-security-policy": POLICY})


async def _found(ask: Ask) -> tuple[FoundMessage, Sequence[LoggedEvent]]:
    """Find a message that who asks may see: their own, or any for admins and auditors."""
    try:
        wanted = queue_id_of(number_of(ask.path("id")))
    except RelayError:
        raise ask.refuse() from None

    def read(tx: Transaction) -> tuple[FoundMessage | None, Sequence[LoggedEvent]]:
        message = ask.house.queue.message(tx, wanted)
        return message, [] if message is None else ask.house.mail_log.of_message(tx, message.id)[:_EVENTS]

    message, events = await ask.house.database.read(read)
    if message is None or (message.login != ask.rep.login and ask.role not in ("admin", "auditor")):
        raise ask.refuse()
    return message, events


def step_of(event: LoggedEvent, ask: Ask) -> Step:
    """Put an event into words and facts; what has no text of its own is shown by its name."""
    key = f"event.{event.name.replace('.', '_')}"
    return Step(event.at, key if ask.words.has(key) else event.name, _facts(event.data, ask))


def _facts(data: Mapping[str, object], ask: Ask) -> list[tuple[str, str]]:
    """Give what is to be told of an event, by the key of its name."""
    told: list[tuple[str, str]] = []
    for name in _TOLD:
        value = data.get(name)
        if value in (None, "", [], ()):
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        told.append((f"fact.{name}", text))
    due = data.get("next_attempt_at")
    if isinstance(due, int):
        told.append(("fact.next_attempt", ask.moment(due)))
    return told
