"""Tests for relay.queue.rules: the runner's rules out of the settings."""

from datetime import timedelta

from relay.config.model import RelaySettings
from relay.config.types import Rate
from relay.queue.retry import SECOND
from relay.queue.rules import rules_of

SETTINGS = {
    "version": "1",
    "listeners": [{"name": "submission", "address": "127.0.0.1:0"}],
    "upstream": {"default": "main", "routes": {"main": {"host": "mx.example.com"}}},
}
HOUR = 3600 * SECOND


def rules(**settings: object):
    """Give the rules of these settings."""
    return rules_of(RelaySettings.model_validate(SETTINGS | settings), "relay.example.com")


def test_the_defaults():
    """What stands in the reference page is what the runner keeps to."""
    made = rules()
    assert made.retry.delivery.schedule[0] == 60 * SECOND
    assert made.retry.delivery.schedule[-1] == 4 * HOUR
    assert made.retry.delivery.lifetime == 48 * HOUR
    assert made.retry.logging.schedule[0] == 30 * SECOND
    assert made.retry.logging.lifetime == 7 * 24 * HOUR
    assert made.warn_after == 4 * HOUR
    assert made.reports == Rate(100, 3600.0)
    assert made.keep_events == 400 * 24 * HOUR
    assert made.keep_content is None
    assert made.reporter.sender == "postmaster@relay.example.com"
    assert made.reporter.hostname == "relay.example.com"


def test_reports_come_from_an_ascii_address():
    """An internationalised domain is written in A-labels, so that a report passes hosts without SMTPUTF8."""
    assert rules(notices={"from": "mail@käufer.example"}).reporter.sender == "mail@xn--kufer-gra.example"


def test_what_is_set_is_followed():
    """Schedules, spans, the From address and the retention come from the settings."""
    made = rules(
        retry={"delivery": {"schedule": ["2s"], "give_up_after": "1m", "warn_after": "0s"}},
        notices={"from": "mail@example.org"},
        retention={"content": "3d", "events": "30d"},
    )
    assert made.retry.delivery.schedule == (2 * SECOND,)
    assert made.retry.delivery.lifetime == 60 * SECOND
    assert made.warn_after is None
    assert made.reporter.sender == "mail@example.org"
    assert made.keep_content == timedelta(days=3) // timedelta(microseconds=1)
    assert made.keep_events == 30 * 24 * HOUR
