"""What a hop offers is read from its EHLO answer, also when it is written strangely."""

import pytest

from relay.delivery.offer import Offer, read_offer


def test_everything_offered_is_seen() -> None:
    """Each extension that delivery uses is found by its keyword."""
    offer = read_offer(
        {
            "pipelining": "",
            "size": "1000",
            "8bitmime": "",
            "smtputf8": "",
            "dsn": "",
            "limits": "RCPTMAX=20 MAILMAX=5 RCPTDOMAINMAX=1",
        }
    )
    assert offer == Offer(True, 1000, True, True, True, 20, 5)


def test_nothing_offered_is_nothing() -> None:
    """A hop that knows only HELO offers nothing."""
    assert read_offer({}) == Offer()


@pytest.mark.parametrize(
    ("parameter", "size"),
    [("", 0), ("0", 0), ("52428800", 52428800), ("many", 0), ("-1", 0), ("1" * 30, 0), ("²", 0)],
)
def test_size_without_a_number_is_no_limit(parameter: str, size: int) -> None:
    """SIZE with no number, zero or rubbish is offered without a fixed limit (RFC 1870 §4)."""
    assert read_offer({"size": parameter}).size == size


@pytest.mark.parametrize("parameters", ["", "RCPTMAX", "RCPTMAX=", "RCPTMAX=0", "RCPTMAX=x", "RCPTMAX=-3"])
def test_limits_that_say_nothing_are_none(parameters: str) -> None:
    """A limit without a positive number is taken as not said (RFC 9422 §4)."""
    assert read_offer({"limits": parameters}).recipients is None


def test_limit_names_are_read_in_any_case() -> None:
    """Keywords are compared without regard to case (RFC 5321 §2.4)."""
    assert read_offer({"limits": "rcptmax=7"}).recipients == 7
