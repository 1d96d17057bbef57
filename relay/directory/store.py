"""Keep the reps entered by `relay user add`, and make one directory of them and those of the settings.

Reps of the settings are read-only here. The same login, address or app password twice is an error that names both places.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from relay.address import Address, comparable_any_case, parse_mailbox
from relay.config.model import Mode, RelaySettings, UserSettings
from relay.directory.change_store import ChangeStore
from relay.directory.changes import merged_reps
from relay.directory.model import BccAddress, Directory, Rep, Token, login_key
from relay.directory.passwords import cost_of
from relay.errors import AddressError, CommandError, ConfigError, Problem
from relay.ids import Login
from relay.storage.database import Row, Transaction

__all__ = ["ORIGIN", "Directory", "DirectoryStore", "RepChange", "reps_of_settings"]

ORIGIN = "relay user add"
"""The origin of the reps kept here."""
MAXIMUM_TOKENS = 50

# Every rep, by login.
_ALL_REPS = """
SELECT login_key, login, name, password, email_to_salesforce, mode, salesforce_user_id, salesforce_username,
       language, time_zone, web_role, disabled
FROM rep ORDER BY login_key"""
# Every acceptable address, each rep's in the order they were given.
_ALL_ADDRESSES = "SELECT login_key, address FROM rep_address ORDER BY login_key, position"
# Every app password, oldest first.
_ALL_TOKENS = "SELECT login_key, name, sha256, created_at FROM rep_token ORDER BY login_key, created_at, name"
# How many changes there were.
_VERSION = "SELECT version FROM directory_version"
# One more change.
_COUNT_CHANGE = "UPDATE directory_version SET version = version + 1"
# A new rep, with nothing but a login.
_ADD_REP = "INSERT INTO rep (login_key, login, created_at) VALUES (?, ?, ?)"
# Whether there is such a rep.
_FIND_REP = "SELECT 1 FROM rep WHERE login_key = ?"
# What is set on a rep; a null leaves what is there, an empty text takes it away.
_SET_REP = """
UPDATE rep SET
    name                = coalesce(?, name),
    password            = nullif(coalesce(?, password), ''),
    email_to_salesforce = nullif(coalesce(?, email_to_salesforce), ''),
    mode                = nullif(coalesce(?, mode), ''),
    salesforce_user_id  = nullif(coalesce(?, salesforce_user_id), ''),
    salesforce_username = nullif(coalesce(?, salesforce_username), ''),
    language            = coalesce(?, language),
    time_zone           = coalesce(?, time_zone),
    web_role            = coalesce(?, web_role),
    disabled            = coalesce(?, disabled)
