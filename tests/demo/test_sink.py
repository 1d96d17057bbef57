"""Email to Salesforce as simulated: whose mail it takes, what it matches, and the Tasks it makes."""

import smtplib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import requests

from relay.demo.capture import Capture
from relay.demo.salesforce.clock import SimulatedClock
from relay.demo.salesforce.files import Files
from relay.demo.salesforce.records import Records
from relay.demo.salesforce.simulator import started
from relay.demo.salesforce.sink import Outcome, Receipt, Sink
from relay.demo.salesforce.sink_rules import Action, Options, Several
from relay.demo.salesforce.sink_server import handing_over, mail_server
from relay.demo.salesforce.toggles import Toggles
from tests.support.clock import FakeClock

_NOON = 1_795_348_800_000_000
"""2026-11-22 12:00 UTC."""
_ADMIN = "005000000000001AAA"
_DOMAIN = "k3x7q2ana9.a1.le.salesforce.example"
ADDRESS = f"emailtosalesforce@{_DOMAIN}"
ANA = "ana@example.com"


class Organisation:
    """A rep with the address, and the sink that takes mail for her."""

    def __init__(self) -> None:
        self.records = Records(Toggles(), SimulatedClock(FakeClock(_NOON)))
        self.files = Files()
        self.sink = Sink(self.records, self.files)
        self.user = self.add("User", LastName="Ana", Email=ANA, IsActive=True)
        self.address = self.add(
            "EmailServicesAddress",
            LocalPart="emailtosalesforce",
            EmailDomainName=_DOMAIN,
            AuthorizedSenders=f"{ANA}, sales.example",
            IsActive=True,
            RunAsUserId=self.user,
        )

    def add(self, name: str, **fields: object) -> str:
        """Seed a record."""
        return str(self.records.insert(name, fields, user=_ADMIN)["Id"])

    def deal(self, contact: str, stage: str = "Prospecting") -> str:
        """Seed an opportunity on which a contact has a role."""
        deal = self.add("Opportunity", Name="Deal", StageName=stage, CloseDate="2026-12-01")
        self.add("OpportunityContactRole", OpportunityId=deal, ContactId=contact)
        return deal

    def send(self, content: bytes, sender: str = ANA) -> Receipt:
        """Hand over a mail."""
        return self.sink.take(ADDRESS, sender, content)

    def choose(self, **choices: object) -> None:
        """Set what the rep chose."""
        self.sink.options[self.user] = replace(Options(), **choices)  # type: ignore[arg-type]

    def related(self) -> set[object]:
        """Give the records that the Tasks are on."""
        return {task.get("WhoId") or task.get("WhatId") for task in self.records.live("Task")}


@pytest.fixture
def org() -> Organisation:
    """An organisation with one rep."""
    return Organisation()


def _mail(to: str = "kim@buyer.example", *, cc: str = "", body: str = "Hello", sender: str = ANA) -> bytes:
    copied = f"Cc: {cc}\r\n" if cc else ""
    return (
        f"From: Ana <{sender}>\r\nTo: {to}\r\n{copied}Subject: Our =?utf-8?q?=C3=B6ffer?=\r\n"
        f"Message-ID: <1@laptop>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n"
    ).encode()


# -- the Task --------------------------------------------------------------------------------------------------------


def test_a_matched_contact_gets_a_completed_task(org: Organisation) -> None:
    """The Task is the rep's, closed, of today, of type Email, with subject and body; no EmailMessage is made."""
    kim = org.add("Contact", LastName="Kim", Email="Kim@Buyer.example")
    receipt = org.send(_mail("Kim Lund <KIM@buyer.example>"))
    (task,) = org.records.live("Task")
    assert (receipt.outcome, receipt.tasks) == (Outcome.ASSOCIATED, (task["Id"],))
    wanted = {
        "WhoId": kim, "OwnerId": org.user, "CreatedById": org.user, "Status": "Completed", "IsClosed": True,
        "Type": "Email", "TaskSubtype": "Email", "Subject": "Email: Our öffer", "ActivityDate": "2026-11-22",
    }  # fmt: skip
    assert {name: task.get(name) for name in wanted} == wanted
    assert "Body:\nHello" in str(task["Description"])
    assert org.records.rows("EmailMessage") == []


