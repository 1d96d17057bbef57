"""Tests for relay.salesforce.asked: what was asked by control addresses is in the facts that are matched."""

from relay.config.model import LoggingSettings, Mode
from relay.directory.model import Rep
from relay.ids import Login, QueueId
from relay.queue.model import State
from relay.salesforce.asked import with_controls
from relay.salesforce.model import Controls, MessageFacts, ToldRecipient

RECORD = "0065g00000ABCdEAAX"
FACTS = MessageFacts(
    QueueId("0000000000000"),
    Login("ana"),
    Rep(Login("ana"), ()),
    0,
    0,
    None,
    "x",
    (
        ToldRecipient("bo@customer.test", State.SENT),
        ToldRecipient("headers@log.example.com", State.SKIPPED),
        ToldRecipient(f"rec+{RECORD.lower()}@log.example.com", State.SKIPPED),
    ),
    Mode.API,
    Controls(related_to=("001000000000001AAA",)),
)


def test_what_is_asked_is_taken_over() -> None:
    """Control addresses are no recipients any more; what was related by hand before stays first."""
    settings = LoggingSettings.model_validate({"controls": {"domain": "log.example.com"}})
    facts = with_controls(FACTS, settings)
    assert [one.address for one in facts.recipients] == ["bo@customer.test"]
    assert facts.controls == Controls(headers_only=True, related_to=("001000000000001AAA", RECORD))


def test_without_a_domain_nothing_changes() -> None:
    """Where no domain is set, every address is a recipient."""
    assert with_controls(FACTS, LoggingSettings()) is FACTS
