"""Properties of merging and of the whole cycle, for any changes on both sides."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from relay.reminders.merge import Merged, merge, sent
from relay.reminders.model import FIELDS, Base, Origin, Priority, State, SubjectRule, Values

TITLES = st.sampled_from(["Call Anna", "Call Bo", "Send offer"])
DAYS = st.sampled_from([None, date(2026, 11, 30), date(2026, 12, 1)])
VALUES = st.builds(
    Values,
    TITLES,
    st.sampled_from(["", "one", "two"]),
    DAYS,
    st.sampled_from(list(Priority)),
    st.sampled_from(list(State)),
)
CHANGED = st.dictionaries(st.sampled_from(FIELDS), st.integers(0, 10))
AT = st.integers(0, 10)
RULES = st.sampled_from(list(SubjectRule))
SIDES = (VALUES, VALUES, VALUES, CHANGED, AT, RULES)


def _merged(
    base: Values, here: Values, there: Values, changed: Mapping[str, int], at: int, rule: SubjectRule
) -> Merged:
    return merge(Base(base, base.title), here, there, changed=changed, there_at=at, subject=rule)


def _travels(name: str, rule: SubjectRule) -> bool:
    return name != "title" or rule is SubjectRule.BOTH


@given(*SIDES)
def test_both_sides_are_equal_after_applying(
    base: Values, here: Values, there: Values, changed: dict[str, int], at: int, rule: SubjectRule
) -> None:
    """What each side is to have is the same in every field that travels both ways, and is what one of them wrote."""
    merged = _merged(base, here, there, changed, at, rule)
    for name in FIELDS:
        mine, theirs = getattr(merged.here, name), getattr(merged.there, name)
        assert mine in (getattr(here, name), getattr(there, name))
        if _travels(name, rule):
            assert mine == theirs


@given(*SIDES)
def test_a_second_run_is_empty(
    base: Values, here: Values, there: Values, changed: dict[str, int], at: int, rule: SubjectRule
) -> None:
    """Once what was to be sent is sent, nothing is to be done any more: not here, not there."""
    merged = _merged(base, here, there, changed, at, rule)
    after = sent(merged.base, merged.there, merged.to_send())
    again = merge(after, merged.here, merged.there, changed={}, there_at=at + 1, subject=rule)
    assert (again.here, again.there, again.to_send(), again.lost) == (merged.here, merged.there, (), ())


@given(*SIDES)
def test_merging_again_before_sending_changes_nothing(
    base: Values, here: Values, there: Values, changed: dict[str, int], at: int, rule: SubjectRule
) -> None:
    """A run that is killed before it has sent is done again with the same end, and tells no loss twice."""
    merged = _merged(base, here, there, changed, at, rule)
    again = merge(merged.base, merged.here, there, changed=changed, there_at=at, subject=rule)
    assert (again.here, again.there, again.to_send(), again.lost) == (
        merged.here,
        merged.there,
        merged.to_send(),
        (),
    )


@given(*SIDES)
def test_no_change_is_lost_without_a_line(
    base: Values, here: Values, there: Values, changed: dict[str, int], at: int, rule: SubjectRule
) -> None:
    """What a side changed stands in the end, or a line of the history has it."""
    merged = _merged(base, here, there, changed, at, rule)
    told = {(line.field, line.winner): line.lost for line in merged.lost}
    for name in FIELDS:
        if not _travels(name, rule):
            continue
        old, mine, theirs = (getattr(side, name) for side in (base, here, there))
        stands = getattr(merged.here, name)
        if mine != old and stands != mine:
            assert told[name, Origin.SALESFORCE] == ("" if mine is None else str(mine))
        if theirs != old and stands != theirs:
            assert told[name, Origin.LOCAL] == ("" if theirs is None else str(theirs))


@given(VALUES, VALUES, AT, RULES)
def test_an_untouched_reminder_sends_nothing(base: Values, there: Values, at: int, rule: SubjectRule) -> None:
    """Whatever Salesforce shows, what nobody changed here sends nothing: an echo never comes back."""
    assert _merged(base, base, there, {}, at, rule).to_send() == ()


@given(VALUES, VALUES, CHANGED, AT)
def test_later_decides(base: Values, there: Values, changed: dict[str, int], at: int) -> None:
    """A conflict goes to this side only with a later instant."""
    here = replace(base, title=f"{base.title} here", due=date(2027, 1, 1))
    merged = _merged(base, here, there, changed, at, SubjectRule.BOTH)
    for line in merged.lost:
        assert (line.winner is Origin.LOCAL) == (changed.get(line.field, 0) > at)
