"""`relay user add|list|set|token|disable`: the reps that are kept in the store; those of the settings are shown only."""

import json
import sys
from typing import Annotated, Literal

import typer

from relay.address import Address, comparable_any_case, is_qualified, parse_mailbox
from relay.cli.common import ConfigOption, JsonOption, load_configuration
from relay.cli.hash_password import read_password
from relay.cli.user_access import (
    STORE,
    as_changed,
    directory,
    own,
    refuse_taken,
    require_own,
    snapshot,
    write,
)
from relay.cli.user_invite import RoleOption, invite, sign_out
from relay.cli.user_output import client_setup, print_object, print_reps, print_setup, rep_item
from relay.cli.user_sync import sync_salesforce
from relay.clock import SystemClock
from relay.config.loader import Configuration
from relay.config.model import Mode
from relay.directory.model import BccAddress, Rep, Token
from relay.directory.passwords import digest_of, hash_password, new_token
from relay.directory.store import ORIGIN, RepChange
from relay.errors import AddressError, CommandError
from relay.storage.database import Transaction

_WRONG_USAGE = 2

Login = Annotated[str, typer.Argument(help="What the rep signs in with.", show_default=False)]
Addresses = Annotated[
    list[str] | None,
    typer.Option("--address", help="An acceptable address; again for more.", show_default=False),
]
Bcc = Annotated[
    str | None,
    typer.Option(
        "--email-to-salesforce",
        help="The rep's Email to Salesforce address, a secret; - reads it from standard input.",
        show_default=False,
    ),
]
ModeOption = Annotated[
    Literal["bcc", "api", "observe", "off", "default"] | None,
    typer.Option("--mode", help="How this rep's mail is logged; default: as logging.mode says."),
]
NameOption = Annotated[str | None, typer.Option("--name", help="The rep's name.", show_default=False)]
UserIdOption = Annotated[
    str | None, typer.Option("--salesforce-user-id", help="The rep's user id in Salesforce, 005….")
]
PasswordOption = Annotated[
    bool, typer.Option("--password", help="Set a password, asked for or read from standard input.")
]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    group = typer.Typer(no_args_is_help=True, help="The reps: who may send, from which addresses.")
    group.command("add")(add)
    group.command("list")(list_reps)
    group.command("set")(change)
    group.command("token")(token)
    group.command("disable")(disable)
    group.command("sync-salesforce")(sync_salesforce)
    group.command("invite")(invite)
    group.command("sign-out")(sign_out)
    app.add_typer(group, name="user")


