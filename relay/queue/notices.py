"""The relay's own mail: delivery reports as messages for the queue, and how many one sender may get.

Pure: the quota is told the time. A report is accepted in the transaction of the settlement that caused it, from the
null path and with NOTIFY=NEVER, so that nothing is ever reported about a report (RFC 3461 §6.1, RFC 5321 §4.5.5).
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from relay.address import Address
from relay.config.types import Rate
from relay.delivery_kind import Role, Transport
from relay.envelope import Envelope, Recipient, reverse_path_text
from relay.ids import QueueId, queue_id_of
from relay.maillog.events import Event, MessageAccepted, ReportQueued, ReportUndeliverable
from relay.policy.decision import PlannedDelivery
from relay.queue import dsn, dsn_words
from relay.queue.model import NewMessage, QueuedMessage
from relay.queue.report import Action, Original, Report, Reporter, one_line
from relay.queue.retry import SECOND, RetryRules
from relay.queue.settlement import Telling

RULE = "notices"
_SENDERS_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Notice:
    """A report that is ready to be accepted into the queue."""

    message: NewMessage
    plan: tuple[PlannedDelivery, ...]
    events: tuple[Event, ...]


class ReportQuota:
    """Counts the reports to each sender in the current span (RFC 3834 §2, against floods of backscatter)."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def take(self, sender: str, rate: Rate, now: int) -> bool:
        """Count one more report to this sender; False when there were as many as allowed."""
        if not rate.count:
            return True
        span = now // round(rate.seconds * SECOND)
        counted_in, count = self._counts.pop(sender, (span, 0))
        if counted_in != span:
            count = 0
        allowed = count < rate.count
        self._counts[sender] = (span, count + allowed)
        if len(self._counts) > _SENDERS_COUNTED:
            self._counts.popitem(last=False)
        return allowed


def report_of(
    message: QueuedMessage, telling: Telling, original: Original, retry: RetryRules, now: int
) -> Report:
    """Gather what one report tells."""
    delayed = telling.action is Action.DELAYED
    return Report(
        action=telling.action,
        message=message.id,
        envelope=message.envelope,
        accepted_at=message.accepted_at,
        message_id=message.message_id,
        original=original,
        recipients=telling.recipients,
        at=now,
        retry_until=message.accepted_at + retry.delivery.lifetime if delayed else None,
    )


def notice_of(report: Report, reporter: Reporter, number: int, boundary: str) -> Notice:
    """Compose a report and give it as a message for the queue."""
    sender = report.envelope.reverse_path
    assert sender is not None, "nobody is told about mail from the null path"
    queue_id = queue_id_of(number)
    content = dsn.compose(report, reporter, queue_id, boundary)
    wide = dsn.is_wide(report)
    message = NewMessage(
        number=number,
        envelope=Envelope(None, (Recipient(sender, notify="NEVER"),), smtputf8=wide),
        login=None,
        accepted_at=report.at,
        prefix=b"",
        skips=(),
        # RFC 1870 §5 does not count the dots that transparency adds.
        octets=len(content) - content.count(b"\r\n.."),
        has_8bit=wide,
        utf8_header=wide,
        message_id=f"<{queue_id}@{reporter.hostname}>",
        subject=one_line(dsn_words.subject(report)),
        header_from=reporter.sender,
        client="",
        listener="",
        mode="",
        why=f"delivery report about {report.message}",
        rule=RULE,
        content=content,
        spool_name=None,
    )
    plan = PlannedDelivery(Role.RECIPIENT, Transport.SMTP, str(sender), notify="NEVER", rule=RULE)
    return Notice(message, (plan,), (_queued(report, queue_id), accepted(message, sender)))


def _queued(report: Report, queue_id: QueueId) -> Event:
    return ReportQueued(
        at=report.at,
        message=report.message,
        report=queue_id,
        action=report.action.value,
        recipients=tuple(one.address for one in report.recipients),
    )


def accepted(message: NewMessage, recipient: Address) -> MessageAccepted:
    """Give the event for mail of the relay's own that is taken into the queue."""
    return MessageAccepted(
        at=message.accepted_at,
        message=queue_id_of(message.number),
        login=None,
        sender="",
        recipients=(str(recipient),),
        message_id=message.message_id,
        subject=message.subject,
        octets=message.octets,
        client="",
        listener="",
        tls="",
        mode="",
        decision=message.why,
        rule=message.rule,
    )


def untold(message: QueuedMessage, tellings: Sequence[Telling], reason: str, now: int) -> list[Event]:
    """Give the event for reports that are not written; a delay that nobody hears of is no matter."""
    failed = [one.address for told in tellings if told.action is Action.FAILED for one in told.recipients]
    if not failed:
        return []
    text = f"{reverse_path_text(message.envelope.reverse_path)} is not told of a failure: {reason}"
    return [ReportUndeliverable(at=now, message=message.id, recipients=tuple(failed), reason=text)]
