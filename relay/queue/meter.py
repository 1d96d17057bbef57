"""What the queue counts and measures, and where it is told."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from relay.delivery_kind import Role
from relay.maillog.events import DeliveryEnded, Event, MessageClosed

_TARGETS = {Role.LOG_COPY.value: "bcc", Role.RECORD.value: "api"}


class QueueMeter(Protocol):
    """Hears of attempts; relay.metrics.Metrics is one."""

    def attempted(self, route: str, outcome: str, count: int = 1) -> None:
        """Count what an attempt came to for so many recipients."""
        ...

    def attempt_took(self, route: str, seconds: float) -> None:
        """Measure one attempt."""
        ...

    def logged(self, target: str, outcome: str) -> None:
        """Count what an attempt at a log copy ("bcc") or record ("api") came to."""
        ...

    def closed(self, seconds: float) -> None:
        """Measure a message from accept to close."""
        ...


class NoMeter:
    """Counts nothing."""

    def attempted(self, route: str, outcome: str, count: int = 1) -> None:
        """Count nothing."""

    def attempt_took(self, route: str, seconds: float) -> None:
        """Measure nothing."""

    def logged(self, target: str, outcome: str) -> None:
        """Count nothing."""

    def closed(self, seconds: float) -> None:
        """Measure nothing."""


def measure(
    meter: QueueMeter, route: str, events: Sequence[Event], routes: Mapping[str, str] | None = None
) -> None:
    """Tell the meter of the events of one settlement. `routes`: of each target, where they did not take one."""
    for event in events:
        if isinstance(event, DeliveryEnded):
            outcome = event.name.removeprefix("delivery.")
            if event.role == Role.RECIPIENT:
                taken = Counter(map(routes.get, event.targets)) if routes else {route: len(event.targets)}
                for one, count in taken.items():
                    meter.attempted(one or route, outcome, count)
            else:
                meter.logged(_TARGETS[event.role], outcome)
        elif isinstance(event, MessageClosed):
            meter.closed(event.seconds)
