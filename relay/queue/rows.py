"""How messages and deliveries are written as rows, and read back.

Pure. The order of the columns here is that of the statements in store.py and listing.py.
"""

import json
from collections.abc import Iterable, Sequence

from relay.address import Address
from relay.delivery_kind import Role, Transport
from relay.directory.model import mask_address
from relay.envelope import Envelope, Recipient, reverse_path_text
from relay.ids import DeliveryId, Login, queue_id_of
from relay.queue.model import Delivery, NewMessage, QueuedMessage, State, StoredContent
from relay.queue.selection import ListedDelivery
from relay.storage.database import Row, Value

DELIVERY = """id, message, role, transport, target, state, attempts, next_attempt_at, created_at, notify, orcpt,
    reason, rule, fence, delay_warned"""
QUEUED = """reverse_path, smtputf8, body, ret, envid, login, accepted_at, octets, has_8bit, utf8_header, message_id"""
CONTENT = "prefix, skips, octets, wire, spool_name"
LISTED = """d.id, d.message, d.role, d.transport, d.target, d.state, d.attempts, d.next_attempt_at, d.created_at,
    d.reason, d.rule, m.reverse_path, m.login, m.accepted_at, m.octets, m.message_id, m.subject"""

_ROLES = {role.value: role for role in Role}
_TRANSPORTS = {transport.value: transport for transport in Transport}
_STATES = {state.value: state for state in State}


def message_row(message: NewMessage) -> tuple[Value, ...]:
    """Give the values of a message's row, all columns in the schema's order."""
    envelope = message.envelope
    return (
        message.number,
        message.login,
        text(reverse_path_text(envelope.reverse_path)),
        envelope.smtputf8,
        envelope.body,
        envelope.ret,
        envelope.envid,
        message.accepted_at,
        None,
        message.octets,
        message.has_8bit,
        message.utf8_header,
        None if message.message_id is None else text(message.message_id),
        text(message.subject),
        text(message.header_from),
        message.client,
        message.listener,
        message.mode,
        text(message.why),
        text(message.rule),
    )


def content_row(message: NewMessage) -> tuple[Value, ...]:
    """Give the values of a content row."""
    skips = json.dumps(message.skips) if message.skips else ""
    return message.number, message.prefix, skips, message.spool_name, message.content


def text(value: str) -> str:
    """Give text that a database takes: a lone surrogate, out of a badly encoded header, becomes `?`."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def delivery(row: Row) -> Delivery:
    """Read a delivery from the columns DELIVERY."""
    (number, message, role, transport, target, state, attempts, due, created, notify, orcpt, *rest) = row
    reason, rule, fence, warned = rest
    return Delivery(
        DeliveryId(integer(number)),
        queue_id_of(integer(message)),
        _ROLES[str(role)],
        _TRANSPORTS[str(transport)],
        str(target),
        _STATES[str(state)],
        integer(attempts),
        optional_integer(due),
        integer(created),
        optional_text(notify),
        optional_text(orcpt),
        str(reason),
        str(rule),
        integer(fence),
        bool(warned),
    )


def queued_message(number: int, row: Sequence[Value], recipients: Iterable[Recipient]) -> QueuedMessage:
    """Read a message from the columns QUEUED."""
    path, smtputf8, body, ret, envid, login, accepted_at, octets, has_8bit, utf8_header, message_id = row
    envelope = Envelope(
        address(str(path)) if path else None,
        tuple(recipients),
        bool(smtputf8),
        optional_text(body),
        optional_text(ret),
        optional_text(envid),
    )
    return QueuedMessage(
        queue_id_of(number),
        envelope,
        None if login is None else Login(str(login)),
        integer(accepted_at),
        integer(octets),
        bool(has_8bit),
        bool(utf8_header),
        optional_text(message_id),
    )


def stored_content(row: Sequence[Value]) -> StoredContent:
    """Read where content is from the columns CONTENT."""
    prefix, skips, octets, wire, spool_name = row
    assert isinstance(prefix, bytes)
    assert wire is None or isinstance(wire, bytes)
    ranges = tuple((start, end) for start, end in json.loads(str(skips))) if skips else ()
    return StoredContent(prefix, ranges, integer(octets), wire, optional_text(spool_name))


def recipient(row: Row) -> Recipient:
    """Read a recipient of the envelope from target, notify and orcpt."""
    return Recipient(address(str(row[0])), optional_text(row[1]), optional_text(row[2]))


def listed(row: Row) -> ListedDelivery:
    """Read a delivery with its message from the columns LISTED; a log copy's address is masked."""
    (number, message, role, transport, target, state, attempts, due, created, *rest) = row
    reason, rule, sender, login, accepted_at, octets, message_id, subject = rest
    kind = _ROLES[str(role)]
    if kind is Role.LOG_COPY and target:
        masked = mask_address(str(target))
        target, reason = masked, str(reason).replace(str(target), masked)
    return ListedDelivery(
        DeliveryId(integer(number)),
        queue_id_of(integer(message)),
        kind,
        _TRANSPORTS[str(transport)],
        str(target),
        _STATES[str(state)],
        integer(attempts),
        optional_integer(due),
        integer(created),
        str(reason),
        str(rule),
        str(sender),
        None if login is None else Login(str(login)),
        integer(accepted_at),
        integer(octets),
        optional_text(message_id),
        str(subject),
    )


def address(path: str) -> Address:
    """Read an address that was valid when it was stored; a local part may hold a quoted @."""
    local, at, domain = path.rpartition("@")
    return Address(local, domain) if at else Address(path, "")


def integer(value: Value) -> int:
    """Give a column that holds a whole number."""
    assert isinstance(value, int)
    return value


def optional_integer(value: Value) -> int | None:
    """Give a column that holds a whole number or nothing."""
    assert value is None or isinstance(value, int)
    return value


def optional_text(value: Value) -> str | None:
    """Give a column that holds text or nothing."""
    return None if value is None else str(value)
