"""The route's own limits on how fast mail goes."""

from hypothesis import given
from hypothesis import strategies as st

from relay.delivery.pace import DAY_HOURS, HOUR, MINUTE, Pace


def test_no_limit_is_no_wait() -> None:
    """Without limits nothing is counted."""
    assert not Pace(0, 0).limited
    assert Pace(30, 0).limited
    assert Pace(0, 100).limited


def test_no_more_in_a_minute_than_the_limit() -> None:
    """The thirty-first has to wait until the first is a minute old."""
    pace = Pace(30, 0)
    assert [pace.take("a", 1, float(second))[0] for second in range(30)] == [0.0] * 30
    wait, limit = pace.take("a", 1, 30.0)
    assert 30.0 < wait < 30.2
    assert limit == "30 messages a minute"
    assert pace.take("a", 1, 60.1) == (0.0, "")


def test_those_who_wait_come_back_one_after_the_other() -> None:
    """Each gets an instant of its own, so that they do not all come back at once."""
    pace = Pace(2, 0)
    waits = [pace.take("a", 1, 0.0)[0] for _ in range(7)]
    assert [round(wait) for wait in waits] == [0, 0, 60, 60, 120, 120, 180]


def test_mailboxes_are_counted_apart() -> None:
    """One who sends much does not keep others back."""
    pace = Pace(1, 0)
    assert pace.take("a", 1, 0.0)[0] == 0.0
    assert pace.take("a", 1, 0.0)[0] > 0.0
    assert pace.take("b", 1, 0.0)[0] == 0.0


def test_the_mailboxes_remembered_are_bounded() -> None:
    """Ten thousand senders do not fill the memory: those used longest ago are forgotten."""
    pace = Pace(30, 0)
    for number in range(10_000):
        pace.take(f"{number}@example.com", 1, 0.0)
    assert len(pace._mailboxes) == 2_000


def test_recipients_of_a_day() -> None:
    """Recipients are counted over twenty-four hours, by the hour."""
    pace = Pace(0, 100)
    assert pace.take("a", 60, 0.0) == (0.0, "")
    assert pace.take("a", 40, 5 * HOUR) == (0.0, "")
    wait, limit = pace.take("a", 1, 6 * HOUR)
    assert limit == "100 recipients a day"
    assert 18 * HOUR < wait < 18 * HOUR + 1
    assert pace.take("a", 60, 24 * HOUR) == (0.0, "")
    assert pace.take("a", 1, 24 * HOUR)[0] > 0


def test_more_recipients_than_a_days_limit_go_alone() -> None:
    """A mail that is larger than the limit goes when the day is empty: it must not wait for ever."""
    pace = Pace(0, 10)
    assert pace.take("a", 50, 0.0) == (0.0, "")
    wait, _ = pace.take("a", 50, HOUR)
    assert pace.take("a", 50, HOUR + wait) == (0.0, "")


@given(st.lists(st.floats(0, 30), max_size=200), st.integers(1, 10))
def test_the_limit_holds_in_every_minute(gaps: list[float], limit: int) -> None:
    """Whenever mail comes, no span of a minute sees more of it than the limit."""
    pace, now, sent = Pace(limit, 0), 0.0, []
    for gap in gaps:
        now += gap
        if pace.take("a", 1, now)[0] == 0.0:
            sent.append(now)
    for first, beyond in zip(sent, sent[limit:], strict=False):
        assert beyond - first >= MINUTE


@given(st.lists(st.tuples(st.floats(0, 20 * HOUR), st.integers(1, 20)), max_size=60))
def test_the_limit_holds_in_every_day(mails: list[tuple[float, int]]) -> None:
    """No twenty-three hours see more recipients than a day's limit, which is counted by the hour."""
    pace, now, sent = Pace(0, 20), 0.0, []
    for gap, count in mails:
        now += gap
        if pace.take("a", count, now)[0] == 0.0:
            sent.append((now, count))
    for first, _ in sent:
        assert sum(n for at, n in sent if first <= at < first + (DAY_HOURS - 1) * HOUR) <= 20
