"""The MAIL and RCPT commands of one transaction, by what the hop offers; or why the hop cannot take it.

Pure. SIZE: RFC 1870 §6; BODY: RFC 6152 §3; SMTPUTF8: RFC 6531 §3.4, sent exactly when envelope or header need it;
RET, ENVID, NOTIFY, ORCPT: RFC 3461 §5.2, passed unchanged to a hop that offers DSN, and to no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from relay.address import ascii_domain
from relay.delivery.offer import Offer
from relay.delivery_kind import Role
from relay.envelope import reverse_path_text
from relay.errors import AddressError
from relay.ids import DeliveryId
from relay.queue.model import Delivery, QueuedMessage
from relay.status import Reply
from relay.values import quick

TOO_LARGE = "5.3.4"
NEEDS_8BIT = Reply(
    554,
    "5.6.3",
    "the message has 8-bit content and the next hop does not offer 8BITMIME; nothing is converted, since that would"
    " break signatures: send it as quoted-printable or base64, or use a hop that takes 8-bit mail",
)
NEEDS_UTF8_ADDRESS = Reply(
    553, "5.6.7", "the address has characters beyond ASCII and the next hop does not offer SMTPUTF8"
)
NEEDS_UTF8_SENDER = Reply(
    550, "5.6.7", "the sender's address has characters beyond ASCII and the next hop does not offer SMTPUTF8"
)
NEEDS_UTF8_HEADER = Reply(
    554, "5.6.9", "the header section has characters beyond ASCII and the next hop does not offer SMTPUTF8"
)
BAD_ADDRESS = Reply(553, "5.1.3", "the address has characters that cannot stand in a command")
BAD_SENDER = Reply(553, "5.1.7", "the sender's address has characters that cannot stand in a command")


@quick
@dataclass(frozen=True, slots=True)
class Prepared:
    """A transaction ready for one hop."""

    mail: bytes
    """The MAIL command, CRLF included."""
    rcpts: tuple[bytes, ...]
    """One RCPT command for each of `deliveries`."""
    deliveries: tuple[Delivery, ...]
    declined: dict[DeliveryId, Reply]
    """Deliveries that the hop cannot take by what it offers, with what is said of each."""
    left: tuple[Delivery, ...] = ()
    """Deliveries beyond what the hop takes in one transaction; they go in another one."""


def prepare(message: QueuedMessage, deliveries: Sequence[Delivery], offer: Offer) -> Prepared:
    """Write the commands; recipients first, log copies last, as they were given otherwise."""
    sender = reverse_path_text(message.envelope.reverse_path)
    refusal = _refusal(message, sender, offer)
    if refusal is not None:
        return Prepared(b"", (), (), {delivery.id: refusal for delivery in deliveries})
    if not offer.smtputf8 and not sender.isascii():
        sender = with_a_label(sender)
    paths, taken, declined, left = _forward_paths(deliveries, offer)
    utf8 = offer.smtputf8 and (message.utf8_header or not (sender.isascii() and "".join(paths).isascii()))
    rcpts = tuple(
        f"RCPT TO:<{path}>{_rcpt_options(delivery) if offer.dsn else ''}\r\n".encode()
        for path, delivery in zip(paths, taken, strict=True)
    )
    mail = f"MAIL FROM:<{sender}>{_mail_options(message, offer, utf8)}\r\n".encode()
    return Prepared(mail, rcpts, tuple(taken), declined, tuple(left))


def _refusal(message: QueuedMessage, sender: str, offer: Offer) -> Reply | None:
    """Give why the hop can take this message for nobody at all."""
    if offer.size and message.octets > offer.size:
        text = f"the message has {message.octets} octets, the next hop takes no more than {offer.size}"
        return Reply(552, TOO_LARGE, text)
    if message.has_8bit and not offer.eight_bit:
        return NEEDS_8BIT
    # Header fields beyond ASCII that came without SMTPUTF8 go on as they came, as 8-bit content: many programs send
    # them, and so do other relays. Only what was declared internationalised (RFC 6531 §3.5) may not lose that.
    if message.envelope.smtputf8 and message.utf8_header and not offer.smtputf8:
        return NEEDS_UTF8_HEADER
    if not sender.isprintable():
        return BAD_SENDER
    if not offer.smtputf8 and not with_a_label(sender).isascii():
        return NEEDS_UTF8_SENDER
    return None


def _forward_paths(
    deliveries: Sequence[Delivery], offer: Offer
) -> tuple[list[str], list[Delivery], dict[DeliveryId, Reply], list[Delivery]]:
    """Give the forward-paths as the hop can take them, whose they are, who is declined and who must wait."""
    paths: list[str] = []
    taken: list[Delivery] = []
    left: list[Delivery] = []
    declined: dict[DeliveryId, Reply] = {}
    room = offer.recipients or len(deliveries)
    for delivery in recipients_first(deliveries):
        path = delivery.target if offer.smtputf8 else with_a_label(delivery.target)
        if not path.isprintable():
            declined[delivery.id] = BAD_ADDRESS
        elif not offer.smtputf8 and not path.isascii():
            declined[delivery.id] = NEEDS_UTF8_ADDRESS
        elif len(paths) == room:
            left.append(delivery)
        else:
            paths.append(path)
            taken.append(delivery)
    return paths, taken, declined, left


def recipients_first(deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
    """Put log copies last, so that whether any recipient was accepted is known before them."""
    if all(delivery.role is not Role.LOG_COPY for delivery in deliveries):
        return deliveries
    return sorted(deliveries, key=lambda delivery: delivery.role is Role.LOG_COPY)


def _mail_options(message: QueuedMessage, offer: Offer, utf8: bool) -> str:
    options = ""
    if offer.size is not None:
        options += f" SIZE={message.octets}"
    if message.has_8bit and offer.eight_bit:
        options += " BODY=8BITMIME"
    if utf8:
        options += " SMTPUTF8"
    if offer.dsn:
        if message.envelope.ret is not None:
            options += f" RET={message.envelope.ret}"
        if message.envelope.envid is not None and is_parameter(message.envelope.envid):
            options += f" ENVID={message.envelope.envid}"
    return options


def _rcpt_options(delivery: Delivery) -> str:
    if delivery.role is Role.LOG_COPY:
        return " NOTIFY=NEVER"
    options = ""
    if delivery.notify is not None and is_parameter(delivery.notify):
        options += f" NOTIFY={delivery.notify}"
    if delivery.orcpt is not None and is_parameter(delivery.orcpt):
        options += f" ORCPT={delivery.orcpt}"
    return options


def is_parameter(value: str) -> bool:
    """Tell whether a value can stand in a command: printable ASCII without spaces (RFC 5321 §4.1.2 esmtp-value)."""
    return value.isascii() and value.isprintable() and " " not in value


def with_a_label(mailbox: str) -> str:
    """Give the mailbox with its domain in A-labels (RFC 5891); as it was where the domain has none."""
    if mailbox.isascii():
        return mailbox
    local, at, domain = mailbox.rpartition("@")
    try:
        return local + at + ascii_domain(domain)
    except AddressError:
        return mailbox
