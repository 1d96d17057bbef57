"""*Set up my mail*: what goes into a mail program, and the app passwords that programs sign in with.

An app password is shown once, in the answer to the form that made it, and kept as a hash. Taken back, it fails at the
next SMTP sign-in.
"""

from collections.abc import Sequence

from starlette.responses import Response

from relay.directory.model import Token
from relay.directory.passwords import digest_of, new_token
from relay.directory.store import ORIGIN
from relay.errors import CommandError
from relay.storage.database import Transaction
from relay.web.access import Access, Entry, PageRoute, get, post
from relay.web.asking import Ask
from relay.web.client_setup import CLIENTS, doors_of

HERE = "/settings/mail"
_LONGEST_NAME = 64
_UNPROCESSABLE = 422


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get(HERE, show, Access.SIGNED_IN, entry=Entry("settings", "mail_setup.title")),
        post(f"{HERE}/tokens", make, Access.SIGNED_IN),
        post(f"{HERE}/tokens/revoke", revoke, Access.SIGNED_IN),
    )


async def show(ask: Ask) -> Response:
    """Show the values for each program, and the app passwords there are."""
    return _page(ask)


def _page(ask: Ask, *, problem: str = "", secret: str = "", name: str = "", status: int = 200) -> Response:
    return ask.render(
        "mail_setup.html",
        status,
        doors=doors_of(ask.house.configuration),
        clients=CLIENTS,
        tokens=ask.rep.tokens,
        problem=problem,
        secret=secret,
        name=name,
        sender=str(ask.rep.addresses[0]),
    )


async def make(ask: Ask) -> Response:
    """Make an app password for one device; it works at once."""
    name = ask.field("name", _LONGEST_NAME + 1)
    if not name.isprintable() or not 1 <= len(name) <= _LONGEST_NAME:
        return _page(ask, problem=ask.words("mail_setup.name_wrong"), status=_UNPROCESSABLE)
    if name in {token.name for token in ask.rep.tokens}:
        return _page(ask, problem=ask.words("mail_setup.name_taken"), status=_UNPROCESSABLE)
    secret = new_token()
    token = Token(name, digest_of(secret.encode()).hex(), ask.now)

    def keep(tx: Transaction) -> None:
        if ask.rep.origin == ORIGIN:
            ask.house.reps.add_token(tx, ask.rep.login, token, ask.now)
        else:
            ask.house.changes.add_token(tx, ask.rep, token, ask.now)
        ask.audit(tx, "token.made", name=name)

    try:
        await ask.house.database.write(keep)
    except CommandError:
        return _page(ask, problem=ask.words("mail_setup.too_many"), status=_UNPROCESSABLE)
    await ask.house.actions.take_changes()
    ask.someone = ask.house.actions.directory().by_login(ask.rep.login)
    # Shown in the answer itself, not behind a redirect: it is kept nowhere.
    return _page(ask, secret=secret, name=name)


async def revoke(ask: Ask) -> Response:
    """Take an app password back, wherever it was entered."""
    name = ask.field("name", _LONGEST_NAME + 1)
    token = next((one for one in ask.rep.tokens if one.name == name), None)
    if token is None:
        raise ask.refuse()
    found = token

    def keep(tx: Transaction) -> None:
        if ask.rep.origin == ORIGIN:
            ask.house.reps.drop_token(tx, ask.rep.login, found.name)
        else:
            ask.house.changes.revoke_token(tx, ask.rep.login, found, ask.rep.login, ask.now)
        ask.audit(tx, "token.revoked", name=found.name)

    await ask.house.database.write(keep)
    await ask.house.actions.take_changes()
    return ask.redirect(HERE, said="token_revoked")
