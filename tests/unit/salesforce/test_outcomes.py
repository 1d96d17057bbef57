"""relay.salesforce.outcomes: every kind of fault has its outcome."""

import pytest

from relay.outcome import Deferred, Held
from relay.salesforce.exchange import Pause
from relay.salesforce.model import Category, Fault, FaultKind
from relay.salesforce.outcomes import PAUSE, outcome_of, paused, words

NEVER = {
    FaultKind.FIELD,
    FaultKind.TOO_LONG,
    FaultKind.DUPLICATE,
    FaultKind.PERMISSION,
    FaultKind.RULE,
    FaultKind.OURS,
}
NOT_ASKED = {FaultKind.LIMIT, FaultKind.SIGN_IN, FaultKind.STOPPED}


def fault(kind: FaultKind, **more: object) -> Fault:
    """Give a fault of a kind."""
    return Fault(kind, Category.OTHER, "SOME_CODE", "Some words", ("Field__c",), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", FaultKind)
def test_the_first_time(kind: FaultKind) -> None:
    """What Salesforce will never take is held, what it cannot do now is deferred; a pause is no attempt."""
    outcome = outcome_of(fault(kind), 0)
    if kind in NEVER:
        assert isinstance(outcome, Held)
        assert "SOME_CODE: Some words (Field__c)" in outcome.reason
    else:
        assert isinstance(outcome, Deferred)
        assert outcome.attempted is (kind not in NOT_ASKED)
        assert "SOME_CODE: Some words" in str(outcome.reply)


@pytest.mark.parametrize("kind", [FaultKind.UNKNOWN, FaultKind.GONE])
def test_three_tries(kind: FaultKind) -> None:
    """What nobody foresaw is tried three times."""
    outcomes = [outcome_of(fault(kind), attempts) for attempts in range(3)]
    assert [isinstance(one, Held) for one in outcomes] == [False, False, True]


def test_a_wait_that_is_asked_for() -> None:
    """A wait that Salesforce names is kept to; a pause without one is some minutes."""
    again = outcome_of(fault(FaultKind.AGAIN, retry_after=77.0), 0)
    limit = outcome_of(fault(FaultKind.LIMIT), 0)
    assert isinstance(again, Deferred)
    assert isinstance(limit, Deferred)
    assert (again.retry_after, limit.retry_after) == (77.0, PAUSE)


def test_a_pause() -> None:
    """A record of an identity that may not call waits until its pause is over, at least a moment."""
    pause = Pause(FaultKind.SIGN_IN, 0, 60_000_000, fault(FaultKind.SIGN_IN))
    assert paused(pause, 0).retry_after == 60.0
    assert paused(pause, 60_000_000).retry_after == 1.0
    assert not paused(pause, 0).attempted


def test_words() -> None:
    """The words are Salesforce's, the fields, and what they mean."""
    text = words(fault(FaultKind.RULE))
    assert text.startswith("Salesforce: SOME_CODE: Some words (Field__c) - ")
