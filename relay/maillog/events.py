"""The mail log's closed set of events: everything that can happen to a message or a sign-in.

Pure. Each event is written to the database in the transaction that makes it true, and as one line to the
program's log. A log copy's address never stands in an event: it is masked before it gets here.
"""

import logging
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, ClassVar

from relay.ids import QueueId
from relay.values import quick


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened, at an instant (UTC microseconds), to a message where there is one."""

    name: ClassVar[str]
    level: ClassVar[int] = logging.INFO

    at: int
    message: QueueId | None = None

    def data(self) -> dict[str, Any]:
        """Give the event's own fields, without instant and message, as JSON can hold them."""
        kind = type(self)
        found = _OWN_FIELDS.get(kind)
        if found is None:
            own = tuple(field.name for field in fields(self) if field.name not in ("at", "message"))
            found = _OWN_FIELDS[kind] = (own, attrgetter(*own))
        names, values = found
        return dict(zip(names, values(self), strict=True))


_OWN_FIELDS: dict[type, tuple[tuple[str, ...], "attrgetter[tuple[Any, ...]]"]] = {}
"""The names of an event's own fields, and what takes their values, by its class; asked some eight times a message."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAccepted(Event):
    """A message is in the queue: the client was, or is about to be, answered 250."""

    name = "message.accepted"

    login: str | None
    sender: str
    recipients: tuple[str, ...]
    message_id: str | None
    subject: str
    octets: int
    client: str
    listener: str
    tls: str
    mode: str
    decision: str
    rule: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRefused(Event):
    """A message, a sender or a recipient was refused at the door; nothing of it was kept."""

    name = "message.refused"
    level = logging.WARNING

    login: str | None
    sender: str
    recipients: tuple[str, ...]
    client: str
    listener: str
    reply: str
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInFailed(Event):
    """A client gave a wrong login or password."""

    name = "auth.failed"
    level = logging.WARNING

    login: str
    client: str
    listener: str
    mechanism: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInBlocked(Event):
    """A client was turned away since its login or network had too many wrong passwords."""

    name = "auth.blocked"
    level = logging.WARNING

    login: str
    client: str
    listener: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryEnded(Event):
    """What an attempt came to for the deliveries of one message that share the outcome."""

    level = logging.INFO

    role: str
    targets: tuple[str, ...]
    """Forward-paths; a log copy's is masked."""
    reply: str
    """The hop's reply, or the reason in plain words."""
    hop: str
    attempt: int


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySent(DeliveryEnded):
    """The next hop took it."""

    name = "delivery.sent"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDeferred(DeliveryEnded):
    """Not now; it is tried again at `next_attempt_at`."""

    name = "delivery.deferred"
    level = logging.WARNING

    next_attempt_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryBounced(DeliveryEnded):
    """Refused for good."""

    name = "delivery.bounced"
    level = logging.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryExpired(DeliveryEnded):
    """Tried for as long as the retry settings allow, and given up."""

    name = "delivery.expired"
    level = logging.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryHeld(DeliveryEnded):
    """Somebody must decide."""

    name = "delivery.held"
    level = logging.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySkipped(DeliveryEnded):
    """Nothing is to be done, and this says why."""

    name = "delivery.skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryChanged(Event):
    """A person changed deliveries by hand: retried, held, released or cancelled them."""

    name = "delivery.changed"

    verb: str
    targets: tuple[str, ...]
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRestored(Event):
    """A backup was put back; its open deliveries are held until somebody releases them."""

    name = "queue.restored"

    deliveries: int
    made_at: str
    """When the backup was made."""
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportQueued(Event):
    """A delivery report (RFC 3464) about this message is in the queue as `report`."""

    name = "report.queued"

    report: str
    action: str
    """failed, delayed or relayed."""
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportUndeliverable(Event):
    """Somebody should have been told what became of these recipients, and cannot be: an admin must look."""

    name = "report.undeliverable"
    level = logging.ERROR

    recipients: tuple[str, ...]
    reason: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class LogSucceeded(Event):
    """A record of this message is in Salesforce."""

    name = "log.succeeded"

    object: str
    """EmailMessage or Task."""
    record: str
    """Its id in Salesforce."""
    related: tuple[str, ...]
    """The ids of the records that it stands on."""
    found: bool
    """Whether it was there already: something else had logged the mail."""
    identity: str
    """The Salesforce user it was made as; empty: the integration user."""
    summary: str
    reason: str = ""
    """What could not be done about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogUnmatched(Event):
    """Nobody in Salesforce has any of the addresses: it waits, and is matched again."""

    name = "log.unmatched"
    level = logging.WARNING

    recipients: tuple[str, ...]
    again_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFailed(Event):
    """Salesforce refused a record of this message; the delivery's own event says what follows."""

    name = "log.failed"
    level = logging.WARNING

    category: str
    """Access/Validation, Authentication, Intermittent or Other."""
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogImported(Event):
    """Mail that was sent by other means is to be recorded."""

    name = "log.imported"

    login: str
    recipients: tuple[str, ...]
    message_id: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogUndone(Event):
    """A record of this message was taken back, and is never made again."""

    name = "log.undone"

    record: str
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRelated(Event):
    """Somebody, or a recipient who got the mail later, had this message's record stand on more."""

    name = "log.related"

    record: str
    related: tuple[str, ...]
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDoubled(Event):
    """A record of this message was in Salesforce twice: a call that had not answered was carried out late."""

    name = "log.doubled"
    level = logging.WARNING

    record: str
    """The one that counts."""
    deleted: str
    """The other, which the relay has made and deleted; empty: both are there."""
    reason: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class MessageClosed(Event):
    """The last delivery of a message ended; this one line tells its whole story."""

    name = "message.closed"

    login: str | None
    sent: int
    failed: int
    logged: str
    """sent, skipped, failed, cancelled or none: what became of the log copy or record."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RemindersSwitched(Event):
    """A rep's reminders are kept in step with Salesforce from now on, or no more."""

    name = "reminders.switched"

    login: str
    sync: str
    """off or two_way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemindersSynced(Event):
    """Something travelled between a rep's reminders and Salesforce; a run that finds nothing says nothing."""

    name = "reminders.synced"

    login: str
    pulled: int
    """Taken over from Salesforce, new or changed."""
    pushed: int
    deleted: int
    """On either side."""
    conflicts: int
    """Fields that both sides had changed; the history of the reminder tells."""
    errors: int
    """What Salesforce refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderDeletionsWait(Event):
    """So much was deleted in Salesforce at once that somebody must confirm it; meanwhile nothing is kept in step."""

    name = "reminders.deletions_wait"
    level = logging.WARNING

    login: str
    deletions: int
