"""*Command center*: a rep's mail in sections with quick actions, and the reminders due today and tomorrow beside it.

An admin can view it as somebody else; then nothing can be done there, and that it was looked at is recorded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import parse_qs, urlencode

from starlette.responses import Response

from relay.delivery_kind import Role
from relay.directory.model import Rep, login_key
from relay.errors import RelayError
from relay.ids import Login, QueueId, number_of, queue_id_of
from relay.queue import by_hand
from relay.queue.model import State
from relay.queue.selection import Selection
from relay.storage.database import Transaction
from relay.web.access import Access, Entry, PageRoute, get, post
from relay.web.asking import Ask
from relay.web.center import (
    ARCHIVED,
    COLUMNS,
    ROWS,
    SECTIONS,
    USUAL,
    Found,
    Line,
    Search,
    Section,
    Walk,
    find,
    follow_ups,
    lines,
    span,
    version_of,
)
from relay.web.pages.today import states
from relay.web.records import instance_of
from relay.web.reminding import Shown, due_lists, key_of, today
from relay.web.sent_mail import Logged, below_of
from relay.web.waiting import why_it_waits, with_reason

PAGE = "center"
_VIEW = "center.view"
"""The page that chosen columns are kept under, by the name of the section."""


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get("/center", show, Access.SIGNED_IN, entry=Entry("main", "nav.center")),
        get("/center/list", show_list, Access.SIGNED_IN),
        post("/center/archive", archive, Access.SIGNED_IN),
        post("/center/unarchive", unarchive, Access.SIGNED_IN),
        post("/center/retry", retry, Access.SIGNED_IN),
        post("/center/view", keep_view, Access.SIGNED_IN),
        post("/center/searches", keep_search, Access.SIGNED_IN),
        post("/center/searches/drop", drop_search, Access.SIGNED_IN),
    )


async def show(ask: Ask) -> Response:
    """Show the whole page."""
    values = await _values(ask)
    if values["whose"] is not ask.rep:
        login = values["search"].whose  # type: ignore[attr-defined]  # a Search
        await ask.house.database.write(lambda tx: ask.audit(tx, "center.viewed", login))
    kept = await ask.house.database.read(lambda tx: ask.house.store.filters(tx, ask.key, PAGE))
    reps = ask.house.actions.directory().reps() if ask.role == "admin" else ()
    return ask.render(
        "center.html",
        200,
        kept=kept,
        reps=[one for one in reps if not one.disabled][:1000],
        all_columns=COLUMNS,
        all_rows=ROWS,
        logged_states=list(Logged),
        **values,
    )


async def show_list(ask: Ask) -> Response:
    """Give what moves alone, or 204 while it is what the browser has."""
    values = await _values(ask, ask.query("version"))
    return ask.render("center_list.html", 200, **values) if values else Response(status_code=204)


def _whose(ask: Ask) -> Rep:
    """Give whose center is asked for. Raises HTTPException 404: it may be somebody else's for admins alone."""
    wanted = ask.query("as")
    if not wanted or login_key(wanted) == ask.key:
        return ask.rep
    rep = ask.house.actions.directory().by_login(wanted)
    if ask.role != "admin" or rep is None:
        raise ask.refuse()
    return rep


def _search(ask: Ask, whose: Rep) -> Search:
    """Read the search out of the link; what makes no sense is left out."""
    section, logged = ask.query("section"), ask.query("logged")
    return Search(
        Section(section) if section in list(Section) else Section.DELIVERED,
        ask.query("q").strip()[:200],
        logged if logged in list(Logged) else "",
        _day(ask.query("since")),
        _day(ask.query("until")),
        "" if whose is ask.rep else str(whose.login),
    )


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1970 < day.year < 9000 else None


@dataclass(frozen=True, slots=True)
class _Read:
    """What the page shows, as it was read."""

    found: Found
    lines: list[Line]
    due: list[tuple[str, list[Shown]]]
    columns: tuple[str, ...]
    rows: int
    version: str


async def _values(ask: Ask, known: str = "") -> dict[str, object]:
    """Give what the page shows; nothing when the browser has it already: what it has is `known`."""
    whose = _whose(ask)
    search, below = _search(ask, whose), below_of(ask.query("below"))
    instance, why = instance_of(ask), why_it_waits(ask)

    def read(tx: Transaction) -> _Read | None:
        archived = ask.house.store.marks(tx, login_key(whose.login), ARCHIVED)
        columns, rows = _view(dict(ask.house.store.filters(tx, ask.key, _VIEW)), search.section)
        due = due_lists(tx, ask, whose)
        around = repr((archived, columns, rows, due, follow_ups(tx, key_of(whose)), bool(why), today(ask)))
        walk = Walk(tx, Login(whose.login), span(search, ask.now, ask.zone), below)
        put_aside = search.section is Section.ARCHIVED  # by hand, and from anywhere in the past
        if not put_aside and version_of(walk, known, around) == known:
            return None
        found = find(walk, search, archived, rows)
        version = version_of(
            walk, str(len(walk.portions)), repr(found.sent) + around if put_aside else around
        )
        sent = [with_reason(one, why, ask.now) for one in found.sent]
        listed = lines(tx, sent, key_of(whose), instance, archived)
        return None if version == known else _Read(found, listed, due, columns, rows, version)

    given = await ask.house.database.read(read)
    if given is None:
        return {}
    here = search.link(below=ask.query("below"))
    return {
        "search": search,
        "whose": whose,
        "mine": whose is ask.rep,
        "lines": given.lines,
        "numbers": given.found.numbers,
        "sections": SECTIONS,
        "more": search.link(below=given.found.more) if given.found.more else "",
        "due": given.due,
        "columns": given.columns,
        "rows": given.rows,
        "query": here,
        "labels": {one: ask.words(f"center.column_{one}") for one in given.columns},
        "states": states(ask.words),
        "version": given.version,
    }


