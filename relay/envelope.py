"""The envelope of one transaction: what MAIL and RCPT said (RFC 5321 §2.3.1)."""

from dataclasses import dataclass

from relay.address import Address
from relay.values import quick


@quick
@dataclass(frozen=True, slots=True)
class Recipient:
    """One forward-path with its delivery status options (RFC 3461 §4)."""

    address: Address
    notify: str | None = None
    """NOTIFY's value in upper case: "NEVER", or a comma list of SUCCESS, FAILURE, DELAY; None: not given."""
    orcpt: str | None = None
    """ORCPT as it was given, `type;xtext`; its case is kept."""


@quick
@dataclass(frozen=True, slots=True)
class Envelope:
    """Reverse-path, forward-paths and the parameters that travel with them."""

    reverse_path: Address | None
    """None is the null path `<>`."""
    recipients: tuple[Recipient, ...]
    smtputf8: bool = False
    body: str | None = None
    """BODY's value, "7BIT" or "8BITMIME"; None: not given."""
    ret: str | None = None
    """RET's value, "FULL" or "HDRS" (RFC 3461 §4.3)."""
    envid: str | None = None
    """ENVID as given, xtext (RFC 3461 §4.4)."""


def reverse_path_text(path: Address | None) -> str:
    """Give a reverse-path as it stands between the angle brackets; empty for the null path."""
    return "" if path is None else str(path)
