"""One mail to a thousand: each recipient gets it once, and whoever was refused stands in one report."""

import email
import email.policy
from collections import Counter
from pathlib import Path

import pytest

from relay.demo.capture import Captured, Manners
from relay.demo.salesforce.simulator import Simulator
from tests.support.api_mode import api_mode
from tests.support.eventually import eventually
from tests.support.raw_client import RawClient
from tests.support.running import BCC, RunningRelay, running_relay
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce

_MANY = 1000
_REFUSED = tuple(f"refuse-{number}@buyer.example" for number in range(130))
_TAKEN = tuple(f"person{number}@buyer.example" for number in range(1, _MANY - len(_REFUSED) + 1))
_ALL = (*_REFUSED[:100], *_TAKEN[:400], *_REFUSED[100:], *_TAKEN[400:])
"""The first hundred are all refused."""


def _submit(relay: RunningRelay) -> str:
    """Send the mail to all of them; give its queue id."""
    to = ",\r\n ".join(_ALL)
    content = (
        f"From: ana@example.com\r\nTo: {to}\r\nSubject: To everybody\r\n"
        "Message-ID: <everybody@example.com>\r\n\r\nHello\r\n"
    )
    with RawClient(relay.gateway) as client:
        client.say("EHLO client.test")
        answer = client.submit("ana@example.com", _ALL, content.encode())
        assert answer.startswith(b"250"), answer
        return answer.split()[-1].decode()


def _arrivals(taken: list[Captured]) -> Counter[str]:
    return Counter(address for mail in taken if mail.sender for address in mail.addresses)


def _reports(taken: list[Captured]) -> list[Captured]:
    return [mail for mail in taken if not mail.sender]


def _told(report: Captured) -> list[str]:
    """Give whom a report names."""
    parsed = email.message_from_bytes(report.content, policy=email.policy.default)
    groups = list(parsed.iter_parts())[1].get_payload()
    return [str(group["Final-Recipient"]).split()[-1] for group in groups if group["Final-Recipient"]]


@pytest.mark.parametrize(("hop", "route"), [(0, 100), (100, _MANY)], ids=["by the route", "by the hop"])
def test_a_thousand_recipients_in_transactions_of_a_hundred(tmp_path: Path, hop: int, route: int) -> None:
    """Whoever limits them, the settings or the hop with 452: all come once, the log copy too, and one report names all refused."""
    changes = {
        "limits": {"recipients": _MANY},
        # The log copy goes with the first hundred, of whom nobody gets the mail: it waits for another attempt.
        "retry": {"logging": {"schedule": ["1s"]}},
        "upstream": {"routes": {"main": {"limits": {"recipients": route}}}},
    }
    with running_relay(tmp_path, changes, Manners(recipients=hop)) as relay:
        queue_id = _submit(relay)
        taken = relay.hop.wait_until(
            lambda taken: bool(_reports(taken)) and bool(_arrivals(taken)[BCC]), 60.0
        )
        assert _arrivals(taken) == Counter([*_TAKEN, BCC])
        [report] = _reports(taken)
        assert report.addresses == ("ana@example.com",)
        assert sorted(_told(report)) == sorted(_REFUSED)
        states = eventually(lambda: Counter(relay.states(queue_id).values()), lambda seen: not seen["active"])
        assert states == {"sent": len(_TAKEN) + 1, "bounced": len(_REFUSED)}
        assert len(_reports(relay.hop.messages)) == 1


def test_a_thousand_recipients_are_one_record(tmp_path: Path, salesforce: Simulator) -> None:
    """It stands on the contacts among them who got the mail; it is made once, and names nobody that was refused."""
    contacts = people(salesforce, 3)
    salesforce.add("Contact", LastName="Refused", Email=_REFUSED[0])
    changes = {**api_mode(salesforce, tmp_path), "limits": {"recipients": _MANY}}
    with running_relay(tmp_path, changes) as relay:
        _submit(relay)
        eventually(lambda: salesforce.rows("EmailMessage"), limit=60.0)
        eventually(lambda: len(_reports(relay.hop.messages)))
        assert _arrivals(relay.hop.messages) == Counter(_TAKEN)
    [record] = salesforce.rows("EmailMessage")
    assert record["ToIds"] == contacts
    assert "person167@buyer.example" in str(record["ToAddress"])
    assert "refuse" not in str(record["ToAddress"])
