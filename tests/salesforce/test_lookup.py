"""Looking people and opportunities up in the simulated Salesforce: what is found, and what it costs."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from relay.config.recording import MatchSettings
from relay.demo.salesforce.faults import unavailable
from relay.demo.salesforce.simulator import Simulator
from relay.salesforce.client import SalesforceClient, SalesforceError
from relay.salesforce.lookup import FOUND_FOR, NOBODY_FOR, Lookup
from relay.salesforce.model import PersonKind
from tests.support.clock import FakeClock
from tests.support.recording import rules
from tests.support.salesforce import people, salesforce
from tests.support.salesforce_client import client_settings, salesforce_client

__all__ = ["salesforce"]
ANNA = "anna@customer.test"


@pytest.fixture
async def client(salesforce: Simulator) -> AsyncIterator[SalesforceClient]:
    """Make a client of the simulated Salesforce."""
    settings = client_settings(salesforce.url, salesforce.ca_file)
    secrets = {"secret": salesforce.client_secret}
    settings = settings.model_copy(
        update={"auth": settings.auth.model_copy(update={"client_id": salesforce.client_id})}
    )
    async with salesforce_client(settings, secrets=secrets) as one:
        yield one


def look_up(client: SalesforceClient, clock: FakeClock | None = None, **match: object) -> Lookup:
    """Give a look-up by these settings of logging.match."""
    return Lookup(client, clock or FakeClock(), rules(**match))


async def test_all_that_matching_needs_in_one_call(salesforce: Simulator, client: SalesforceClient) -> None:
    """Contacts, leads, users and the open opportunities of many addresses are one call; then none is needed."""
    account = salesforce.add("Account", Name="Customer Ltd")
    anna = salesforce.add("Contact", LastName="Berg", Email="Anna@Customer.test", AccountId=account)
    bo = salesforce.add("Lead", LastName="Lee", Company="X", Email="lee@lead.test")
    colleague = salesforce.add("User", Username="c@x", LastName="C", Alias="c", Email="bo@example.com")
    deal = salesforce.add("Opportunity", Name="Deal", StageName="Prospecting", CloseDate="2027-01-01")
    won = salesforce.add("Opportunity", Name="Won", StageName="Closed Won", CloseDate="2026-01-01")
    for one in (deal, won):
        salesforce.add("OpportunityContactRole", OpportunityId=one, ContactId=anna)
    lookup = look_up(client)
    found = await lookup.people([ANNA, "lee@lead.test", "bo@example.com", "nobody@x.test"])
    roles = await lookup.opportunities([anna])
    assert {key: [one.id for one in group] for key, group in found.items()} == {
        ANNA: [anna],
        "lee@lead.test": [bo],
        "bo@example.com": [colleague],
        "nobody@x.test": [],
    }
    assert found[ANNA][0].account_id == account
    assert [one.id for one in roles[anna]] == [deal]
    assert len(salesforce.calls) == 1
    await lookup.people([ANNA.upper(), "nobody@x.test"])
    assert len(salesforce.calls) == 1


async def test_what_was_found_grows_old(salesforce: Simulator, client: SalesforceClient) -> None:
    """Nobody is remembered for two minutes, somebody for ten; forget() is at once."""
    people(salesforce, 1)
    clock = FakeClock()
    lookup = look_up(client, clock)
    known, unknown = "person1@buyer.example", "late@buyer.example"
    await lookup.people([known, unknown])
    late = salesforce.add("Contact", LastName="Late", Email=unknown)
    clock.advance(NOBODY_FOR + 1)
    assert [one.id for one in (await lookup.people([unknown]))[unknown]] == [late]
    salesforce.clear_calls()
    await lookup.people([known])
    assert not salesforce.calls
    clock.advance(FOUND_FOR)
    await lookup.people([known])
    assert len(salesforce.calls) == 1
    lookup.forget([known])
    await lookup.people([known])
    assert len(salesforce.calls) == 2


async def test_one_address_is_asked_for_once(salesforce: Simulator, client: SalesforceClient) -> None:
    """Several who ask for the same address at once share one call."""
    people(salesforce, 1)
    lookup = look_up(client)
    answers = await asyncio.gather(*(lookup.people(["person1@buyer.example"]) for _ in range(20)))
    assert all(len(one["person1@buyer.example"]) == 1 for one in answers)
    assert len(salesforce.calls) == 1


async def test_one_who_stops_waiting_does_not_spoil_it(
    salesforce: Simulator, client: SalesforceClient
) -> None:
    """Somebody who asked first and is cancelled takes nothing from who asked second."""
    people(salesforce, 1)
    lookup = look_up(client)
    first = asyncio.create_task(lookup.people(["person1@buyer.example"]))
    await asyncio.sleep(0)
    second = asyncio.create_task(lookup.people(["person1@buyer.example"]))
    await asyncio.sleep(0)
    first.cancel()
    assert len((await second)["person1@buyer.example"]) == 1


async def test_five_hundred_addresses(salesforce: Simulator, client: SalesforceClient) -> None:
    """As many addresses as the figures are counted with take a few calls, and every one is found."""
    ids = people(salesforce, 500)
    lookup = look_up(client)
    found = await lookup.people([f"person{number}@buyer.example" for number in range(1, 501)])
    assert [one.id for group in found.values() for one in group] == ids
    assert len(salesforce.calls) <= 3


async def test_the_longest_addresses(salesforce: Simulator, client: SalesforceClient) -> None:
    """Addresses of 80 characters with signs that are encoded fit; longer ones are nobody's and not asked for."""
    addresses = [f"{'o' * 40}'+{number:03d}@{'x' * 30}.test" for number in range(120)]
    addresses = [one[-80:] for one in addresses]
    for one in addresses:
        salesforce.add("Contact", LastName="Long", Email=one)
    lookup = look_up(client)
    too_long = "a" * 60 + "@" + "b" * 30 + ".test"
    found = await lookup.people([*addresses, too_long])
    assert all(len(found[one]) == 1 for one in addresses)
    assert found[too_long] == ()


