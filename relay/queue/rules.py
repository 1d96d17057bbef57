"""What the runner keeps to, taken from the settings once and swapped whole at a reload.

Pure.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from relay.address import ascii_domain
from relay.config.model import RelaySettings
from relay.config.types import Rate, read_duration
from relay.queue.releasing import Waits
from relay.queue.report import Reporter
from relay.queue.retry import RetryRule, RetryRules

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Room:
    """How much may be under way at once. All counts are of deliveries, not messages."""

    active: int = 400
    """Of one transport."""
    fresh: int = 300
    """How many of them may come straight from the door, so that what waits in the queue gets its turn."""
    memory: int = 16 * 1024 * 1024
    """Octets of inline content held for messages that came straight from the door."""
    claim: int = 64
    """Claimed at once."""


@dataclass(frozen=True, slots=True)
class RunnerRules:
    """Everything that the runner needs of the settings."""

    retry: RetryRules
    reporter: Reporter
    warn_after: int | None
    """Microseconds until a sender hears of a delay; None: never."""
    reports: Rate
    """Delivery reports to one sender."""
    keep_events: int
    """Microseconds that the mail log and the rows of closed messages are kept."""
    keep_content: int | None
    """Microseconds that content is kept after the message closed; None: it goes with the last delivery."""
    waits: Waits = field(default_factory=Waits)
    room: Room = Room()
    poll: float = 1.0
    """Seconds after which the queue is looked at anew: a command may have changed it in another process."""
    gather: float = 30.0
    """Seconds that what a hop did not take waits for the other transactions with the same mail, to be reported with theirs."""
    attempt_limit: float = 7200.0
    """Seconds after which an attempt that never ends is broken off."""


def rules_of(settings: RelaySettings, hostname: str) -> RunnerRules:
    """Take the runner's rules from the settings."""
    retry = settings.retry
    return RunnerRules(
        retry=RetryRules(
            delivery=_rule(retry.delivery.schedule, retry.delivery.give_up_after),
            logging=_rule(retry.logging.schedule, retry.logging.give_up_after),
        ),
        reporter=Reporter(sender=_qualified(settings.notices.from_, hostname), hostname=hostname),
        warn_after=_microseconds(retry.delivery.warn_after) or None,
        reports=settings.notices.reports_per_sender,
        keep_events=_microseconds(settings.retention.events),
        keep_content=_content_span(settings.retention.content),
        waits=waits_of(settings),
    )


def waits_of(settings: RelaySettings) -> Waits:
    """Take how long records wait from the settings."""
    return Waits(_microseconds(settings.logging.delay), _microseconds(settings.logging.wait_for_rest))


def _rule(schedule: tuple[timedelta, ...], lifetime: timedelta) -> RetryRule:
    return RetryRule(tuple(_microseconds(wait) for wait in schedule), _microseconds(lifetime))


def _microseconds(span: timedelta) -> int:
    return span // _MICROSECOND


def _content_span(text: str) -> int | None:
    if text == "until_done":
        return None
    span = read_duration(text)
    assert isinstance(span, timedelta)
    return _microseconds(span)


def _qualified(address: str, hostname: str) -> str:
    """Give the From address of reports in ASCII: they must pass where nobody knows SMTPUTF8."""
    local, at, domain = address.rpartition("@")
    if not at:
        return f"{address}@{hostname}"
    return address if domain.isascii() else f"{local}@{ascii_domain(domain)}"
