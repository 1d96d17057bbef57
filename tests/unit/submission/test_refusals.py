"""Refusals get to the mail log in batches, bounded, and nobody waits for them."""

import logging

import pytest

from relay.errors import StorageUnavailable
from relay.maillog.events import SignInFailed
from relay.submission.refusals import RefusalLog
from tests.support.clock import FakeClock
from tests.support.submission import KeptEvents


def failed(number: int) -> SignInFailed:
    """Give an event."""
    return SignInFailed(at=number, login="ana", client="", listener="", mechanism="PLAIN", reason="")


async def test_events_are_written_in_order() -> None:
    """What is noted is written soon, in order, and close waits for it."""
    kept = KeptEvents()
    log = RefusalLog(kept, kept, FakeClock())
    for number in range(500):
        log.note(failed(number))
    assert not kept.events
    await log.close()
    assert [one.at for one in kept.events] == list(range(500))


async def test_too_many_are_counted_instead(caplog: pytest.LogCaptureFixture) -> None:
    """RFC 6409 §5.2: past the rate an event is only counted; a minute later they are written again."""
    kept, clock = KeptEvents(), FakeClock()
    log = RefusalLog(kept, kept, clock, per_minute=10)
    for number in range(30):
        log.note(failed(number))
    clock.advance(61)
    log.note(failed(30))
    await log.close()
    assert [one.at for one in kept.events] == [*range(10), 30]
    assert "20 more refusals" in caplog.text


async def test_a_store_that_fails_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """An event that cannot be written is a warning, and the next one is written."""
    caplog.set_level(logging.WARNING)
    kept = KeptEvents()
    log = RefusalLog(kept, kept, FakeClock())
    kept.failure = StorageUnavailable("gone")
    log.note(failed(1))
    await log.close()
    kept.failure = None
    log.note(failed(2))
    await log.close()
    assert [one.at for one in kept.events] == [2]
    assert "1 refusals could not be written" in caplog.text
