"""*Messages*: everybody's mail for admins and auditors - search, filters that can be kept, and export. Metadata alone."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from starlette.responses import Response

from relay.ids import Login
from relay.queue.selection import FoundMessage
from relay.storage.database import Transaction
from relay.web.access import Access, Entry, PageRoute, get, post
from relay.web.asking import Ask
from relay.web.pages.today import states
from relay.web.sent_mail import Delivered, Logged, Sent, below_of, one_message, sent_by, sent_by_all
from relay.web.waiting import why_it_waits, with_reason

PAGE = "messages"
_DAY = 86_400_000_000
_ROWS = 50
_LOOKED_AT = 500
"""Messages that one page of results is picked from, when states are asked for; a link goes on from there."""
_EXPORTED = 10_000
_EXPORTED_BY_TEXT = 1000
_FOUND = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = (1, 7, 30, 400)
_COLUMNS = (
    "id",
    "accepted_at",
    "rep",
    "recipients",
    "subject",
    "delivered",
    "logged",
    "mode",
    "decision",
    "reason",
)


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for, as the form and its link say it."""

    text: str
    rep: str
    delivered: str
    logged: str
    days: int

    def fits(self, sent: Sent) -> bool:
        """Tell whether a message is meant, as far as its rep and its states go."""
        return (
            (not self.delivered or sent.delivered == self.delivered)
            and (not self.logged or sent.logged == self.logged)
            and (not self.rep or sent.login == self.rep)
        )

    def link(self, **more: str) -> str:
        """Give the query of a link to the same search."""
        told = {"q": self.text, "rep": self.rep, "delivered": self.delivered, "logged": self.logged}
        return urlencode(
            {name: value for name, value in (*told.items(), *more.items()) if value} | {"days": self.days}
        )


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get("/admin/messages", show, Access.OVERSIGHT, entry=Entry("admin", "nav.messages")),
        get("/admin/messages/export", export, Access.OVERSIGHT),
        post("/admin/messages/searches", keep, Access.OVERSIGHT),
        post("/admin/messages/searches/drop", drop, Access.OVERSIGHT),
    )


def search_of(ask: Ask) -> Search:
    """Read the search out of the link; what makes no sense is left out."""
    delivered, logged, days = ask.query("delivered"), ask.query("logged"), ask.query("days", "7")
    return Search(
        ask.query("q").strip(),
        ask.query("rep").strip(),
        delivered if delivered in list(Delivered) else "",
        logged if logged in list(Logged) else "",
        int(days) if days.isdecimal() and int(days) in _DAYS else 7,
    )


async def show(ask: Ask) -> Response:
    """Show the form and what it finds."""
    search = search_of(ask)
    found, more = await _found(ask, search, _ROWS)
    why = why_it_waits(ask)
    kept = await ask.house.database.read(lambda tx: ask.house.store.filters(tx, ask.key, PAGE))
    return ask.render(
        "admin_messages.html",
        200,
        search=search,
        found=[with_reason(one, why, ask.now) for one in found],
        older=search.link(below=more) if more else "",
        export=search.link(),
        kept=kept,
        days=_DAYS,
        delivered=list(Delivered),
        logged=list(Logged),
        states=states(ask.words),
        reps=[rep.login for rep in ask.house.actions.directory().reps()][:1000],
    )


async def _found(ask: Ask, search: Search, limit: int) -> tuple[list[Sent], str]:
    """Give what fits, newest first, and the id below which the next page begins; "" when there is none."""
    since, below = ask.now - search.days * _DAY, below_of(ask.query("below"))
    size = _LOOKED_AT if search.delivered or search.logged else limit + 1

    def read(tx: Transaction) -> list[Sent]:
        if search.text:
            return _by_text(tx, ask, search.text)
        if search.rep:
            return sent_by(tx, Login(search.rep), since, size, below)
        return sent_by_all(tx, since, size, below)

    looked_at = await ask.house.database.read(read)
    fitting = [one for one in looked_at if search.fits(one)]
    if len(fitting) > limit:
        return fitting[:limit], fitting[limit - 1].id
    return fitting, looked_at[-1].id if len(looked_at) == size else ""


