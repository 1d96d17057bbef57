"""Past mail that is only recorded, not sent: from files into messages of the queue, whose recipients have the mail.

Pure. The same mail has the same Message-ID, or one made of its octets, so that importing it twice records it once.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from relay.address import comparable_any_case, parse_mailbox
from relay.delivery_kind import Role, Transport
from relay.directory.model import Rep
from relay.envelope import Envelope, Recipient
from relay.errors import AddressError
from relay.message import from_mailboxes, message_id, read_header, subject
from relay.policy.decision import SALESFORCE, PlannedDelivery
from relay.policy.exclusions import find_exclusion
from relay.policy.rules import Rules
from relay.queue.model import NewMessage
from relay.salesforce.reading import Wants, read_mail
from relay.salesforce.wire_form import wire_form
from relay.salesforce.work import IMPORTED

RULE = "relay records import"
ELSEWHERE = "sent by other means"
_FROM_LINE = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\r\n\r\n))From [^\r\n]*\r?\n")


@dataclass(frozen=True, slots=True)
class Import:
    """A mail to be recorded, with its plan; or why it is not."""

    message: NewMessage | None
    plan: tuple[PlannedDelivery, ...] = ()
    problem: str = ""
    message_id: str = ""
    subject: str = ""


def mails_in(file: bytes) -> Iterator[bytes]:
    """Give the mails of a file: one of an .eml, all of an mbox (RFC 4155), without their From lines."""
    if not file.startswith(b"From "):
        yield file
        return
    starts = [(found.start(), found.end()) for found in _FROM_LINE.finditer(file)]
    for (_, begin), (end, _) in zip(starts, [*starts[1:], (len(file), 0)], strict=True):
        yield re.sub(rb"(?m)^>(>*From )", rb"\1", file[begin:end])


def imported(mail: bytes, rep: Rep, rules: Rules, number: int, now: int) -> Import:
    """Make of a mail a message that is recorded as the rep's; `number` is its queue id."""
    wire = wire_form(mail)
    header = read_header(wire)
    identifier = message_id(header) or f"<{hashlib.sha256(wire).hexdigest()[:40]}@imported.invalid>"
    title = subject(header)
    mine = rules.of(rep)
    authors = from_mailboxes(header).addresses
    if not authors or not mine.acceptable.takes(authors[0]):
        return Import(None, (), f"it is not from {rep.login}", identifier, title)
    parts = read_mail(wire, Wants(body=False, html=False))
    people: dict[str, Recipient] = {}
    for box in (*parts.to, *parts.cc):
        try:
            address = parse_mailbox(box.address, smtputf8=True)
        except AddressError:
            continue
        form = comparable_any_case(address)
        if form not in rules.log_copies:
            people.setdefault(form, Recipient(address))
    if not people:
        return Import(None, (), "it names no recipient", identifier, title)
    senders = [comparable_any_case(one) for one in authors]
    excluded = find_exclusion(mine.exclusions, senders, list(people), header)
    if excluded is not None:
        return Import(None, (), f"{excluded.reason} ({excluded.rule})", identifier, title)
    message = NewMessage(
        number=number,
        envelope=Envelope(authors[0], tuple(people.values()), smtputf8=not wire.isascii()),
        login=rep.login,
        accepted_at=now,
        prefix=b"",
        skips=(),
        octets=len(wire) - wire.count(b"\r\n.."),
        has_8bit=not wire.isascii(),
        utf8_header=not header.raw.isascii(),
        message_id=identifier,
        subject=title,
        header_from=str(authors[0]),
        client="",
        listener=IMPORTED,
        mode="api",
        why=f"{len(people)} recipients of mail that was sent by other means, to be recorded in Salesforce",
        rule=RULE,
        content=wire,
        spool_name=None,
    )
    plan = [
        PlannedDelivery(Role.RECIPIENT, Transport.SMTP, str(one.address), skipped=ELSEWHERE, rule=RULE)
        for one in people.values()
    ]
    record = PlannedDelivery(Role.RECORD, Transport.SALESFORCE, SALESFORCE, rule=RULE)
    return Import(message, (*plan, record), "", identifier, title)
