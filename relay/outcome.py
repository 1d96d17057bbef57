"""What one attempt at a delivery came to: a value, never an exception."""

from dataclasses import dataclass

from relay.status import Reply
from relay.values import quick


@quick
@dataclass(frozen=True, slots=True)
class Sent:
    """The next hop has taken responsibility: it answered `reply`."""

    reply: Reply
    hop: str
    hop_reports: bool = True
    """False: the hop offered no DSN, so a success report that was asked for is ours to give (RFC 3461 §5.2.2)."""


@quick
@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now: try again later, and not before `retry_after` seconds when the hop named a time."""

    reply: Reply
    hop: str
    retry_after: float | None = None
    attempted: bool = True
    """False: nobody was asked, by a limit of our own. It is no attempt, and the next is just after `retry_after`."""


@quick
@dataclass(frozen=True, slots=True)
class Bounced:
    """Never: the hop, or we on its behalf, refused for good."""

    reply: Reply
    hop: str


@dataclass(frozen=True, slots=True)
class Held:
    """Somebody must decide; nothing more is tried until they do."""

    reason: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Nothing is to be done, for this reason; a final outcome."""

    reason: str


Outcome = Sent | Deferred | Bounced | Held | Skipped

NOBODY_RECEIVED_IT = "nobody received it"
"""Why mail that reached none of its recipients is not logged."""
