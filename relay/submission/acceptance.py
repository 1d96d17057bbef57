"""From the end of data to the answer: judge the message, hand it to the queue, and say 250 once it is durable.

What becomes of the client meanwhile changes nothing: a message that was handed over is kept, whether or not
anybody still hears the 250. A fault of ours is 451 with an incident number; its traceback is in the logs, once.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from relay import status
from relay.address import Address
from relay.directory.model import Rep
from relay.envelope import Envelope, reverse_path_text
from relay.errors import StorageError, StorageFull
from relay.ids import QueueId, queue_id_of
from relay.maillog.events import MessageAccepted
from relay.message import Header, from_mailboxes, message_id, read_header, subject
from relay.policy.decision import (
    Accept,
    PlannedDelivery,
    Refuse,
    bcc_policy,
    decide,
    rep_of,
    shown_recipients,
)
from relay.queue.model import NewMessage
from relay.status import Reply
from relay.storage.spool import INLINE_LIMIT
from relay.submission.data import Content, fault, storage_reply
from relay.submission.door import Door
from relay.submission.session import Session
from relay.submission.trace import Arrival, prefix

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """A message that is to be taken: what the queue needs, and whose it is."""

    message: NewMessage
    plan: tuple[PlannedDelivery, ...]
    event: MessageAccepted
    rep: Rep | None


def trouble(what: str, error: Exception) -> Reply:
    """Log an unexpected exception with its traceback, and give the reply that names only the incident."""
    incident = secrets.token_hex(4).upper()
    _logger.error("incident %s while %s", incident, what, exc_info=error)
    return status.TROUBLE.fill(incident=incident)


async def conclude(session: Session) -> Reply:
    """Answer the end of data; the transaction is over then, whatever the answer. Never raises but CancelledError."""
    content = session.content
    if content is None:
        return status.RCPT_FIRST
    # From here on the content is ours: neither RSET nor a lost connection takes it away.
    session.content = None
    # And the envelope: a connection that is lost meanwhile forgets its transaction.
    envelope = session.envelope()
    started = session.door.clock.monotonic()
    try:
        reply = await _conclude(session, content, envelope, started)
    except StorageError as error:
        _logger.warning("a message could not be stored: %s", error)
        reply = storage_reply(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the client is asked to come again
        reply = trouble("taking a message", error)
    finally:
        content.abandon()
    if reply.code >= 400:
        recipients = shown_recipients(envelope.recipients, session.door.rules())
        session.note_refused(reply, reverse_path_text(envelope.reverse_path), recipients)
    session.reset()
    return reply


async def _conclude(session: Session, content: Content, envelope: Envelope, started: float) -> Reply:
    door = session.door
    wrong = fault(content, door.limits)
    if wrong is not None:
        return wrong
    head = content.head
    # A quarter of a million fields take their time, which the other connections need not wait for.
    header = read_header(head) if len(head) <= INLINE_LIMIT else await asyncio.to_thread(read_header, head)
    ready = judge(session, content, envelope, header)
    if isinstance(ready, Reply):
        return ready
    if ready.rep is not None:
        door.rates.take(ready.rep.login, door.clock.now())
    try:
        await _store(door, content, ready)
    except StorageError:
        if ready.rep is not None:
            door.rates.give_back(ready.rep.login)
        raise
    session.message_taken()
    door.meter.accepted(door.name, ready.message.octets, door.clock.monotonic() - started)
    return status.QUEUED.fill(id=ready.event.message)


async def _store(door: Door, content: Content, ready: Ready) -> None:
    """Have the queue keep the message; it is durable then. Raises StorageError."""
    if content.spool_name is not None:
        await content.sync()
    try:
        await door.intake.accept(ready.message, ready.plan, (ready.event,))
    except StorageFull:
        raise  # nothing of it was stored, and a full disk needs the room: its file goes at once
    except BaseException:
        content.hand_over()
        raise
    # With the name the queue owns the file: only it, or the sweep, may take it away.
    content.hand_over()


def judge(session: Session, content: Content, envelope: Envelope, header: Header) -> Ready | Reply:
    """Decide about a message that can be used: everything that is left to do, or the refusal."""
    door = session.door
    if len(header.raw) > door.limits.header_size:
        return status.HEADER_TOO_LARGE.fill(limit=door.limits.header_size_text)
    # Asked once more: the rep may have been disabled while the data came in.
    if forbidden := session.forbidden():
        return forbidden
    rep = session.rep or rep_of(envelope, header, _enabled(door))
    refusal = _rep_refused(session, envelope, rep)
    if refusal is not None:
        return refusal
    skips = bcc_policy(header, door.signed_bcc, door.signed_bcc_rule)
    if isinstance(skips, Refuse):
        session.rule = skips.rule
        return skips.reply
    decision = decide(envelope, header, rep, door.rules(), signed_in=session.rep is not None)
    match decision:
        case Refuse():
            session.rule = decision.rule
            return decision.reply
        case Accept():
            return _ready(session, content, header, envelope, rep, skips, decision)


def _enabled(door: Door) -> Callable[[Address], Rep | None]:
    """Give the look-up of a gateway's reps: a disabled one is nobody."""
    reps = door.reps()

    def by_address(address: Address) -> Rep | None:
        rep = reps.by_address(address)
        return None if rep is None or rep.disabled else rep

    return by_address


