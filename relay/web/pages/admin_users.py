"""*Users*: all reps, how their mail is logged, when each last sent; invite, sign out everywhere, take app passwords back, disable."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from relay.directory.changes import DISABLED, may_disable
from relay.directory.model import Rep, login_key
from relay.directory.store import ORIGIN, RepChange
from relay.ids import Login, instant_of
from relay.storage.database import Transaction
from relay.web.access import Access, Entry, PageRoute, get, post
from relay.web.asking import Ask
from relay.web.pages.password import new_link, send_link
from relay.web.store import INVITE, RESET

HERE = "/admin/users"
_LAST_SENT = "SELECT max(id) FROM message WHERE login = ?"
"""A rep's last mail: one look into an index for each, where grouping would walk all mail there ever was."""
_SESSIONS = "SELECT login_key, count(*) FROM page_session WHERE expires_at > ? GROUP BY login_key"
"""How many sessions each rep has."""


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get(HERE, show, Access.OVERSIGHT, entry=Entry("admin", "users.title")),
        post(f"{HERE}/invite", invite, Access.ADMIN),
        post(f"{HERE}/sign-out", sign_out, Access.ADMIN),
        post(f"{HERE}/revoke", revoke, Access.ADMIN),
        post(f"{HERE}/disable", disable, Access.ADMIN),
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A rep as the list shows them."""

    rep: Rep
    mode: str
    last_sent: int | None
    sessions: int
    may_disable: bool
    """Whether who asks may disable the rep, or enable them again."""


async def show(ask: Ask) -> Response:
    """Show all reps, those found by `q` only."""
    reps = ask.house.actions.directory().reps()

    def read(tx: Transaction) -> tuple[Mapping[Login, int], Mapping[str, int]]:
        last = {rep.login: tx.execute(_LAST_SENT, (rep.login,))[0][0] for rep in reps}
        sent = {login: instant_of(number) for login, number in last.items() if isinstance(number, int)}
        sessions = {
            str(key): number for key, number in tx.execute(_SESSIONS, (ask.now,)) if isinstance(number, int)
        }
        return sent, sessions

    sent, sessions = await ask.house.database.read(read)
    wanted = ask.query("q").casefold()
    rows = [
        Row(
            rep,
            str(_mode(ask, rep)),
            sent.get(rep.login),
            sessions.get(login_key(rep.login), 0),
            _may_disable(ask, rep),
        )
        for rep in reps
        if wanted in f"{rep.login} {rep.name} {' '.join(map(str, rep.addresses))}".casefold()
    ]
    return ask.render("admin_users.html", rows=rows, wanted=ask.query("q"))


def _mode(ask: Ask, rep: Rep) -> str:
    return rep.mode or ask.house.configuration.settings.logging.mode


async def invite(ask: Ask) -> Response:
    """Mail a link by which a rep chooses a password; also for one who lost theirs."""
    rep = _rep(ask)
    if rep.disabled or not rep.addresses or not ask.house.web.passwords:
        raise ask.refuse(400)
    if not ask.house.mailed_address:
        return ask.redirect(HERE, said="no_links")
    code = await new_link(ask.house, rep, INVITE)
    assert code is not None
    await send_link(ask, rep, INVITE, code)
    await ask.house.database.write(lambda tx: ask.audit(tx, "invited", rep.login))
    return ask.redirect(HERE, said="invited")


async def sign_out(ask: Ask) -> Response:
    """End all sessions of a rep, and forget who they are at the identity provider."""
    rep = _rep(ask)

    def end(tx: Transaction) -> None:
        key = login_key(rep.login)
        ended = ask.house.store.end_sessions(tx, key)
        ask.house.store.unlink_identities(tx, key)
        ask.audit(tx, "signed_out", rep.login, sessions=ended)

    await ask.house.database.write(end)
    return ask.redirect(HERE, said="user_signed_out")


async def revoke(ask: Ask) -> Response:
    """Take all app passwords of a rep back."""
    rep = _rep(ask)

    def drop(tx: Transaction) -> None:
        for token in rep.tokens:
            if rep.origin == ORIGIN:
                ask.house.reps.drop_token(tx, rep.login, token.name)
            else:
                ask.house.changes.revoke_token(tx, rep.login, token, ask.rep.login, ask.now)
        ask.audit(tx, "tokens.revoked", rep.login, names=[token.name for token in rep.tokens])

    return await _changed(ask, drop, "tokens_revoked")


async def disable(ask: Ask) -> Response:
    """Keep a rep from signing in and sending, or let them again; nobody disables themselves.

    For a rep of the settings it is a change laid over them, where web.may_disable allows it.
    """
    rep = _rep(ask)
    if not _may_disable(ask, rep):
        raise ask.refuse(400)
    wanted = ask.field("do") == "disable"

    def change(tx: Transaction) -> None:
        if rep.origin == ORIGIN:
            ask.house.reps.set(tx, rep.login, RepChange(disabled=wanted))
        if rep.origin == ORIGIN or wanted is _entered_disabled(ask, rep):
            ask.house.changes.drop(tx, rep.login, DISABLED)
        else:
            ask.house.changes.set(tx, rep.login, DISABLED, wanted, ask.rep.login, ask.now)
        if wanted:
            _forget(tx, ask, login_key(rep.login))
        ask.audit(tx, "disabled" if wanted else "enabled", rep.login)

    return await _changed(ask, change, "disabled" if wanted else "enabled")


def _may_disable(ask: Ask, rep: Rep) -> bool:
    allowed = rep.origin == ORIGIN or may_disable(ask.house.configuration.settings)
    return allowed and login_key(rep.login) != ask.key


def _entered_disabled(ask: Ask, rep: Rep) -> bool:
    users, key = ask.house.configuration.settings.users, login_key(rep.login)
    return any(user.disabled for user in users if login_key(user.login) == key)


def _forget(tx: Transaction, ask: Ask, key: str) -> None:
    """End what would let a disabled rep in again the moment they are enabled: sessions and links to choose a password."""
    ask.house.store.end_sessions(tx, key)
    for purpose in (RESET, INVITE):
        ask.house.store.forget_codes(tx, key, purpose)


async def _changed(ask: Ask, unit: Callable[[Transaction], None], said: str) -> Response:
    await ask.house.database.write(unit)
    await ask.house.actions.take_changes()
    return ask.redirect(HERE, said=said)


def _rep(ask: Ask) -> Rep:
    rep = ask.house.actions.directory().by_login(ask.field("login", 255))
    if rep is None:
        raise ask.refuse()
    return rep
