"""What a hop offers in its answer to EHLO (RFC 5321 §4.1.1.1).

Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Offer:
    """The extensions that delivery makes use of."""

    pipelining: bool = False
    size: int | None = None
    """The largest message in octets (RFC 1870); 0: no fixed limit; None: SIZE is not offered."""
    eight_bit: bool = False
    smtputf8: bool = False
    dsn: bool = False
    recipients: int | None = None
    """LIMITS RCPTMAX (RFC 9422): recipients in one transaction."""
    messages: int | None = None
    """LIMITS MAILMAX: transactions in one connection."""


def read_offer(extensions: Mapping[str, str]) -> Offer:
    """Read the keywords (in lower case) with their parameters; what cannot be read is taken as not said."""
    limits = _limits(extensions.get("limits", ""))
    return Offer(
        pipelining="pipelining" in extensions,
        size=_number(extensions["size"]) or 0 if "size" in extensions else None,
        eight_bit="8bitmime" in extensions,
        smtputf8="smtputf8" in extensions,
        dsn="dsn" in extensions,
        recipients=limits.get("RCPTMAX"),
        messages=limits.get("MAILMAX"),
    )


def _limits(parameters: str) -> dict[str, int]:
    """Read `RCPTMAX=100 MAILMAX=5`; a limit of 0 means nothing and is left out (RFC 9422 §4)."""
    limits = {}
    for part in parameters.split():
        name, _, value = part.partition("=")
        number = _number(value)
        if number:
            limits[name.upper()] = number
    return limits


def _number(text: str) -> int | None:
    digits = text.strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 19 else None
