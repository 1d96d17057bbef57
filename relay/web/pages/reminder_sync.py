"""The card *Sync reminders to Salesforce tasks* while it is at work, and the calendar that a private address opens."""

import hashlib
import secrets
from collections.abc import Sequence

from starlette.responses import Response

from relay.directory.model import Rep
from relay.reminders.feed import CONTENT_TYPE, feed
from relay.reminders.model import Reminder
from relay.reminders.outgoing import decide_deletions
from relay.reminders.store import Wanted
from relay.storage.database import Transaction
from relay.texts import words
from relay.web.access import Access, PageRoute, get, post
from relay.web.asking import Ask
from relay.web.reminding import STORE, SWITCHES, key_of, sync_state, turned

SETTINGS = "/settings/salesforce/sync"
_FEED_ROWS = 1000
_TOKEN_OCTETS = 32


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get(f"{SETTINGS}/state", show_state, Access.SIGNED_IN),
        post(f"{SETTINGS}/deletions", decide, Access.SIGNED_IN),
        post(f"{SETTINGS}/run", run, Access.SIGNED_IN),
        post(f"{SETTINGS}/calendar", open_calendar, Access.SIGNED_IN),
        post(f"{SETTINGS}/calendar/close", close_calendar, Access.SIGNED_IN),
        get("/calendar/{token}", calendar, Access.ANYONE),
    )


async def show_state(ask: Ask) -> Response:
    """Give how keeping in step goes on, for the card to show."""
    state = await ask.house.database.read(lambda tx: sync_state(tx, ask))
    return ask.render("settings_reminders.html", 200, sync=state)


async def run(ask: Ask) -> Response:
    """Bring both sides in step now."""

    def unit(tx: Transaction) -> None:
        if turned(tx, ask, ask.rep):
            SWITCHES.ask(tx, key_of(ask.rep))

    await ask.house.database.write(unit)
    ask.house.actions.wake()
    return ask.redirect(SETTINGS, said="sync_started")


async def decide(ask: Ask) -> Response:
    """Delete here, too, what was deleted in Salesforce in great number; or keep it."""
    confirmed = ask.field("what") == "confirm"
    if not confirmed and ask.field("what") != "keep":
        raise ask.refuse(400)

    def unit(tx: Transaction) -> None:
        count = decide_deletions(tx, key_of(ask.rep), confirmed=confirmed)
        ask.audit(tx, "reminders.deletions", ask.rep.login, confirmed=confirmed, count=count)

    await ask.house.database.write(unit)
    ask.house.actions.wake()
    return ask.redirect(SETTINGS, said="deletions_confirmed" if confirmed else "deletions_kept")


# The calendar


async def open_calendar(ask: Ask) -> Response:
    """Make the address of the rep's calendar, and show it once; an earlier one opens nothing any more."""
    secret = secrets.token_urlsafe(_TOKEN_OCTETS)

    def unit(tx: Transaction) -> None:
        SWITCHES.open_feed(tx, key_of(ask.rep), _digest(secret), ask.now)
        ask.audit(tx, "calendar.opened")

    await ask.house.database.write(unit)
    link = f"{ask.house.own_address(ask.request)}/calendar/{secret}.ics"
    return ask.render("calendar_link.html", 200, link=link)


async def close_calendar(ask: Ask) -> Response:
    """Have no address open the rep's calendar."""

    def unit(tx: Transaction) -> None:
        SWITCHES.close_feed(tx, key_of(ask.rep))
        ask.audit(tx, "calendar.closed")

    await ask.house.database.write(unit)
    return ask.redirect(SETTINGS, said="calendar_closed")


async def calendar(ask: Ask) -> Response:
    """Give the calendar that a token opens, to anybody who has it; whatever else was asked: 404."""
    token = ask.path("token").removesuffix(".ics")

    def read(tx: Transaction) -> tuple[Rep | None, list[Reminder]]:
        key = SWITCHES.feed_of(tx, _digest(token))
        rep = None if key is None else ask.house.actions.directory().by_login(key)
        if rep is None or rep.disabled:
            return None, []
        return rep, STORE.list(tx, Wanted(key_of(rep), without_due=False), _FEED_ROWS)

    rep, found = await ask.house.database.read(read)
    if rep is None:
        raise ask.refuse()
    name = words(rep.language)("reminder.calendar_name", name=rep.name or rep.login)
    octets = feed(found, host=ask.house.configuration.hostname, name=name)
    return Response(octets, media_type=CONTENT_TYPE)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