def _by_text(tx: Transaction, ask: Ask, text: str, limit: int = _FOUND) -> list[Sent]:
    messages: Sequence[FoundMessage] = ask.house.queue.find(tx, text, limit)
    return [one for message in messages if (one := one_message(tx, message.id)) is not None]


async def export(ask: Ask) -> Response:
    """Give what the search finds as a file, CSV or JSON lines; that it was taken is recorded."""
    search, lines = search_of(ask), ask.query("format") == "jsonl"
    collected = await _collected(ask, search)
    await ask.house.database.write(
        lambda tx: ask.audit(tx, "messages.exported", "messages", count=len(collected), search=search.link())
    )
    name, kind = ("messages.jsonl", "application/x-ndjson") if lines else ("messages.csv", "text/csv")
    why = why_it_waits(ask)
    told = [with_reason(one, why, ask.now) for one in collected] if why else collected
    text = _json_lines(told) if lines else _csv(told)
    return Response(
        text.encode("utf-8", "replace"),
        media_type=f"{kind}; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


async def _collected(ask: Ask, search: Search) -> list[Sent]:
    """Give all that the search finds, up to a bound."""
    if search.text:
        found = await ask.house.database.read(lambda tx: _by_text(tx, ask, search.text, _EXPORTED_BY_TEXT))
        return [one for one in found if search.fits(one)]
    since, below = ask.now - search.days * _DAY, below_of("")
    collected: list[Sent] = []
    while len(collected) < _EXPORTED:
        some = await ask.house.database.read(_slice(search.rep, since, below))
        collected += [one for one in some if search.fits(one)]
        if len(some) < _LOOKED_AT:
            break
        below = below_of(some[-1].id)
    return collected[:_EXPORTED]


def _slice(rep: str, since: int, below: int) -> Callable[[Transaction], list[Sent]]:
    if rep:
        return lambda tx: sent_by(tx, Login(rep), since, _LOOKED_AT, below)
    return lambda tx: sent_by_all(tx, since, _LOOKED_AT, below)


def _row(sent: Sent) -> dict[str, object]:
    at = (_EPOCH + timedelta(microseconds=sent.at)).isoformat(timespec="seconds").replace("+00:00", "Z")
    people = [one.target for one in sent.recipients]
    reason = sent.logging.reason if sent.logging else ""
    values = (
        sent.id,
        at,
        sent.login,
        people,
        sent.subject,
        sent.delivered,
        sent.logged,
        sent.mode,
        sent.why,
        reason,
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _json_lines(found: Sequence[Sent]) -> str:
    return "".join(json.dumps(_row(one), ensure_ascii=False) + "\n" for one in found)


def _csv(found: Sequence[Sent]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for one in found:
        row = _row(one)
        row["recipients"] = " ".join(target.target for target in one.recipients)
        writer.writerow([plain_cell(str(value if value is not None else "")) for value in row.values()])
    return text.getvalue()


def plain_cell(text: str) -> str:
    """Keep a spreadsheet from taking somebody's subject for a formula (OWASP, CSV injection)."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else text


async def keep(ask: Ask) -> Response:
    """Keep a search under a name."""
    name, query = ask.field("name", 60), ask.field("query", 900)
    if not name:
        return ask.redirect("/admin/messages", said="name_missing")
    kept = await ask.house.database.write(
        lambda tx: ask.house.store.set_filter(tx, ask.key, PAGE, name, query)
    )
    return (
        ask.redirect(f"/admin/messages?{query}" if query else "/admin/messages")
        if kept
        else ask.redirect("/admin/messages", said="too_many_searches")
    )


async def drop(ask: Ask) -> Response:
    """Forget a search."""
    name = ask.field("name", 60)
    await ask.house.database.write(lambda tx: ask.house.store.drop_filter(tx, ask.key, PAGE, name))
    return ask.redirect("/admin/messages", said="saved")
