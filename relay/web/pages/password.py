"""Choose a password: by a link that was mailed or printed (invitation, reset), or when signed in.

Whether a login exists is never told: whoever asks for a link reads the same words.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from dataclasses import replace

from starlette.background import BackgroundTask
from starlette.responses import Response

from relay.directory.credentials import Proven
from relay.directory.model import Rep, login_key
from relay.directory.passwords import hash_password
from relay.directory.store import ORIGIN, RepChange
from relay.directory.throttle import Attempt, network_of
from relay.errors import StorageError
from relay.storage.database import Transaction
from relay.web.access import Access, PageRoute, get, post
from relay.web.asking import Ask, House
from relay.web.ending import tied
from relay.web.mailing import send
from relay.web.signing_in import sign_in
from relay.web.store import INVITE, LINK_LASTS, RESET, digest, tie

logger = logging.getLogger(__name__)

_HOUR = LINK_LASTS[RESET]
_LINKS_PER_HOUR = 3
_SHORTEST = 12
_UNPROCESSABLE = 422
_UNAVAILABLE = 503


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get("/forgot", show_forgot, Access.ANYONE),
        post("/forgot", forgot, Access.ANYONE),
        get("/choose-password/{code}", show_choose, Access.ANYONE),
        post("/choose-password/{code}", choose, Access.ANYONE),
        post("/settings/password", change, Access.SIGNED_IN),
    )


async def show_forgot(ask: Ask) -> Response:
    """Show the form that asks for a link."""
    return ask.render("forgot.html", problem="" if ask.house.mailed_address else ask.words("forgot.no_links"))


async def forgot(ask: Ask) -> Response:
    """Mail a link to the rep's first address, when there is such a rep and not too much was mailed lately."""
    house, text = ask.house, ask.field("login", 255)
    if not house.mailed_address:
        return ask.render("forgot.html", _UNAVAILABLE, problem=ask.words("forgot.no_links"))
    attempt = house.mailings.begin(login_key(text), network_of(ask.client))
    if not isinstance(attempt, Attempt):
        return ask.render("forgot.html", 429, problem=ask.words("forgot.too_many"))
    house.mailings.failed(attempt)
    answer = ask.redirect("/sign-in", said="link_sent")
    # After the answer: how long it takes would tell whether there is such a rep.
    answer.background = BackgroundTask(_mail_link, ask, text)
    return answer


async def _mail_link(ask: Ask, login: str) -> None:
    house, rep = ask.house, ask.house.actions.directory().by_login(login)
    if not house.web.passwords or rep is None or not rep.addresses or rep.disabled:
        return
    try:
        code = await new_link(house, rep, RESET, at_most=_LINKS_PER_HOUR)
        if code is not None:
            await send_link(ask, rep, RESET, code)
    except StorageError:
        logger.exception("a link to choose a password could not be mailed")


async def new_link(house: House, rep: Rep, purpose: str, *, at_most: int | None = None) -> str | None:
    """Make the code of a link by which a rep chooses a password; None when `at_most` were made within the hour."""
    code, now = secrets.token_urlsafe(32), house.clock.now()

    def keep(tx: Transaction) -> bool:
        sent = house.store.codes_since(tx, login_key(rep.login), purpose, now - _HOUR)
        if at_most is not None and sent >= at_most:
            return False
        house.store.add_link(tx, code, purpose, rep, now)
        return True

    return code if await house.database.write(keep) else None


async def send_link(ask: Ask, rep: Rep, purpose: str, code: str) -> None:
    """Mail a link to a rep's first address, in the rep's language; only where House.mailed_address is known."""
    link = f"{ask.house.mailed_address}/choose-password/{code}"
    await send(ask.house, rep, f"mail.{purpose}", link=link)


async def show_choose(ask: Ask) -> Response:
    """Show the form behind a link."""
    if await _whose(ask) is None:
        return ask.render("choose_password.html", 404, code="", problem=ask.words("choose.stale"))
    return ask.render("choose_password.html", code=ask.path("code"), problem="")


