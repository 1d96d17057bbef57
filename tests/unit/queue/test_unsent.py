"""Tests for relay.queue.unsent: what several transactions did not send is given once, whatever ends when."""

import pytest

from relay.outcome import Held
from relay.queue.unsent import Unsent
from tests.support.couriers import BUSY, REFUSED, SENT
from tests.support.queue_house import until
from tests.unit.queue.test_settlement import BOB, CARL, COPY

LONG = 3600.0


@pytest.fixture
def given() -> list[set[str]]:
    """Give what was handed over to be settled, one set of targets each time."""
    return []


def unsent(given: list[set[str]], groups: int, patience: float = LONG) -> Unsent:
    """Give a gathering that notes what it gives."""
    return Unsent(groups, patience, lambda some, _: given.append({one.target for one in some}))


async def test_it_is_given_when_the_last_group_has_ended(given):
    """What was sent comes back at once; the rest comes at the end, all of it."""
    rest = unsent(given, 2)
    assert rest.take([BOB, CARL], {BOB.id: REFUSED, CARL.id: SENT}) == [CARL]
    rest.one_ended()
    assert given == []
    assert rest.take([COPY], {COPY.id: BUSY}) == []
    rest.one_ended()
    assert given == [{BOB.target, COPY.target}]


async def test_a_delivery_without_an_outcome_was_not_sent(given):
    """It is settled with the rest."""
    rest = unsent(given, 1)
    assert rest.take([BOB], {}) == []
    rest.one_ended()
    assert given == [{BOB.target}]


@pytest.mark.parametrize("outcome", [SENT, REFUSED, Held("somebody must look")])
async def test_a_log_copy_that_failed_does_not_wait(given, outcome):
    """No report is sent of it, and the page is to show it at once."""
    rest = unsent(given, 2)
    assert rest.take([COPY, BOB], {COPY.id: outcome, BOB.id: REFUSED}) == [COPY]
    rest.one_ended()
    rest.one_ended()
    assert given == [{BOB.target}]


async def test_a_group_that_was_broken_off_keeps_nothing_back(given):
    """The others' rest is given when it ends, though it brought nothing."""
    rest = unsent(given, 2)
    rest.take([BOB], {BOB.id: REFUSED})
    rest.one_ended()
    rest.one_ended()
    assert given == [{BOB.target}]


async def test_where_all_was_sent_nothing_is_given(given):
    """There is nothing to settle twice."""
    rest = unsent(given, 1)
    assert rest.take([BOB], {BOB.id: SENT}) == [BOB]
    rest.one_ended()
    assert given == []


async def test_it_does_not_wait_for_ever(given):
    """Past the patience it is given without the others, and what these bring is given once more."""
    rest = unsent(given, 2, 0.0)
    rest.take([BOB], {BOB.id: REFUSED})
    rest.one_ended()
    await until(lambda: bool(given))
    rest.take([CARL], {CARL.id: REFUSED})
    rest.one_ended()
    assert given == [{BOB.target}, {CARL.target}]
