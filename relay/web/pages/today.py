"""*Today*: a rep's own mail of the last days, by what became of it and of its logging; live, with what can be done.

The list asks for itself again every second or two and is answered 204 while nothing has changed; without JavaScript it
is the same list, as it was when the page was loaded.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.responses import Response

from relay.delivery_kind import Role
from relay.ids import DeliveryId, QueueId
from relay.queue import by_hand
from relay.queue.by_hand import Act
from relay.queue.model import State
from relay.queue.selection import ListedDelivery, Selection
from relay.salesforce.amending import Amending
from relay.salesforce.exchange import SalesforceError
from relay.storage.database import Transaction
from relay.texts import Words
from relay.web.access import Access, Entry, PageRoute, get, post
from relay.web.asking import Ask
from relay.web.records import NOTHING, Recorded, instance_of, recorded
from relay.web.reminding import today
from relay.web.rendering import STATE
from relay.web.sent_mail import Logged, Sent, below_of, read_of
from relay.web.sentences import in_english
from relay.web.waiting import why_it_waits, with_reason

_DAY = 86_400_000_000
_DAYS = 7
_ROWS = 50
_COUNTED = 200
"""Messages that the numbers above the list are counted over."""
_SECOND = 1_000_000
_UNDO_LIMIT = 20.0
"""Seconds that Salesforce has for deleting what is taken back, while somebody waits."""
_OPEN = (State.WAITING, State.QUEUED, State.DEFERRED, State.HELD)

SHOWN: Mapping[str, frozenset[Logged]] = {
    "all": frozenset(Logged),
    "needs_you": frozenset({Logged.NEEDS_YOU}),
    "waiting": frozenset({Logged.WAITING}),
    "logged": frozenset({Logged.LOGGED}),
    "skipped": frozenset({Logged.SKIPPED, Logged.NONE}),
}
MARKS = {
    Logged.LOGGED: "ok",
    Logged.WAITING: "wait",
    Logged.SKIPPED: "skip",
    Logged.NEEDS_YOU: "bad",
    Logged.NONE: "skip",
}
"""The mark of each state of the logging in the style sheet."""
DELIVERED_MARKS = {"delivered": "ok", "in_progress": "wait", "failed": "bad", "bounced": "bad"}


@dataclass(frozen=True, slots=True)
class Line:
    """One message of the list, with what its rep may do about its logging."""

    sent: Sent
    wait: int | None
    """Seconds until its record is made; None when it does not wait for a time."""
    may_stop: bool
    may_retry: bool
    recorded: Recorded = NOTHING

    @property
    def mark(self) -> str:
        """Give the mark of its logging."""
        return "skip" if self.recorded.undone else MARKS[self.sent.logged]

    @property
    def logged(self) -> str:
        """Give the name of how its logging stands."""
        return "undone" if self.recorded.undone else self.sent.logged


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get("/today", show, Access.SIGNED_IN, entry=Entry("main", "nav.today")),
        get("/today/list", show_list, Access.SIGNED_IN),
        post("/deliveries/{id}/stop", stop, Access.SIGNED_IN),
        post("/deliveries/{id}/retry", retry, Access.SIGNED_IN),
        post("/deliveries/{id}/undo", undo, Access.SIGNED_IN),
    )


async def show(ask: Ask) -> Response:
    """Show the whole page."""
    return ask.render("today.html", 200, **await _listed(ask))


async def show_list(ask: Ask) -> Response:
    """Give the list alone, or 204 while it is what the browser has."""
    values = await _listed(ask, ask.query("version"))
    return ask.render("today_list.html", 200, **values) if values else Response(status_code=204)


async def _listed(ask: Ask, known: str = "") -> dict[str, object]:
    """Give what the list shows; nothing when the browser has it already: what it has is `known`."""
    shown = ask.query("show", "all")
    shown = shown if shown in SHOWN else "all"
    below, why = below_of(ask.query("below")), why_it_waits(ask)

    def read(tx: Transaction) -> tuple[str, list[Sent], list[Sent], dict[QueueId, Recorded]] | None:
        found = read_of(tx, ask.rep.login, ask.now - _DAYS * _DAY, _COUNTED, below)
        version = f"{found.version(ask.now)}-{today(ask)}{'-waits' if why else ''}"
        if version == known:
            return None
        recent = found.sent()
        wanted = [one for one in recent if one.logged in SHOWN[shown]]
        return version, recent, wanted, recorded(tx, wanted[:_ROWS], instance_of(ask))

    found = await ask.house.database.read(read)
    if found is None:
        return {}
    version, recent, wanted, records = found
    counts = Counter(one.logged for one in recent)
    here = {name: value for name, value in (("show", shown), ("below", ask.query("below"))) if value}
    rows = [with_reason(one, why, ask.now) for one in wanted[:_ROWS]]
    return {
        "lines": [line_of(one, ask.now, records.get(one.id, NOTHING)) for one in rows],
        "shown": shown,
        "numbers": {name: sum(counts[one] for one in group) for name, group in SHOWN.items()},
        "more": wanted[_ROWS - 1].id if len(wanted) > _ROWS else "",
        "days": _DAYS,
        "counted": len(recent) == _COUNTED,
        "query": urlencode(here),
        "version": version,
        "states": states(ask.words),
    }


def states(words: Words) -> dict[str, Markup]:
    """Write how mail and its logging can stand: once, for all lines of a list."""
    logged = {"undone": "skip"} | {one.value: mark for one, mark in MARKS.items()}
    delivered = {
        name: STATE.format(mark, words(f"delivered.{name}")) for name, mark in DELIVERED_MARKS.items()
    }
    return delivered | {name: STATE.format(mark, words(f"logged.{name}")) for name, mark in logged.items()}


def line_of(sent: Sent, now: int, recorded: Recorded = NOTHING) -> Line:
    """Say what can be done about a message's logging now."""
    target = sent.logging
    if target is None:
        return Line(sent, None, may_stop=False, may_retry=False)
    due = target.due_at
    wait = (
        None if due is None or target.state not in (State.QUEUED, State.DEFERRED) else (due - now) // _SECOND
    )
    return Line(
        sent,
        wait if wait is not None and wait > 0 else None,
        may_stop=target.state in _OPEN,
        may_retry=target.state in (State.HELD, State.DEFERRED),
        recorded=recorded,
    )