def test_type_is_left_out_when_the_list_lacks_it(org: Organisation) -> None:
    """The value marked Send Email Default is used only where the organisation has it."""
    org.records.toggles.task_type_values = ("Call",)
    org.send(_mail())
    assert org.records.live("Task")[0].get("Type") is None


def test_the_body_is_cut_at_32_kilobytes(org: Organisation) -> None:
    """A longer body, which may be cut in the middle of a character, still makes a Task that fits."""
    org.send(_mail(body="é" * 40_000))
    text = str(org.records.live("Task")[0]["Description"])
    assert len(text.partition("Body:\n")[2].encode()) <= 32 * 1024
    assert len(text) <= 32_000
    assert "\ufffd" not in text


@pytest.mark.parametrize(("size", "kept"), [(1000, 1), (25 * 1024 * 1024 + 1, 0)])
def test_attachments_are_kept_up_to_25_megabytes(org: Organisation, size: int, kept: int) -> None:
    """All attachments together; above it the Tasks come without any. Every Task shows the file."""
    for name in ("Kim", "Kim Two"):
        org.add("Contact", LastName=name, Email="kim@buyer.example")
    content = (
        b"From: ana@example.com\r\nTo: kim@buyer.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\n\r\nSee here\r\n--b\r\nContent-Disposition: attachment; filename=a.bin\r\n\r\n"
        + b"x" * size
        + b"\r\n--b--\r\n"
    )
    receipt = org.send(content)
    assert len(receipt.tasks) == 2
    links = [row for row in org.records.live("ContentDocumentLink") if row["LinkedEntityId"] in receipt.tasks]
    assert len(links) == 2 * kept
    assert "Attachment: a.bin" in str(org.records.live("Task")[0]["Description"])


# -- matching --------------------------------------------------------------------------------------------------------


def test_to_and_cc_are_searched_and_bcc_is_not(org: Organisation) -> None:
    """Leads and contacts in To and Cc get a Task each; one who is a recipient of the envelope only gets none."""
    kim = org.add("Contact", LastName="Kim", Email="kim@buyer.example")
    lee = org.add("Lead", LastName="Lee", Company="L", Email="lee@buyer.example")
    org.add("Contact", LastName="Blind", Email="blind@buyer.example")
    org.add("Lead", LastName="Gone", Company="G", Email="kim@buyer.example", IsConverted=True)
    org.send(b"Bcc: blind@buyer.example\r\n" + _mail(cc="Lee <lee@buyer.example>"))
    assert org.related() == {kim, lee}


def test_open_opportunities_of_the_contacts_are_related(org: Organisation) -> None:
    """Every open opportunity on which a matched contact has a role gets a Task; closed ones and others do not."""
    kim = org.add("Contact", LastName="Kim", Email="kim@buyer.example")
    other = org.add("Contact", LastName="Other", Email="other@buyer.example")
    first, second = org.deal(kim), org.deal(kim)
    org.deal(kim, "Closed Won")
    org.deal(other)
    org.send(_mail())
    assert org.related() == {kim, first, second}


@pytest.mark.parametrize(
    ("several", "names"),
    [(Several.ALL, {"old", "busy", "lead"}), (Several.OLDEST, {"old"}), (Several.MOST_ACTIVITY, {"busy"})],
)
def test_several_records_with_one_address(org: Organisation, several: Several, names: set[str]) -> None:
    """All, the oldest, or the one with the most activity, as the rep chose; leads and contacts together."""
    there = {
        name: org.add(kind, LastName=name, Company="x", Email="kim@buyer.example")
        for name, kind in (("old", "Contact"), ("busy", "Contact"), ("lead", "Lead"))
    }
    seeded = org.add("Task", WhoId=there["busy"])
    org.choose(several=several)
    receipt = org.send(_mail())
    assert seeded not in receipt.tasks
    tasks = [row for row in org.records.live("Task") if row["Id"] in receipt.tasks]
    assert {row["WhoId"] for row in tasks} == {there[name] for name in names}


def test_only_fifty_addresses_are_looked_at(org: Organisation) -> None:
    """The first fifty different addresses of To and Cc count; the rep's secret one is none of them."""
    last_in = org.add("Contact", LastName="In", Email="n49@buyer.example")
    org.add("Contact", LastName="Out", Email="n50@buyer.example")
    numbers = [f"n{number}@buyer.example" for number in range(51)]
    org.send(_mail(", ".join([ADDRESS, *numbers[:20]]), cc=", ".join(numbers[10:])))
    assert org.related() == {last_in}


