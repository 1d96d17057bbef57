"""Mode bcc from end to end: a mail client sends through `relay serve`, and Email to Salesforce makes the Tasks.

The Tasks are those that Salesforce's help describes: To and Cc only, on contacts, leads and open opportunities,
completed; an open one in My Unresolved Items where nobody matches; nothing where Salesforce refuses the copy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest

from relay.demo.salesforce.simulator import Simulator
from relay.demo.salesforce.sink import Outcome, Receipt
from relay.demo.salesforce.sink_server import handing_over
from tests.support.running import BCC, RunningRelay, running_relay
from tests.support.salesforce import watched

_ANA = "ana@example.com"


@dataclass(frozen=True, slots=True)
class House:
    """A relay in mode bcc, and the Salesforce that its smarthost hands log copies to."""

    relay: RunningRelay
    salesforce: Simulator
    ana: str

    def send(self, *recipients: str, content: bytes) -> Receipt:
        """Send a mail as Ana, and wait until Email to Salesforce has had it."""
        seen = len(self.salesforce.sink.receipts)
        with self.relay.client() as client:
            answer = client.submit(_ANA, recipients, content)
        assert answer.startswith(b"250"), answer
        return self.salesforce.sink.wait_for(seen + 1)[-1]

    def related(self, receipt: Receipt) -> set[object]:
        """Give the records that the Tasks of a mail are on."""
        tasks = [self.salesforce.row(task) for task in receipt.tasks]
        return {task.get("WhoId") or task.get("WhatId") for task in tasks}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningRelay, Simulator]]:
    """Both run for the whole file."""
    folder: Path = tmp_path_factory.mktemp("bcc")
    with watched() as salesforce, running_relay(folder, manners=handing_over(salesforce.sink)) as relay:
        yield relay, salesforce


@pytest.fixture
def house(running: tuple[RunningRelay, Simulator]) -> House:
    """An organisation with nobody in it but Ana, who has the address."""
    relay, salesforce = running
    salesforce.reset()
    ana = salesforce.add("User", Username=_ANA, LastName="Berg", Email=_ANA, Alias="ana", IsActive=True)
    local, _, domain = BCC.partition("@")
    salesforce.add(
        "EmailServicesAddress",
        LocalPart=local,
        EmailDomainName=domain,
        AuthorizedSenders=_ANA,
        IsActive=True,
        RunAsUserId=ana,
    )
    return House(relay, salesforce, ana)


def _mail(to: str, cc: str = "", text: str = "Hello Kim") -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"Ana Berg <{_ANA}>", to, "Our offer"
    mail["Date"], mail["Message-ID"] = "Sun, 22 Nov 2026 10:00:00 +0000", "<offer@laptop.example.com>"
    if cc:
        mail["Cc"] = cc
    mail.set_content(text)
    return mail.as_bytes().replace(b"\n", b"\r\n")


def test_the_tasks_are_those_that_salesforce_describes(house: House) -> None:
    """Contact, lead and open opportunity each get a completed Task of the rep; a Bcc recipient gets none."""
    add = house.salesforce.add
    kim = add("Contact", LastName="Lund", Email="kim@buyer.example")
    lee = add("Lead", LastName="Lee", Company="Other", Email="lee@other.example")
    add("Contact", LastName="Blind", Email="blind@buyer.example")
    deals = [
        add("Opportunity", Name=name, StageName=name, CloseDate="2026-12-24")
        for name in ("Prospecting", "Closed Won")
    ]
    for deal in deals:
        add("OpportunityContactRole", OpportunityId=deal, ContactId=kim)
    content = _mail("Kim <kim@buyer.example>", "lee@other.example")
    receipt = house.send("kim@buyer.example", "lee@other.example", "blind@buyer.example", content=content)
    assert house.related(receipt) == {kim, lee, deals[0]}
    for task in (house.salesforce.row(task) for task in receipt.tasks):
        assert (task["OwnerId"], task["IsClosed"], task["Type"]) == (house.ana, True, "Email")
        assert task["Subject"] == "Email: Our offer"
        assert "Hello Kim" in str(task["Description"])
    assert house.salesforce.rows("EmailMessage") == []


def test_customers_get_the_mail_untouched_and_see_no_address(house: House) -> None:
    """What arrives ends with what was sent, and names the secret address nowhere."""
    house.relay.hop.clear()
    content = _mail("kim@buyer.example")
    house.send("kim@buyer.example", content=content)
    arrived = house.relay.mail_for("kim@buyer.example")
    assert arrived.content.endswith(content)
    assert BCC.encode() not in arrived.content


def test_nobody_known_makes_an_open_task_in_my_unresolved_items(house: House) -> None:
    """The mail is not lost: it waits, open and unrelated, for its rep."""
    receipt = house.send("new@buyer.example", content=_mail("new@buyer.example"))
    (task,) = (house.salesforce.row(task) for task in receipt.tasks)
    assert receipt.outcome is Outcome.UNRESOLVED
    assert (task["IsClosed"], task.get("WhoId"), task["OwnerId"]) == (False, None, house.ana)


def test_a_reference_in_the_text_relates_the_mail(house: House) -> None:
    """The tag (ref: id) that a rep writes reaches Salesforce, since the content is not altered."""
    account = house.salesforce.add("Account", Name="Buyer")
    receipt = house.send("x@buyer.example", content=_mail("x@buyer.example", text=f"(ref: {account[:15]})"))
    assert house.related(receipt) == {account}


def test_salesforce_refuses_a_sender_it_does_not_know(house: House) -> None:
    """An address missing from My Acceptable Email Addresses makes no Task; the customer has the mail all the same."""
    house.relay.hop.clear()
    (address,) = house.salesforce.rows("EmailServicesAddress")
    house.salesforce.edit("EmailServicesAddress", str(address["Id"]), AuthorizedSenders="other@example.com")
    receipt = house.send("kim@buyer.example", content=_mail("kim@buyer.example"))
    assert receipt.outcome is Outcome.BOUNCED
    assert house.salesforce.rows("Task") == []
    assert house.salesforce.sink.notices[0].to == _ANA
    assert house.relay.mail_for("kim@buyer.example").sender == _ANA


def test_a_mail_to_colleagues_never_reaches_salesforce(tmp_path: Path) -> None:
    """Excluded mail gets no log copy at all: Salesforce's own excluded domains would fill My Unresolved Items."""
    changes = {"logging": {"exclude": {"internal": "auto"}}}
    with (
        watched() as salesforce,
        running_relay(tmp_path, changes, handing_over(salesforce.sink)) as relay,
        relay.client() as client,
    ):
        answer = client.submit(_ANA, ["bo@example.com"], _mail("bo@example.com"))
        assert answer.startswith(b"250"), answer
        assert relay.mail_for("bo@example.com").addresses == ("bo@example.com",)
        assert salesforce.sink.receipts == []
