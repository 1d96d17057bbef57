"""Stand before every page: who asks, may they, does a form come from our own page, is it too large.

A page's handler runs only after all of that; what it raises becomes a page that tells nothing of our insides.
"""

import logging
import secrets
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Message, Receive, Scope, Send

from relay.directory.model import Rep
from relay.errors import RelayError, StorageError
from relay.storage.database import Transaction
from relay.texts import preferred, words
from relay.web.access import FORM_LIMIT, PageRoute
from relay.web.asking import Ask, House, answer_with_cookie
from relay.web.cookies import browser_cookie, from_elsewhere, read_cookies, token_fits
from relay.web.ending import stands
from relay.web.store import Session, digest

logger = logging.getLogger(__name__)

_TOUCH_EVERY = 60_000_000
"""Microseconds between notes of a session's use: reading a page should write nothing most of the time."""
_FIELDS = 1000
_FILES = 5
_TOO_LARGE = 413
_UNAVAILABLE = 503


class Guarded:
    """One route as Starlette calls it."""

    def __init__(self, route: PageRoute, house: House) -> None:
        self._route = route
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, _limited(receive, body_limit(scope, self._route)))
        ask = nobody(request, self._house)
        fresh = not ask.cookies.bound
        if fresh:
            ask.cookies = replace(ask.cookies, browser=secrets.token_urlsafe(32))
        try:
            response = await self._answer(ask)
        except ClientDisconnect:
            return
        except HTTPException as refusal:
            response = error_page(ask, refusal.status_code)
        except StorageError:
            logger.exception("the page could not reach the store")
            response = error_page(ask, _UNAVAILABLE)
        except Exception:
            logger.exception("the page could not answer %s", self._route.path)
            response = error_page(ask, 500)
        if fresh:
            answer_with_cookie(response, browser_cookie(ask.cookies.browser, secure=ask.secure))
        await response(scope, receive, send)

    async def _answer(self, ask: Ask) -> Response:
        await _recognise(ask)
        if not self._route.access.allows(ask.role):
            return _turned_away(ask)
        if self._route.method == "POST":
            await self._take_form(ask)
        try:
            return await self._route.handler(ask)
        finally:
            await ask.form.close()

    async def _take_form(self, ask: Ask) -> None:
        """Read the form and see that it is one of ours. Raises HTTPException: 403, 413."""
        request = ask.request
        if from_elsewhere(request.headers, own_origins(request, self._house)):
            raise HTTPException(403)
        limit = body_limit(request.scope, self._route)
        if int(_digits(request.headers.get("content-length"))) > limit:
            raise HTTPException(_TOO_LARGE)
        ask.form = await request.form(max_files=_FILES, max_fields=_FIELDS, max_part_size=limit)
        # htmx sends the same hidden field; a request without a form may carry the token as a header.
        token = ask.field("form_token") or request.headers.get("x-form-token", "")
        if not token_fits(ask.cookies.bound, token):
            raise HTTPException(403)


def body_limit(scope: Scope, route: PageRoute) -> int:
    """Give the most octets that a request may bring: what is large comes as multipart/form-data, as files do.

    A form in the other encoding is decoded on the event loop, and octet by octet where each is written %41.
    """
    kind = Headers(scope=scope).get("content-type", "").lower()
    return route.body_limit if kind.startswith("multipart/form-data") else min(FORM_LIMIT, route.body_limit)


def nobody(request: Request, house: House) -> Ask:
    """Take a request in before it is known who asks."""
    secure = request.url.scheme == "https"
    language = preferred(request.headers.get("accept-language", ""))
    cookies = read_cookies(request.cookies, secure=secure)
    return Ask(request, house, words(language), cookies, secure=secure)


async def somebody(request: Request, house: House) -> Ask:
    """Take in a request that no route is for: who is signed in sees the menu, in their language."""
    ask = nobody(request, house)
    with suppress(StorageError):
        await _recognise(ask)
    return ask


async def _recognise(ask: Ask) -> None:
    ask.session, ask.someone = await who(ask)
    if ask.someone is not None:
        ask.words = words(ask.someone.language)


async def who(ask: Ask) -> tuple[Session | None, Rep | None]:
    """Find the session that the cookie names and whose it is; nobody's when it does not stand any more."""
    if not ask.cookies.session:
        return None, None
    house, id_hash = ask.house, digest(ask.cookies.session)
    session, rep = await _standing(ask, id_hash)
    if session is None:
        return None, None
    if rep is None:  # the password may be another one since a moment ago, which not all parts know of yet
        with suppress(RelayError):
            await house.actions.take_changes()
        session, rep = await _standing(ask, id_hash)
    if session is None or rep is None:
        return None, None
    if ask.now - session.seen_at > _TOUCH_EVERY:

        def touch(tx: Transaction) -> None:
            house.store.touch(tx, id_hash, ask.now)

        await house.database.write(touch)
    return session, rep


async def _standing(ask: Ask, id_hash: str) -> tuple[Session | None, Rep | None]:
    """Give a session, and its rep when it stands."""
    house = ask.house
    session = await house.database.read(lambda tx: house.store.session(tx, id_hash, ask.now))
    rep = None if session is None else house.actions.directory().by_login(session.login_key)
    return session, rep if session is not None and rep is not None and stands(session, rep) else None


def own_origins(request: Request, house: House) -> set[str]:
    """Give the origins that our own pages have: as this request names us, and web.public_url."""
    host = request.headers.get("host", "").lower()
    origins = {f"{request.url.scheme}://{host}"}
    if house.web.public_url:
        parts = urlsplit(house.web.public_url)
        origins.add(f"{parts.scheme}://{parts.netloc}".lower())
    return origins


def safe_path(text: str) -> str:
    """Give a path of ours that somebody may be sent to; "/" for anything that leads, or might lead, elsewhere."""
    odd = not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable()
    parts = urlsplit(text) if not odd else None
    return text if parts is not None and not parts.scheme and not parts.netloc else "/"


def error_page(ask: Ask, status: int) -> Response:
    """Answer with a page that says in plain words what is the matter."""
    known = status if ask.words.has(f"error.{status}") else 500 if status >= 500 else 400
    return ask.render("error.html", status, known=known)


def _turned_away(ask: Ask) -> Response:
    """Send somebody who is not signed in to sign in; others learn that it is not for them."""
    if ask.someone is not None:
        return error_page(ask, 403)
    here = ask.request.url.path
    # A code that an identity provider or Salesforce sent along (RFC 6749 §4.1.2) is carried no further.
    query = ask.request.url.query if "code" not in ask.request.query_params else ""
    back = {"next": f"{here}?{query}" if query else here} if ask.request.method == "GET" else {}
    target = "/sign-in" + (f"?{urlencode(back)}" if back else "")
    if ask.enhanced:
        return Response(status_code=401, headers={"hx-redirect": target})
    return RedirectResponse(target, 303)


def _limited(receive: Receive, limit: int) -> Receive:
    """Stop reading a body that is longer than it may be, whatever its length was said to be."""
    taken = 0

    async def receive_some() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise HTTPException(_TOO_LARGE)
        return message

    return receive_some


def _digits(text: str | None) -> str:
    return text if text is not None and text.isdecimal() and len(text) < 19 else "0"
