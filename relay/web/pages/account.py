"""My account: language and time zone, the password, and where one is signed in."""

from collections.abc import Sequence
from functools import lru_cache
from zoneinfo import available_timezones

from starlette.responses import Response

from relay.storage.database import Transaction
from relay.texts import LANGUAGES
from relay.web.access import Access, Entry, PageRoute, get, post
from relay.web.agents import agent_name
from relay.web.asking import Ask
from relay.web.changing import origin_of

HERE = "/settings/account"


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get("/settings", overview, Access.SIGNED_IN),
        get(HERE, show, Access.SIGNED_IN, entry=Entry("settings", "account.title")),
        post(HERE, save, Access.SIGNED_IN),
    )


async def overview(ask: Ask) -> Response:
    """Go to the first page of settings."""
    return ask.redirect(ask.house.renderer.first_page(ask, "settings"))


async def show(ask: Ask) -> Response:
    """Show the account."""
    house = ask.house
    sessions = await house.database.read(lambda tx: house.store.sessions(tx, ask.key, ask.now))
    origins = {key: origin_of(ask, key, key) for key in ("language", "time_zone")}
    return ask.render(
        "account.html",
        sessions=sessions,
        agent_name=agent_name,
        languages=LANGUAGES,
        zones=_zones(),
        origins=origins,
    )


async def save(ask: Ask) -> Response:
    """Keep language and time zone."""
    language, zone = ask.field("language"), ask.field("time_zone")
    if language not in LANGUAGES or zone not in _zones():
        raise ask.refuse(400)

    def keep(tx: Transaction) -> None:
        for key, value in (("language", language), ("time_zone", zone)):
            if value != getattr(ask.rep, key):
                ask.house.changes.set(tx, ask.rep.login, key, value, ask.rep.login, ask.now)
                ask.audit(tx, "settings.changed", key=key, value=value)

    await ask.house.database.write(keep)
    await ask.house.actions.take_changes()
    return ask.redirect(HERE, said="saved")


@lru_cache(maxsize=1)
def _zones() -> tuple[str, ...]:
    """Give the time zones that people choose among."""
    named = (
        zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "posix/"))
    )
    return ("UTC", *sorted(named))
