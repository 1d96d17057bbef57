"""Tests for relay.queue.meter: what is counted of a settlement."""

from relay.maillog.events import DeliveryBounced, DeliverySent, DeliverySkipped, MessageClosed, ReportQueued
from relay.queue.meter import NoMeter, QueueMeter, measure
from tests.support.builders import NOW


class Noted(NoMeter):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def attempted(self, route: str, outcome: str, count: int = 1) -> None:
        """Note it."""
        self.told.append((route, outcome, count))

    def logged(self, target: str, outcome: str) -> None:
        """Note it."""
        self.told.append((target, outcome))

    def closed(self, seconds: float) -> None:
        """Note it."""
        self.told.append((seconds,))


def told_of(*events, routes=None) -> list[tuple[object, ...]]:
    """Give what a meter is told of these events."""
    meter = Noted()
    measure(meter, "main", events, routes)
    return meter.told


def test_attempts_are_counted_by_route_role_and_outcome():
    """Recipients by route, each one; log copies and records by what they are; the closing by its time."""
    common = {"at": NOW, "reply": "", "hop": "mx", "attempt": 1}
    sent = DeliverySent(role="recipient", targets=("a@x", "b@x"), **common)
    copy = DeliverySent(role="log_copy", targets=("m",), **common)
    record = DeliverySkipped(role="record", targets=("ana",), **common)
    closed = MessageClosed(at=NOW, login=None, sent=2, failed=0, logged="sent", seconds=1.5)
    report = ReportQueued(at=NOW, report="x", action="failed", recipients=("a@x",))
    assert told_of(sent, copy, record, report, closed) == [
        ("main", "sent", 2),
        ("bcc", "sent"),
        ("api", "skipped"),
        (1.5,),
    ]


def test_recipients_that_took_several_routes_are_counted_by_theirs():
    """One settlement may tell of several transactions."""
    refused = DeliveryBounced(
        at=NOW, reply="", hop="", attempt=1, role="recipient", targets=("a@x", "b@x", "c@x")
    )
    routes = {"a@x": "main", "b@x": "direct", "c@x": "direct"}
    assert told_of(refused, routes=routes) == [("main", "bounced", 1), ("direct", "bounced", 2)]


def test_without_a_meter_nothing_is_counted():
    """Counting is optional."""
    meter: QueueMeter = NoMeter()
    meter.attempted("main", "sent")
    meter.attempt_took("main", 1.0)
    meter.logged("bcc", "sent")
    meter.closed(1.0)