def test_at_most_fifty_tasks_come_from_one_mail(org: Organisation) -> None:
    """More records than fifty get no more Tasks."""
    for number in range(60):
        org.add("Contact", LastName=str(number), Email="kim@buyer.example")
    assert len(org.send(_mail()).tasks) == 50


def test_what_the_rep_did_not_choose_is_not_searched(org: Organisation) -> None:
    """Contacts, leads and opportunities are check boxes; opportunities go without contacts, too."""
    kim = org.add("Contact", LastName="Kim", Email="kim@buyer.example")
    org.add("Lead", LastName="Lee", Company="L", Email="kim@buyer.example")
    deal = org.deal(kim)
    org.choose(leads=False, contacts=False)
    org.send(_mail())
    assert org.related() == {deal}


@pytest.mark.parametrize(
    ("choices", "outcome", "tasks"),
    [
        ({}, Outcome.UNRESOLVED, 1),
        ({"unmatched": False}, Outcome.NOTHING, 0),
        ({"automatic": False}, Outcome.UNRESOLVED, 1),
        ({"unmatched": False, "excluded_domains": ("buyer.example",)}, Outcome.UNRESOLVED, 1),
    ],
)
def test_mail_without_a_match(
    org: Organisation, choices: dict[str, object], outcome: Outcome, tasks: int
) -> None:
    """It becomes an open Task in My Unresolved Items, or nothing, as the rep chose; excluded domains always that Task."""
    org.choose(**choices)
    assert org.send(_mail()).outcome is outcome
    found = org.records.live("Task")
    assert [task["IsClosed"] for task in found] == [False] * tasks
    assert org.sink.unresolved == [task["Id"] for task in found]


def test_an_excluded_domain_is_not_matched(org: Organisation) -> None:
    """A contact there gets no Task; the mail waits in My Unresolved Items."""
    org.add("Contact", LastName="Kim", Email="kim@buyer.example")
    org.choose(excluded_domains=("buyer.example",))
    assert org.send(_mail()).outcome is Outcome.UNRESOLVED
    assert org.related() == {None}


def test_a_reference_near_the_top_relates(org: Organisation) -> None:
    """Ids of 15 characters in (ref: …) relate records; those that are none, or beyond 5,000 characters, do not."""
    account, deal = (
        org.add("Account", Name="Buyer"),
        org.add("Opportunity", Name="D", StageName="Prospecting"),
    )
    gone = org.add("Account", Name="Gone")
    org.records.delete("Account", gone, user=_ADMIN)
    reference = f"(ref: {account[:15]}, nonsense, {deal[:15]},{gone[:15]}, 001000000000999)"
    org.send(_mail(body=f"Hello\n{reference}"))
    assert org.related() == {account, deal}
    assert org.send(_mail(body="x" * 5000 + reference)).outcome is Outcome.UNRESOLVED


@pytest.mark.parametrize(
    "quoted",
    [
        "---------- Forwarded message ----------\nFrom: Kim <kim@buyer.example>\nTo: ana@example.com\n\nHi",
        "> From: kim@buyer.example\n> To: Ana <ana@example.com>\n> Hi",
    ],
)
def test_a_mail_forwarded_to_the_address_alone_is_looked_into(org: Organisation, quoted: str) -> None:
    """Logging without sending: From, To and Cc of the forwarded mail are searched."""
    kim = org.add("Contact", LastName="Kim", Email="kim@buyer.example")
    org.send(_mail(ADDRESS, body=quoted))
    assert org.related() == {kim}


def test_a_mail_forwarded_as_an_attachment_is_looked_into(org: Organisation) -> None:
    """The same for one attached whole."""
    kim = org.add("Contact", LastName="Kim", Email="kim@buyer.example")
    inner = _mail("ana@example.com", sender="kim@buyer.example")
    org.send(
        f"From: {ANA}\r\nTo: {ADDRESS}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\n\r\nFor the record\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n".encode()
        + inner
        + b"\r\n--b--\r\n"
    )
    assert org.related() == {kim}


