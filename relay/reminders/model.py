"""What a reminder is, what a Salesforce Task says of one, and what both sides last agreed on.

Pure. A due date is a plain date without a time zone; instants are UTC microseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import NewType
from zoneinfo import ZoneInfo

from relay.ids import QueueId

ReminderId = NewType("ReminderId", int)
RepKey = NewType("RepKey", str)
"""The compared form of a login (relay.directory.model.login_key)."""

LONGEST_TITLE = 255
LONGEST_DETAILS = 32_000
"""Lengths of Task.Subject and Task.Description."""


class Priority(StrEnum):
    """How urgent it is; Salesforce's Low counts as normal and stays Low there."""

    NORMAL = "normal"
    HIGH = "high"


class State(StrEnum):
    """Whether it is still to be done."""

    OPEN = "open"
    DONE = "done"


class Origin(StrEnum):
    """Where it was made."""

    LOCAL = "local"
    SALESFORCE = "salesforce"


class Link(StrEnum):
    """How a reminder stands to Salesforce."""

    OFF = "off"
    """It was made while nothing was kept in step."""
    LINKED = "linked"
    """A Task there is the same to-do."""
    PENDING = "pending"
    """Salesforce is to be told, and has not been yet."""
    NEVER_PUSH = "never_push"
    """It stood here before the synchronisation was switched on: it goes out only when sent by itself."""
    CONFLICT = "conflict"
    """Salesforce refused a change, or deleted the Task before a change here; what stands here is kept."""
    ERROR = "error"
    """Salesforce refused to make the Task."""


class SubjectRule(StrEnum):
    """Which way titles travel."""

    BOTH = "both"
    OUT = "out"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Values:
    """The fields that are kept in step."""

    title: str
    details: str = ""
    due: date | None = None
    priority: Priority = Priority.NORMAL
    state: State = State.OPEN


FIELDS = ("title", "details", "due", "priority", "state")


@dataclass(frozen=True, slots=True)
class Base:
    """What both sides had when they were last in step. Titles may differ, where they do not travel both ways."""

    values: Values
    """With the title as it was here."""
    subject: str
    """The title as it was in Salesforce."""

    @property
    def remote(self) -> Values:
        """What Salesforce had."""
        return replace(self.values, title=self.subject)


@dataclass(frozen=True, slots=True)
class WithPerson:
    """Whom a reminder is about."""

    id: str | None = None
    """A contact or lead in Salesforce."""
    name: str = ""
    email: str = ""


NOBODY = WithPerson()


@dataclass(frozen=True, slots=True)
class RemoteTask:
    """A Task as Salesforce has it."""

    id: str
    owner_id: str
    values: Values
    created_at: int
    modified_at: int
    """LastModifiedDate."""
    person: WithPerson = NOBODY
    deleted: bool = False
    archived: bool = False
    recurrence_master: bool = False
    subtype: str = ""
    type: str = ""
    key: str = ""
    """Relay_Key__c, where the organisation has it."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """One reminder, as the store has it."""

    id: ReminderId
    rep: RepKey
    values: Values
    origin: Origin
    link: Link
    made_by: RepKey
    created_at: int
    changed_at: int
    push_key: str
    changed: Mapping[str, int] = field(default_factory=dict)
    """When which field was changed here last."""
    kind: str = ""
    """Email, Call, InMail or Custom, where somebody said so."""
    person: WithPerson = NOBODY
    message: QueueId | None = None
    """The mail that it follows up."""
    reason: str = ""
    salesforce_id: str | None = None
    owner_id: str | None = None
    """The Salesforce user whose it was when both sides were last in step."""
    base: Base | None = None
    deleted_at: int | None = None
    gone_at: int | None = None
    """Salesforce has deleted it, and somebody is asked whether that was meant."""
    push_started_at: int | None = None
    attempts: int = 0
    next_push_at: int | None = None

    def sync(self, on: bool) -> Link:
        """Say how it stands to Salesforce, for people: off while nothing is kept in step."""
        if not on and self.link is not Link.NEVER_PUSH:
            return Link.OFF
        return Link.PENDING if self.link is Link.LINKED and self.next_push_at is not None else self.link


@dataclass(frozen=True, slots=True)
class Lost:
    """A line of the history: what one side wrote and what stands instead."""

    field: str
    kept: str
    lost: str
    winner: Origin
    why: str


@dataclass(frozen=True, slots=True)
class Tally:
    """What one run came to."""

    pulled: int = 0
    pushed: int = 0
    deleted: int = 0
    conflicts: int = 0
    errors: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Add up two."""
        return Tally(
            self.pulled + other.pulled,
            self.pushed + other.pushed,
            self.deleted + other.deleted,
            self.conflicts + other.conflicts,
            self.errors + other.errors,
        )

    def __bool__(self) -> bool:
        """Tell whether anything happened."""
        return self != NOTHING


NOTHING = Tally()


def clean_title(text: str) -> str:
    """Give a title as Salesforce keeps subjects: one line, without space around it, 255 characters at most."""
    return "".join(c if c.isprintable() else " " for c in text).strip()[:LONGEST_TITLE].rstrip()


def clean_details(text: str) -> str:
    """Give details as Salesforce keeps long texts: LF for line ends, no space around, 32,000 characters at most."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return lines.strip()[:LONGEST_DETAILS].rstrip()


def today_of(now: int, time_zone: str) -> date:
    """Give which day an instant is in a time zone."""
    return (datetime.fromtimestamp(now // 1_000_000, UTC).astimezone(ZoneInfo(time_zone))).date()


def tomorrow_of(today: date) -> date:
    """Give the day after."""
    return today + timedelta(days=1)


def long_id(id: str) -> str:
    """Give an id in its 18-character form, which the 15-character one gets by its letters' case."""
    if len(id) != 15:
        return id
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    thirds = (id[at : at + 5] for at in (0, 5, 10))
    return id + "".join(alphabet[sum(1 << n for n, c in enumerate(third) if c.isupper())] for third in thirds)
