"""Tests for relay.queue.retry: what follows an attempt."""

import math

import pytest

from relay.delivery_kind import Role
from relay.outcome import Bounced, Deferred, Held, Sent, Skipped
from relay.queue.model import State
from relay.queue.retry import (
    LONGEST_FLOOR,
    SECOND,
    Done,
    GiveUp,
    Hold,
    NextStep,
    RetryRule,
    RetryRules,
    TryAt,
    next_step,
)
from relay.status import Reply

NOW = 1_790_000_000 * SECOND
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE
RULE = RetryRule((MINUTE, 5 * MINUTE, 15 * MINUTE), 2 * DAY)
BUSY = Reply(451, "4.3.0", "Try again later")


def after_deferral(
    attempts: int = 0,
    *,
    created_at: int = NOW,
    now: int = NOW,
    retry_after: float | None = None,
    rule: RetryRule = RULE,
    chance: float = 0.5,
) -> NextStep:
    """Give what follows one more deferral."""
    outcome = Deferred(BUSY, "mx", retry_after)
    return next_step(outcome, attempts=attempts, created_at=created_at, rule=rule, now=now, chance=chance)


def wait_after(*args: int, **options: object) -> int:
    """Give the wait that follows one more deferral."""
    step = after_deferral(*args, **options)
    assert isinstance(step, TryAt)
    return step.at - NOW


@pytest.mark.parametrize(
    ("outcome", "step"),
    [
        (Sent(Reply(250, "2.0.0", "Ok"), "mx"), Done(State.SENT, "250 2.0.0 Ok")),
        (Bounced(Reply(550, "5.1.1", "No"), "mx"), Done(State.BOUNCED, "550 5.1.1 No")),
        (Skipped("already logged"), Done(State.SKIPPED, "already logged")),
        (Held("nobody matches"), Hold("nobody matches")),
    ],
)
def test_all_outcomes_but_a_deferral_end_the_trying(outcome, step):
    """What was sent, bounced, skipped or held is not tried again, whatever its age."""
    for created_at in (NOW, NOW - 100 * DAY):
        assert next_step(outcome, attempts=3, created_at=created_at, rule=RULE, now=NOW, chance=0.9) == step


def test_waits_follow_the_schedule_and_the_last_one_repeats():
    """Without jitter the waits are those of the schedule; behind its end the last one repeats."""
    waits = [wait_after(attempts) for attempts in range(5)]
    assert waits == [MINUTE, 5 * MINUTE, 15 * MINUTE, 15 * MINUTE, 15 * MINUTE]


def test_a_deferral_carries_its_reply():
    """The step says why, in the hop's own words."""
    step = after_deferral()
    assert isinstance(step, TryAt)
    assert step.reason == "451 4.3.0 Try again later"


def test_jitter_spreads_a_wait_by_15_percent():
    """The lowest chance gives 85 % of the wait, the highest no more than 115 %."""
    assert wait_after(1, chance=0.0) == round(5 * MINUTE * 0.85)
    assert wait_after(1, chance=0.999999) <= round(5 * MINUTE * 1.15)


def test_the_hop_may_ask_for_a_longer_wait_only():
    """retry_after is a floor: a longer one wins over the schedule, a shorter one does not."""
    assert wait_after(0, retry_after=600.0) == 10 * MINUTE
    assert wait_after(1, retry_after=1.0) == 5 * MINUTE


@pytest.mark.parametrize("retry_after", [-5.0, 0.0, math.nan, -math.inf])
def test_a_senseless_wait_is_passed_over(retry_after):
    """A retry_after that is no span of time changes nothing."""
    assert wait_after(0, retry_after=retry_after) == MINUTE


@pytest.mark.parametrize("retry_after", [1e12, math.inf, 1e300])
def test_an_absurd_wait_is_cut_to_a_day(retry_after):
    """A hop cannot put mail off for longer than a day at a time."""
    assert wait_after(0, retry_after=retry_after) == LONGEST_FLOOR


def test_the_last_try_is_at_the_end_of_the_lifetime():
    """A next try that would come too late comes at the very end instead; after that it is given up."""
    end = NOW + 2 * DAY
    step = after_deferral(9, now=end - MINUTE, chance=0.9)
    assert step == TryAt(end, str(BUSY))
    assert after_deferral(10, now=end) == GiveUp(str(BUSY))
    assert after_deferral(10, now=end + 1).state is State.EXPIRED  # type: ignore[union-attr]


def test_a_clock_that_was_set_back_does_not_make_mail_immortal():
    """Mail that seems to come from the future ages by its attempts, and is still given up."""
    future = NOW + 400 * DAY
    assert isinstance(after_deferral(0, created_at=future), TryAt)
    assert isinstance(after_deferral(191, created_at=future), TryAt)
    assert isinstance(after_deferral(500, created_at=future), GiveUp)


def test_no_schedule_means_one_try_at_the_end():
    """Without any wait in the schedule the only other try is at the end of the lifetime."""
    assert wait_after(0, rule=RetryRule((), DAY), chance=0.99) == DAY
    assert RetryRule((), DAY).spent(5) == 0


def test_a_schedule_of_zero_does_not_spin():
    """Waits of nothing are a second all the same."""
    assert wait_after(0, rule=RetryRule((0,), DAY)) == SECOND


def test_no_wait_is_longer_than_the_rule_says():
    """longest_wait bounds every wait, so that a later due time tells of a clock that was set back."""
    long = RetryRule((MINUTE, 3 * DAY), 30 * DAY)
    for rule in (RULE, long, RetryRule((), DAY)):
        for attempts in range(4):
            for retry_after in (None, math.inf):
                wait = wait_after(attempts, rule=rule, chance=0.999, retry_after=retry_after)
                assert wait <= rule.longest_wait()


def test_recipients_and_logging_have_rules_of_their_own():
    """Log copies and records follow retry.logging, recipients retry.delivery."""
    rules = RetryRules(delivery=RULE, logging=RetryRule((SECOND,), DAY))
    assert rules.of(Role.RECIPIENT) is rules.delivery
    assert rules.of(Role.LOG_COPY) is rules.of(Role.RECORD) is rules.logging


def test_what_was_no_attempt_waits_just_as_long_as_it_says():
    """Mail that a limit of our own kept back does not climb the schedule: it goes when there is room."""
    paced = Deferred(BUSY, "mx", 2.5, attempted=False)
    step = next_step(paced, attempts=2, created_at=NOW, rule=RULE, now=NOW, chance=0.9)
    assert step == TryAt(NOW + 2_500_000, "451 4.3.0 Try again later")


def test_what_was_no_attempt_expires_like_all_else():
    """A limit that never lets a message through does not keep it for ever."""
    paced = Deferred(BUSY, "mx", 60.0, attempted=False)
    assert isinstance(
        next_step(paced, attempts=0, created_at=NOW, rule=RULE, now=NOW + 2 * DAY, chance=0.5), GiveUp
    )
