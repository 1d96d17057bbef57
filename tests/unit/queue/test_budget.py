"""Tests for relay.queue.budget: how much may be under way."""

from relay.delivery_kind import Transport
from relay.queue.budget import Budget
from relay.queue.rules import Room

ROOM = Room(active=10, fresh=6, memory=1000)
SMTP = Transport.SMTP


def test_fresh_mail_leaves_room_for_what_waits():
    """Mail from the door may fill its part, claims the whole."""
    budget = Budget()
    budget.start(SMTP, 5)
    assert budget.takes_fresh(1, 0, ROOM)
    assert not budget.takes_fresh(2, 0, ROOM)
    assert budget.left(SMTP, ROOM) == 5
    budget.end(SMTP, 5)
    assert budget.left(SMTP, ROOM) == 10


def test_one_message_with_more_targets_than_room_starts_alone():
    """A message that is larger than the room is not put off for ever."""
    budget = Budget()
    assert budget.takes_fresh(100, 0, ROOM)
    budget.start(SMTP, 1)
    assert not budget.takes_fresh(100, 0, ROOM)


def test_transports_do_not_crowd_each_other_out():
    """An outage of one transport leaves the other its whole room."""
    budget = Budget()
    budget.start(Transport.SALESFORCE, 10)
    assert budget.left(Transport.SALESFORCE, ROOM) == 0
    assert budget.left(SMTP, ROOM) == 10


def test_memory_is_counted():
    """Content that finds no room in memory waits in the store."""
    budget = Budget()
    budget.keep(600)
    assert budget.takes_fresh(1, 400, ROOM)
    assert not budget.takes_fresh(1, 401, ROOM)
    budget.keep(-600)
    assert budget.takes_fresh(1, 1000, ROOM)