def _view(kept: Mapping[str, str], section: Section) -> tuple[tuple[str, ...], int]:
    """Give the columns and the rows per page that somebody chose for a section."""
    chosen = parse_qs(kept.get(section.value, ""))
    columns = tuple(one for one in COLUMNS if one in chosen.get("columns", ()))
    rows = chosen.get("rows", [""])[0]
    return (columns or USUAL), (int(rows) if rows in map(str, ROWS) else ROWS[0])


async def keep_view(ask: Ask) -> Response:
    """Keep which columns and how many rows are shown in a section."""
    section = ask.field("section")
    if section not in list(Section):
        raise ask.refuse(400)
    chosen = [one for one in COLUMNS if one in ask.fields("columns")]
    rows = ask.field("rows")
    query = urlencode({"columns": chosen, "rows": rows if rows in map(str, ROWS) else ROWS[0]}, doseq=True)
    await ask.house.database.write(
        lambda tx: ask.house.store.set_filter(tx, ask.key, _VIEW, section, query) and None
    )
    return _back(ask, "saved")


async def keep_search(ask: Ask) -> Response:
    """Keep the search that the page shows under a name."""
    name, query = ask.field("name", 60), ask.field("query")
    if not name:
        return _back(ask, "name_missing")
    kept = await ask.house.database.write(
        lambda tx: ask.house.store.set_filter(tx, ask.key, PAGE, name, query)
    )
    return _back(ask, "search_kept" if kept else "too_many_searches")


async def drop_search(ask: Ask) -> Response:
    """Forget a search."""
    name = ask.field("name", 60)
    await ask.house.database.write(lambda tx: ask.house.store.drop_filter(tx, ask.key, PAGE, name))
    return _back(ask, "search_dropped")


# What can be done about a message


async def _mine(ask: Ask) -> QueueId:
    """Give the message that the form names, if it is of who asks."""
    try:
        wanted = queue_id_of(number_of(ask.field("message")))
    except RelayError:
        raise ask.refuse() from None
    found = await ask.house.database.read(lambda tx: ask.house.queue.message(tx, wanted))
    if found is None or found.login != ask.rep.login:
        raise ask.refuse()
    return wanted


async def archive(ask: Ask) -> Response:
    """Put a message aside."""
    message = await _mine(ask)
    await ask.house.database.write(lambda tx: ask.house.store.mark(tx, ask.key, ARCHIVED, message, ask.now))
    return _back(ask, "archived")


async def unarchive(ask: Ask) -> Response:
    """Put it back."""
    message = await _mine(ask)
    await ask.house.database.write(lambda tx: ask.house.store.unmark(tx, ask.key, ARCHIVED, message))
    return _back(ask, "unarchived")


async def retry(ask: Ask) -> Response:
    """Try now what is to be tried again: the recipients' deliveries, or what is held or deferred of the logging."""
    message, house = await _mine(ask), ask.house
    roles = (Role.RECIPIENT,) if ask.field("what") == "delivery" else (Role.RECORD, Role.LOG_COPY)
    acts = [(State.DEFERRED, by_hand.retry())]
    if Role.RECIPIENT not in roles:
        acts.append((State.HELD, by_hand.release()))

    def unit(tx: Transaction) -> bool:
        tried = False
        for role in roles:
            for state, act in acts:
                some = Selection(message=message, login=ask.rep.login, states=(state,), role=role)
                for one in by_hand.carry_out(
                    tx, house.queue, house.mail_log, some, act, ask.rep.login, ask.now
                ):
                    ask.audit(tx, f"delivery.{act.verb}", one.message)
                    tried = True
        return tried

    tried = await house.database.write(unit)
    house.actions.wake()
    return _back(ask, "retried" if tried else "too_late")


def _back(ask: Ask, said: str) -> Response:
    """Go back to where the form was, which its link says."""
    here = {name: values[0] for name, values in parse_qs(ask.field("here")).items() if name != "said"}
    return ask.redirect("/center", said=said, **here)
