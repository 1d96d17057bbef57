"""What a hop asks us to wait, in words."""

import pytest

from relay.delivery.hints import LONGEST_HINT, wait_asked_for


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Greylisted, please try again in 300 seconds", 300.0),
        ("Try again after 5 minutes.", 300.0),
        ("retry in 90s", 90.0),
        ("Recipient address rejected: Greylisted for 10 minutes", 600.0),
        ("Please wait for 1 hour", 3600.0),
        ("too many messages, come back in 2 min", 120.0),
        ("try again in 999999 hours", LONGEST_HINT),
    ],
)
def test_a_time_that_is_named_is_understood(text: str, seconds: float) -> None:
    """Numbers with a unit behind such words are seconds to wait, an hour at most."""
    assert wait_asked_for(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Try again later",
        "try again in 0 seconds",
        "mailbox full; 300 messages, 5 MB",
        "queue id 300s7 in 5 minutes",
        "try again. Mail was blocked by rule 5 m",
        "try again in \uff13 seconds",
        "again " * 160,
    ],
)
def test_what_names_no_time_asks_for_none(text: str) -> None:
    """Other numbers are not taken for a time."""
    assert wait_asked_for(text) is None
