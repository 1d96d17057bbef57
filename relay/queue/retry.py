"""Decide what comes after an attempt: done, again at an instant, given up, or held.

Pure: the time and the chance are arguments. Waits repeat the last one of the schedule, are spread by jitter, and
are never shorter than the hop asked for; the last try is at the end of the lifetime (RFC 5321 §4.5.4.1).
"""

import math
from dataclasses import dataclass
from typing import assert_never

from relay.delivery_kind import Role
from relay.outcome import Bounced, Deferred, Held, Outcome, Sent, Skipped
from relay.queue.model import State
from relay.values import quick

SECOND = 1_000_000
LONGEST_FLOOR = 24 * 3600 * SECOND
"""A hop that asks for a longer wait than this is asked again after it."""
JITTER = 0.15
_SHORTEST_WAIT = SECOND


@dataclass(frozen=True, slots=True)
class RetryRule:
    """The waits between attempts and the lifetime of a delivery, in microseconds."""

    schedule: tuple[int, ...]
    """The last one repeats; none at all means one more try, at the end of the lifetime."""
    lifetime: int

    def wait(self, attempts: int) -> int:
        """Give the wait that follows attempt number `attempts + 1`, without jitter."""
        if not self.schedule:
            return self.lifetime
        return max(self.schedule[min(attempts, len(self.schedule) - 1)], _SHORTEST_WAIT)

    def spent(self, attempts: int) -> int:
        """Give how long `attempts` attempts take by the schedule alone."""
        counted = self.schedule[:attempts]
        repeated = attempts - len(counted)
        return sum(counted) + (repeated * self.schedule[-1] if self.schedule else 0)

    def longest_wait(self) -> int:
        """Give the longest wait that this rule ever leads to."""
        waits = max(self.schedule, default=self.lifetime)
        return max(round(waits * (1 + JITTER)) + _SHORTEST_WAIT, LONGEST_FLOOR)


@dataclass(frozen=True, slots=True)
class RetryRules:
    """One rule for recipients, one for log copies and records."""

    delivery: RetryRule
    logging: RetryRule

    def of(self, role: Role) -> RetryRule:
        """Give the rule for a role."""
        return self.delivery if role is Role.RECIPIENT else self.logging


@quick
@dataclass(frozen=True, slots=True)
class Done:
    """The delivery ends in this state: sent, bounced or skipped."""

    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class TryAt:
    """Tried again at this instant."""

    at: int
    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Its lifetime is over: expired."""

    reason: str
    state: State = State.EXPIRED


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing more until somebody decides."""

    reason: str


NextStep = Done | TryAt | GiveUp | Hold


def next_step(
    outcome: Outcome, *, attempts: int, created_at: int, rule: RetryRule, now: int, chance: float
) -> NextStep:
    """Give what follows an outcome, for a delivery that had `attempts` attempts before this one.

    `chance` is in [0, 1). A next try is never before `now` nor past the lifetime's end.
    """
    match outcome:
        case Sent(reply=reply):
            return Done(State.SENT, str(reply))
        case Bounced(reply=reply):
            return Done(State.BOUNCED, str(reply))
        case Skipped(reason=reason):
            return Done(State.SKIPPED, reason)
        case Held(reason=reason):
            return Hold(reason)
        case Deferred():
            return _after_deferral(outcome, attempts, created_at, rule, now, chance)
        case _:
            assert_never(outcome)


def _after_deferral(
    outcome: Deferred, attempts: int, created_at: int, rule: RetryRule, now: int, chance: float
) -> NextStep:
    reason = str(outcome.reply)
    # A clock that was set back makes the message look unborn; then its attempts tell how old it is.
    age = now - created_at if now >= created_at else rule.spent(attempts)
    left = rule.lifetime - age
    if left <= 0:
        return GiveUp(reason)
    if not outcome.attempted:
        return TryAt(now + min(max(_floor(outcome.retry_after), _SHORTEST_WAIT), left), reason)
    jittered = round(rule.wait(attempts) * (1 - JITTER + 2 * JITTER * chance))
    return TryAt(now + min(max(jittered, _floor(outcome.retry_after)), left), reason)


def _floor(retry_after: float | None) -> int:
    """Give the wait that the hop asked for, in microseconds, within bounds."""
    if retry_after is None or math.isnan(retry_after) or retry_after <= 0:
        return 0
    return min(round(min(retry_after, 1e9) * SECOND), LONGEST_FLOOR)
