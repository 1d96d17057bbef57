"""Why records wait that nobody has tried yet, as pages show it: Salesforce does not answer."""

from dataclasses import replace

from relay.delivery_kind import Role
from relay.queue.model import State
from relay.salesforce.outcomes import paused
from relay.web.asking import Ask
from relay.web.sent_mail import Sent


def why_it_waits(ask: Ask) -> str:
    """Say that Salesforce does not answer; "" while it does."""
    client = ask.house.actions.salesforce()
    gone = client.gone() if client is not None else None
    return str(paused(gone, ask.now).reply) if gone is not None else ""


def with_reason(sent: Sent, why: str, now: int) -> Sent:
    """Give a message with this reason for a record that is due, and of which nothing is said; "" is none."""
    record = sent.logging
    if not why or record is None or record.role is not Role.RECORD or record.reason:
        return sent
    due = record.state in (State.QUEUED, State.ACTIVE) and (record.due_at is None or record.due_at <= now)
    return replace(sent, logging=replace(record, reason=why)) if due else sent
