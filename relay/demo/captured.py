"""What the capturing next hop keeps of a message, and how it can be told to behave.

Pure.
"""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

EXTENSIONS = ("PIPELINING", "SIZE 67108864", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")


@dataclass(frozen=True, slots=True)
class Forward:
    """One forward-path that was accepted, with its parameters as they stood."""

    address: str
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Captured:
    """One message as the next hop got it."""

    helo: str
    tls: bool
    login: str | None
    sender: str
    """The reverse-path; "" is the null path."""
    parameters: tuple[str, ...]
    """MAIL's parameters."""
    recipients: tuple[Forward, ...]
    """Those that were accepted."""
    refused: tuple[str, ...]
    """Those that were not."""
    wire: bytes
    """The octets between DATA's reply and the final dot's line, dot-stuffed as sent."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Give the accepted forward-paths."""
        return tuple(forward.address for forward in self.recipients)

    @property
    def content(self) -> bytes:
        """Give the content without the dots that transparency added (RFC 5321 §4.5.2)."""
        return unstuffed(self.wire)


def unstuffed(wire: bytes) -> bytes:
    """Take one leading dot from each line that has one; a line starts only behind CRLF."""
    text = (b"\r\n" + wire).replace(b"\r\n.", b"\r\n")
    return text[2:]


def by_local_part(address: str) -> str | None:
    """Refuse refuse…@ for good and defer…@ for now; take everybody else."""
    if address.startswith("refuse"):
        return "550 5.1.1 No such mailbox here"
    if address.startswith("defer"):
        return "451 4.2.0 Mailbox busy, try again later"
    return None


def take_all(_: Captured) -> str | None:
    """Take every content."""
    return None


@dataclass(frozen=True, slots=True)
class Manners:
    """How the hop behaves."""

    extensions: Sequence[str] = EXTENSIONS
    tls: ssl.SSLContext | None = None
    """Offer STARTTLS with this certificate."""
    logins: dict[str, str] = field(default_factory=dict)
    """Offer AUTH, and refuse mail of those who did not sign in, when there are any."""
    verdict: Callable[[str], str | None] = by_local_part
    """What to answer a forward-path with; None: taken."""
    recipients: int = 0
    """Forward-paths taken in one transaction; 452 answers the next (RFC 5321 §4.5.3.1.10). 0: any number."""
    judge: Callable[[Captured], str | None] = take_all
    """What to answer a content with, which is then not kept; None: taken. It sees each message before it is kept."""
