"""Signing in through the company's identity provider.

Whoever comes back must be in the browser that went there, with a state that was given out and not used before. A rep is
found by the provider's subject when it was seen before, else by a verified address that is a login or an acceptable
address here.
"""

import logging
from collections.abc import Sequence

from starlette.responses import RedirectResponse, Response

from relay.address import parse_mailbox
from relay.config.secrets import read_secret
from relay.directory.model import Rep, login_key
from relay.errors import AddressError, CommandError
from relay.web.access import Access, PageRoute, get
from relay.web.asking import Ask
from relay.web.guard import safe_path
from relay.web.oidc import Begun, Identity, Provider, SignInRefused
from relay.web.signing_in import sign_in
from relay.web.store import Flow, digest

logger = logging.getLogger(__name__)

KIND = "oidc"
CALLBACK = "/sign-in/oidc/callback"
_LASTS = 10 * 60 * 1_000_000
_UNPROCESSABLE = 422


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get("/sign-in/oidc", begin, Access.ANYONE),
        get(CALLBACK, finish, Access.ANYONE),
    )


async def begin(ask: Ask) -> Response:
    """Send the browser to the provider."""
    provider = _provider(ask)
    try:
        begun = await provider.begin(_redirect_uri(ask))
    except SignInRefused as refused:
        logger.warning("signing in through %s cannot begin: %s", provider.settings.issuer, refused)
        return _refused(ask, "sign_in.failed")
    flow = Flow(
        digest(ask.cookies.bound),
        begun.nonce,
        begun.verifier,
        safe_path(ask.query("next", "/")),
        ask.now + _LASTS,
    )
    await ask.house.database.write(lambda tx: ask.house.store.begin_flow(tx, begun.state, KIND, flow))
    return RedirectResponse(begun.url, 303)


async def finish(ask: Ask) -> Response:
    """Take what the provider sent along, and sign the rep in whom it proves."""
    provider, state, code = _provider(ask), ask.query("state"), ask.request.query_params.get("code", "")
    flow = await ask.house.database.write(lambda tx: ask.house.store.take_flow(tx, state, KIND))
    issuer = ask.query("iss", provider.settings.issuer)
    if (
        flow is None
        or flow.expires_at <= ask.now
        or flow.browser != digest(ask.cookies.bound)
        or issuer.rstrip("/") != provider.settings.issuer.rstrip("/")
        or not code
    ):
        return _refused(ask, "sign_in.failed")
    try:
        begun = Begun("", state, flow.nonce, flow.verifier)
        identity = await provider.finish(_redirect_uri(ask), code, begun)
    except SignInRefused as refused:
        logger.warning("a sign-in through %s was refused: %s", provider.settings.issuer, refused)
        return _refused(ask, "sign_in.failed")
    rep = await _rep_of(ask, identity)
    if rep is None:
        return _refused(ask, "sign_in.foreign")
    return await sign_in(ask, rep, KIND, flow.destination)


async def _rep_of(ask: Ask, identity: Identity) -> Rep | None:
    """Find whose identity this is, and remember the subject: an address may one day be somebody else's."""
    house, directory = ask.house, ask.house.actions.directory()
    known = await house.database.read(lambda tx: house.store.identity(tx, identity.issuer, identity.subject))
    rep = directory.by_login(known) if known is not None else _by_address(ask, identity)
    if rep is None or rep.disabled:
        return None
    if known is None:
        found = rep
        await house.database.write(
            lambda tx: house.store.link_identity(
                tx, identity.issuer, identity.subject, login_key(found.login), ask.now
            )
        )
    return rep


def _by_address(ask: Ask, identity: Identity) -> Rep | None:
    settings = ask.house.web.oidc
    trusted = identity.verified or (settings is not None and settings.addresses == "all")
    if not identity.email or not trusted:
        return None
    directory = ask.house.actions.directory()
    try:
        address = parse_mailbox(identity.email, smtputf8=True)
    except AddressError:
        return None
    return directory.owner(address) or directory.by_login(identity.email)


def _provider(ask: Ask) -> Provider:
    """Give the provider that the settings name; one object for as long as they do."""
    settings = ask.house.web.oidc
    if settings is None:
        raise ask.refuse()
    kept = ask.house.providers.get(settings)
    if kept is None:
        configuration = ask.house.configuration
        try:
            secret = read_secret(settings.client_secret, configuration.path.parent, "web.oidc.client_secret")
        except CommandError:
            logger.exception("nobody can sign in through %s", settings.issuer)
            raise ask.refuse(503) from None
        ca = configuration.resolve(settings.tls_ca) if settings.tls_ca else None
        for other in ask.house.providers.values():
            other.close()
        ask.house.providers.clear()
        kept = ask.house.providers[settings] = Provider(settings, secret, ca, ask.house.clock)
    return kept


def _redirect_uri(ask: Ask) -> str:
    return ask.house.own_address(ask.request) + CALLBACK


def _refused(ask: Ask, key: str) -> Response:
    web = ask.house.web
    return ask.render(
        "sign_in.html",
        _UNPROCESSABLE,
        problem=ask.words(key),
        destination="/",
        login="",
        passwords=web.passwords,
        provider=web.oidc.name if web.oidc else "",
    )