# -- who may send ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("checked", "header", "envelope", "taken"),
    [
        ("both", ANA, ANA, True),
        ("both", "ANA@Example.com", ANA, True),
        ("both", "bo@sales.example", "anybody@sales.example", True),
        ("both", "alias@example.com", ANA, False),
        ("both", ANA, "bounces@mailer.example", False),
        ("from", ANA, "bounces@mailer.example", True),
        ("from", "alias@example.com", ANA, False),
        ("envelope", "alias@example.com", ANA, True),
        ("envelope", ANA, "bounces@mailer.example", False),
    ],
)
def test_the_sender_must_be_acceptable(
    org: Organisation, checked: str, header: str, envelope: str, taken: bool
) -> None:
    """The list holds addresses and domains; whether From or the envelope is compared is a switch."""
    org.records.toggles.sender_checked = checked
    receipt = org.send(_mail(sender=header), envelope)
    assert (receipt.outcome is not Outcome.BOUNCED) is taken
    assert bool(org.records.live("Task")) is taken


def test_an_empty_list_takes_everyone(org: Organisation) -> None:
    """Without acceptable senders anybody may write into the records, which is why it must never be emptied."""
    org.records.change("EmailServicesAddress", org.address, {"AuthorizedSenders": ""}, user=_ADMIN)
    assert org.send(_mail(sender="x@evil.example"), "x@evil.example").outcome is Outcome.UNRESOLVED


def _switch_off_organisation(org: Organisation) -> None:
    org.records.toggles.e2s_active = False


def _switch_off_address(org: Organisation) -> None:
    org.records.change("EmailServicesAddress", org.address, {"IsActive": False}, user=_ADMIN)


def _switch_off_user(org: Organisation) -> None:
    org.records.change("User", org.user, {"IsActive": False}, user=_ADMIN)


def _require_authentication(org: Organisation) -> None:
    org.records.toggles.advanced_security = True
    org.sink.settings.authenticated = False


def _use_up_the_day(org: Organisation) -> None:
    org.sink.settings.messages_a_day = 0


@pytest.mark.parametrize(
    "spoil",
    [
        _switch_off_organisation,
        _switch_off_address,
        _switch_off_user,
        _require_authentication,
        _use_up_the_day,
    ],
)
def test_mail_is_refused_where_something_is_off(org: Organisation, spoil: type) -> None:
    """An inactive organisation, address or user, a server that is not authenticated, a day that is used up: no Task."""
    spoil(org)
    assert org.send(_mail()).outcome is Outcome.BOUNCED
    assert org.records.live("Task") == []
    (notice,) = org.sink.notices
    assert notice.to == ANA
    assert ADDRESS in notice.text


def test_an_authenticated_server_passes_advanced_security(org: Organisation) -> None:
    """Advanced security alone refuses nothing."""
    org.records.toggles.advanced_security = True
    assert org.send(_mail()).outcome is Outcome.UNRESOLVED


def test_refused_mail_can_be_discarded(org: Organisation) -> None:
    """Then nobody hears of it."""
    org.sink.settings.not_acceptable = Action.DISCARD
    assert org.send(_mail(sender="x@evil.example")).outcome is Outcome.DISCARDED
    assert org.sink.notices == []


def test_the_function_says_what_becomes_of_refused_mail(org: Organisation) -> None:
    """EmailServicesFunction's AuthorizationFailureAction wins over the default."""
    function = org.add(
        "EmailServicesFunction", FunctionName="E", AuthorizationFailureAction="Discard", IsActive=True
    )
    org.records.change("EmailServicesAddress", org.address, {"FunctionId": function}, user=_ADMIN)
    assert org.send(_mail(sender="x@evil.example")).outcome is Outcome.DISCARDED


def test_requeued_mail_is_tried_for_a_day(org: Organisation) -> None:
    """It is taken once the cause is gone, and bounces when that lasts for 24 hours."""
    org.records.toggles.e2s_active = False
    org.sink.settings.inactive = Action.REQUEUE
    assert org.send(_mail()).outcome is Outcome.REQUEUED
    assert org.send(_mail("two@buyer.example")).outcome is Outcome.REQUEUED
    org.records.toggles.e2s_active = True
    assert [one.outcome for one in org.sink.try_again()] == [Outcome.UNRESOLVED] * 2
    org.records.toggles.e2s_active = False
    org.send(_mail())
    org.records.clock.advance(timedelta(hours=23))
    assert [one.outcome for one in org.sink.try_again()] == [Outcome.REQUEUED]
    org.records.clock.advance(timedelta(hours=2))
    assert [one.outcome for one in org.sink.try_again()] == [Outcome.BOUNCED]
    assert org.sink.try_again() == []


