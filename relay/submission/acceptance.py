"""Judge a message whose data are in: what the queue is to keep of it and do with it, or why it is refused."""

from collections.abc import Callable
from dataclasses import dataclass

from relay import status
from relay.address import Address
from relay.directory.model import Rep
from relay.envelope import Envelope, reverse_path_text
from relay.ids import QueueId, queue_id_of
from relay.maillog.events import MessageAccepted
from relay.message import Header, from_mailboxes, message_id, subject
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
from relay.submission.data import Content
from relay.submission.door import Door
from relay.submission.session import Session
from relay.submission.trace import Arrival, prefix
from relay.values import quick


@quick
@dataclass(frozen=True, slots=True)
class Ready:
    """A message that is to be taken: what the queue needs, and whose it is."""

    message: NewMessage
    plan: tuple[PlannedDelivery, ...]
    event: MessageAccepted
    rep: Rep | None


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
