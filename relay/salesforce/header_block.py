"""The lines that stand in a Task above the text of the mail: who, to whom, when, with which files.

Pure.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from relay.queue.model import State
from relay.salesforce.composed import Attachment, MailParts
from relay.salesforce.files import size_words
from relay.salesforce.model import MessageFacts, RecipientKind, ToldRecipient

_LABELS = {RecipientKind.TO: "To", RecipientKind.CC: "Cc", RecipientKind.BCC: "Bcc"}


def zone_of(name: str) -> tzinfo:
    """Give a rep's time zone; UTC for one that is not known here."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def local_date(instant: int, zone: str) -> str:
    """Give the plain date of an instant where the rep is."""
    return f"{_when(instant, zone):%Y-%m-%d}"


def _when(instant: int, zone: str) -> datetime:
    return datetime.fromtimestamp(instant // 1_000_000, UTC).astimezone(zone_of(zone))


def sent_recipients(facts: MessageFacts, kind: RecipientKind) -> tuple[ToldRecipient, ...]:
    """Give the recipients of one kind who got the mail."""
    return tuple(one for one in facts.recipients if one.kind is kind and one.state is State.SENT)


def header_block(facts: MessageFacts, mail: MailParts, *, bcc: bool, notes: Iterable[str] = ()) -> str:
    """Write the lines; blind copies are named only with `bcc`."""
    sender = mail.sender.address or str(facts.rep.addresses[0])
    lines = [f"From: {_mailbox(mail.sender.name or facts.rep.name, sender)}"]
    kinds = (*(RecipientKind.TO, RecipientKind.CC), *((RecipientKind.BCC,) if bcc else ()))
    for kind in kinds:
        people = sent_recipients(facts, kind)
        if people or kind is RecipientKind.TO:
            lines.append(
                f"{_LABELS[kind]}: {', '.join(_mailbox(one.name, one.address) for one in people) or '-'}"
            )
    failed = [one.address for one in facts.recipients if one.state in _FAILED and one.kind in kinds]
    lines += [f"Not delivered to: {', '.join(failed)}"] if failed else []
    when = _when(facts.sent_at, facts.rep.time_zone)
    lines.append(f"Sent: {when:%Y-%m-%d %H:%M} {when.tzname() or ''}".rstrip())
    lines += attachment_lines(mail.attachments)
    if facts.message_id:
        lines.append(f"Message-ID: {facts.message_id}")
    return "\n".join([*lines, *notes])


_FAILED = frozenset({State.BOUNCED, State.EXPIRED, State.CANCELLED})


def attachment_lines(attachments: Sequence[Attachment]) -> list[str]:
    """Name the attachments: "Attachments: offer.pdf (82 kB)"."""
    if not attachments:
        return []
    names = ", ".join(f"{one.name} ({size_words(one.size)})" for one in attachments)
    return [f"Attachments: {names}"]


def _mailbox(name: str, address: str) -> str:
    return f"{name} <{address}>" if name else address
