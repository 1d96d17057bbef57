"""The line for a hop: who need not wait long may wait, and who is sent away comes back in turn."""

from relay.delivery.line import LONG, PATIENCE, Line


def test_a_line_that_moves_is_left_alone() -> None:
    """However long it is, while nobody in it waits too long."""
    line = Line()
    assert line.look(waiting=400, taken=5000, seconds=5.0) == 400
    assert not line.each


def test_a_short_line_may_wait() -> None:
    """However slow the hop is: so few take no room from others."""
    line = Line()
    assert line.look(waiting=LONG, taken=0, seconds=5.0) == LONG
    assert not line.each


def test_a_slow_line_is_cut_to_what_it_can_carry() -> None:
    """As many stay as are taken within the patience, and never fewer than may always wait."""
    line = Line()
    assert line.look(waiting=400, taken=10, seconds=5.0) == PATIENCE / 0.5
    assert line.each == 0.5
    assert line.look(waiting=400, taken=0, seconds=5.0) == LONG
    assert line.each == 5.0


def test_a_hop_that_is_faster_again_is_slow_no_more() -> None:
    """The judgement is of the last span alone."""
    line = Line()
    line.look(waiting=400, taken=0, seconds=5.0)
    assert line.look(waiting=60, taken=300, seconds=5.0) == 60
    assert not line.each


def test_everybody_comes_back_at_a_time_of_their_own() -> None:
    """As fast as the line moves, and within minutes: then it begins anew."""
    line = Line()
    line.look(waiting=400, taken=5, seconds=5.0)
    waits = [line.later() for _ in range(1000)]
    assert waits[:3] == [PATIENCE + 1, PATIENCE + 2, PATIENCE + 3]
    assert max(waits) == 300.0
    assert min(waits) == PATIENCE
