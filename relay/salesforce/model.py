"""The values that the parts of recording hand to each other: people, opportunities, matches, faults.

Pure. Ids are Salesforce's, in their 18-character form; instants are UTC microseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from relay.config.model import Mode
from relay.directory.model import Rep
from relay.ids import Login, QueueId
from relay.queue.model import State

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]
Row = Mapping[str, Json]
"""One record as a query gives it."""


class PersonKind(StrEnum):
    """What somebody is in Salesforce."""

    CONTACT = "Contact"
    LEAD = "Lead"
    USER = "User"


@dataclass(frozen=True, slots=True)
class Person:
    """A contact, a lead that is not converted, or an active user, by one address."""

    id: str
    kind: PersonKind
    email: str
    """As Salesforce has it."""
    name: str = ""
    owner_id: str | None = None
    account_id: str | None = None
    created_at: int = 0
    last_activity: str | None = None
    """LastActivityDate, a plain date."""
    activities: int | None = None
    """How many tasks it has; None: not asked, since nothing hangs on it."""


@dataclass(frozen=True, slots=True)
class Opportunity:
    """An open opportunity on which a contact has a role."""

    id: str
    name: str
    contact_id: str
    owner_id: str | None = None
    close_date: str | None = None
    modified_at: int = 0


class FaultKind(StrEnum):
    """What a fault of Salesforce means for the relay (Salesforce reference, error catalogue)."""

    AGAIN = "again"
    """Temporary: retry; before a create is repeated it is looked up."""
    LIMIT = "limit"
    """The day's calls are used up: recording pauses until the window moves."""
    SIGN_IN = "sign_in"
    """The token is dead: a new one once, then the identity pauses."""
    STOPPED = "stopped"
    """The user or the organisation may not use the API at all: the identity pauses and an admin must act."""
    FIELD = "field"
    """A field that is hidden or unknown: an optional one is dropped, once."""
    TOO_LONG = "too_long"
    """A text was too long: cut harder, once."""
    DUPLICATE = "duplicate"
    """The record exists."""
    CHANGED = "changed"
    """Somebody changed the record after it was read: read it again, then decide."""
    WINDOW = "window"
    """A window of time or a cursor is no good any more: narrow it, or read everything anew."""
    GONE = "gone"
    """The record that is meant is deleted or was never there."""
    PERMISSION = "permission"
    """Sharing or field-level security: held, an admin must act."""
    RULE = "rule"
    """The organisation's own rule: held with its message, the rep can act."""
    NEIGHBOUR = "neighbour"
    """Rolled back since another operation failed: look at that one."""
    OURS = "ours"
    """A request that the relay should not have made: held, and an alarm."""
    UNKNOWN = "unknown"
    """Three tries, then held with the full answer."""


class Category(StrEnum):
    """How the diagnostics page groups faults."""

    ACCESS = "Access/Validation"
    AUTHENTICATION = "Authentication"
    INTERMITTENT = "Intermittent"
    OTHER = "Other"


@dataclass(frozen=True, slots=True)
class Fault:
    """What Salesforce, or the way to it, answered instead of what was wanted. Free of tokens, addresses and secrets."""

    kind: FaultKind
    category: Category
    code: str
    """Salesforce's error code, OAuth's error, or one of ours such as CONNECTION_RESET or TIMEOUT."""
    message: str
    """Salesforce's own words, cut and redacted."""
    fields: tuple[str, ...] = ()
    status: int = 0
    """The HTTP status; 0: there was no answer."""
    maybe_done: bool = False
    """Whether the request may have been carried out all the same: look before it is repeated."""
    record_ids: tuple[str, ...] = ()
    """Records that the answer names, such as the duplicates."""
    retry_after: float | None = None
    """Seconds to wait at least."""


@dataclass(frozen=True, slots=True)
class Made:
    """A record that was made, or found to be there already."""

    id: str
    object: str
    found: bool = False


Written = Made | Fault
"""What became of one record in a batch."""


class RecipientKind(StrEnum):
    """Which field of the header names a recipient."""

    TO = "to"
    CC = "cc"
    BCC = "bcc"
    """None does: a blind copy."""


@dataclass(frozen=True, slots=True)
class ToldRecipient:
    """One recipient, and what became of the delivery."""

    address: str
    """The forward-path, as it was given."""
    state: State
    sent_at: int | None = None
    kind: RecipientKind = RecipientKind.BCC
    """relay.salesforce.recipients.with_header tells it from the header."""
    name: str = ""
    """The display name in the header."""


@dataclass(frozen=True, slots=True)
class Controls:
    """What the sender asked for this one message by control addresses, as far as it shapes the record."""

    headers_only: bool = False
    """headers@: neither body nor attachments."""
    related_to: tuple[str, ...] = ()
    """rec+ID@: records that were named, before any that are found."""


NO_CONTROLS = Controls()


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What the relay knows of a message without reading it: what is to be recorded."""

    message: QueueId
    login: Login
    rep: Rep
    accepted_at: int
    sent_at: int
    """When the rep sent it: its acceptance, or the Date of mail that is imported later."""
    message_id: str | None
    """With angle brackets; None: it has none that can be searched for."""
    subject: str
    """Decoded, one line."""
    recipients: tuple[ToldRecipient, ...]
    """All but log copies and control addresses; those that were not sent are not recorded as reached."""
    mode: Mode
    controls: Controls = NO_CONTROLS


class Verdict(StrEnum):
    """What is to be done with a message once its recipients were looked up."""

    RECORD = "record"
    """On the people of the match."""
    UNRELATED = "unrelated"
    """Without any relation (logging.match.nobody)."""
    HOLD = "hold"
    """Matched again later."""
    SKIP = "skip"
    CREATE_LEAD = "create_lead"
    """Make leads of `Match.newcomers` first, then record on them."""
    CREATE_CONTACT = "create_contact"


@dataclass(frozen=True, slots=True)
class MatchedPerson:
    """A recipient, and who that is in Salesforce."""

    person: Person
    recipient: ToldRecipient


@dataclass(frozen=True, slots=True)
class Match:
    """Who the recipients are in Salesforce, what the record is to stand on, and why."""

    decision: Verdict
    people: tuple[MatchedPerson, ...] = ()
    """Contacts, leads and users; in the order of the recipients, To before Cc before Bcc."""
    opportunity_ids: tuple[str, ...] = ()
    """Open opportunities of the contacts by `logging.match.opportunities`, the preferred one first."""
    account_id: str | None = None
    """The account of the first contact."""
    unmatched: tuple[str, ...] = ()
    """Addresses of recipients that nobody has."""
    newcomers: tuple[ToldRecipient, ...] = ()
    """Who is to be made a lead or a contact."""
    related_to: str | None = None
    """The record that the sender named (rec+ID@), when it is no person; it comes before opportunities."""
    why: str = ""
    """All of it in plain words."""
