"""The rows of recording: an intended record, what is known of a message's recording, and a message as it was sent.

Pure.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from relay.config.model import Mode
from relay.ids import DeliveryId, Login, QueueId, queue_id_of
from relay.queue.model import State
from relay.queue.rows import integer, optional_integer, optional_text
from relay.salesforce.composed import Intended
from relay.salesforce.model import Fault, Json
from relay.storage.database import Row

RECORD = """key, message, delivery, login, identity, object, state, salesforce_id, found, related, find_by, pending,
    summary, reason, starts, first_started_at, created_at, changed_at"""
RECORDING = """delivery, message, login, why, related_to, unmatched, unmatched_since, rematch_at, rematches, late,
    category, kind, code, fault, changed_at"""


class RecordState(StrEnum):
    """Where an intended record stands."""

    INTENDED = "intended"
    """Not asked for, or refused: it is not in Salesforce."""
    STARTED = "started"
    """Asked for, the answer not known: it must be looked for before it is asked for again."""
    MADE = "made"
    """It is in Salesforce."""
    UNDONE = "undone"
    """It was taken back, and is never made again."""


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One intended record."""

    key: str
    message: QueueId
    delivery: DeliveryId
    login: Login
    identity: str
    object: str
    state: RecordState
    salesforce_id: str | None
    found: bool
    """It was there before the relay made it: something else had logged the mail."""
    related: tuple[str, ...]
    find_by: Mapping[str, Json]
    pending: bool
    """What hangs on it may not be there yet: its sender, its files."""
    summary: str
    reason: str
    starts: int
    """How often it was asked for."""
    first_started_at: int | None
    created_at: int
    changed_at: int


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """What is known of recording one message."""

    delivery: DeliveryId
    message: QueueId
    login: Login
    why: str
    """How its recipients were matched, in words."""
    related_to: tuple[str, ...]
    """Records that somebody named for it."""
    unmatched: tuple[str, ...]
    """Addresses of recipients that nobody has."""
    unmatched_since: int | None
    rematch_at: int | None
    """When it is matched again; None: it is not."""
    rematches: int
    late: tuple[str, ...]
    """Recipients who did not have the mail yet when the record was made."""
    category: str
    kind: str
    code: str
    fault: str
    """The last fault, in Salesforce's words."""
    changed_at: int


@dataclass(frozen=True, slots=True)
class Intention:
    """The records that one delivery comes to."""

    delivery: DeliveryId
    message: QueueId
    login: Login
    identity: str
    records: Sequence[Intended]


@dataclass(frozen=True, slots=True)
class SentMail:
    """A message as recording sees it: what was sent, and what became of it."""

    message: QueueId
    login: Login | None
    accepted_at: int
    message_id: str | None
    subject: str
    mode: Mode
    listener: str
    recipients: tuple[tuple[str, State], ...]
    """Each forward-path, and how its delivery stands."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one attempt found out about a message, to be kept beside its delivery."""

    delivery: DeliveryId
    message: QueueId
    login: Login
    why: str = ""
    unmatched: tuple[str, ...] = ()
    rematch_at: int | None = None
    """Set: nobody was matched, and it is tried again."""
    late: tuple[str, ...] = ()
    fault: Fault | None = None


def record_row(row: Row) -> RecordRow:
    """Read the columns RECORD."""
    key, message, delivery, login, identity, object, state, found_id, found, related, find_by, *rest = row
    pending, summary, reason, starts, first_started_at, created_at, changed_at = rest
    return RecordRow(
        str(key),
        queue_id_of(integer(message)),
        DeliveryId(integer(delivery)),
        Login(str(login)),
        str(identity),
        str(object),
        RecordState(str(state)),
        optional_text(found_id),
        bool(found),
        tuple(json.loads(str(related))),
        json.loads(str(find_by)),
        bool(pending),
        str(summary),
        str(reason),
        integer(starts),
        optional_integer(first_started_at),
        integer(created_at),
        integer(changed_at),
    )


def recording_row(row: Row) -> RecordingRow:
    """Read the columns RECORDING."""
    delivery, message, login, why, related_to, unmatched, since, rematch_at, rematches, late, *rest = row
    category, kind, code, fault, changed_at = rest
    return RecordingRow(
        DeliveryId(integer(delivery)),
        queue_id_of(integer(message)),
        Login(str(login)),
        str(why),
        tuple(json.loads(str(related_to))),
        tuple(json.loads(str(unmatched))),
        optional_integer(since),
        optional_integer(rematch_at),
        integer(rematches),
        tuple(json.loads(str(late))),
        str(category),
        str(kind),
        str(code),
        str(fault),
        integer(changed_at),
    )