async def stop(ask: Ask) -> Response:
    """Decide that a message is not to be logged: its record or log copy is not made any more."""
    return await act_on(ask, by_hand.cancel(ask.rep.login, in_english("stopped")), "not_logged")


async def retry(ask: Ask) -> Response:
    """Try the logging of a message again, now."""
    one = await _mine(ask)
    act = by_hand.release() if one is not None and one.state is State.HELD else by_hand.retry()
    return await act_on(ask, act, "retried")


async def undo(ask: Ask) -> Response:
    """Take back what a message was recorded as: deleted in Salesforce, and never made again."""
    text, house = ask.path("id"), ask.house
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise ask.refuse()
    mine = Selection(ids=(DeliveryId(int(text)),), login=ask.rep.login, states=tuple(State), role=Role.RECORD)
    found = await house.database.read(lambda tx: house.queue.list(tx, mine, 1))
    client = house.actions.salesforce()
    if not found or client is None:
        raise ask.refuse()
    amending = Amending(house.database, client, house.clock, ask.rep.login)
    try:
        async with asyncio.timeout(_UNDO_LIMIT):
            done = await amending.undo(await amending.rows([found[0].id]))
        said = "undo_later" if any(one.fault for one in done) else "undone" if done else "too_late"
    except (SalesforceError, TimeoutError):
        said = "undo_later"
    await house.database.write(lambda tx: ask.audit(tx, "record.undone", found[0].message))
    if ask.field("back") == "message":
        return ask.redirect(f"/messages/{found[0].message}", said=said)
    return ask.redirect("/today", said=said)


async def act_on(ask: Ask, act: Act, said: str) -> Response:
    """Do something to the log copy or record that the path names, if it is this rep's; say what came of it."""
    house, selection = ask.house, _selection(ask)

    def change(tx: Transaction) -> list[ListedDelivery]:
        changed = by_hand.carry_out(tx, house.queue, house.mail_log, selection, act, ask.rep.login, ask.now)
        if changed:
            ask.audit(tx, f"delivery.{act.verb}", changed[0].message)
        return changed

    changed = await house.database.write(change)
    if changed:
        house.actions.wake()
    if ask.field("back") == "message" and changed:
        return ask.redirect(f"/messages/{changed[0].message}", said=said)
    return ask.redirect("/today", said=said if changed else "too_late")


async def _mine(ask: Ask) -> ListedDelivery | None:
    """Give what the path names while it is open. Raises HTTPException 404 when it is not of who asks."""
    selection = replace(_selection(ask), states=tuple(State))
    found = await ask.house.database.read(lambda tx: ask.house.queue.list(tx, selection, 1))
    if not found:
        raise ask.refuse()
    return found[0] if found[0].state in _OPEN else None


def _selection(ask: Ask) -> Selection:
    """Select what the path names among the open log copies and records of who asks."""
    text = ask.path("id")
    if not text.isdecimal() or len(text) > 18:
        raise ask.refuse()
    # A recipient's delivery is never stopped or hurried from here.
    role = Role.RECORD if ask.field("role") == Role.RECORD else Role.LOG_COPY
    return Selection(ids=(DeliveryId(int(text)),), login=ask.rep.login, states=_OPEN, role=role)
