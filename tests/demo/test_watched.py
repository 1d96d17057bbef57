"""The simulated Salesforce that the relay's tests use fails them for refusals that nobody expects."""

from collections.abc import Callable

import pytest
from simple_salesforce.exceptions import SalesforceError

from relay.demo.salesforce import faults
from tests.support.salesforce import WatchedSimulator, watched
from tests.support.salesforce_plain import connected


def _asks_too_much(*expected: str, then: Callable[[WatchedSimulator], None] | None = None) -> None:
    with watched() as salesforce:
        salesforce.expect_refused(*expected)
        with pytest.raises(SalesforceError):
            connected(salesforce).Task.create({"Subject": "x" * 256})
        if then is not None:
            then(salesforce)


def test_what_nobody_expects_fails_the_test() -> None:
    """The message names the call, the answer and what was asked, also when the calls were forgotten meanwhile."""
    for forget in (None, WatchedSimulator.clear_calls, WatchedSimulator.reset):
        with pytest.raises(AssertionError) as told:
            _asks_too_much(then=forget)
        for word in (
            "POST /services/data/v67.0/sobjects/Task",
            "(create Task)",
            "400 STRING_TOO_LONG",
            "xxx",
        ):
            assert word in str(told.value)


def test_what_is_expected_must_come() -> None:
    """A refusal that the test names is no fault, one that does not come is; others are faults beside it."""
    _asks_too_much("STRING_TOO_LONG")
    with pytest.raises(AssertionError, match="did not come: INVALID_FIELD"):
        _asks_too_much("STRING_TOO_LONG", "INVALID_FIELD")
    with pytest.raises(AssertionError, match="400 STRING_TOO_LONG"):
        _asks_too_much("INVALID_FIELD")


def test_what_a_fault_provokes_is_nobodys_doing() -> None:
    """Faults on purpose need not be expected."""
    with watched() as salesforce:
        salesforce.inject(faults.locked())
        with pytest.raises(SalesforceError):
            connected(salesforce).Task.create({"Subject": "x"})