def _rep_refused(session: Session, envelope: Envelope, rep: Rep | None) -> Reply | None:
    if rep is not None:
        return session.over_rate(rep)
    if session.door.unknown_sender == "refuse":
        return status.SENDER_UNKNOWN.fill(address=reverse_path_text(envelope.reverse_path) or "<>")
    return None


def _ready(
    session: Session,
    content: Content,
    header: Header,
    envelope: Envelope,
    rep: Rep | None,
    skips: tuple[tuple[int, int], ...],
    decision: Accept,
) -> Ready:
    door = session.door
    number = door.intake.next_number()
    now = door.clock.now()
    queue_id = queue_id_of(number)
    lines = prefix(_arrival(session, envelope), queue_id, now, header)
    from_addresses = from_mailboxes(header).addresses
    message = NewMessage(
        number=number,
        envelope=envelope,
        login=rep.login if rep else None,
        accepted_at=now,
        prefix=lines,
        skips=skips,
        octets=content.octets + len(lines) - sum(end - start for start, end in skips),
        has_8bit=content.has_8bit,
        utf8_header=content.has_8bit and _beyond_ascii(header.raw),
        message_id=message_id(header),
        subject=subject(header),
        header_from=str(from_addresses[0]) if from_addresses else "",
        client=session.client,
        listener=door.name,
        mode=decision.mode.value,
        why=decision.why,
        rule=decision.rule,
        content=content.inline,
        spool_name=content.spool_name,
    )
    return Ready(message, decision.deliveries, _accepted(session, message, queue_id), rep)


def _beyond_ascii(header: bytes) -> bool:
    """Tell whether a header section is internationalised (RFC 6532): UTF-8 beyond ASCII, not some other 8-bit text."""
    if header.isascii():
        return False
    try:
        header.decode()
    except UnicodeDecodeError:
        return False
    return True


def _arrival(session: Session, envelope: Envelope) -> Arrival:
    return Arrival(
        helo=session.helo or "",
        client=session.client,
        hostname=session.door.hostname,
        extended=session.extended,
        smtputf8=envelope.smtputf8,
        authenticated=session.rep is not None,
        tls=session.tls,
    )


def _accepted(session: Session, message: NewMessage, queue_id: QueueId) -> MessageAccepted:
    return MessageAccepted(
        at=message.accepted_at,
        message=queue_id,
        login=message.login,
        sender=reverse_path_text(message.envelope.reverse_path),
        recipients=shown_recipients(message.envelope.recipients, session.door.rules()),
        message_id=message.message_id,
        subject=message.subject,
        octets=message.octets,
        client=message.client,
        listener=message.listener,
        tls=session.tls,
        mode=message.mode,
        decision=message.why,
        rule=message.rule,
    )
