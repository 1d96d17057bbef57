"""The values of composing a record: the parts of a mail, and the records that are intended.

Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from relay.salesforce.model import Json


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attached file."""

    name: str
    """The last part of its file name, cleaned; never empty."""
    type: str
    """Such as application/pdf."""
    size: int
    """Octets, decoded."""
    data: bytes | None = field(default=None, repr=False)
    """What is in it; None when files are not asked for, or it is beyond the limits."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A name and an address of a header field."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class MailParts:
    """What was read of a message, all within limits: no control characters, no lone surrogates, LF line ends."""

    text: str = field(default="", repr=False)
    """The text body; made from the HTML when there is no other."""
    html: str = field(default="", repr=False)
    """The HTML body; "" when there is none, or it is beyond the limits."""
    attachments: tuple[Attachment, ...] = ()
    encrypted: str = ""
    """S/MIME or OpenPGP when the body cannot be read; then text, html and attachments are empty."""
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    sender: Mailbox = Mailbox("", "")
    """The first of From."""
    thread: str = ""
    """The id that its thread began with: the first of References, else In-Reply-To; with angle brackets."""
    date: int | None = None
    """The Date field, UTC microseconds."""
    problems: tuple[str, ...] = ()
    """What could not be read or was left out, in plain words."""


class Follow(StrEnum):
    """What is sent after a record, once its id is known; that one fails undoes nothing."""

    SENDER = "sender"
    """EmailMessageRelation of the rep."""
    RELATION = "relation"
    """EmailMessageRelation of a lead beside contacts."""
    FILE = "file"
    """ContentVersion of an attachment."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """One record that hangs on another."""

    kind: Follow
    object: str
    fields: Mapping[str, Json]
    """Without the parent's id and without the file's data."""
    parent_field: str
    """Which field takes the id of the parent."""
    attachment: int | None = None
    """For FILE: the index in MailParts.attachments."""


@dataclass(frozen=True, slots=True)
class Intended:
    """One record that is to be made."""

    key: str
    """sha256 (hex) of rep, Message-ID or queue id, and Salesforce record id: the same record has the same key."""
    object: str
    """EmailMessage or Task."""
    fields: Mapping[str, Json] = field(repr=False)
    follow_ups: tuple[FollowUp, ...] = ()
    related: tuple[str, ...] = ()
    """Every record that it stands on: people first, then what it is about."""
    find_by: Mapping[str, Json] = field(default_factory=dict)
    """Filterable fields that find it again, such as MessageIdentifier; several records of one message may share them."""
    summary: str = ""
    """In plain words: "EmailMessage on contact 003… and opportunity 006…"."""
    optional: frozenset[str] = frozenset()
    """Fields without which the record is still worth making, for when Salesforce refuses one."""
