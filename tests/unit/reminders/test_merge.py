"""Merging the two sides of a reminder."""

from dataclasses import replace
from datetime import date

import pytest

from relay.reminders.merge import merge, sent
from relay.reminders.model import Base, Origin, Priority, State, SubjectRule, Values

OLD = Values("Call Anna", "about the offer", date(2026, 11, 30))
BASE = Base(OLD, OLD.title)


def test_nothing_changed_is_nothing_to_do() -> None:
    """Where neither side changed, nothing is to be done: our own echo is not a change."""
    merged = merge(BASE, OLD, OLD, changed={}, there_at=5, subject=SubjectRule.BOTH)
    assert (merged.here, merged.there, merged.base, merged.to_send()) == (OLD, OLD, BASE, ())


def test_each_side_gets_what_the_other_changed() -> None:
    """Fields that only one side changed travel; none is lost."""
    here = replace(OLD, priority=Priority.HIGH)
    there = replace(OLD, due=None, state=State.DONE)
    merged = merge(BASE, here, there, changed={"priority": 1}, there_at=5, subject=SubjectRule.BOTH)
    both = replace(OLD, priority=Priority.HIGH, due=None, state=State.DONE)
    assert (merged.here, merged.there, merged.to_send(), merged.lost) == (both, both, ("priority",), ())


@pytest.mark.parametrize(
    ("here_at", "winner"), [(4, Origin.SALESFORCE), (5, Origin.SALESFORCE), (6, Origin.LOCAL)]
)
def test_the_later_change_wins(here_at: int, winner: Origin) -> None:
    """Of two changes of one field the later stands, Salesforce's when they are as late; the other is told."""
    here, there = replace(OLD, title="From here"), replace(OLD, title="From there")
    merged = merge(BASE, here, there, changed={"title": here_at}, there_at=5, subject=SubjectRule.BOTH)
    (line,) = merged.lost
    assert line.winner is winner
    assert {line.kept, line.lost} == {"From here", "From there"}
    assert merged.here == merged.there
    assert merged.here.title == line.kept


def test_the_same_change_on_both_sides_is_no_conflict() -> None:
    """Where both sides wrote the same, nothing is sent and nothing lost."""
    new = replace(OLD, state=State.DONE)
    merged = merge(BASE, new, new, changed={"state": 1}, there_at=5, subject=SubjectRule.BOTH)
    assert (merged.to_send(), merged.lost, merged.base.values) == ((), (), new)


def test_titles_that_only_go_out() -> None:
    """Out: their title stays theirs until ours changes, and ours is never taken from there."""
    there = replace(OLD, title="[Sales] Call Anna")
    merged = merge(BASE, OLD, there, changed={}, there_at=5, subject=SubjectRule.OUT)
    assert (merged.here.title, merged.to_send()) == ("Call Anna", ())
    again = merge(merged.base, OLD, there, changed={}, there_at=5, subject=SubjectRule.OUT)
    assert (again.base, again.to_send()) == (merged.base, ())
    here = replace(OLD, title="Call Anna now")
    told = merge(merged.base, here, there, changed={"title": 9}, there_at=5, subject=SubjectRule.OUT)
    assert told.to_send() == ("title",)
    after = sent(told.base, told.there, told.to_send())
    assert merge(after, here, here, changed={}, there_at=9, subject=SubjectRule.OUT).to_send() == ()


def test_titles_that_do_not_travel() -> None:
    """None: each side keeps its own title."""
    here, there = replace(OLD, title="Here"), replace(OLD, title="There")
    merged = merge(BASE, here, there, changed={"title": 9}, there_at=5, subject=SubjectRule.NONE)
    assert (merged.here.title, merged.there.title, merged.to_send(), merged.lost) == ("Here", "There", (), ())
