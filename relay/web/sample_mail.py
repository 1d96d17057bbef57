"""Write the test mail of *Set up my mail* as its rep, and take it in as any mail of theirs: decided, queued, logged."""

from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import SMTP

from relay.address import Address
from relay.envelope import Envelope, Recipient
from relay.ids import QueueId, queue_id_of
from relay.maillog.events import MessageAccepted
from relay.message import read_header
from relay.policy.decision import Accept, Refuse, decide, shown_recipients
from relay.queue.dsn import rfc5322_date
from relay.queue.model import NewMessage
from relay.web.asking import Ask

_LISTENER = "page"


async def submit(ask: Ask, recipient: Address) -> QueueId | Refuse:
    """Submit the test mail; it is durable when this gives its queue id. Raises StorageError.

    It is decided by the rules of all mail, and carries nothing that marks it as automated: what becomes of it is what
    becomes of the rep's own mail.
    """
    number = ask.house.actions.next_number()
    content = compose(ask, recipient, number)
    sender, rules = ask.rep.addresses[0], ask.house.actions.rules()
    wide = not (str(sender) + str(recipient)).isascii()
    envelope = Envelope(sender, (Recipient(recipient, notify="NEVER"),), smtputf8=wide)
    decision = decide(envelope, read_header(content), ask.rep, rules)
    if isinstance(decision, Refuse):
        return decision
    message = _message(ask, number, envelope, content, decision)
    shown = shown_recipients(envelope.recipients, rules)
    await ask.house.actions.accept(message, decision.deliveries, (_accepted(message, shown),))
    ask.house.actions.wake()
    return queue_id_of(number)


def compose(ask: Ask, recipient: Address, number: int) -> bytes:
    """Write the mail in wire form (CRLF, dot-stuffed), in the rep's language."""
    sender, hostname = str(ask.rep.addresses[0]), ask.house.configuration.hostname
    wide = not (sender + str(recipient)).isascii()
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit", utf8=wide))
    message["From"] = HeaderAddress(ask.rep.name, addr_spec=sender)
    message["To"] = HeaderAddress(addr_spec=str(recipient))
    message["Subject"] = ask.words("test_mail.subject")
    message["Date"] = rfc5322_date(ask.now)
    message["Message-ID"] = f"<{queue_id_of(number)}@{hostname}>"
    message.set_content(
        ask.words("test_mail.body", name=ask.rep.name or ask.rep.login), cte="quoted-printable"
    )
    return message.as_bytes().replace(b"\r\n.", b"\r\n..")


def _message(ask: Ask, number: int, envelope: Envelope, content: bytes, decision: Accept) -> NewMessage:
    hostname = ask.house.configuration.hostname
    trace = f"Received: by {hostname} with HTTP id {queue_id_of(number)};\r\n {rfc5322_date(ask.now)}\r\n".encode()
    return NewMessage(
        number=number,
        envelope=envelope,
        login=ask.rep.login,
        accepted_at=ask.now,
        prefix=trace,
        skips=(),
        octets=len(trace) + len(content) - content.count(b"\r\n.."),
        has_8bit=False,
        utf8_header=envelope.smtputf8,
        message_id=f"<{queue_id_of(number)}@{hostname}>",
        subject=ask.words("test_mail.subject"),
        header_from=str(ask.rep.addresses[0]),
        client=ask.client,
        listener=_LISTENER,
        mode=decision.mode.value,
        why=decision.why,
        rule=decision.rule,
        content=content,
        spool_name=None,
    )


def _accepted(message: NewMessage, recipients: tuple[str, ...]) -> MessageAccepted:
    return MessageAccepted(
        at=message.accepted_at,
        message=queue_id_of(message.number),
        login=message.login,
        sender=message.header_from,
        recipients=recipients,
        message_id=message.message_id,
        subject=message.subject,
        octets=message.octets,
        client=message.client,
        listener=message.listener,
        tls="",
        mode=message.mode,
        decision=message.why,
        rule=message.rule,
    )
