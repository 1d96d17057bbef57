"""The pages for signing in and out."""

import asyncio
import math
from collections.abc import Sequence

from starlette.responses import Response

from relay.directory.credentials import Blocked, Proven, Unavailable, Wrong
from relay.web.access import Access, PageRoute, get, post
from relay.web.asking import Ask
from relay.web.guard import safe_path
from relay.web.signing_in import sign_in, sign_out

HOME = "/settings"
_TOO_MANY = 429
_UNPROCESSABLE = 422


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get("/", home, Access.SIGNED_IN),
        get("/sign-in", show, Access.ANYONE),
        post("/sign-in", prove, Access.ANYONE),
        post("/sign-out", leave, Access.SIGNED_IN),
        post("/sign-out-everywhere", leave_everywhere, Access.SIGNED_IN),
    )


async def home(ask: Ask) -> Response:
    """Send whoever is signed in to the first page of the menu."""
    first = ask.house.renderer.first_page(ask)
    return ask.redirect(first or HOME)


async def show(ask: Ask) -> Response:
    """Show the form; whoever is signed in already goes on."""
    if ask.someone is not None:
        return ask.redirect(safe_path(ask.query("next", "/")))
    return _form(ask, "", ask.query("next", "/"))


async def prove(ask: Ask) -> Response:
    """Check login and password: throttled per login and network, as at the SMTP ports."""
    destination = safe_path(ask.field("next") or "/")
    if not ask.house.web.passwords:
        raise ask.refuse(403)
    login, password = ask.field("login", 255), str(ask.form.get("password", ""))[:1024]
    verdict = await ask.house.credentials.verify(login, password.encode("utf-8", "replace"), ask.client)
    match verdict:
        case Proven(rep, token=None):
            return await sign_in(ask, rep, "password", destination)
        case Proven():  # an app password is for mail programs: it may lie about on a telephone
            return _form(ask, ask.words("sign_in.app_password"), destination, login, _UNPROCESSABLE)
        case Wrong(seconds):
            await asyncio.sleep(seconds)
            return _form(ask, ask.words("sign_in.wrong"), destination, login, _UNPROCESSABLE)
        case Blocked(seconds):
            minutes = max(1, math.ceil(seconds / 60))
            return _form(ask, ask.words.count("sign_in.blocked", minutes), destination, login, _TOO_MANY)
        case Unavailable():
            return _form(ask, ask.words("sign_in.unavailable"), destination, login, 503)


async def leave(ask: Ask) -> Response:
    """Sign out."""
    return await sign_out(ask)


async def leave_everywhere(ask: Ask) -> Response:
    """Sign out in every browser."""
    return await sign_out(ask, everywhere=True)


def _form(ask: Ask, problem: str, destination: str, login: str = "", status: int = 200) -> Response:
    web = ask.house.web
    return ask.render(
        "sign_in.html",
        status,
        problem=problem,
        destination=safe_path(destination),
        login=login,
        passwords=web.passwords,
        provider=web.oidc.name if web.oidc else "",
    )
