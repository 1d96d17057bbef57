"""What a rep is shown of the mail they sent: one line a message, with what became of it and of its logging.

SQL and pure functions; whatever is asked is bounded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from relay.delivery_kind import Role
from relay.errors import RelayError
from relay.ids import LARGEST, DeliveryId, Login, QueueId, next_number, number_of, queue_id_of
from relay.queue.model import State
from relay.queue.rows import integer, optional_integer
from relay.storage.database import Row, Transaction, Value
from relay.storage.portions import execute_in

OF_REP = """
    SELECT id, login, accepted_at, subject, mode, why, octets FROM message
    WHERE login = ? AND id < ? AND id >= ? ORDER BY id DESC LIMIT ?
"""
"""A rep's messages of some days, newest first, below an id. Ids grow with the time of accepting."""

OF_ALL = """
    SELECT id, login, accepted_at, subject, mode, why, octets FROM message
    WHERE id < ? AND id >= ? ORDER BY id DESC LIMIT ?
"""
"""Everybody's, likewise."""

DELIVERIES = """
    SELECT message, id, role, target, state, next_attempt_at, reason FROM delivery
    WHERE message IN ({marks}) ORDER BY id
"""
"""What is to become of some messages."""

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
        states = {one.state for one in self.recipients} - {State.SKIPPED}
        if State.BOUNCED in states:
            return Delivered.BOUNCED
        if states & {State.EXPIRED, State.CANCELLED}:
            return Delivered.FAILED
        return Delivered.IN_PROGRESS if states - {State.SENT} else Delivered.DELIVERED

    @property
    def logged(self) -> Logged:
        """Tell how its logging stands."""
        return Logged.NONE if self.logging is None else logged_of(self.logging.state)


_URGENCY = (Logged.NEEDS_YOU, Logged.WAITING, Logged.LOGGED, Logged.SKIPPED)


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


def sent_by(tx: Transaction, login: Login, since: int, limit: int, below: int = NEWEST) -> list[Sent]:
    """Give a rep's messages accepted since an instant, newest first."""
    return _with_deliveries(tx, tx.execute(OF_REP, (login, below, next_number(0, since), limit)))


def sent_by_all(tx: Transaction, since: int, limit: int, below: int = NEWEST) -> list[Sent]:
    """Give everybody's."""
    return _with_deliveries(tx, tx.execute(OF_ALL, (below, next_number(0, since), limit)))


def _with_deliveries(tx: Transaction, rows: Sequence[Row]) -> list[Sent]:
    targets: dict[int, list[Target]] = {integer(row[0]): [] for row in rows}
    for message, *rest in execute_in(tx, DELIVERIES, (), list(targets)):
        targets[integer(message)].append(_target(rest))
    return [_sent(row, targets) for row in rows]


def _target(row: Sequence[Value]) -> Target:
    key, role, target, state, due_at, reason = row
    kind = Role(str(role))
    return Target(
        DeliveryId(integer(key)),
        kind,
        str(target) if kind is Role.RECIPIENT else "",
        State(str(state)),
        optional_integer(due_at),
        str(reason),
    )


def _sent(row: Row, targets: Mapping[int, Sequence[Target]]) -> Sent:
    number, login, at, subject, mode, why, octets = row
    mine = targets[integer(number)]
    others = [one for one in mine if one.role is not Role.RECIPIENT]
    return Sent(
        queue_id_of(integer(number)),
        None if login is None else Login(str(login)),
        integer(at),
        str(subject),
        str(mode),
        str(why),
        integer(octets),
        tuple(one for one in mine if one.role is Role.RECIPIENT),
        min(others, key=lambda one: _URGENCY.index(logged_of(one.state)), default=None),
    )


def below_of(text: str) -> int:
    """Give the id that a page of a list begins below, as a link names it; the newest when it names none."""
    try:
        return number_of(text) if text else NEWEST
    except RelayError:
        return NEWEST


ONE = "SELECT id, login, accepted_at, subject, mode, why, octets FROM message WHERE id = ?"
"""One message."""


def one_message(tx: Transaction, message: QueueId) -> Sent | None:
    """Give one message as a line; None when there is none."""
    found = _with_deliveries(tx, tx.execute(ONE, (number_of(message),)))
    return found[0] if found else None
