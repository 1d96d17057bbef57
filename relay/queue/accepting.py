"""How new messages are written: all that wait, with a few statements."""

from collections.abc import Sequence
from dataclasses import dataclass

from relay.delivery_kind import Role
from relay.ids import DeliveryId, QueueId, number_of, queue_id_of
from relay.policy.decision import PlannedDelivery
from relay.queue.model import Delivery, Lease, NewMessage, State
from relay.queue.rows import DELIVERY, content_row, message_row, text
from relay.storage.database import Transaction, Value
from relay.storage.portions import add_rows
from relay.values import quick

ADD_MESSAGE = "INSERT INTO message VALUES "
"""Messages, all their columns."""

ADD_CONTENT = "INSERT INTO content (message, prefix, skips, spool_name, wire) VALUES "
"""Their content, or where it is in the spool."""

ADD_DELIVERY = f"INSERT INTO delivery ({DELIVERY}, lease_owner, lease_until, lease_boot) VALUES "  # noqa: S608 - our columns
"""Their targets."""

_MESSAGE_COLUMNS, _CONTENT_COLUMNS, _DELIVERY_COLUMNS = 20, 5, 18
_NOBODY = (None, None, None)


@quick
@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that is to be kept, with its plan, and who is to attempt it at once, if anybody."""

    message: NewMessage
    plan: Sequence[PlannedDelivery]
    lease: Lease | None


def add(tx: Transaction, arrivals: Sequence[Arrival]) -> list[list[Delivery]]:
    """Write messages, their deliveries and their content; give the deliveries of each, in the plan's order."""
    last = tx.last_id("delivery")
    messages: list[Value] = []
    rows: list[Value] = []
    contents: list[Value] = []
    added: list[list[Delivery]] = []
    for one in arrivals:
        message, lease = one.message, one.lease
        held = _NOBODY if lease is None else (lease.owner, lease.until, lease.boot_id)
        deliveries = [_planned(one, DeliveryId(last + n), each) for n, each in enumerate(one.plan, 1)]
        last += len(deliveries)
        added.append(deliveries)
        messages += message_row(message)
        contents += content_row(message)
        for each in deliveries:
            rows += _delivery_row(message.number, each)
            rows += held if each.state is State.ACTIVE else _NOBODY
    tx.note_id("delivery", last)
    add_rows(tx, ADD_MESSAGE, _MESSAGE_COLUMNS, messages)
    add_rows(tx, ADD_DELIVERY, _DELIVERY_COLUMNS, rows)
    add_rows(tx, ADD_CONTENT, _CONTENT_COLUMNS, contents)
    return added


def add_delivery(
    tx: Transaction, message: QueueId, delivery: DeliveryId, planned: PlannedDelivery, now: int
) -> None:
    """Write one more delivery of a message that is in the queue already, due now."""
    row = Delivery(
        delivery,
        message,
        planned.role,
        planned.transport,
        planned.target,
        State.QUEUED,
        0,
        now,
        now,
        planned.notify,
        planned.orcpt,
        "",
        planned.rule,
    )
    values = (*_delivery_row(number_of(message), row), *_NOBODY)
    add_rows(tx, ADD_DELIVERY, _DELIVERY_COLUMNS, values)


def _planned(arrival: Arrival, number: DeliveryId, planned: PlannedDelivery) -> Delivery:
    message = arrival.message
    state, due = _first_state(arrival, planned)
    return Delivery(
        number,
        queue_id_of(message.number),
        planned.role,
        planned.transport,
        planned.target,
        state,
        0,
        due,
        message.accepted_at,
        planned.notify,
        planned.orcpt,
        planned.skipped,
        planned.rule,
        1 if state is State.ACTIVE else 0,
    )


def _first_state(arrival: Arrival, planned: PlannedDelivery) -> tuple[State, int | None]:
    if planned.skipped:
        return State.SKIPPED, None
    if planned.role is not Role.RECORD:
        return (State.QUEUED if arrival.lease is None else State.ACTIVE), arrival.message.accepted_at
    people = [one.skipped for one in arrival.plan if one.role is Role.RECIPIENT]
    if people and all(people):  # mail that was sent by other means: there is nobody to wait for
        return State.QUEUED, arrival.message.accepted_at
    return State.WAITING, None


def _delivery_row(number: int, planned: Delivery) -> tuple[Value, ...]:
    return (
        planned.id,
        number,
        planned.role,
        planned.transport,
        planned.target,
        planned.state,
        planned.attempts,
        planned.next_attempt_at,
        planned.created_at,
        planned.notify,
        planned.orcpt,
        text(planned.reason),
        text(planned.rule),
        planned.fence,
        planned.delay_warned,
    )
