"""What is composed is taken by the simulated Salesforce, which refuses what the real one refuses."""

from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from relay.demo.salesforce.simulator import Simulator
from relay.salesforce.client import LOOK_UP, NewRecord, SalesforceClient
from relay.salesforce.composed import Attachment, Intended, Mailbox, MailParts
from relay.salesforce.lookup import Lookup
from relay.salesforce.model import Made, RecipientKind
from relay.salesforce.org import Organization
from relay.salesforce.planning import RecordPlan, plan_records
from tests.support.clock import FakeClock
from tests.support.recording import facts, sales_rep, settings, told
from tests.support.salesforce import rep, salesforce
from tests.support.salesforce_client import client_settings, salesforce_client

__all__ = ["salesforce"]
ANNA, LEE, NEW = "anna@customer.test", "lee@lead.test", "new@customer.test"


@pytest.fixture
async def client(salesforce: Simulator) -> AsyncIterator[SalesforceClient]:
    """Make a client of the simulated Salesforce."""
    given = client_settings(salesforce.url, salesforce.ca_file)
    auth = given.auth.model_copy(update={"client_id": salesforce.client_id})
    given = given.model_copy(update={"auth": auth})
    async with salesforce_client(given, secrets={"secret": salesforce.client_secret}) as one:
        yield one


@pytest.fixture
def people(salesforce: Simulator) -> dict[str, str]:
    """Seed a contact with an open opportunity, a lead and a rep; give their ids."""
    account = salesforce.add("Account", Name="Customer Ltd")
    contact = salesforce.add("Contact", LastName="Berg", FirstName="Anna", Email=ANNA, AccountId=account)
    deal = salesforce.add("Opportunity", Name="Deal", StageName="Prospecting", CloseDate="2027-01-01")
    salesforce.add("OpportunityContactRole", OpportunityId=deal, ContactId=contact)
    lead = salesforce.add("Lead", LastName="Lee", Company="X", Email=LEE)
    return {"account": account, "contact": contact, "deal": deal, "lead": lead, "rep": rep(salesforce)}


async def planned(client: SalesforceClient, user: str, *recipients: str, **logging: object) -> RecordPlan:
    """Plan the records of a mail with everything in it that a mail may have."""
    clock = FakeClock()
    given = settings(**logging)
    shape = await Organization(client, clock).shape()
    mail = MailParts(
        text="Hello 😀\n" * 30_000,
        html="<p>Hello</p>",
        attachments=(Attachment("naïve offer.pdf", "application/pdf", 4, b"%PDF"),),
        to=tuple(Mailbox("Somebody", one) for one in recipients[:2]),
        cc=tuple(Mailbox("", one) for one in recipients[2:]),
        sender=Mailbox("Ana Berg", "ana@example.com"),
        thread="<root@customer.test>",
    )
    known = facts(
        *(told(one, RecipientKind.BCC) for one in recipients),
        rep=sales_rep(user_id=user),
        subject="Offer 😀 " * 100,
    )
    lookup = Lookup(client, clock, given.match)
    return await plan_records(mail, known, lookup, shape, given, lambda _: False)


async def written(client: SalesforceClient, plan: RecordPlan) -> list[str]:
    """Write every record with what hangs on it, and give the ids of the records."""
    return [await _written(client, one) for one in plan.records]


async def _written(client: SalesforceClient, record: Intended) -> str:
    (made,) = await client.create(LOOK_UP, [NewRecord(record.object, record.fields)])
    assert isinstance(made, Made), made
    for one in record.follow_ups:
        fields = {**one.fields, one.parent_field: made.id}
        if one.attachment is None:
            (more,) = await client.create(LOOK_UP, [NewRecord(one.object, fields)])
        else:
            more = await client.upload(LOOK_UP, fields, str(fields["PathOnClient"]), b"%PDF")
        assert isinstance(more, Made), more
    return made.id


def only(rows: Sequence[Mapping[str, object]]) -> Mapping[str, object]:
    """Give the one row that there is."""
    (row,) = rows
    return row