WHERE login_key = ?"""
# A rep's addresses, to be written anew.
_DROP_ADDRESSES = "DELETE FROM rep_address WHERE login_key = ?"
# One acceptable address.
_ADD_ADDRESS = "INSERT INTO rep_address (compared, login_key, position, address) VALUES (?, ?, ?, ?)"
# One app password.
_ADD_TOKEN = "INSERT INTO rep_token (sha256, login_key, name, created_at) VALUES (?, ?, ?, ?)"  # noqa: S105
# An app password that is taken back.
_DROP_TOKEN = "DELETE FROM rep_token WHERE login_key = ? AND name = ? RETURNING name"  # noqa: S105


@dataclass(frozen=True, slots=True)
class RepChange:
    """What is set on a rep: None leaves a field as it is, an empty text takes it away."""

    name: str | None = None
    password: str | None = field(default=None, repr=False)
    """An argon2id hash."""
    email_to_salesforce: BccAddress | None = None
    mode: str | None = None
    salesforce_user_id: str | None = None
    salesforce_username: str | None = None
    language: str | None = None
    time_zone: str | None = None
    web_role: str | None = None
    disabled: bool | None = None
    addresses: tuple[Address, ...] | None = None
    """All acceptable addresses, in place of those there are."""


class DirectoryStore:
    """SQL for reps. Each verb takes part in the caller's transaction and holds no state of its own."""

    def current_version(self, tx: Transaction) -> int:
        """Give a number that is another one after each change."""
        return _number(tx.execute(_VERSION)[0][0])

    def snapshot(self, tx: Transaction, settings: RelaySettings, place: Callable[[str], str]) -> Directory:
        """Give the directory of all reps as they are now.

        `place` tells where a setting stands ("users.0" -> "config.yaml:102"). What people changed on the page is
        laid over it. Raises ConfigError with every problem found: a login, address or app password that is there
        twice, an address or hash that is none.
        """
        problems: list[Problem] = []
        reps = [*reps_of_settings(settings, place, problems), *self.reps(tx)]
        problems += _doubles(reps)
        if problems:
            raise ConfigError(tuple(problems))
        plus = settings.logging.plus_addresses
        changes = ChangeStore().read(tx)
        merged = merged_reps(reps, changes, settings)
        version = self.current_version(tx)
        return Directory(merged, plus_addresses=plus, version=version, locked=changes.locked)

    def reps(self, tx: Transaction) -> list[Rep]:
        """Give the reps kept here, by login."""
        addresses: dict[str, list[Address]] = {}
        for key, text in tx.execute(_ALL_ADDRESSES):
            addresses.setdefault(str(key), []).append(parse_mailbox(str(text), smtputf8=True))
        tokens: dict[str, list[Token]] = {}
        for key, name, digest, made in tx.execute(_ALL_TOKENS):
            tokens.setdefault(str(key), []).append(Token(str(name), str(digest), _number(made)))
        return [
            _rep(row, addresses.get(str(row[0]), ()), tokens.get(str(row[0]), ()))
            for row in tx.execute(_ALL_REPS)
        ]

    def add(self, tx: Transaction, login: str, change: RepChange, now: int) -> None:
        """Enter a new rep. Raises CommandError when the login cannot be one or is here already.

        Whether the settings have the same login or address is the caller's to see to, by `snapshot` in the
        same transaction: it raises, and nothing is kept.
        """
        key = login_key(login)
        if not key:
            raise CommandError("a login has 1 to 255 octets and no control characters", exit_code=2)
        if tx.execute(_FIND_REP, (key,)):
            raise CommandError(f"the login {login!r} is taken already; see `relay user list`")
        tx.execute(_ADD_REP, (key, login, now))
        self.set(tx, login, change)

    def set(self, tx: Transaction, login: str, change: RepChange) -> None:
        """Change a rep. Raises CommandError when there is no such rep here, or an address is another's."""
        key = self._require(tx, login)
        bcc = change.email_to_salesforce
        values = (
            change.name,
            change.password,
            bcc if bcc is None else bcc.reveal(),
            change.mode,
            change.salesforce_user_id,
            change.salesforce_username,
            change.language,
            change.time_zone,
            change.web_role,
            None if change.disabled is None else int(change.disabled),
        )
        tx.execute(_SET_REP, (*values, key))
        # What is entered by command is the last word over what was changed on the page.
        for name in ("mode", "email_to_salesforce", "language", "time_zone"):
            if getattr(change, name) is not None:
                ChangeStore().drop(tx, login, name)
        if change.addresses is not None:
            ChangeStore().forget_addresses(tx, login)
            self._set_addresses(tx, key, change.addresses)
        tx.execute(_COUNT_CHANGE)

    def _set_addresses(self, tx: Transaction, key: str, addresses: Sequence[Address]) -> None:
        tx.execute(_DROP_ADDRESSES, (key,))
        others = {comparable_any_case(address): rep for rep in self.reps(tx) for address in rep.addresses}
        kept = {comparable_any_case(address): address for address in addresses}
        for compared, address in kept.items():
            if compared in others:
                raise CommandError(f"{address} belongs to {others[compared].login} already ({ORIGIN})")
        rows = [(compared, key, at, str(address)) for at, (compared, address) in enumerate(kept.items())]
        tx.execute_many(_ADD_ADDRESS, rows)

    def add_token(self, tx: Transaction, login: str, token: Token, now: int) -> None:
        """Keep one more app password. Raises CommandError: no such rep, its name taken, too many."""
        key = self._require(tx, login)
        held = [str(row[1]) for row in tx.execute(_ALL_TOKENS) if row[0] == key]
        if token.name in held:
            raise CommandError(
                f"{login} has an app password named {token.name!r} already; choose another --name"
            )
        if len(held) >= MAXIMUM_TOKENS:
            raise CommandError(f"{login} has {len(held)} app passwords already; remove one first")
        tx.execute(_ADD_TOKEN, (token.sha256, key, token.name, now))
        tx.execute(_COUNT_CHANGE)

    def drop_token(self, tx: Transaction, login: str, name: str) -> None:
        """Take an app password back. Raises CommandError when there is none of that name."""
        key = self._require(tx, login)
        if not tx.execute(_DROP_TOKEN, (key, name)):
            raise CommandError(f"{login} has no app password named {name!r}")
        tx.execute(_COUNT_CHANGE)

    def _require(self, tx: Transaction, login: str) -> str:
        key = login_key(login)
        if not tx.execute(_FIND_REP, (key,)):
            raise CommandError(f"there is no rep {login!r} entered by `{ORIGIN}`; see `relay user list`")
        return key


