"""A rep: the addresses they may send from, where their mail is recorded, and how all of them are found.

Pure.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from relay.address import Address, comparable_any_case, without_plus
from relay.config.model import CaptureSettings, ExcludeSettings, Mode
from relay.ids import Login


@dataclass(frozen=True, slots=True)
class BccAddress:
    """An Email to Salesforce address: a secret, since whoever knows it can write activities.

    `str`, `repr` and formatting show it masked; only `reveal()` gives it in full.
    """

    _text: str = field(repr=False)

    def reveal(self) -> str:
        """Give the address in full: for the envelope, and for an admin who asked with --reveal."""
        return self._text

    def __str__(self) -> str:
        """Give `emailtosalesforce@ab…yz`: enough to recognise, not enough to use."""
        return mask_address(self._text)

    def __repr__(self) -> str:
        """Give the masked form."""
        return f"BccAddress({self})"


def mask_address(text: str) -> str:
    """Mask a BCC address: the local part stands, of the domain only its first and last two characters."""
    local, _, domain = text.rpartition("@")
    return f"{local[:17]}@{domain[:2]}…{domain[-2:]}"


@dataclass(frozen=True, slots=True)
class Token:
    """An app password: its name, and the SHA-256 (hex) of its UTF-8 text."""

    name: str
    sha256: str
    created_at: int | None = None
    """When it was made, where that is known."""


@dataclass(frozen=True, slots=True)
class Rep:
    """A salesperson whose mail it is."""

    login: Login
    addresses: tuple[Address, ...]
    email_to_salesforce: BccAddress | None = None
    mode: Mode | None = None
    """None: the organisation's mode."""
    password: str | None = field(default=None, repr=False)
    """An argon2id hash; None: no password, only tokens, or known to a gateway alone."""
    tokens: tuple[Token, ...] = field(default=(), repr=False)
    exclude: ExcludeSettings | None = None
    salesforce_user_id: str | None = None
    salesforce_username: str | None = None
    language: str = "en"
    time_zone: str = "UTC"
    web_role: str = "rep"
    disabled: bool = False
    origin: str = ""
    """Where the rep was entered: "config.yaml:102", or "relay user add"."""
    name: str = ""
    capture: CaptureSettings | None = None
    """What of the rep's mail is recorded; None: as the organisation's settings say."""
    reminders: str | None = None
    """off or two_way; None: as the organisation's settings say."""
    changed: tuple[tuple[str, str], ...] = ()
    """What was changed on the page: the name of each setting, and who changed it, such as ("mode", "page: ana")."""

    def changed_by(self, setting: str) -> str:
        """Say who changed a setting on the page, such as "page: ana"; "" when it stands as it was entered."""
        return next((who for name, who in self.changed if name == setting), "")


MAXIMUM_LOGIN = 255
"""Octets of UTF-8; longer ones are nobody's."""


def login_key(login: str) -> str:
    """Give the form in which logins are compared: NFKC, without case (after RFC 8265 §3.3 UsernameCaseMapped).

    `Ana`, `ANA` and the same in full-width letters are one login. A login that nobody can have - empty, too long, or
    with a control character - gives "", which finds nobody.
    """
    if login.isascii() and login.isprintable():
        return login.lower() if len(login) <= MAXIMUM_LOGIN else ""
    if len(login) > MAXIMUM_LOGIN or not login.isprintable():
        return ""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", login).casefold())
    return folded if folded.isprintable() and len(folded.encode()) <= MAXIMUM_LOGIN else ""


class Directory:
    """All reps at one moment: never changed, only replaced whole.

    Who makes one has seen to it that no login, address or app password is there twice (relay.directory.store).
    """

    __slots__ = ("_addresses", "_logins", "_plus_addresses", "_reps", "_tokens", "locked", "version")

    def __init__(
        self,
        reps: Sequence[Rep] = (),
        *,
        plus_addresses: bool = False,
        version: int = 0,
        locked: frozenset[str] = frozenset(),
    ) -> None:
        self.version = version
        """The store's counter of changes, as it was read."""
        self.locked = locked
        """What an admin keeps reps from changing for themselves."""
        self._reps = tuple(reps)
        self._plus_addresses = plus_addresses
        self._logins = {login_key(rep.login): rep for rep in self._reps}
        self._addresses = {
            comparable_any_case(address): rep for rep in self._reps for address in rep.addresses
        }
        self._tokens = {
            bytes.fromhex(token.sha256): (rep, token.name) for rep in self._reps for token in rep.tokens
        }

    def reps(self) -> Sequence[Rep]:
        """Give all reps: those of the settings in their order, then those of the store by login."""
        return self._reps

    def by_login(self, login: str) -> Rep | None:
        """Find the rep who signs in with this login; disabled ones, too."""
        return self._logins.get(login_key(login))

    def by_address(self, address: Address) -> Rep | None:
        """Find the rep whom this acceptable address belongs to; disabled ones, too.

        Where `logging.plus_addresses` allows it, ana+anything@ is found as ana@.
        """
        rep = self.owner(address)
        if rep is None and self._plus_addresses:
            rep = self.owner(without_plus(address))
        return rep

    def owner(self, address: Address) -> Rep | None:
        """Find the rep whom this very address was entered for."""
        return self._addresses.get(comparable_any_case(address))

    def by_token(self, digest: bytes) -> tuple[Rep, str] | None:
        """Find whose app password has this SHA-256, and the name of that app password."""
        return self._tokens.get(digest)