async def test_an_email_message_on_contact_and_opportunity(
    salesforce: Simulator, client: SalesforceClient, people: dict[str, str]
) -> None:
    """Enhanced Email: one EmailMessage with its relations and its file, and the Task that Salesforce makes of it."""
    plan = await planned(client, people["rep"], ANNA, NEW, LEE, capture={"attachments": "files"})
    (id,) = await written(client, plan)
    row = only(salesforce.rows("EmailMessage"))
    assert (row["Id"], row["RelatedToId"], row["ToAddress"], row["CcAddress"]) == (
        id,
        people["deal"],
        NEW,
        LEE,
    )
    relations = {(one["RelationType"], one["RelationId"]) for one in salesforce.rows("EmailMessageRelation")}
    assert {
        ("ToAddress", people["contact"]),
        ("FromAddress", people["rep"]),
        ("OtherAddress", people["lead"]),
    } <= relations
    task = only(salesforce.rows("Task"))
    assert (task["WhoId"], task["WhatId"], task["TaskSubtype"]) == (
        people["contact"],
        people["deal"],
        "Email",
    )
    assert only(salesforce.rows("ContentVersion"))["Title"] == "naïve offer"


async def test_an_email_message_on_a_lead(
    salesforce: Simulator, client: SalesforceClient, people: dict[str, str]
) -> None:
    """A lead alone: nothing else is on the record, which Salesforce would refuse."""
    plan = await planned(client, people["rep"], LEE)
    await written(client, plan)
    assert only(salesforce.rows("Task"))["WhoId"] == people["lead"]
    assert only(salesforce.rows("EmailMessage")).get("RelatedToId") is None


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("key", [True, False])
async def test_tasks(
    salesforce: Simulator, client: SalesforceClient, people: dict[str, str], *, shared: bool, key: bool
) -> None:
    """Without Enhanced Email: a closed Task on each contact - or on all -, one on the lead, text cut to its field."""
    salesforce.toggles.enhanced_email = False
    salesforce.toggles.shared_activities = shared
    salesforce.toggles.relay_key_field = key
    second = salesforce.add("Contact", LastName="Two", Email=NEW)
    plan = await planned(client, people["rep"], ANNA, NEW, LEE, capture={"attachments": "files"})
    await written(client, plan)
    tasks = salesforce.rows("Task")
    assert len(tasks) == (2 if shared else 3)
    assert all(one["IsClosed"] and one["OwnerId"] == people["rep"] for one in tasks)
    first = tasks[0]
    assert (first["WhoId"], first["WhatId"], first["ActivityDate"]) == (
        people["contact"], people["deal"], "2026-11-22",
    )  # fmt: skip
    assert [one["WhoId"] for one in tasks[1:]] == ([people["lead"]] if shared else [second, people["lead"]])
    assert all(bool(one.get("Relay_Key__c")) is key for one in tasks)
    assert str(first["Description"]).endswith("[cut: the mail is longer]")


@pytest.mark.parametrize("enhanced", [True, False])
async def test_a_record_on_nobody(
    salesforce: Simulator, client: SalesforceClient, people: dict[str, str], *, enhanced: bool
) -> None:
    """nobody: unrelated writes a record without relations, with the addresses in it."""
    salesforce.toggles.enhanced_email = enhanced
    plan = await planned(client, people["rep"], NEW, match={"nobody": "unrelated"})
    await written(client, plan)
    assert only(salesforce.rows("Task")).get("WhoId") is None


@pytest.mark.parametrize("enhanced", [True, False])
async def test_all_open_opportunities(
    salesforce: Simulator, client: SalesforceClient, people: dict[str, str], *, enhanced: bool
) -> None:
    """all_open: each open opportunity has a record, and the contact one only."""
    salesforce.toggles.enhanced_email = enhanced
    other = salesforce.add("Opportunity", Name="Other", StageName="Prospecting", CloseDate="2027-01-01")
    salesforce.add("OpportunityContactRole", OpportunityId=other, ContactId=people["contact"])
    plan = await planned(client, people["rep"], ANNA, match={"opportunities": "all_open"})
    await written(client, plan)
    tasks = salesforce.rows("Task")
    assert {one["WhatId"] for one in tasks} == {people["deal"], other}
    assert [one["WhoId"] for one in tasks if one.get("WhoId")] == [people["contact"]]
