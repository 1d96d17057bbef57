"""`relay user invite|sign-out`: let a rep in at the page by a link, or out of it everywhere."""

import secrets
from typing import Annotated, Literal

import typer

from relay.cli.common import ConfigOption, JsonOption, caller, load_configuration
from relay.cli.user_access import snapshot, write
from relay.cli.user_output import print_object
from relay.clock import SystemClock, rfc3339
from relay.config.loader import Configuration
from relay.config.page_address import page_address, untold
from relay.directory.model import Rep, login_key
from relay.errors import CommandError
from relay.storage.database import Transaction
from relay.web.store import INVITE, PageStore

_STORE = PageStore()
RoleOption = Annotated[
    Literal["rep", "admin", "auditor"] | None,
    typer.Option("--web-role", help="What the rep may do on the page.", show_default=False),
]
Login = Annotated[str, typer.Argument(help="What the rep signs in with.", show_default=False)]


def invite(
    context: typer.Context, login: Login, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Print a link by which a rep chooses a password for the page: the first one, or after losing it.

    It works once, for seven days. Whoever has it can sign in as the rep: hand it over in confidence.
    """
    configuration = load_configuration(context, config)
    address = _page_address(configuration)
    code, now = secrets.token_urlsafe(32), SystemClock().now()

    def enter(tx: Transaction) -> tuple[Rep, int]:
        rep = _rep(tx, configuration, login)
        _STORE.audit(tx, now, caller(), "invited", rep.login, {}, "relay user invite")
        return rep, _STORE.add_link(tx, code, INVITE, rep, now)

    rep, until = write(configuration, enter)
    link = f"{address}/choose-password/{code}"
    if as_json:
        shown = {"schema": "relay.user.invite/1", "login": rep.login, "link": link, "until": rfc3339(until)}
        print_object(shown)
    else:
        print(f"{rep.login} chooses a password here, once, within seven days:\n\n  {link}")


def sign_out(
    context: typer.Context, login: Login, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """End every session that a rep has at the page, and forget who they are at the identity provider.

    Their app passwords go on working: `relay user token LOGIN --remove NAME`, or `relay user disable`.
    """
    configuration = load_configuration(context, config)

    def end(tx: Transaction) -> tuple[Rep, int]:
        rep = _rep(tx, configuration, login)
        key = login_key(rep.login)
        ended = _STORE.end_sessions(tx, key)
        _STORE.unlink_identities(tx, key)
        _STORE.audit(
            tx,
            SystemClock().now(),
            caller(),
            "signed_out",
            rep.login,
            {"sessions": ended},
            "relay user sign-out",
        )
        return rep, ended

    rep, ended = write(configuration, end)
    if as_json:
        print_object({"schema": "relay.user.sign-out/1", "login": rep.login, "sessions": ended})
    else:
        print(f"{rep.login} is signed out: {ended} session{'' if ended == 1 else 's'} ended.")


def _page_address(configuration: Configuration) -> str:
    """Give the address that people reach the page at. Raises CommandError when it cannot be told."""
    web, hostname = configuration.settings.web, configuration.settings.server.hostname
    if web is None:
        raise CommandError("there is no page: the settings say web: null")
    if why := untold(web, hostname):
        raise CommandError(f"the address of the page is not known, since {why}: set web.public_url")
    return page_address(web, hostname)


def _rep(tx: Transaction, configuration: Configuration, login: str) -> Rep:
    rep = snapshot(tx, configuration).by_login(login)
    if rep is None:
        raise CommandError(f"there is no rep {login!r}; see `relay user list`")
    return rep
