"""The values that go into calls of Salesforce and come out of them, and the exception for a call that failed whole.

Pure. Ids are Salesforce's, in their 18-character form; instants are UTC microseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.errors import RelayError
from relay.salesforce.model import Fault, FaultKind, Json

LOOK_UP = ""
"""The identity of whoever looks up for all reps: salesforce.look_up_as, else salesforce.auth."""
MAXIMUM_COLLECTION = 200
"""Records in one sObject collection (Salesforce REST guide, sObject Collections)."""
MAXIMUM_COMPOSITE = 25
"""Subrequests in one composite request, of which at most 5 queries or collections (REST guide, Composite)."""


class SalesforceError(RelayError):
    """A call of Salesforce came to nothing; `fault` says why and what that means."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.code}: {fault.message}" if fault.message else fault.code)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to make, with the request headers it needs, such as Sforce-Duplicate-Rule-Header."""

    object: str
    fields: Mapping[str, Json]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changed:
    """Fields of a record to change."""

    object: str
    id: str
    fields: Mapping[str, Json]
    unmodified_since: int | None = None
    """Change it only when nobody did after this instant, else the fault is CHANGED; alone in its call then."""


@dataclass(frozen=True, slots=True)
class SubRequest:
    """One part of a composite request. `path` is below the version: "sobjects/EmailMessage"; "@{mail.id}" refers."""

    method: str
    path: str
    reference: str
    """Letters, digits and underscores, unique in the request."""
    body: Mapping[str, Json] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SubAnswer:
    """What became of one part of a composite request."""

    reference: str
    status: int
    body: Json
    fault: Fault | None = None
    """Why it failed; NEIGHBOUR when it was rolled back, or not tried, since another part failed."""

    @property
    def id(self) -> str | None:
        """Give the id of the record that was made."""
        made = self.body.get("id") if isinstance(self.body, Mapping) else None
        return made if isinstance(made, str) else None


@dataclass(frozen=True, slots=True)
class Field:
    """What describe says of one field (Object Reference, DescribeFieldResult)."""

    name: str
    type: str = "string"
    length: int = 0
    """Characters; 0: it has no length."""
    createable: bool = True
    updateable: bool = True
    nillable: bool = True
    defaulted: bool = False
    """Whether Salesforce fills it in when it is left out."""
    picklist: tuple[str, ...] = ()
    """Its active values."""
    restricted: bool = False
    """Whether the picklist takes no other value."""
    external_id: bool = False
    unique: bool = False
    id_lookup: bool = False
    reference_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Description:
    """What describe says of an object: what is not in it is not there, or hidden from this identity."""

    name: str
    fields: Mapping[str, Field]
    createable: bool = True
    updateable: bool = True
    deletable: bool = True
    queryable: bool = True
    replicateable: bool = True

    def length(self, name: str, otherwise: int) -> int:
        """Give how long a text in this field may be."""
        described = self.fields.get(name)
        return described.length if described is not None and described.length > 0 else otherwise

    def may_create(self, name: str) -> bool:
        """Tell whether the field is there and may be given to a new record."""
        described = self.fields.get(name)
        return described is not None and described.createable


@dataclass(frozen=True, slots=True)
class PicklistRow:
    """A row of TaskStatus or TaskPriority, in the order of the organisation."""

    value: str
    label: str
    default: bool = False
    closed: bool = False
    """TaskStatus: whether it means done."""
    high: bool = False
    """TaskPriority: whether it means important."""
    order: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of the day's API calls is used, by whomever; as last seen."""

    used: int
    maximum: int
    seen_at: int

    @property
    def percent(self) -> float:
        """Give the share that is used, 0 when the maximum is not known."""
        return 100.0 * self.used / self.maximum if self.maximum > 0 else 0.0

    @property
    def remaining(self) -> int:
        """Give the calls that are left."""
        return max(0, self.maximum - self.used)


@dataclass(frozen=True, slots=True)
class Pause:
    """Why calls of an identity are not made, and when the next is tried."""

    kind: FaultKind
    """SIGN_IN, STOPPED or LIMIT."""
    since: int
    until: int
    fault: Fault
    everybody: bool = False
    """Whether all identities are meant: the organisation's limit, or its API."""


@dataclass(frozen=True, slots=True)
class Who:
    """Whom an identity turns out to be."""

    identity: str
    user_id: str
    organization_id: str
    username: str
    name: str
    email: str
    instance_url: str
    api_version: str
