"""Tests for relay.salesforce.limits: which calls are not made, and when they are again."""

import pytest

from relay.config.recording import SalesforceLimits
from relay.salesforce.exchange import Usage
from relay.salesforce.faults_table import fault_of, local_fault, sign_in_fault
from relay.salesforce.limits import HOUR, MINUTE, PROBE, SECOND, Budget, Pauses, usage_in
from relay.salesforce.model import FaultKind

NOW = 1_790_000_000 * SECOND
LIMIT = fault_of(403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}])
REFUSED = sign_in_fault(400, {"error": "invalid_grant", "error_description": "inactive user"})
CLOSED = fault_of(403, [{"errorCode": "API_DISABLED_FOR_ORG", "message": ""}])
NOT_ME = fault_of(403, [{"errorCode": "API_CURRENTLY_DISABLED", "message": ""}])


@pytest.mark.parametrize(
    ("header", "used"),
    [
        ("api-usage=18/5000", (18, 5000)),
        ("api-usage=25/5000; per-app-api-usage=17/250(appName=relay)", (25, 5000)),
        ("per-app-api-usage=17/250(appName=relay); api-usage=25/5000", (25, 5000)),
        ("per-app-api-usage=17/250(appName=relay)", None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_the_header(header: str, used: tuple[int, int] | None) -> None:
    """The organisation's usage is read, not that of one app."""
    found = usage_in(header, NOW)
    assert (None if found is None else (found.used, found.maximum)) == used


def budget(percent: int) -> Budget:
    """Make a budget that saw this usage."""
    one = Budget(SalesforceLimits())
    one.seen(Usage(percent * 10, 1000, NOW))
    return one


@pytest.mark.parametrize(
    ("percent", "logging", "background"),
    [
        (0, True, True),
        (79, True, True),
        (80, True, False),
        (94, True, False),
        (95, False, False),
        (120, False, False),
    ],
)
def test_what_stops_when(percent: int, logging: bool, background: bool) -> None:
    """Background work stops at 80 %, recording at 95 %."""
    one = budget(percent)
    assert one.allowed(background=False) is logging
    assert one.allowed(background=True) is background
    assert (one.refusal(NOW, background=False) is None) is logging
    assert (one.pause() is None) is logging


def test_the_budget_is_looked_at_again() -> None:
    """After 15 minutes one call is let through to see how usage has gone on, then one an hour."""
    one = budget(96)
    fault = one.refusal(NOW, background=False)
    assert fault is not None
    assert (fault.kind, fault.retry_after) == (FaultKind.LIMIT, 900.0)
    later = NOW + 15 * MINUTE
    assert one.refusal(later, background=False, probe=False) is None
    assert one.refusal(later, background=False) is None
    assert one.refusal(later + MINUTE, background=False) is not None
    assert one.refusal(later + HOUR, background=False) is None
    one.seen(Usage(10, 1000, later))
    assert one.refusal(later, background=True) is None


def test_an_unknown_maximum_stops_nothing() -> None:
    """A maximum of 0 says nothing about what is left."""
    one = Budget(SalesforceLimits())
    one.seen(Usage(5, 0, NOW))
    assert one.allowed(background=True)


def test_the_daily_limit_pauses_everybody() -> None:
    """The limit of the day: 15 minutes, then an hour each time, for all identities, until a call succeeds."""
    pauses = Pauses()
    pauses.failed("ana", LIMIT, NOW)
    assert pauses.refusal("ben", NOW + 14 * MINUTE) is not None
    assert pauses.refusal("ben", NOW + 15 * MINUTE) is None
    assert pauses.refusal("ana", NOW + 15 * MINUTE) is not None
    pauses.failed("ben", LIMIT, NOW + 15 * MINUTE)
    assert pauses.refusal("ana", NOW + 74 * MINUTE) is not None
    assert pauses.refusal("ana", NOW + 76 * MINUTE) is None
    pauses.succeeded("ana")
    assert pauses.of("ben") is None


def test_a_refused_sign_in_pauses_the_identity() -> None:
    """One rep's sign-in that is refused pauses that rep; it is tried after 5, 15 and then every 60 minutes."""
    pauses, now = Pauses(), NOW
    for minutes in (5, 15, 60, 60):
        pauses.failed("ana", REFUSED, now)
        fault = pauses.refusal("ana", now)
        assert fault is not None
        assert fault.retry_after == minutes * 60
        assert pauses.refusal("ben", now) is None
        now += minutes * MINUTE
        assert pauses.refusal("ana", now) is None
    paused = pauses.of("ana")
    assert paused is not None
    assert (paused.since, paused.everybody) == (NOW, False)


def test_only_one_tries() -> None:
    """After a pause one call tries while the others wait; when it is lost, another does."""
    pauses = Pauses()
    pauses.failed("ana", REFUSED, NOW)
    after = NOW + 5 * MINUTE
    assert pauses.refusal("ana", after, probe=False) is None
    assert pauses.refusal("ana", after) is None
    assert pauses.refusal("ana", after + SECOND) is not None
    assert pauses.refusal("ana", after + PROBE) is None


def test_calls_that_were_under_way_do_not_lengthen_it() -> None:
    """Four calls that fail together are one failure."""
    pauses = Pauses()
    for _ in range(4):
        pauses.failed("ana", REFUSED, NOW)
    assert pauses.refusal("ana", NOW + 5 * MINUTE) is None


def test_a_closed_api() -> None:
    """An organisation without API stops everybody, a user without it that one; both are tried once an hour."""
    pauses = Pauses()
    pauses.failed("ana", NOT_ME, NOW)
    assert pauses.refusal("ben", NOW) is None
    pauses.failed("ana", CLOSED, NOW)
    fault = pauses.refusal("ben", NOW)
    assert fault is not None
    assert (fault.kind, fault.retry_after) == (FaultKind.STOPPED, 3600.0)


def test_other_faults_pause_nobody() -> None:
    """What concerns one record, or a moment, pauses nobody."""
    pauses = Pauses()
    for code in (
        "UNABLE_TO_LOCK_ROW",
        "TIMEOUT",
        "REQUIRED_FIELD_MISSING",
        "INVALID_TYPE",
        "UNKNOWN_EXCEPTION",
    ):
        pauses.failed("ana", local_fault(code, ""), NOW)
    assert pauses.of("ana") is None


def test_try_now() -> None:
    """A person can have the next call made at once; it decides about the rest."""
    pauses = Pauses()
    pauses.failed("ana", REFUSED, NOW)
    pauses.failed("ben", LIMIT, NOW)
    pauses.try_now("ana")
    assert pauses.refusal("ana", NOW + SECOND) is None
    pauses.try_now(None)
    pauses.succeeded("ben")
    one = budget(96)
    one.try_now()
    assert one.refusal(NOW, background=False) is None


GONE = local_fault("NOT_REACHABLE", "there is no connection to it")
LATE = local_fault("TIMEOUT", "there was no answer in time")


def test_a_salesforce_that_is_gone_pauses_everybody() -> None:
    """Nobody listens: nobody calls for half a minute, then one tries; each time longer, up to five minutes."""
    pauses, now = Pauses(), NOW
    for seconds in (30, 60, 120, 300, 300):
        pauses.failed("ana", GONE, now)
        pauses.failed("ben", GONE, now + SECOND)  # under way when the first failed
        fault = pauses.refusal("ben", now)
        assert fault is not None
        assert fault.retry_after == seconds
        now += seconds * SECOND
        assert pauses.refusal("ana", now) is None
        assert pauses.refusal("ben", now) is not None
    pauses.answered()
    assert pauses.refusal("ben", now) is None
    assert pauses.gone() is None


def test_one_answer_that_is_late_is_no_absence() -> None:
    """Calls that go unanswered pause everybody when there are four in a row, with no answer between."""
    pauses = Pauses()
    for _ in range(3):
        pauses.failed("ana", LATE, NOW)
    pauses.answered()
    for _ in range(3):
        pauses.failed("ana", LATE, NOW)
    assert pauses.gone() is None
    pauses.failed("ana", LATE, NOW)
    assert pauses.gone() is not None
