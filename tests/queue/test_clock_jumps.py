"""The clock of the machine jumps, and no mail is lost, sent twice or forgotten for it."""

import pytest

from tests.support.builders import log_copy, to_recipient
from tests.support.couriers import BUSY, SENT
from tests.support.queue_house import queue_house, until

_YEAR = 365 * 24 * 3600 * 1_000_000


@pytest.fixture
async def house(tmp_path):
    """Give a queue over an empty folder, not at work yet."""
    async with queue_house(tmp_path) as built:
        yield built


@pytest.mark.parametrize("jump", [_YEAR, -_YEAR])
async def test_an_attempt_under_way_is_not_made_twice(house, jump):
    """Leases are counted by a clock that never jumps: what is being attempted stays whose it is, and is settled."""
    house.start()
    house.courier.gate.clear()
    queue_id = await house.accept(to_recipient(), log_copy())
    await until(lambda: len(house.courier.attempts) == 1)
    house.clock.instant += jump
    house.runner.wake()
    await house.let_it_look()
    assert len(house.courier.attempts) == 1
    house.courier.gate.set()
    await house.wait_for(queue_id, "sent")
    assert len(house.courier.attempts) == 1


async def test_a_jump_forward_gives_nothing_up_untried(house):
    """What is older than give_up_after by the new clock is tried once more before anything else."""
    house.courier.answers["customer@example.org"] = [BUSY, SENT]
    queue_id = await house.accept()
    await house.wait_for(queue_id, "deferred")
    house.start()
    house.clock.instant += _YEAR
    house.runner.wake()
    await house.wait_for(queue_id, "sent")
    assert len(house.courier.attempts) == 2


async def test_mail_accepted_in_a_time_that_never_was_goes_on(house):
    """Accepted and deferred while the clock was a year ahead, then put right: it goes out, in order of acceptance."""
    house.clock.instant += _YEAR
    house.courier.answers["customer@example.org"] = [BUSY, SENT]
    queue_id = await house.accept()
    await house.wait_for(queue_id, "deferred")
    house.clock.instant -= _YEAR
    after = await house.accept(to_recipient("other@example.org"))
    assert after > queue_id
    house.start()
    await house.wait_for(queue_id, "sent")
    await house.wait_for(after, "sent")


async def test_a_clock_set_back_while_at_work_holds_mail_up_for_an_hour_at_most(house):
    """The hourly look makes due what no wait explains."""
    house.start()
    house.courier.answers["customer@example.org"] = [BUSY, SENT]
    queue_id = await house.accept()
    await house.wait_for(queue_id, "deferred")
    await house.let_it_look()
    house.clock.instant -= _YEAR
    house.pass_time(3600.0)
    await house.wait_for(queue_id, "sent")
