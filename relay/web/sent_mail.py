"""What a rep is shown of the mail they sent: one line a message, with what became of it and of its logging.

SQL and pure functions; whatever is asked is bounded. A query gives one row of JSON: a row for each message would be a
step for each, and beside mail each step waits for Python's lock.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, assert_never

from relay.delivery_kind import Role
from relay.errors import RelayError
from relay.ids import LARGEST, DeliveryId, Login, QueueId, next_number, number_of, queue_id_of
from relay.queue.model import State
from relay.storage.database import Transaction, Value
from relay.values import quick

_MESSAGE = "id, login, accepted_at, subject, mode, why, octets"

OF_REP = "FROM message WHERE login = ?1 AND id < ?2 AND id >= ?3 ORDER BY id DESC LIMIT ?4"
"""A rep's messages of some days, newest first, below an id. Ids grow with the time of accepting."""

OF_ALL = "FROM message WHERE id < ?1 AND id >= ?2 ORDER BY id DESC LIMIT ?3"
"""Everybody's, likewise."""

ONE = "FROM message WHERE id = ?1"
"""One message."""

LISTED = f"""
    SELECT (SELECT json_group_array(json_array({_MESSAGE})) FROM (SELECT {_MESSAGE} {{chosen}})),
        (SELECT json_group_array(json_array(message, id, role, iif(role = 'recipient', target, ''), state,
            next_attempt_at, reason) ORDER BY id) FROM delivery WHERE message IN (SELECT id {{chosen}})),
        (SELECT json_array(count(*), max(changed_at)) FROM record WHERE message IN (SELECT id {{chosen}}))
"""  # noqa: S608 - our columns
"""Chosen messages, what is to become of them, and when their records changed. A log copy's target is a secret: not read."""

NEWEST = LARGEST
"""Above every id."""


class Delivered(StrEnum):
    """How the mail itself stands."""

    DELIVERED = "delivered"
    IN_PROGRESS = "in_progress"
    FAILED = "failed"
    """Given up before anybody answered for good: expired, or cancelled."""
    BOUNCED = "bounced"


class Logged(StrEnum):
    """How its logging stands."""

    LOGGED = "logged"
    WAITING = "waiting"
    SKIPPED = "skipped"
    NEEDS_YOU = "needs_you"
    NONE = "none"
    """Nothing was to be logged at all: the relay's own mail."""


@quick
@dataclass(frozen=True, slots=True)
class Target:
    """One recipient, log copy or record of a message."""

    id: DeliveryId
    role: Role
    target: str
    """An address; "" for a log copy, which is a secret, and for a record."""
    state: State
    due_at: int | None
    reason: str


@quick
@dataclass(frozen=True, slots=True)
class Sent:
    """One message as a line."""

    id: QueueId
    login: Login | None
    at: int
    subject: str
    mode: str
    why: str
    octets: int
    recipients: tuple[Target, ...]
    logging: Target | None
    """The log copy or the record; of several the one that a person should look at first."""

    @property
    def delivered(self) -> Delivered:
        """Tell how the mail itself stands: the worst of its recipients."""
        return delivered_of(frozenset([one.state for one in self.recipients]))

    @property
    def first_three(self) -> str:
        """Write the first recipients."""
        return ", ".join([one.target for one in self.recipients[:3]])

    @property
    def beyond_three(self) -> int:
        """Count the others."""
        return max(len(self.recipients) - 3, 0)

    @property
    def logged(self) -> Logged:
        """Tell how its logging stands."""
        return Logged.NONE if self.logging is None else logged_of(self.logging.state)


_ROLES = {role.value: role for role in Role}
_STATES = {state.value: state for state in State}
_URGENCY = (Logged.NEEDS_YOU, Logged.WAITING, Logged.LOGGED, Logged.SKIPPED)


@cache
def delivered_of(states: frozenset[State]) -> Delivered:
    """Say what the states of its recipients mean for a message."""
    states -= {State.SKIPPED}
    if State.BOUNCED in states:
        return Delivered.BOUNCED
    if states & {State.EXPIRED, State.CANCELLED}:
        return Delivered.FAILED
    return Delivered.IN_PROGRESS if states - {State.SENT} else Delivered.DELIVERED


@cache
def logged_of(state: State) -> Logged:
    """Say what the state of a log copy or record means for its rep."""
    match state:
        case State.SENT:
            return Logged.LOGGED
        case State.WAITING | State.QUEUED | State.ACTIVE | State.DEFERRED:
            return Logged.WAITING
        case State.SKIPPED | State.CANCELLED:
            return Logged.SKIPPED
        case State.HELD | State.BOUNCED | State.EXPIRED:
            return Logged.NEEDS_YOU
        case _:
            assert_never(state)


def digest(*texts: str) -> str:
    """Name what some texts say."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "backslashreplace")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Read:
    """Messages as the database gives them, as JSON: enough to tell whether anything changed."""

    messages: str
    deliveries: str
    records: str

    def version(self, now: int) -> str:
        """Name what a list of these shows; another name each second while it may show how long something waits."""
        counts = '"queued"' in self.deliveries or '"deferred"' in self.deliveries
        return digest(self.messages, self.deliveries, self.records, str(now // 1_000_000 if counts else ""))

    @property
    def last(self) -> int:
        """Give the id of the last of these; 0 when there is none."""
        rows = json.loads(self.messages)
        return int(rows[-1][0]) if rows else 0

    def sent(self) -> list[Sent]:
        """Give the messages as values."""
        rows = json.loads(self.messages)
        targets: dict[int, list[Target]] = {row[0]: [] for row in rows}
        for message, key, role, target, state, due_at, reason in json.loads(self.deliveries):
            targets[message].append(Target(key, _ROLES[role], target, _STATES[state], due_at, reason))
        return [_sent(row, targets[row[0]]) for row in rows]


def read_of(tx: Transaction, login: Login, since: int, limit: int, below: int = NEWEST) -> Read:
    """Read a rep's messages accepted since an instant, newest first."""
    return _read(tx, OF_REP, (login, below, next_number(0, since), limit))


def sent_by(tx: Transaction, login: Login, since: int, limit: int, below: int = NEWEST) -> list[Sent]:
    """Give them as values."""
    return read_of(tx, login, since, limit, below).sent()


def sent_by_all(tx: Transaction, since: int, limit: int, below: int = NEWEST) -> list[Sent]:
    """Give everybody's."""
    return _read(tx, OF_ALL, (below, next_number(0, since), limit)).sent()


def one_message(tx: Transaction, message: QueueId) -> Sent | None:
    """Give one message as a line; None when there is none."""
    found = _read(tx, ONE, (number_of(message),)).sent()
    return found[0] if found else None


def _read(tx: Transaction, chosen: str, values: Sequence[Value]) -> Read:
    return Read(*map(str, tx.execute(LISTED.format(chosen=chosen), values)[0]))


def _sent(row: Sequence[Any], mine: Sequence[Target]) -> Sent:
    number, login, at, subject, mode, why, octets = row
    recipients = tuple([one for one in mine if one.role is Role.RECIPIENT])
    others = [one for one in mine if one.role is not Role.RECIPIENT]
    logging = min(others, key=_urgency) if len(others) > 1 else others[0] if others else None
    return Sent(queue_id_of(number), login, at, subject, mode, why, octets, recipients, logging)


def _urgency(logging: Target) -> int:
    return _URGENCY.index(logged_of(logging.state))


def below_of(text: str) -> int:
    """Give the id that a page of a list begins below, as a link names it; the newest when it names none."""
    try:
        return number_of(text) if text else NEWEST
    except RelayError:
        return NEWEST