def add(
    context: typer.Context,
    login: Login,
    address: Addresses = None,
    email_to_salesforce: Bcc = None,
    mode: ModeOption = None,
    name: NameOption = None,
    salesforce_user_id: UserIdOption = None,
    web_role: RoleOption = None,
    password: PasswordOption = False,
    device: Annotated[
        str, typer.Option("--token-name", help="Which device the app password is for.")
    ] = "default",
    no_token: Annotated[bool, typer.Option("--no-token", help="Make no app password.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Enter a rep, make an app password, and say how to set up the mail client.

    The app password is shown this once. Without --address the login itself must be an address.
    """
    configuration = load_configuration(context, config)
    addresses = read_addresses(address if address else [login])
    secret = None if no_token or password else new_token()
    entered = RepChange(
        name=name,
        password=_new_password() if password else None,
        email_to_salesforce=_read_bcc(email_to_salesforce),
        mode="" if mode == "default" else mode,
        salesforce_user_id=salesforce_user_id,
        web_role=web_role,
        addresses=addresses,
    )

    def enter(tx: Transaction) -> None:
        refuse_taken(snapshot(tx, configuration), login, addresses)
        now = SystemClock().now()
        STORE.add(tx, login, entered, now)
        if secret is not None:
            STORE.add_token(tx, login, _token(device, secret), now)

    write(configuration, enter)
    setup = client_setup(configuration, login)
    _warn_of_missing_bcc(configuration, login, entered)
    if as_json:
        shown = {"schema": "relay.user.add/1", "login": login, "token": secret, "setup": setup}
        print_object(shown)
        return
    print(f"Entered {login}.")
    if secret is not None:
        print(f"App password {device!r}, shown this once:\n\n  {secret}")
    print_setup(setup, secret or "(the password)" if password or secret else "(none yet)", str(addresses[0]))


def list_reps(
    context: typer.Context,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show Email to Salesforce addresses in full.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List all reps, those of the settings and those entered here, with where each was entered."""
    configuration = load_configuration(context, config)
    reps = directory(configuration).reps()
    if as_json:
        items = [rep_item(rep, reveal=reveal) for rep in reps]
        print_object({"schema": "relay.user.list/1", "items": items})
    else:
        default_mode = as_changed(configuration).settings.logging.mode
        print_reps(reps, reveal=reveal, default_mode=default_mode)


def change(
    context: typer.Context,
    login: Login,
    address: Annotated[
        list[str] | None,
        typer.Option("--address", help="All acceptable addresses, in place of those there are."),
    ] = None,
    add_address: Annotated[list[str] | None, typer.Option("--add-address", help="One more address.")] = None,
    remove_address: Annotated[list[str] | None, typer.Option("--remove-address", help="One less.")] = None,
    email_to_salesforce: Bcc = None,
    mode: ModeOption = None,
    name: NameOption = None,
    salesforce_user_id: UserIdOption = None,
    web_role: RoleOption = None,
    password: PasswordOption = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="Take the password away.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Change what is named of a rep; an empty text takes a field away."""
    configuration = load_configuration(context, config)
    if password and no_password:
        raise CommandError("--password and --no-password contradict each other", _WRONG_USAGE)
    wanted = RepChange(
        name=name,
        password=_new_password() if password else "" if no_password else None,
        email_to_salesforce=_read_bcc(email_to_salesforce),
        mode="" if mode == "default" else mode,
        salesforce_user_id=salesforce_user_id,
        web_role=web_role,
    )
    replaced = read_addresses(address) if address else None
    added, removed = read_addresses(add_address or []), read_addresses(remove_address or [])

    def apply(tx: Transaction) -> Rep:
        all_reps = snapshot(tx, configuration)
        rep = own(all_reps, login)
        addresses = _changed_addresses(replaced or rep.addresses, added, removed)
        refuse_taken(all_reps, None, addresses, but=rep)
        STORE.set(tx, login, wanted)
        if addresses != rep.addresses:
            STORE.set(tx, login, RepChange(addresses=addresses))
        return own(snapshot(tx, configuration), login)

    _show_changed(write(configuration, apply), as_json)


def token(
    context: typer.Context,
    login: Login,
    name: Annotated[str, typer.Option("--name", help="Which device it is for.")] = "",
    remove: Annotated[
        str, typer.Option("--remove", help="Take back the app password of this name instead.")
    ] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make one more app password for a rep, shown this once, or take one back.

    For a rep of the settings file, the line to be added there is printed.
    """
    configuration = load_configuration(context, config)
    rep = directory(configuration).by_login(login)
    if rep is None:
        raise CommandError(f"there is no rep {login!r}; see `relay user list`")
    if remove:
        require_own(rep)
        write(configuration, lambda tx: STORE.drop_token(tx, login, remove))
        _show_removed(rep, remove, as_json)
        return
    secret, name = new_token(), name or _free_name(rep)
    made = _token(name, secret)
    in_store = rep.origin == ORIGIN
    if in_store:
        write(configuration, lambda tx: STORE.add_token(tx, login, made, SystemClock().now()))
    if as_json:
        shown = {"login": rep.login, "name": name, "token": secret, "sha256": made.sha256, "stored": in_store}
        print_object({"schema": "relay.user.token/1", **shown})
        return
    print(f"App password {name!r} of {rep.login}, shown this once:\n\n  {secret}\n")
    if not in_store:
        print(f"It works once this stands under tokens of {rep.login} ({rep.origin}):\n")
        print(f"      - {{name: {_quoted(name)}, sha256: {made.sha256}}}")


def disable(
    context: typer.Context,
    login: Login,
    undo: Annotated[bool, typer.Option("--undo", help="Let the rep sign in again.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Keep a rep from signing in and sending, at once; nothing is deleted."""
    configuration = load_configuration(context, config)

    def apply(tx: Transaction) -> Rep:
        own(snapshot(tx, configuration), login)
        STORE.set(tx, login, RepChange(disabled=not undo))
        return own(snapshot(tx, configuration), login)

    _show_changed(write(configuration, apply), as_json)


def read_addresses(texts: list[str]) -> tuple[Address, ...]:
    """Read acceptable addresses. Raises CommandError (2) that names the one that is none."""
    addresses: dict[str, Address] = {}
    for text in texts:
        try:
            address = parse_mailbox(text, smtputf8=True)
        except AddressError as exc:
            raise CommandError(
                f"{text!r} is not a mail address: {exc}; name one with --address", _WRONG_USAGE
            ) from exc
        if not is_qualified(address):
            raise CommandError(f"{text!r} has no full domain, such as example.com", _WRONG_USAGE)
        addresses.setdefault(comparable_any_case(address), address)
    return tuple(addresses.values())


def _read_bcc(text: str | None) -> BccAddress | None:
    if text == "-":
        text = sys.stdin.readline(1024).strip()
    if not text:
        return None if text is None else BccAddress("")
    try:
        parse_mailbox(text)
    except AddressError:  # its text may quote the secret
        raise CommandError("--email-to-salesforce is not a mail address", _WRONG_USAGE) from None
    return BccAddress(text)


def _new_password() -> str:
    try:
        return hash_password(read_password())
    except ValueError as exc:
        raise CommandError(str(exc), _WRONG_USAGE) from None


def _token(name: str, secret: str) -> Token:
    if not name.isprintable() or not 1 <= len(name) <= 64:
        raise CommandError("the name of an app password has 1 to 64 printable characters", _WRONG_USAGE)
    return Token(name, digest_of(secret.encode()).hex())


def _free_name(rep: Rep) -> str:
    taken = {token.name for token in rep.tokens}
    return next(name for n in range(1, 10_000) if (name := f"app password {n}") not in taken)


def _changed_addresses(
    base: tuple[Address, ...], added: tuple[Address, ...], removed: tuple[Address, ...]
) -> tuple[Address, ...]:
    gone = {comparable_any_case(address) for address in removed}
    kept = {comparable_any_case(address): address for address in (*base, *added)}
    addresses = tuple(address for compared, address in kept.items() if compared not in gone)
    if not addresses:
        raise CommandError("a rep needs at least one acceptable address", _WRONG_USAGE)
    return addresses


def _warn_of_missing_bcc(configuration: Configuration, login: str, entered: RepChange) -> None:
    mode = entered.mode or configuration.settings.logging.mode
    bcc = entered.email_to_salesforce
    if mode == Mode.BCC and not (bcc and bcc.reveal()):
        text = f"{login} has no Email to Salesforce address: mail is forwarded and not logged until it is set"
        print(f"relay: warning: {text}", file=sys.stderr)


def _show_changed(rep: Rep, as_json: bool) -> None:
    if as_json:
        print_object({"schema": "relay.user/1", **rep_item(rep, reveal=False)})
        return
    addresses = ", ".join(str(address) for address in rep.addresses)
    print(f"{rep.login}{' (disabled)' if rep.disabled else ''}: {addresses}")


def _show_removed(rep: Rep, name: str, as_json: bool) -> None:
    if as_json:
        print_object({"schema": "relay.user.token/1", "login": rep.login, "name": name, "removed": True})
    else:
        print(f"The app password {name!r} of {rep.login} works no more.")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