async def test_a_converted_lead_is_the_contact_that_it_became(
    salesforce: Simulator, client: SalesforceClient
) -> None:
    """Mail to the address that only the converted lead had goes on its contact, with that contact's opportunities."""
    contact = salesforce.add("Contact", LastName="Berg", Email="other@customer.test")
    salesforce.add(
        "Lead", LastName="B", Company="X", Email=ANNA, IsConverted=True, ConvertedContactId=contact
    )
    deal = salesforce.add("Opportunity", Name="Deal", StageName="Prospecting", CloseDate="2027-01-01")
    salesforce.add("OpportunityContactRole", OpportunityId=deal, ContactId=contact)
    lookup = look_up(client)
    found = (await lookup.people([ANNA]))[ANNA]
    assert [(one.id, one.kind) for one in found] == [(contact, PersonKind.CONTACT)]
    assert [one.id for one in (await lookup.opportunities([contact]))[contact]] == [deal]


async def test_the_contact_itself_comes_before_a_converted_lead(
    salesforce: Simulator, client: SalesforceClient
) -> None:
    """Both have the address: nothing has to be followed, and it stays one call."""
    contact = salesforce.add("Contact", LastName="Berg", Email=ANNA)
    salesforce.add(
        "Lead", LastName="B", Company="X", Email=ANNA, IsConverted=True, ConvertedContactId=contact
    )
    lookup = look_up(client)
    assert [one.id for one in (await lookup.people([ANNA]))[ANNA]] == [contact]
    assert len(salesforce.calls) == 1


async def test_activities_are_counted_only_where_it_matters(
    salesforce: Simulator, client: SalesforceClient
) -> None:
    """most_activity asks for numbers when two have one address, and not otherwise."""
    first, second = (salesforce.add("Contact", LastName=name, Email=ANNA) for name in ("A", "B"))
    people(salesforce, 1)
    for _ in range(2):
        salesforce.add("Task", Subject="x", Status="Completed", WhoId=second)
    lookup = look_up(client, several="most_activity")
    found = (await lookup.people([ANNA]))[ANNA]
    assert {one.id: one.activities for one in found} == {first: 0, second: 2}
    salesforce.clear_calls()
    await lookup.people(["person1@buyer.example"])
    assert len(salesforce.calls) == 1


async def test_records_by_id(salesforce: Simulator, client: SalesforceClient) -> None:
    """rec+ID@: people, what they are about, ids of 15 characters, and what is not there."""
    contact = salesforce.add("Contact", LastName="Berg", Email=ANNA)
    lead = salesforce.add(
        "Lead", LastName="B", Company="X", Email="x@y.test", IsConverted=True, ConvertedContactId=contact
    )
    deal = salesforce.add("Opportunity", Name="Deal", StageName="Prospecting", CloseDate="2027-01-01")
    lookup = look_up(client)
    named = await lookup.by_ids([lead, deal[:15], "003000000000404AAA"])
    assert [one.id for one in named.people] == [contact]
    assert named.related_to == deal[:15]
    assert named.missing == ("003000000000404AAA",)


async def test_salesforce_that_does_not_answer(salesforce: Simulator, client: SalesforceClient) -> None:
    """A fault is told to everybody who waits, and nothing is remembered of it."""
    people(salesforce, 1)
    salesforce.inject(unavailable(path="composite"))
    lookup = look_up(client)
    with pytest.raises(SalesforceError):
        await lookup.people(["person1@buyer.example"])
    assert len((await lookup.people(["person1@buyer.example"]))["person1@buyer.example"]) == 1


async def test_columns_that_are_hidden_are_done_without(
    salesforce: Simulator, client: SalesforceClient
) -> None:
    """Field-level security hides what only a preference needs: it is left out, once and for all."""
    salesforce.toggles.hidden_fields = frozenset({"Contact.LastActivityDate", "Lead.LastActivityDate"})
    people(salesforce, 2)
    lookup = look_up(client)
    assert (await lookup.people(["person1@buyer.example"]))["person1@buyer.example"]
    salesforce.clear_calls()
    assert (await lookup.people(["person2@buyer.example"]))["person2@buyer.example"]
    assert len(salesforce.calls) == 1


async def test_a_field_that_nothing_goes_without(salesforce: Simulator, client: SalesforceClient) -> None:
    """When the address itself is hidden nobody can be found, and the fault says so."""
    salesforce.toggles.hidden_fields = frozenset({"Contact.Email"})
    with pytest.raises(SalesforceError) as caught:
        await look_up(client).people([ANNA])
    assert caught.value.fault.code == "INVALID_FIELD"


def test_the_settings_are_those_of_the_documentation() -> None:
    """What the tests turn are the defaults of the settings otherwise."""
    assert rules() == MatchSettings()


@pytest.mark.parametrize("kept", ["jörg@bücher.example", "jörg@xn--bcher-kva.example"])
async def test_an_internationalised_domain_is_found_in_either_form(
    salesforce: Simulator, client: SalesforceClient, kept: str
) -> None:
    """However Salesforce holds it and however it was written to, it is the same person."""
    jorg = salesforce.add("Contact", LastName="Jörg", Email=kept)
    for written in ("jörg@bücher.example", "jörg@xn--bcher-kva.example"):
        found = await look_up(client).people([written])
        assert [one.id for group in found.values() for one in group] == [jorg], (kept, written)
