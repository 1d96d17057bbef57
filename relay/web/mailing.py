"""Write the relay's own mail to people - codes, links, digests - and give it to the queue, for the notices route.

From the null path and with NOTIFY=NEVER, as delivery reports are: nothing is ever reported about it (RFC 5321 §4.5.5).
"""

from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING, Protocol

from relay.address import Address
from relay.clock import Clock
from relay.config.loader import Configuration
from relay.delivery_kind import Role, Transport
from relay.directory.model import Rep
from relay.envelope import Envelope, Recipient
from relay.ids import queue_id_of
from relay.policy.decision import PlannedDelivery
from relay.queue.dsn import rfc5322_date
from relay.queue.model import NewMessage
from relay.queue.notices import accepted
from relay.queue.rules import rules_of
from relay.texts import words

if TYPE_CHECKING:
    from relay.web.actions import Actions

RULE = "notices"


class Sending(Protocol):
    """What mail of the relay's own is sent with; relay.web.asking.House is it."""

    @property
    def actions(self) -> "Actions":
        """Give what the service can be made to do."""
        ...

    @property
    def clock(self) -> Clock:
        """Give the clock."""
        ...

    @property
    def configuration(self) -> Configuration:
        """Give the settings in force."""
        ...


async def send(house: Sending, rep: Rep, key: str, to: Address | None = None, **values: object) -> None:
    """Mail the text `KEY.body` under `KEY.subject`, in the rep's language, to the rep's first address (or `to`).

    Durable when this returns. What is secret stands in the body alone: subjects are logged. Raises StorageError.
    """
    text = words(rep.language)
    recipient = to or rep.addresses[0]
    name = rep.name or rep.login
    body = text(f"{key}.body", name=name, **values)
    await send_text(house, recipient, text(f"{key}.subject"), body)


async def send_text(
    house: Sending,
    recipient: Address,
    subject: str,
    body: str,
    html: str = "",
    *,
    number: int | None = None,
) -> None:
    """Mail a text, and the same as HTML where it is given; `number`: of the message, where it is known before."""
    number, now = house.actions.next_number() if number is None else number, house.clock.now()
    hostname, sender = house.configuration.hostname, _sender(house)
    content = compose(sender, str(recipient), subject, body, html, f"<{queue_id_of(number)}@{hostname}>", now)
    wide = not str(recipient).isascii()
    message = NewMessage(
        number=number,
        envelope=Envelope(None, (Recipient(recipient, notify="NEVER"),), smtputf8=wide),
        login=None,
        accepted_at=now,
        prefix=b"",
        skips=(),
        octets=len(content) - content.count(b"\r\n.."),
        has_8bit=False,
        utf8_header=wide,
        message_id=f"<{queue_id_of(number)}@{hostname}>",
        subject=subject,
        header_from=sender,
        client="",
        listener="",
        mode="",
        why="mail of the relay's own",
        rule=RULE,
        content=content,
        spool_name=None,
    )
    plan = PlannedDelivery(Role.RECIPIENT, Transport.SMTP, str(recipient), notify="NEVER", rule=RULE)
    await house.actions.accept(message, (plan,), (accepted(message, recipient),))


def compose(
    sender: str, recipient: str, subject: str, body: str, html: str, message_id: str, now: int
) -> bytes:
    """Write a message in wire form (CRLF, dot-stuffed), 7-bit but for a recipient whose address is not."""
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit", utf8=not recipient.isascii()))
    message["From"] = HeaderAddress("Relay", addr_spec=sender)
    message["To"] = HeaderAddress(addr_spec=recipient)
    message["Subject"] = " ".join(subject.split())
    message["Date"] = rfc5322_date(now)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body, cte="quoted-printable")
    if html:
        message.add_alternative(html, subtype="html", cte="quoted-printable")
    octets = message.as_bytes()
    return octets.replace(b"\r\n.", b"\r\n..")


def _sender(house: Sending) -> str:
    configuration = house.configuration
    return rules_of(configuration.settings, configuration.hostname).reporter.sender
