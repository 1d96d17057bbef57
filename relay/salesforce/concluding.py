"""How recording a message ends: what was found out is kept beside its delivery, and a log copy may take its place."""

from collections.abc import Sequence
from dataclasses import replace

from relay.config.model import LoggingSettings
from relay.delivery_kind import Role, Transport
from relay.ids import number_of
from relay.maillog.events import LogFailed
from relay.outcome import Bounced, Deferred, Held
from relay.policy.decision import PlannedDelivery
from relay.salesforce.capturing import logging_of
from relay.salesforce.model import Fault, FaultKind
from relay.salesforce.outcomes import HOP, outcome_of
from relay.salesforce.record_rows import RecordState, Told
from relay.salesforce.work import Tools, Work
from relay.status import Reply
from relay.storage.database import Transaction


def fail(one: Work, fault: Fault) -> None:
    """Give a message the outcome of a fault, and keep the fault to be looked at."""
    one.outcome = outcome_of(fault, one.delivery.attempts)
    if one.facts is None:
        return
    told = one.told or Told(one.id, one.facts.message, one.facts.login)
    one.told = replace(told, fault=fault)


async def conclude(tools: Tools, works: Sequence[Work]) -> None:
    """End messages that have an outcome: in the store first. Raises StorageError."""
    if tools.settings.bcc.fallback_after_api_failure:
        await _fall_back(tools, works)
    await _keep_told(tools, works)
    for one in works:
        one.told, one.events = None, []


async def _keep_told(tools: Tools, works: Sequence[Work]) -> None:
    """Keep what attempts found out, with their events, in one commit. Raises StorageError."""
    told = [one.told for one in works if one.told is not None]
    now = tools.clock.now()
    events = [event for one in works for event in (*one.events, *_fault_events(one, now))]
    if not told and not events:
        return

    def keep(tx: Transaction) -> None:
        tools.store.tell(tx, told, now)
        tools.mail_log.append(tx, events)

    await tools.database.write(keep)


def _fault_events(one: Work, now: int) -> list[LogFailed]:
    """Give the event of a fault that is news: not that of a pause, which every waiting message would tell again."""
    fault = one.told.fault if one.told is not None else None
    quiet = isinstance(one.outcome, Deferred) and not one.outcome.attempted
    if fault is None or quiet or fault.kind is FaultKind.LIMIT:
        return []
    return [
        LogFailed(
            at=now,
            message=one.batch.message.id,
            category=fault.category,
            code=fault.code,
            reason=fault.message,
        )
    ]


def settings_of(settings: LoggingSettings, one: Work) -> LoggingSettings:
    """Give the settings for the rep of a message: what is captured may be the rep's own choice."""
    return logging_of(settings, one.facts.rep if one.facts is not None else None)


_HAS_COPY = "SELECT 1 FROM delivery WHERE message = ? AND role = 'log_copy'"
"""Whether a message has a log copy already."""


async def _fall_back(tools: Tools, works: Sequence[Work]) -> None:
    """Send a log copy of mail whose record failed for good, where the settings say so."""
    for one in works:
        if _failed_for_good(tools, one) and one.facts is not None:
            address = one.facts.rep.email_to_salesforce
            if address is not None:
                await _send_copy(tools, one, address.reveal())


def _failed_for_good(tools: Tools, one: Work) -> bool:
    if isinstance(one.outcome, Held):
        return one.told is not None and one.told.fault is not None
    age = tools.clock.now() - one.delivery.created_at
    return isinstance(one.outcome, Deferred) and age >= tools.retry.lifetime


async def _send_copy(tools: Tools, one: Work, address: str) -> None:
    """Add a log copy to the message and end the record; not while the record may be in Salesforce."""
    now = tools.clock.now()
    rule = "logging.bcc.fallback_after_api_failure"
    planned = PlannedDelivery(Role.LOG_COPY, Transport.SMTP, address, notify="NEVER", rule=rule)
    message = one.batch.message.id

    def add(tx: Transaction) -> bool:
        rows = tools.store.of_deliveries(tx, [one.id])[one.id]
        if any(row.state in (RecordState.STARTED, RecordState.MADE) for row in rows):
            return False
        if not tx.execute(_HAS_COPY, (number_of(message),)):
            tools.queue.add(tx, message, planned, now)
        return True

    if await tools.database.write(add):
        fault = one.told.fault if one.told is not None else None
        said = fault.code if fault is not None else "no answer"
        one.outcome = Bounced(Reply(550, "5.3.0", f"Salesforce: {said}; a log copy is sent instead"), HOP)
        tools.now_due()
