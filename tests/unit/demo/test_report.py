"""The demonstration notices when something did not arrive as said."""

from dataclasses import replace

import pytest

from relay.demo.captured import Captured, Forward
from relay.demo.report import failed, on_arrival, on_records, on_report
from relay.demo.samples import DemoMessage, messages

_ADDED = b"Received: from laptop by relay.example.com; Mon, 9 Nov 2026 09:14:03 +0000\r\n"


def _arrived(message: DemoMessage) -> Captured:
    """What the next hop should get of a message."""
    copies = [message.rep.email_to_salesforce] if message.logged else []
    addresses = [each for each in (*message.recipients, *copies) if each not in message.reported]
    wire = (_ADDED + message.expected).replace(b"\r\n.", b"\r\n..")
    forwards = tuple(Forward(each) for each in addresses)
    return Captured("relay", False, None, message.sender, (), forwards, message.reported, wire)


_TAKEN = [message for message in messages() if not message.refusal]


@pytest.mark.parametrize("message", _TAKEN, ids=lambda each: each.title)
def test_what_arrived_as_said_holds(message: DemoMessage) -> None:
    """Nothing is found wrong with what is right."""
    assert not failed(on_arrival(message, _arrived(message)))


@pytest.mark.parametrize("message", _TAKEN, ids=lambda each: each.title)
def test_a_changed_octet_is_found(message: DemoMessage) -> None:
    """One octet more is seen."""
    arrived = _arrived(message)
    assert failed(on_arrival(message, replace(arrived, wire=arrived.wire + b" ")))


@pytest.mark.parametrize("message", _TAKEN, ids=lambda each: each.title)
def test_a_missing_or_added_recipient_is_found(message: DemoMessage) -> None:
    """Envelopes are compared whole, the log copy's address included."""
    arrived = _arrived(message)
    secret = Forward(message.rep.email_to_salesforce)
    for recipients in (
        arrived.recipients[1:],
        (*arrived.recipients, secret),
        (*arrived.recipients, Forward("x@y.example")),
    ):
        assert failed(on_arrival(message, replace(arrived, recipients=recipients)))


@pytest.mark.parametrize("message", _TAKEN, ids=lambda each: each.title)
def test_a_leak_is_found(message: DemoMessage) -> None:
    """The secret address in the content is seen wherever it stands."""
    arrived = _arrived(message)
    leak = b"X-Leak: " + message.rep.email_to_salesforce.encode() + b"\r\n"
    assert failed(on_arrival(message, replace(arrived, wire=leak + arrived.wire)))


def test_silence_is_found() -> None:
    """What did not arrive is said; what was refused must not arrive."""
    for message in messages():
        assert bool(failed(on_arrival(message, None))) == (not message.refusal)
        if message.refusal:
            assert failed(on_arrival(message, _arrived(message)))


def test_findings_show_no_secret() -> None:
    """What the demonstration prints masks the address."""
    for message in _TAKEN:
        shown = " ".join(finding.text for finding in on_arrival(message, _arrived(message)))
        assert message.rep.email_to_salesforce not in shown


def test_a_report_must_name_the_refused_and_go_to_the_sender() -> None:
    """A missing report, one to somebody else, or one that names nobody is found."""
    message = next(each for each in messages() if each.reported)
    wire = f"Subject: failed\r\n\r\n{message.reported[0]}\r\n".encode()
    good = Captured("relay", False, None, "", (), (Forward(message.sender),), (), wire)
    assert not failed(on_report(message, good))
    assert failed(on_report(message, None))
    assert failed(on_report(message, replace(good, recipients=(Forward("x@y.example"),))))
    assert failed(on_report(message, replace(good, wire=b"Subject: failed\r\n")))


def test_records_that_are_as_promised_hold() -> None:
    """What is in Salesforce is compared line by line, in any order; nothing promised and nothing there is well, too."""
    message = replace(messages()[0], records=("Task on a", "Task on b"))
    assert not failed(on_records(message, ["Task on b", "Task on a"]))
    assert not failed(on_records(replace(message, records=()), []))


@pytest.mark.parametrize(
    "recorded", [[], ["Task on a"], ["Task on a", "Task on a", "Task on b"], ["Task on c"]]
)
def test_records_that_are_missing_or_too_many_are_found(recorded: list[str]) -> None:
    """One missing, one twice, another: each is seen."""
    message = replace(messages()[0], records=("Task on a", "Task on b"))
    assert failed(on_records(message, recorded))
