"""What a running service tells of itself is told when it changes, not every second."""

import logging
import re
from pathlib import Path

import pytest

from relay.metrics import Metrics
from relay.watching import Disk, Expiry
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


def test_a_disk_that_runs_low_is_told_once_and_so_is_its_recovery(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says why clients are answered 452, and when that is over, not every second."""
    (tmp_path / "relay.db").write_text("")
    clock = FakeClock()
    disk = Disk(tmp_path, clock, Metrics())

    def told(wanted: int) -> list[str]:
        clock.advance(1)
        with caplog.at_level(logging.INFO):
            caplog.clear()
            disk.look(wanted)
        return caplog.messages

    everything = 1 << 60
    assert told(0) == []
    assert "the disk is nearly full, new mail is answered 452 4.3.1: " in told(everything)[0]
    assert told(everything) == []
    assert "limits.minimum_free_disk" in told(0)[0]
    assert told(0) == []


def test_a_database_that_is_gone_is_no_full_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What /readyz says of it is what is wrong, in the words of the log."""
    (tmp_path / "relay.db").write_text("")
    clock = FakeClock()
    disk = Disk(tmp_path, clock, Metrics())
    disk.look(1 << 60)
    assert disk.trouble == "the disk is nearly full"
    (tmp_path / "relay.db").unlink()
    clock.advance(1)
    with caplog.at_level(logging.INFO):
        caplog.clear()
        disk.look(1 << 60)
    assert caplog.messages == [disk.trouble]
    assert disk.trouble == f"{tmp_path} takes no more mail: No such file or directory"
