"""Properties of relay.queue.retry: no outcome and no clock leads to a time that makes no sense."""

from hypothesis import given
from hypothesis import strategies as st

from relay.outcome import Deferred
from relay.queue.retry import SECOND, GiveUp, RetryRule, TryAt, next_step
from relay.status import Reply

INSTANTS = st.integers(0, 4_000_000_000 * SECOND)
SPANS = st.integers(0, 3650 * 86_400 * SECOND)
RULES = st.builds(RetryRule, st.lists(SPANS, max_size=8).map(tuple), SPANS)
CHANCES = st.floats(0, 1, exclude_max=True)


def step(rule, attempts, created_at, now, chance, retry_after=None):
    """Give what follows a deferral."""
    outcome = Deferred(Reply(451, "4.3.0", "Later"), "mx", retry_after)
    return next_step(outcome, attempts=attempts, created_at=created_at, rule=rule, now=now, chance=chance)


@given(RULES, st.integers(0, 1_000_000), INSTANTS, INSTANTS, CHANCES, st.none() | st.floats())
def test_a_next_try_is_in_the_future_and_in_the_lifetime(
    rule, attempts, created_at, now, chance, retry_after
):
    """Never before now, never past the lifetime, and given up only when it is over, whatever the numbers."""
    match step(rule, attempts, created_at, now, chance, retry_after):
        case TryAt(at=at):
            assert now < at <= max(created_at, now) + rule.lifetime
        case GiveUp():
            assert now >= created_at + rule.lifetime or now < created_at


@given(st.lists(SPANS, min_size=1, max_size=8), st.integers(0, 1_000_000), INSTANTS)
def test_waits_do_not_shrink_with_attempts(spans, attempts, now):
    """With a rising schedule and without jitter, a later attempt never waits less."""
    rule = RetryRule(tuple(sorted(spans)), 10**18)
    first, second = (step(rule, n, now, now, 0.5) for n in (attempts, attempts + 1))
    assert first.at <= second.at


@given(RULES, INSTANTS, CHANCES)
def test_trying_ends(rule, created_at, chance):
    """A hop that always defers is tried until the lifetime's end and no longer, with a try at the end itself."""
    now, attempts = created_at, 0
    rule = RetryRule(tuple(max(wait, rule.lifetime // 50) for wait in rule.schedule), rule.lifetime)
    while isinstance(following := step(rule, attempts, created_at, now, chance), TryAt):
        now, attempts = following.at, attempts + 1
        assert attempts < 200
    assert now == created_at + rule.lifetime
