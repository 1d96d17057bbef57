"""A rep: the addresses they may send from, and where their mail is recorded.

Pure.
"""

from dataclasses import dataclass, field

from relay.address import Address
from relay.config.model import ExcludeSettings, Mode
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
