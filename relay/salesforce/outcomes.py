"""What becomes of a record's delivery when Salesforce does not do as it was asked, and the words for all that ends well.

Pure.
"""

from collections.abc import Sequence
from typing import assert_never

from relay.outcome import Deferred, Held, Outcome, Sent
from relay.salesforce.exchange import Pause
from relay.salesforce.faults_table import explanation
from relay.salesforce.model import Fault, FaultKind
from relay.status import Reply

HOP = "salesforce"
TRIES = 3
"""How often something that nobody foresaw, or a record that went away, is tried before somebody must look."""
PAUSE = 900.0
"""Seconds until an identity that may not call is tried again, when nothing else is known."""


def outcome_of(fault: Fault, attempts: int) -> Outcome:
    """Give the outcome of a fault, for a delivery that had `attempts` attempts before this one."""
    match fault.kind:
        case FaultKind.AGAIN | FaultKind.NEIGHBOUR | FaultKind.CHANGED | FaultKind.WINDOW:
            return Deferred(_reply(fault), HOP, fault.retry_after)
        case FaultKind.LIMIT | FaultKind.SIGN_IN | FaultKind.STOPPED:
            return Deferred(_reply(fault), HOP, fault.retry_after or PAUSE, attempted=False)
        case FaultKind.UNKNOWN | FaultKind.GONE:
            if attempts + 1 < TRIES:
                return Deferred(_reply(fault), HOP, fault.retry_after)
            return Held(words(fault))
        case (
            FaultKind.FIELD
            | FaultKind.TOO_LONG
            | FaultKind.DUPLICATE
            | FaultKind.PERMISSION
            | FaultKind.RULE
            | FaultKind.OURS
        ):
            return Held(words(fault))
        case _:
            assert_never(fault.kind)


def paused(pause: Pause, now: int) -> Deferred:
    """Give the outcome of a record that is not tried, since its identity may not call now."""
    wait = max((pause.until - now) / 1_000_000, 1.0)
    return Deferred(_reply(pause.fault), HOP, wait, attempted=False)


def sent(summaries: Sequence[str], remarks: Sequence[str] = ()) -> Sent:
    """Give the outcome of records that are in Salesforce."""
    text = "; ".join([*summaries, *remarks])
    return Sent(Reply(250, "2.0.0", text or "recorded"), HOP)


def words(fault: Fault) -> str:
    """Say what went wrong: Salesforce's own words, then what they mean."""
    said = f"{fault.code}: {fault.message}" if fault.message else fault.code
    fields = f" ({', '.join(fault.fields)})" if fault.fields else ""
    return f"Salesforce: {said}{fields} - {explanation(fault)}"


def _reply(fault: Fault) -> Reply:
    said = f"{fault.code}: {fault.message}" if fault.message else fault.code
    return Reply(451, "4.3.0", f"Salesforce: {said}")
