"""What a running service tells of itself is told when it changes, not every second."""

import logging
import re

import pytest

from relay.metrics import Metrics
from relay.watching import Expiry
from tests.support.clock import FakeClock

DAY = 86_400.0


def test_the_end_of_the_certificate_is_told_once_a_day_until_there_is_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing while there is time; before and after its end a line a day; a new certificate is met at once."""
    clock, meter = FakeClock(), Metrics()
    expiry = Expiry(clock, meter)
    until = clock.now() + round(9 * DAY) * 1_000_000

    def told(after: float, end: int | None) -> int:
        clock.advance(after)
        with caplog.at_level(logging.ERROR):
            caplog.clear()
            expiry.look(end)
        return len(caplog.messages)

    assert told(0, until) == 0
    assert told(3 * DAY, until) == 1
    assert told(10, until) == 0
    assert told(DAY, until) == 1
    shown = re.search(
        r"^relay_tls_certificate_expiry_timestamp_seconds (\S+)", meter.exposition().decode(), re.MULTILINE
    )
    assert shown is not None
    assert float(shown[1]) == until / 1_000_000
    assert told(0, clock.now() - 1) == 1
    assert told(0, clock.now() + round(90 * DAY) * 1_000_000) == 0
    assert told(0, None) == 0
