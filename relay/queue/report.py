"""What a delivery report is made from: who reports what of which recipients, and what is returned of the message.

Pure.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from relay.envelope import Envelope
from relay.ids import QueueId

FULL_LIMIT = 50_000
"""RET=FULL returns messages up to this many octets; of larger ones the header section."""
HEADER_LIMIT = 64 * 1024
_CONTROLS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")


class Action(StrEnum):
    """What became of the recipients of a report (RFC 3464 §2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    RELAYED = "relayed"


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports: the From address of the relay's own mail, and the host's name."""

    sender: str
    hostname: str


@dataclass(frozen=True, slots=True)
class Reported:
    """One recipient in a report."""

    address: str
    orcpt: str | None
    """ORCPT as it was given."""
    status: str
    """The enhanced status code, such as 5.1.1."""
    reply: str
    """What the hop, or the relay itself, said; without the recipient's secret neighbours."""
    hop: str
    """Who said it; "" when it was the relay itself."""
    expired: bool = False
    """Given up after trying for its whole lifetime."""


@dataclass(frozen=True, slots=True)
class Original:
    """What is returned of the message: real octets (no dot-stuffing), Bcc fields left out."""

    header: bytes
    body: bytes | None
    """None: not read, or too large to be returned."""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What one report tells: one action, of one message."""

    action: Action
    message: QueueId
    envelope: Envelope
    accepted_at: int
    message_id: str | None
    original: Original
    recipients: tuple[Reported, ...]
    at: int
    """Now: the report's date and the last attempt's."""
    retry_until: int | None = None
    """For a delay: until when it is tried."""


def one_line(text: str) -> str:
    """Give the text on one line, without control characters: nobody's words may break out of theirs."""
    return _CONTROLS.sub(" ", text).strip()
