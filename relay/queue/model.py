"""What the queue holds: messages, deliveries, the table of their states.

Pure. The store enforces TRANSITIONS in its `UPDATE … WHERE state IN (…)`; the diagram in docs/queue.md is drawn
from it. Instants are UTC microseconds.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from relay.delivery_kind import Role, Transport
from relay.envelope import Envelope
from relay.ids import DeliveryId, Login, QueueId
from relay.values import quick


class State(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    """Not to be tried yet: something else must end first."""
    QUEUED = "queued"
    """Due as soon as there is room."""
    ACTIVE = "active"
    """Being attempted, under a lease."""
    DEFERRED = "deferred"
    """To be tried again at `next_attempt_at`."""
    HELD = "held"
    """Until somebody decides."""
    SENT = "sent"
    BOUNCED = "bounced"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


FINAL = frozenset({State.SENT, State.BOUNCED, State.EXPIRED, State.CANCELLED, State.SKIPPED})

TRANSITIONS: dict[State, frozenset[State]] = {
    State.WAITING: frozenset({State.QUEUED, State.HELD, State.CANCELLED, State.SKIPPED}),
    State.QUEUED: frozenset({State.ACTIVE, State.HELD, State.CANCELLED, State.SKIPPED, State.EXPIRED}),
    State.ACTIVE: frozenset(
        {State.SENT, State.BOUNCED, State.EXPIRED, State.DEFERRED, State.HELD, State.SKIPPED, State.QUEUED}
    ),
    State.DEFERRED: frozenset(
        {State.ACTIVE, State.QUEUED, State.HELD, State.CANCELLED, State.EXPIRED, State.SKIPPED}
    ),
    State.HELD: frozenset({State.WAITING, State.QUEUED, State.CANCELLED, State.SKIPPED, State.EXPIRED}),
    **{state: frozenset() for state in FINAL},
}


class ContentReader(Protocol):
    """Content in its wire form (CRLF, dot-stuffed, without the final dot), read in chunks."""

    @property
    def octets(self) -> int:
        """Give the message size as RFC 1870 §5 counts it: CRLF as two, no stuffing dots, prefix included."""
        ...

    def inline(self) -> bytes | None:
        """Give everything that is sent as one piece when it is in memory: prefix, then content less skips."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Give everything that is sent, in chunks of bounded size: prefix, then content less skips."""
        ...


@quick
@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message about to be accepted."""

    number: int
    """Its queue id as a number (relay.ids)."""
    envelope: Envelope
    login: Login | None
    """The rep; None: not a rep (gateway), or the relay itself (a DSN)."""
    accepted_at: int
    prefix: bytes
    """What the relay adds in front: Received, then Date and Message-ID when missing; wire form."""
    skips: tuple[tuple[int, int], ...]
    """Octet ranges [start, end) of the content that must not be sent on (Bcc fields)."""
    octets: int
    """Size as RFC 1870 §5 counts it, of what is sent."""
    has_8bit: bool
    """Whether the content (prefix included) has an octet above 127."""
    utf8_header: bool
    """Whether the header section has one: then it is an internationalised message (RFC 6532)."""
    message_id: str | None
    subject: str
    """Decoded, cut to 998 characters, for trace and pages."""
    header_from: str
    """The first From address, or ""."""
    client: str
    """The client's address, or "" for the relay itself."""
    listener: str
    mode: str
    """The mode that was decided by; "" for the relay's own mail."""
    why: str
    """The decision in plain words."""
    rule: str
    """The rule that decided and where it stands, such as "logging.mode (config.yaml:12)"."""
    content: bytes | None
    """The content when it is kept inline; None: it is in the spool."""
    spool_name: str | None
    """The spool file when it is not."""


@quick
@dataclass(frozen=True, slots=True)
class Delivery:
    """One target of one message, as it stands in the queue."""

    id: DeliveryId
    message: QueueId
    role: Role
    transport: Transport
    target: str
    state: State
    attempts: int
    """Attempts that ended with an outcome."""
    next_attempt_at: int | None
    created_at: int
    """When it came in; for a record, since it was released: its clocks start then."""
    notify: str | None = None
    orcpt: str | None = None
    reason: str = ""
    """The last reply or reason, in plain words."""
    rule: str = ""
    fence: int = 0
    """Grows with every claim; a settlement with an older number is refused."""
    delay_warned: bool = False


@quick
@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """What a courier needs to know of a message."""

    id: QueueId
    envelope: Envelope
    """As accepted; the recipients of a batch are its deliveries, not these."""
    login: Login | None
    accepted_at: int
    octets: int
    has_8bit: bool
    utf8_header: bool
    message_id: str | None


@quick
@dataclass(frozen=True, slots=True)
class Lease:
    """Who may attempt what was claimed, and until when."""

    owner: str
    """One running service: a random name made at its start."""
    until: int
    """Monotonic microseconds of the boot that `boot_id` names; after it the claim is void."""
    boot_id: str


@quick
@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """A message of which deliveries were claimed, and where its content is."""

    message: QueuedMessage
    deliveries: tuple[Delivery, ...]
    content: "StoredContent"
    pointless: bool = False
    """Whether these are log copies of mail that nobody received."""


@quick
@dataclass(frozen=True, slots=True)
class StoredContent:
    """Where a message's content is, with what is added in front and what is left out."""

    prefix: bytes
    skips: tuple[tuple[int, int], ...]
    octets: int
    inline: bytes | None
    spool_name: str | None


@quick
@dataclass(frozen=True, slots=True)
class Change:
    """What a settlement does to one delivery."""

    delivery: DeliveryId
    fence: int
    """The claim's number: with another one in the store the change is dropped."""
    state: State
    next_attempt_at: int | None
    reason: str
    """The reply or the reason, in plain words, as it is shown."""
    attempted: bool = True
    """Whether this counts as an attempt (giving a lease back does not)."""
    delay_warned: bool = False


@quick
@dataclass(frozen=True, slots=True)
class Closing:
    """The end of a message: its last delivery is final."""

    login: Login | None
    accepted_at: int
    sent: int
    failed: int
    logged: str
    """sent, skipped, failed, cancelled or none: what became of its log copy or record."""


@quick
@dataclass(frozen=True, slots=True)
class Batch:
    """Deliveries of one message that are attempted together, with a reader for its content."""

    message: QueuedMessage
    deliveries: Sequence[Delivery]
    content: ContentReader
