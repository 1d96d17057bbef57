"""Messages, plans and leases for tests: everything has a default, each test names only what it is about."""

from collections.abc import Sequence

from relay.address import Address
from relay.clock import SystemClock
from relay.delivery_kind import Role, Transport
from relay.envelope import Envelope, Recipient
from relay.ids import Login, next_number
from relay.policy.decision import PlannedDelivery
from relay.queue.model import Lease, NewMessage

NOW = 1_790_000_000_000_000
"""The instant that FakeClock starts at."""
LOG_COPY_ADDRESS = "emailtosalesforce@a1b2c3.le.salesforce.com"
_last_of: dict[int, int] = {}
_taken: set[int] = set()


def mailbox(text: str) -> Address:
    """Give an address that is known to be valid."""
    local, _, domain = text.rpartition("@")
    return Address(local, domain)


def envelope(
    sender: str | None = "ana@example.com",
    recipients: Sequence[str] = ("customer@example.org",),
    *,
    smtputf8: bool = False,
    body: str | None = None,
    ret: str | None = None,
    envid: str | None = None,
) -> Envelope:
    """Give an envelope; `sender` None is the null path."""
    to = tuple(Recipient(mailbox(one)) for one in recipients)
    return Envelope(None if sender is None else mailbox(sender), to, smtputf8, body, ret, envid)


_envelope = envelope


def new_number(at: int = NOW) -> int:
    """Give a message number of this instant that no other message of this test run has."""
    number = next_number(_last_of.get(at, 0), at)
    while number in _taken:
        number += 1
    _taken.add(number)
    _last_of[at] = number
    return number


def new_message(
    *,
    number: int | None = None,
    envelope: Envelope | None = None,
    login: str | None = "ana",
    accepted_at: int = NOW,
    prefix: bytes = b"Received: from client by relay; Mon, 21 Sep 2026 14:13:20 +0000\r\n",
    skips: tuple[tuple[int, int], ...] = (),
    content: bytes | None = b"Subject: The offer\r\n\r\nDear customer,\r\n",
    spool_name: str | None = None,
    has_8bit: bool = False,
    utf8_header: bool = False,
    message_id: str | None = "<1@example.com>",
    subject: str = "The offer",
    header_from: str = "ana@example.com",
    client: str = "192.0.2.7",
    mode: str = "bcc",
    why: str = "1 recipient, log copy added",
    rule: str = "logging.mode (config.yaml:12)",
) -> NewMessage:
    """Give a message as the door hands it to the queue; its content inline, or in the spool under `spool_name`."""
    inline = None if spool_name else content
    octets = len(prefix) + len(inline or b"") - sum(end - start for start, end in skips)
    return NewMessage(
        number=new_number(accepted_at) if number is None else number,
        envelope=envelope or _envelope(),
        login=None if login is None else Login(login),
        accepted_at=accepted_at,
        prefix=prefix,
        skips=skips,
        octets=octets,
        has_8bit=has_8bit,
        utf8_header=utf8_header,
        message_id=message_id,
        subject=subject,
        header_from=header_from,
        client=client,
        listener="submission",
        mode=mode,
        why=why,
        rule=rule,
        content=inline,
        spool_name=spool_name,
    )


def to_recipient(
    target: str = "customer@example.org",
    *,
    notify: str | None = None,
    orcpt: str | None = None,
    skipped: str = "",
) -> PlannedDelivery:
    """Plan a delivery to somebody the rep wrote to."""
    rule = "logging.mode (config.yaml:12)"
    return PlannedDelivery(Role.RECIPIENT, Transport.SMTP, target, notify, orcpt, skipped, rule)


def log_copy(target: str = LOG_COPY_ADDRESS, *, skipped: str = "") -> PlannedDelivery:
    """Plan the log copy, or say why there is none."""
    rule = "logging.mode (config.yaml:12)"
    return PlannedDelivery(Role.LOG_COPY, Transport.SMTP, target, "NEVER", None, skipped, rule)


def record(target: str = "ana", *, skipped: str = "") -> PlannedDelivery:
    """Plan a record in Salesforce."""
    rule = "logging.mode (config.yaml:12)"
    return PlannedDelivery(Role.RECORD, Transport.SALESFORCE, target, None, None, skipped, rule)


def lease(owner: str = "us", *, until: int | None = None, boot_id: str = "this-boot") -> Lease:
    """Give a lease that lasts."""
    ends = round((SystemClock().monotonic() + 3600) * 1_000_000) if until is None else until
    return Lease(owner, ends, boot_id)
