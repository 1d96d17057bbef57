"""The values that the parts of recording hand to each other: people, opportunities, matches, faults.

Pure. Ids are Salesforce's, in their 18-character form; instants are UTC microseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

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