def reps_of_settings(
    settings: RelaySettings, place: Callable[[str], str], problems: list[Problem]
) -> list[Rep]:
    """Give the reps of the settings; what is wrong with one is added to `problems`."""
    return [_rep_of(user, f"users.{at}", place, problems) for at, user in enumerate(settings.users)]


def _rep_of(user: UserSettings, path: str, place: Callable[[str], str], problems: list[Problem]) -> Rep:
    addresses: list[Address] = []
    for at, text in enumerate(user.addresses):
        try:
            addresses.append(parse_mailbox(text, smtputf8=True))
        except AddressError as exc:
            problems.append(_problem(place(f"{path}.addresses.{at}"), f"{path}.addresses.{at}", str(exc)))
    if user.password is not None:
        try:
            cost_of(user.password)
        except ValueError as exc:
            problems.append(_problem(place(f"{path}.password"), f"{path}.password", str(exc)))
    if not login_key(user.login):
        problems.append(_problem(place(f"{path}.login"), f"{path}.login", "cannot be a login"))
    bcc = user.email_to_salesforce
    return Rep(
        login=Login(user.login),
        addresses=tuple(addresses),
        email_to_salesforce=None if bcc is None else BccAddress(bcc),
        mode=user.mode,
        password=user.password,
        tokens=tuple(Token(token.name, token.sha256) for token in user.tokens),
        exclude=user.exclude,
        salesforce_user_id=user.salesforce_user_id,
        salesforce_username=user.salesforce_username,
        language=user.language,
        time_zone=user.time_zone,
        web_role=user.web_role,
        disabled=user.disabled,
        reminders=None if user.reminders is None else user.reminders.sync,
        origin=place(f"{path}.login"),
        name=user.name or "",
    )


def _rep(row: Row, addresses: Iterable[Address], tokens: Iterable[Token]) -> Rep:
    _, login, name, password, bcc, mode, user_id, username, language, time_zone, web_role, disabled = row
    return Rep(
        login=Login(str(login)),
        addresses=tuple(addresses),
        email_to_salesforce=None if bcc is None else BccAddress(str(bcc)),
        mode=None if mode is None else Mode(str(mode)),
        password=_text(password),
        tokens=tuple(tokens),
        salesforce_user_id=_text(user_id),
        salesforce_username=_text(username),
        language=str(language),
        time_zone=str(time_zone),
        web_role=str(web_role),
        disabled=bool(disabled),
        origin=ORIGIN,
        name=str(name),
    )


def _doubles(reps: Sequence[Rep]) -> list[Problem]:
    """Find what two reps both have; the later one is the problem, the text names the earlier one's place."""
    problems: list[Problem] = []
    logins: dict[str, Rep] = {}
    addresses: dict[str, Rep] = {}
    tokens: dict[str, Rep] = {}
    for rep in reps:
        first = logins.setdefault(login_key(rep.login), rep)
        if first is not rep:
            problems.append(_double(rep, first, f"the login {rep.login!r}"))
        for address in rep.addresses:
            first = addresses.setdefault(comparable_any_case(address), rep)
            if first is not rep:
                problems.append(_double(rep, first, f"the address {address}"))
        for token in rep.tokens:
            first = tokens.setdefault(token.sha256, rep)
            if first is not rep:
                problems.append(_double(rep, first, f"the app password {token.name!r}"))
    return problems


def _double(rep: Rep, first: Rep, what: str) -> Problem:
    return _problem(
        rep.origin, "users", f"{what} of {rep.login} is that of {first.login} ({first.origin}) already"
    )


def _problem(origin: str, path: str, text: str) -> Problem:
    """Make a problem of a place such as "config.yaml:102"; one without a line gets line 1."""
    file, colon, line = origin.rpartition(":")
    if not colon or not line.isdigit():
        return Problem(origin, 1, 1, path, text)
    return Problem(file, int(line), 1, path, text)


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


def _text(value: object) -> str | None:
    return None if value is None else str(value)
