"""Connect and Disconnect: the organisation by an admin, or each rep, over Salesforce's web server flow with PKCE.

Whoever comes back must be the same person in the same session that went there, with a state that was given out and
not used before. No code, verifier or token stands in a log, in the audit, or on a page.
"""

import logging
import secrets
from collections.abc import Sequence

from starlette.responses import Response

from relay.delivery_kind import Transport
from relay.queue import by_hand
from relay.queue.model import State
from relay.queue.operations import SLICE
from relay.queue.selection import Selection
from relay.salesforce.client import SalesforceClient, SalesforceError, is_id
from relay.salesforce.faults_table import explanation
from relay.storage.database import Transaction
from relay.web.access import Access, PageRoute, get, post
from relay.web.asking import Ask
from relay.web.pages.sync_settings import HERE, page
from relay.web.store import Flow, digest

logger = logging.getLogger(__name__)

KIND = "salesforce"
CALLBACK = "/settings/salesforce/connected"
"""What is entered as the app's Callback URL, behind the page's address."""
ORGANIZATION, MINE = "organization", "mine"
_LASTS = 10 * 60 * 1_000_000
_UNPROCESSABLE = 422
_SLICES = 100


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        post(f"{HERE}/connect", begin, Access.SIGNED_IN),
        get(CALLBACK, finish, Access.SIGNED_IN),
        post(f"{HERE}/disconnect", disconnect, Access.SIGNED_IN),
    )


async def begin(ask: Ask) -> Response:
    """Send the browser to Salesforce, through a page of ours.

    Not by a redirect: form-action forbids a form to end elsewhere, at Salesforce or wherever it signs people in.
    """
    whose = ask.field("whose")
    client = _client(ask, whose)
    if whose == MINE and not is_id(ask.rep.salesforce_user_id or ""):
        return await page(ask, "api", problem=ask.words("api.no_user"), status=_UNPROCESSABLE)
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    flow = Flow(digest(ask.cookies.bound), whose, verifier, client.instance, ask.now + _LASTS)
    await ask.house.database.write(lambda tx: ask.house.store.begin_flow(tx, state, KIND, flow))
    # The organisation is connected as a user that is chosen for it, hardly the one who happens to be signed in there.
    url = client.authorize_url(_redirect_uri(ask), state, verifier, sign_in_anew=whose == ORGANIZATION)
    answer = ask.render("connecting.html", url=url)
    answer.headers["refresh"] = f"0; url={url}"
    return answer


async def finish(ask: Ask) -> Response:
    """Take the code that Salesforce sent along, and connect whom it was asked for."""
    state, code = ask.query("state"), ask.query("code")
    flow = await ask.house.database.write(lambda tx: ask.house.store.take_flow(tx, state, KIND))
    if flow is None or flow.expires_at <= ask.now or flow.browser != digest(ask.cookies.bound):
        return await _failed(ask, ask.words("connection.failed"))
    client = _client(ask, flow.nonce)  # who may connect is asked again: roles and settings change
    if client.instance != flow.destination or not code:
        denied = ask.query("error") == "access_denied"
        return await _failed(ask, ask.words("connection.denied" if denied else "connection.failed"))
    identity, user = _identity(ask, client, flow.nonce)
    try:
        connected = await client.connect(code, flow.verifier, _redirect_uri(ask), identity, user_id=user)
    except SalesforceError as error:
        logger.warning("connecting to Salesforce for %s was refused: %s", ask.key, error.fault.code)
        return await _failed(ask, explanation(error.fault, ask.words.texts))
    about = _about(ask, flow.nonce)
    detail = {"user": connected.user_id, "organization": connected.organization_id}

    def note(tx: Transaction) -> None:
        ask.audit(tx, "salesforce.connected", about, **detail)
        if connected.settled:
            ask.audit(tx, "salesforce.settled", about, organization=connected.organization_id)

    await ask.house.database.write(note)
    await _release(ask, flow.nonce)
    ask.house.actions.wake()
    return ask.redirect(HERE, said="connected")


async def _release(ask: Ask, whose: str) -> None:
    """Have the records that waited for the connection tried now, not when they would have asked again."""
    house, login = ask.house, ask.rep.login if whose == MINE else None
    waiting = Selection(login=login, states=(State.DEFERRED,), transport=Transport.SALESFORCE)

    def unit(tx: Transaction) -> int:
        act = by_hand.retry()
        changed = by_hand.carry_out(tx, house.queue, house.mail_log, waiting, act, ask.rep.login, ask.now)
        return len(changed)

    for _ in range(_SLICES):
        if await house.database.write(unit) < SLICE:
            break


async def disconnect(ask: Ask) -> Response:
    """End the connection, once that has been confirmed."""
    whose = ask.field("whose")
    client = _client(ask, whose)
    if ask.field("confirm") != "yes":
        return ask.redirect(HERE, disconnect=whose)
    identity, _ = _identity(ask, client, whose)
    try:
        revoked = await client.disconnect(identity)
    except SalesforceError as error:
        return await _failed(ask, explanation(error.fault, ask.words.texts))
    about = _about(ask, whose)
    await ask.house.database.write(
        lambda tx: ask.audit(tx, "salesforce.disconnected", about, revoked=revoked)
    )
    ask.house.actions.wake()
    return ask.redirect(HERE, said="disconnected" if revoked else "disconnected_here")


def _client(ask: Ask, whose: str) -> SalesforceClient:
    """Give what asks Salesforce, if who is signed in may connect this. Raises HTTPException: 400, 403, 404."""
    client = ask.house.actions.salesforce()
    if client is None or not client.connectable():
        raise ask.refuse()
    match whose:
        case "organization":
            if ask.role != "admin":
                raise ask.refuse(403)
        case "mine":
            if not client.each_rep():
                raise ask.refuse()
        case _:
            raise ask.refuse(400)
    return client


def _identity(ask: Ask, client: SalesforceClient, whose: str) -> tuple[str, str | None]:
    """Give the identity to connect, and the Salesforce user that it must turn out to be."""
    if whose == ORGANIZATION:
        return client.organization_identity(), None
    return client.identity_of(ask.rep), ask.rep.salesforce_user_id or ""


def _about(ask: Ask, whose: str) -> str:
    return "*" if whose == ORGANIZATION else ask.rep.login


async def _failed(ask: Ask, problem: str) -> Response:
    return await page(ask, "", connect_problem=problem, status=_UNPROCESSABLE)


def _redirect_uri(ask: Ask) -> str:
    return ask.house.own_address(ask.request) + CALLBACK