def test_a_confirmation_is_mailed_when_the_rep_wants_it(org: Organisation) -> None:
    """Email me confirmation of association."""
    org.add("Contact", LastName="Kim", Email="kim@buyer.example")
    org.choose(confirm=True)
    org.send(_mail())
    assert [(one.to, one.subject) for one in org.sink.notices] == [(ANA, "Saved: Our öffer")]


def test_every_copy_makes_tasks_again(org: Organisation) -> None:
    """Nothing recognises the same mail: logging it twice shows it twice."""
    org.add("Contact", LastName="Kim", Email="kim@buyer.example")
    org.send(_mail())
    org.send(_mail())
    assert len(org.records.live("Task")) == 2


# -- the ways in -------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(org: Organisation) -> Iterator[Capture]:
    """The mail server of Email to Salesforce."""
    with mail_server(org.sink) as capture:
        yield capture


def _smtp(hop: Capture) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", hop.port, "laptop.example.com", timeout=30)


def test_its_mail_server_knows_its_own_addresses_only(org: Organisation, server: Capture) -> None:
    """Another address is refused at RCPT; one of its own gets the mail, dots and all."""
    org.add("Contact", LastName="Kim", Email="kim@buyer.example")
    with _smtp(server) as client:
        refused = client.sendmail(ANA, [ADDRESS.upper(), "kim@buyer.example"], _mail(body=".\r\n..two"))
    assert refused["kim@buyer.example"][0] == 550
    (receipt,) = org.sink.wait_for(1)
    assert receipt.outcome is Outcome.ASSOCIATED
    assert "Body:\n.\n..two" in str(org.records.live("Task")[0]["Description"])


def test_a_refusal_shows_in_the_dialogue_or_comes_later(org: Organisation, server: Capture) -> None:
    """550 behind the data, or 250 and a bounce by mail, as the settings say."""
    with _smtp(server) as client:
        with pytest.raises(smtplib.SMTPDataError, match="My Acceptable Email Addresses"):
            client.sendmail("x@evil.example", [ADDRESS], _mail())
        assert org.sink.notices == []
        org.sink.settings.bounce_in_reply = False
        client.sendmail("x@evil.example", [ADDRESS], _mail())
    assert [one.to for one in org.sink.notices] == ["x@evil.example"]
    assert [one.outcome for one in org.sink.wait_for(2)] == [Outcome.BOUNCED] * 2


def test_a_smarthost_hands_log_copies_over(org: Organisation) -> None:
    """A mail for a customer and the address is kept for the one and handed over for the other."""
    with Capture(handing_over(org.sink)) as hop, _smtp(hop) as client:
        client.sendmail(ANA, ["kim@buyer.example", ADDRESS], _mail())
        client.sendmail(ANA, ["kim@buyer.example"], _mail())
        assert [message.addresses for message in hop.wait_for(2)] == [
            ("kim@buyer.example", ADDRESS),
            ("kim@buyer.example",),
        ]
    assert len(org.sink.receipts) == 1


def test_it_can_be_steered_over_http() -> None:
    """The control API sets what becomes of refused mail, and lists what came; moving the clock tries requeued mail again."""
    with started() as salesforce, requests.Session() as session:
        session.verify, session.trust_env = str(salesforce.ca_file), False
        user = salesforce.add("User", LastName="Ana", Username=ANA, Email=ANA, Alias="ana")
        salesforce.add(
            "EmailServicesAddress",
            LocalPart="emailtosalesforce",
            EmailDomainName=_DOMAIN,
            AuthorizedSenders=ANA,
            IsActive=True,
            RunAsUserId=user,
        )
        control = f"{salesforce.url}/__control__"
        assert session.post(f"{control}/sink", json={"not_acceptable": "Requeue"}).status_code == 200
        assert session.post(f"{control}/sink", json={"not_acceptable": "Nonsense"}).status_code == 400
        salesforce.sink.take(ADDRESS, "x@evil.example", _mail())
        session.post(f"{control}/advance", json={"seconds": 25 * 3600})
        told = session.get(f"{control}/sink").json()
    assert [receipt["outcome"] for receipt in told] == ["requeued", "bounced"]
