"""*For everybody*: what an admin sets for all, and what reps may not change for themselves."""

from collections.abc import Sequence

from starlette.responses import Response

from relay.config.model import Mode
from relay.storage.database import Transaction
from relay.web.access import Access, Entry, PageRoute, get, post
from relay.web.asking import Ask
from relay.web.changing import change_for_all

HERE = "/settings/everybody"
_UNPROCESSABLE = 422
_AS_ENTERED = "entered"


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get(HERE, show, Access.ADMIN, entry=Entry("settings", "everybody.title")),
        post(HERE, save, Access.ADMIN),
    )


async def show(ask: Ask) -> Response:
    """Show what holds for all."""
    return _page(ask)


def _page(ask: Ask, problem: str = "", status: int = 200) -> Response:
    configuration = ask.house.configuration
    return ask.render(
        "everybody.html",
        status,
        problem=problem,
        modes=[str(mode) for mode in Mode],
        mode=str(configuration.settings.logging.mode),
        mode_origin=configuration.place("logging.mode"),
        reminders=configuration.settings.reminders.sync,
        reminders_origin=configuration.place("reminders.sync"),
        words_of_change=ask.house.web.may_change,
        locked=ask.house.actions.locked(),
        place=configuration.place("web.may_change"),
    )


async def save(ask: Ask) -> Response:
    """Keep the mode of all, and the locks."""
    settings = ask.house.configuration.settings
    values: dict[str, object] = {}
    for name, key, now in (
        ("mode", "logging.mode", str(settings.logging.mode)),
        ("reminders", "reminders.sync", settings.reminders.sync),
    ):
        wanted = ask.field(name)
        if wanted == _AS_ENTERED:
            values[key] = None
        elif wanted and wanted != now:
            values[key] = wanted
    if values.get("logging.mode") in (Mode.API, Mode.OBSERVE) and settings.salesforce is None:
        return _page(ask, ask.words("api.no_organisation"), _UNPROCESSABLE)
    problem = await change_for_all(ask, values) if values else ""
    if problem:
        return _page(ask, problem, _UNPROCESSABLE)
    await _lock(ask, set(ask.fields("locked")))
    return ask.redirect(HERE, said="saved")


async def _lock(ask: Ask, wanted: set[str]) -> None:
    """Lock what is wanted among what may be changed, and unlock the rest."""
    may, locked = set(ask.house.web.may_change), ask.house.actions.locked()

    def keep(tx: Transaction) -> None:
        for key in sorted((wanted & may) - locked):
            ask.house.changes.lock(tx, key, ask.rep.login, ask.now)
            ask.audit(tx, "settings.locked", about="*", key=key)
        for key in sorted(locked - wanted):
            ask.house.changes.unlock(tx, key)
            ask.audit(tx, "settings.unlocked", about="*", key=key)

    await ask.house.database.write(keep)
    await ask.house.actions.take_changes()
