"""What goes into the fields of a mail program for outgoing mail, for each listener that people sign in at.

Pure. Implicit TLS first (RFC 8314 §3.3).
"""

from dataclasses import dataclass

from relay.config.loader import Configuration
from relay.config.model import ListenerSettings

CLIENTS = ("thunderbird", "apple", "outlook", "exchange", "gmail", "other")
"""The programs that there are words for, below `client`; exchange and gmail go through a gateway listener."""
_ORDER = ("implicit", "starttls", "none")


@dataclass(frozen=True, slots=True)
class Door:
    """One way in for a mail program."""

    server: str
    port: int
    security: str
    """implicit, starttls or none."""


def doors_of(configuration: Configuration) -> list[Door]:
    """Give the listeners that people sign in at, the best first."""
    found = [one for one in configuration.settings.listeners if one.auth != "none"]
    ordered: list[ListenerSettings] = sorted(found, key=lambda one: _ORDER.index(one.tls))
    return [Door(configuration.hostname, one.address.port, one.tls) for one in ordered]
