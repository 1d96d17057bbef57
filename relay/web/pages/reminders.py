"""*Reminders*: add, edit, complete, put off, assign and delete them, and follow a sent mail up."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from urllib.parse import quote, urlsplit

from starlette.responses import Response

from relay.directory.model import Rep
from relay.errors import CommandError, RelayError
from relay.ids import QueueId, number_of, queue_id_of
from relay.reminders.model import Priority, Reminder, ReminderId, State, Values, clean_details, clean_title
from relay.reminders.store import KEEP, Edit, HistoryLine, NewReminder, Wanted
from relay.storage.database import Transaction
from relay.web.access import Access, PageRoute, get, post
from relay.web.asking import Ask
from relay.web.reminding import (
    SNOOZES,
    STORE,
    Shown,
    find_person,
    is_on,
    key_of,
    person_of_mail,
    person_text,
    put_off,
    read_day,
    shown,
    today,
    turned,
)

KINDS = ("Email", "Call", "InMail", "Custom")
LISTS = ("open", "undated", "done")
_ROWS = 200
_UNPROCESSABLE = 422
_LONGEST_DETAILS = 64_000
_AS_IT_IS = "%&=+,;:/?@-._~!$'()*"
"""What may stand in a query (RFC 3986 §3.4)."""


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get("/reminders", show, Access.SIGNED_IN),
        get("/reminders/new", show_new, Access.SIGNED_IN),
        post("/reminders", add, Access.SIGNED_IN),
        get("/reminders/{id}", show_one, Access.SIGNED_IN),
        post("/reminders/{id}", save, Access.SIGNED_IN),
        post("/reminders/{id}/do", act, Access.SIGNED_IN),
    )


@dataclass(frozen=True, slots=True)
class Form:
    """What stands in the fields of the form."""

    title: str = ""
    kind: str = ""
    assignee: str = ""
    person: str = ""
    due: str = ""
    priority: str = Priority.NORMAL.value
    details: str = ""
    message: str = ""
    was: Sequence[str] = ()
    """What the fields had when the form was opened (`_marks`): what nobody changed in it is not written."""
    once: str = ""
    """What an empty form is named by, so that what is sent twice is entered once."""

    @property
    def name(self) -> str:
        """Give a name of the form with what was typed: gone back to and changed, it is another."""
        return hashlib.sha256(repr(self).encode("utf-8", "backslashreplace")).hexdigest()


async def show(ask: Ask) -> Response:
    """List all reminders of who asks: the open ones by day, those without a day, or the done ones."""
    which = ask.query("show") if ask.query("show") in LISTS else "open"
    states = (State.DONE,) if which == "done" else (State.OPEN,)
    wanted = Wanted(key_of(ask.rep), states, text=ask.query("q").strip()[:200])
    wanted = replace(wanted, without_due=None if which == "done" else which == "undated")

    def read(tx: Transaction) -> tuple[list[Reminder], int]:
        return STORE.list(tx, wanted, _ROWS), STORE.count(tx, wanted)

    found, total = await ask.house.database.read(read)
    now_day = today(ask)
    some = [shown(ask, one, ask.rep, now_day) for one in found]
    return ask.render(
        "reminders.html", 200, lists=LISTS, shown=which, some=some, total=total, text=ask.query("q")
    )


async def show_new(ask: Ask) -> Response:
    """Show an empty form; with `message`, one that follows up that mail."""
    form = Form(assignee=str(ask.rep.login), once=secrets.token_urlsafe(16))
    if ask.query("message"):
        form = await _follow_up(ask, form, ask.query("message"))
    return _form(ask, form)


async def _follow_up(ask: Ask, form: Form, text: str) -> Form:
    """Fill the form for a mail of who asks. Raises HTTPException 404 when it is none."""
    message = _queue_id(ask, text)

    def read(tx: Transaction) -> Form:
        found = ask.house.queue.message(tx, message)
        if found is None or found.login != ask.rep.login:
            raise ask.refuse()
        recipient = found.recipients[0] if found.recipients else ""
        title = ask.words("reminder.follow_up_of", subject=found.subject or ask.words("today.no_subject"))
        person = person_text(person_of_mail(tx, message, ask, recipient))
        due = (today(ask) + timedelta(days=1)).isoformat()
        return replace(form, title=title, kind="Email", person=person, due=due, message=message)

    return await ask.house.database.read(read)


def _form(ask: Ask, form: Form, problem: str = "", one: Shown | None = None, **more: object) -> Response:
    reps = [rep for rep in ask.house.actions.directory().reps() if not rep.disabled][:1000]
    return ask.render(
        "reminder.html",
        _UNPROCESSABLE if problem else 200,
        form=form,
        problem=problem,
        one=one,
        reps=reps,
        kinds=KINDS,
        snoozes=SNOOZES,
        **({"history": (), "synced": False} | more),
    )


def _read_form(ask: Ask) -> Form:
    return Form(
        ask.field("title", 300),
        ask.field("kind") if ask.field("kind") in KINDS else "",
        ask.field("assignee"),
        ask.field("person", 300),
        ask.field("due"),
        Priority.HIGH.value if ask.field("priority") == Priority.HIGH else Priority.NORMAL.value,
        ask.field("details", _LONGEST_DETAILS),
        ask.field("message"),
        tuple(ask.fields("was")),
        ask.field("once", 40),
    )


def _queue_id(ask: Ask, text: str) -> QueueId:
    try:
        return queue_id_of(number_of(text))
    except RelayError:
        raise ask.refuse() from None


def _assignee(ask: Ask, form: Form) -> Rep:
    """Give whose it is to be: who asks, or a teammate. Raises HTTPException 400 for nobody."""
    rep = ask.house.actions.directory().by_login(form.assignee or ask.rep.login)
    if rep is None or rep.disabled:
        raise ask.refuse(400)
    return rep


def _due(ask: Ask, form: Form) -> tuple[date | None, str]:
    try:
        return read_day(form.due), ""
    except ValueError:
        return None, ask.words("reminder.no_day")


async def add(ask: Ask) -> Response:
    """Enter a reminder, for oneself or a teammate; Salesforce is told at once where theirs are kept in step."""
    form = _read_form(ask)
    whose = _assignee(ask, form)
    due, problem = _due(ask, form)
    if problem or not form.title:
        return _form(ask, form, problem or ask.words("reminder.no_title"))
    if form.message:
        await _follow_up(ask, form, form.message)
    new = NewReminder(
        key_of(whose),
        form.title,
        form.details,
        due,
        Priority(form.priority),
        await find_person(ask, form.person),
        form.kind,
        _queue_id(ask, form.message) if form.message else None,
        key_of(ask.rep),
    )

    def unit(tx: Transaction) -> None:
        if form.once and not ask.house.store.once(tx, ask.key, form.name, ask.now):
            return  # sent twice: by a double click, a reload, or the way back
        made = STORE.add(tx, new, on=turned(tx, ask, whose), now=ask.now)
        ask.audit(tx, "reminder.added", whose.login, reminder=made.id)

    await ask.house.database.write(unit)
    ask.house.actions.wake()
    return ask.redirect("/center", said="reminder_added")


def _number(ask: Ask) -> ReminderId:
    text = ask.path("id")
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise ask.refuse()
    return ReminderId(int(text))


async def _mine(ask: Ask) -> tuple[Reminder, list[HistoryLine]]:
    """Give the reminder that the path names. Raises HTTPException 404 when who asks has none of that number."""

    def read(tx: Transaction) -> tuple[Reminder, list[HistoryLine]]:
        one = STORE.get(tx, _number(ask), of=key_of(ask.rep))
        return one, STORE.history(tx, one.id)

    try:
        return await ask.house.database.read(read)
    except CommandError:
        raise ask.refuse() from None


async def show_one(ask: Ask) -> Response:
    """Show a reminder in the form, with its history."""
    one, history = await _mine(ask)
    values = one.values
    form = Form(
        values.title,
        one.kind,
        str(ask.rep.login),
        one.person.name or one.person.email or one.person.id or "",
        values.due.isoformat() if values.due else "",
        values.priority.value,
        values.details,
        one.message or "",
        tuple(_marks(values).values()),
    )
    line = shown(ask, one, ask.rep, today(ask))
    return _form(ask, form, "", line, history=history, synced=is_on(ask, ask.rep))


async def save(ask: Ask) -> Response:
    """Keep what was changed of a reminder, and give it to a teammate where one was chosen."""
    one, history = await _mine(ask)
    form = _read_form(ask)
    whose = _assignee(ask, form)
    due, problem = _due(ask, form)
    if problem or not form.title:
        line = shown(ask, one, ask.rep, today(ask))
        problem = problem or ask.words("reminder.no_title")
        return _form(ask, form, problem, line, history=history, synced=is_on(ask, ask.rep))

    def unit(tx: Transaction) -> None:
        edit = _edit(form, due)
        turned(tx, ask, ask.rep)
        STORE.edit(tx, one.id, edit, ask.now, of=key_of(ask.rep))
        if whose.login != ask.rep.login:
            STORE.assign(tx, one.id, key_of(whose), ask.now, of=key_of(ask.rep))
            ask.audit(tx, "reminder.assigned", whose.login, reminder=one.id)

    return await _change(ask, unit, "saved")


def _marks(values: Values) -> dict[str, str]:
    """Give a digest of each field of the form."""
    fields = {
        "title": values.title,
        "details": values.details,
        "due": values.due,
        "priority": values.priority.value,
    }
    return {
        name: hashlib.sha256(f"{name} {value}".encode("utf-8", "replace")).hexdigest()[:16]
        for name, value in fields.items()
    }


def _edit(form: Form, due: date | None) -> Edit:
    """Give what was changed in the form: what changed elsewhere since it was opened stays as it is."""
    new = Values(clean_title(form.title), clean_details(form.details), due, Priority(form.priority))
    fresh = {name for name, mark in _marks(new).items() if mark not in form.was}
    return Edit(
        new.title if "title" in fresh else None,
        new.details if "details" in fresh else None,
        due if "due" in fresh else KEEP,
        new.priority if "priority" in fresh else None,
    )


async def act(ask: Ask) -> Response:
    """Complete, reopen, put off, send to Salesforce or delete a reminder."""
    one, _ = await _mine(ask)
    key, what, days = key_of(ask.rep), ask.field("what"), ask.field("days")
    until = put_off(one, int(days) if days in map(str, SNOOZES) else SNOOZES[0], today(ask))

    def unit(tx: Transaction) -> None:
        on = turned(tx, ask, ask.rep)
        match what:
            case "done":
                STORE.done(tx, one.id, ask.now, of=key)
            case "reopen":
                STORE.reopen(tx, one.id, ask.now, of=key)
            case "snooze":
                STORE.snooze(tx, one.id, until, ask.now, of=key)
            case "send" if on:
                STORE.send(tx, one.id, ask.now, of=key)
            case "delete":
                STORE.delete(tx, one.id, ask.now, of=key)
                ask.audit(tx, "reminder.deleted", ask.rep.login, reminder=one.id)
            case _:
                raise ask.refuse(400)

    said = {"done": "reminder_done", "delete": "reminder_deleted"}.get(what, "saved")
    return await _change(ask, unit, said)


async def _change(ask: Ask, unit: object, said: str) -> Response:
    """Carry a change out, have Salesforce told, and go back to where the form was."""
    assert callable(unit)
    try:
        await ask.house.database.write(unit)
    except CommandError:
        raise ask.refuse() from None
    ask.house.actions.wake()
    return _back(ask, said)


def _back(ask: Ask, said: str) -> Response:
    """Go to one of our own pages that the form names, or to the command center."""
    here = urlsplit(ask.field("here"))
    path = here.path if here.path in ("/center", "/reminders") and not here.netloc else "/center"
    pairs = [part.partition("=") for part in here.query.split("&") if "=" in part]
    query = "&".join(f"{name}={value}" for name, _, value in pairs if name != "said")
    answer = ask.redirect(path, said=said)
    if query:
        answer.headers["location"] += quote(f"&{query}", safe=_AS_IT_IS)
    return answer