async def choose(ask: Ask) -> Response:
    """Set the password, end every session the rep has, and sign in."""
    rep = await _whose(ask)
    if rep is None:
        return ask.render("choose_password.html", 404, code="", problem=ask.words("choose.stale"))
    password = str(ask.form.get("password", ""))
    problem = password_problem(ask, password)
    if problem:
        return ask.render("choose_password.html", _UNPROCESSABLE, code=ask.path("code"), problem=problem)
    encoded = await asyncio.to_thread(hash_password, password.encode())
    ask.someone = rep

    def keep(tx: Transaction) -> bool:
        taken = [ask.house.store.take_code(tx, ask.path("code"), one, ask.now) for one in (RESET, INVITE)]
        if not any(taken):
            return False
        for purpose in (RESET, INVITE):
            ask.house.store.forget_codes(tx, login_key(rep.login), purpose)
        set_password(ask.house, tx, rep, encoded)
        ask.house.store.end_sessions(tx, login_key(rep.login))
        ask.audit(tx, "password.chosen")
        return True

    if not await ask.house.database.write(keep):
        return ask.render("choose_password.html", 404, code="", problem=ask.words("choose.stale"))
    await ask.house.actions.take_changes()
    return await sign_in(ask, replace(rep, password=encoded), "link", "/")


async def change(ask: Ask) -> Response:
    """Set another password for who is signed in and knows the present one; other browsers are signed out."""
    present, password = str(ask.form.get("present", ""))[:1024], str(ask.form.get("password", ""))
    if ask.rep.password is not None:
        verdict = await ask.house.credentials.verify(
            ask.rep.login, present.encode("utf-8", "replace"), ask.client
        )
        if not isinstance(verdict, Proven) or verdict.token is not None:
            return ask.redirect("/settings/account", said="password_wrong")
    if password_problem(ask, password):
        return ask.redirect("/settings/account", said="password_short")
    encoded = await asyncio.to_thread(hash_password, password.encode())

    def keep(tx: Transaction) -> None:
        set_password(ask.house, tx, ask.rep, encoded)
        if ask.session is not None:
            ask.house.store.end_sessions(tx, ask.key)
            ask.house.store.begin_session(tx, replace(ask.session, tie=tie(ask.session.id_hash, encoded)))
        ask.audit(tx, "password.changed")

    await ask.house.database.write(keep)
    await ask.house.actions.take_changes()
    return ask.redirect("/settings/account", said="password_changed")


def set_password(house: House, tx: Transaction, rep: Rep, encoded: str) -> None:
    """Keep a password: with the rep in the store, or over that of the settings."""
    if rep.origin == ORIGIN:
        house.reps.set(tx, rep.login, RepChange(password=encoded))
    else:
        house.changes.set_password(tx, rep.login, encoded, house.clock.now())


def password_problem(ask: Ask, password: str) -> str:
    """Say what is wrong with a password that somebody chose; "" when nothing is."""
    repeated = ask.form.get("repeated")
    if (
        len(password) < _SHORTEST
        or len(password.encode("utf-8", "replace")) > 1024
        or not password.isprintable()
    ):
        return ask.words("choose.short", least=_SHORTEST)
    if repeated is not None and repeated != password:
        return ask.words("choose.differs")
    return ""


async def _whose(ask: Ask) -> Rep | None:
    """Find whose link this is; None when it is used up, over, or never was one."""
    code = ask.path("code")
    purposes = (RESET, INVITE)

    def find(tx: Transaction) -> list[tuple[str, str] | None]:
        return [ask.house.store.find_code(tx, code, purpose, ask.now) for purpose in purposes]

    found = next((one for one in await ask.house.database.read(find) if one is not None), None)
    rep = None if found is None else ask.house.actions.directory().by_login(found[0])
    return rep if rep and found and not rep.disabled and tied(digest(code), found[1], rep) else None
