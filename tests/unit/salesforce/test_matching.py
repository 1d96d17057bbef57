"""Who the recipients are in Salesforce, by every setting of logging.match."""

import pytest

from relay.queue.model import State
from relay.salesforce.matching import MAXIMUM_NEWCOMERS, Explicit, match, to_look_up, with_made
from relay.salesforce.model import MatchedPerson, RecipientKind, Verdict
from tests.support.recording import REP_USER, contact, lead, opportunity, rules, told, user

ANNA = "anna@customer.test"


def test_a_contact_is_matched_by_its_address() -> None:
    """One contact has the address: the mail is recorded on it, and the match says by what."""
    found = match([told()], {ANNA: [contact()]}, {}, rules(), REP_USER)
    assert found.decision is Verdict.RECORD
    assert [one.person.id for one in found.people] == [contact().id]
    assert found.why == f"{ANNA}: contact {contact().id}, by Email"


def test_contacts_come_before_leads() -> None:
    """A contact and two leads have the address: the contact is it, and the match says what was left out and why."""
    found = match([told()], {ANNA: [lead(1), lead(2), contact()]}, {}, rules(), REP_USER)
    assert [one.person.id for one in found.people] == [contact().id]
    assert "2 leads with the same address left out: contacts come first" in found.why


def test_leads_come_first_when_the_order_says_so() -> None:
    """objects: [lead, contact] prefers the lead."""
    found = match([told()], {ANNA: [contact(), lead()]}, {}, rules(objects=["lead", "contact"]), REP_USER)
    assert [one.person.id for one in found.people] == [lead().id]


def test_what_is_not_searched_is_not_matched() -> None:
    """objects: [contact] leaves a lead unknown."""
    found = match([told()], {ANNA: [lead()]}, {}, rules(objects=["contact"]), REP_USER)
    assert found.decision is Verdict.HOLD
    assert found.unmatched == (ANNA,)


@pytest.mark.parametrize(
    ("several", "expected"),
    [
        ("most_recent_activity", [3]),
        ("most_activity", [2]),
        ("oldest", [1]),
        ("newest", [4]),
        ("mine_first", [4]),
        ("all", [1, 2, 3, 4]),
    ],
)
def test_several_with_one_address(several: str, expected: list[int]) -> None:
    """Each way of choosing takes the one that it names."""
    people = [
        contact(4, created_at=40, last_activity="2026-01-01", activities=1, owner_id=REP_USER),
        contact(2, created_at=20, last_activity="2026-02-01", activities=9),
        contact(3, created_at=30, last_activity="2026-11-01", activities=3),
        contact(1, created_at=10),
    ]
    found = match([told()], {ANNA: people}, {}, rules(several=several), REP_USER)
    assert [one.person.id for one in found.people] == [contact(number).id for number in expected]


def test_ties_are_always_decided_alike() -> None:
    """Records that are equal in all that counts: the one with the smallest id, whatever their order."""
    for several in ("most_recent_activity", "most_activity", "oldest", "newest", "mine_first"):
        for people in ([contact(1), contact(2)], [contact(2), contact(1)]):
            found = match([told()], {ANNA: people}, {}, rules(several=several), None)
            assert [one.person.id for one in found.people] == [contact(1).id]


@pytest.mark.parametrize(
    ("nobody", "verdict", "newcomers"),
    [
        ("hold", Verdict.HOLD, 0),
        ("unrelated", Verdict.UNRELATED, 0),
        ("skip", Verdict.SKIP, 0),
        ("create_lead", Verdict.CREATE_LEAD, 1),
        ("create_contact", Verdict.CREATE_CONTACT, 1),
    ],
)
def test_nobody_has_any_address(nobody: str, verdict: Verdict, newcomers: int) -> None:
    """Each way of dealing with unknown recipients; only those in To are made, when there are any."""
    recipients = [told(), told("cc@customer.test", RecipientKind.CC)]
    found = match(recipients, {}, {}, rules(nobody=nobody), REP_USER)
    assert found.decision is verdict
    assert len(found.newcomers) == newcomers
    assert found.unmatched == (ANNA, "cc@customer.test")
    assert found.why.startswith("nobody has any of the addresses")


def test_only_so_many_people_are_made() -> None:
    """A mail to a crowd does not fill Salesforce."""
    crowd = [told(f"p{number}@customer.test") for number in range(30)]
    found = match(crowd, {}, {}, rules(nobody="create_lead"), REP_USER)
    assert len(found.newcomers) == MAXIMUM_NEWCOMERS


def test_an_address_that_fits_no_field_makes_nobody() -> None:
    """Email of contacts and leads takes 80 characters: the mail is held instead."""
    found = match([told("a" * 70 + "@customer.test")], {}, {}, rules(nobody="create_lead"), REP_USER)
    assert (found.decision, found.newcomers) == (Verdict.HOLD, ())


def test_a_recipient_whom_nobody_knows_beside_one_who_is_known() -> None:
    """The mail is recorded on whom it can be, and the other stays an address."""
    found = match([told(), told("x@y.test")], {ANNA: [contact()]}, {}, rules(nobody="create_lead"), REP_USER)
    assert found.decision is Verdict.RECORD
    assert found.unmatched == ("x@y.test",)
    assert found.newcomers == ()


def test_a_mail_to_colleagues_alone_is_not_recorded() -> None:
    """Users are internal people: never the only reason to record."""
    found = match([told("bo@example.com")], {"bo@example.com": [user()]}, {}, rules(), REP_USER)
    assert found.decision is Verdict.SKIP
    assert "internal mail" in found.why


def test_a_colleague_beside_a_customer_stands_on_the_record() -> None:
    """A user is recognised, and the customer is the reason."""
    recipients = [told(), told("bo@example.com", RecipientKind.CC)]
    found = match(recipients, {ANNA: [contact()], "bo@example.com": [user()]}, {}, rules(), REP_USER)
    assert found.decision is Verdict.RECORD
    assert [one.person.id for one in found.people] == [contact().id, user().id]


def test_a_colleague_beside_a_stranger_decides_nothing() -> None:
    """Nobody who counts has an address: what logging.match.nobody says is done."""
    recipients = [told("x@y.test"), told("bo@example.com")]
    found = match(recipients, {"bo@example.com": [user()]}, {}, rules(), REP_USER)
    assert found.decision is Verdict.HOLD


@pytest.mark.parametrize(
    ("which", "expected"),
    [("off", []), ("latest_open", [2]), ("all_open", [2, 3, 1]), ("only_if_one", [])],
)
def test_opportunities(which: str, expected: list[int]) -> None:
    """Each way of choosing among three open opportunities; the last changed one is preferred."""
    roles = {contact().id: [opportunity(n, modified_at=m) for n, m in ((1, 10), (2, 30), (3, 20))]}
    found = match([told()], {ANNA: [contact()]}, roles, rules(opportunities=which), REP_USER)
    assert list(found.opportunity_ids) == [opportunity(number).id for number in expected]


def test_the_only_opportunity() -> None:
    """only_if_one takes the one there is."""
    roles = {contact().id: [opportunity()]}
    found = match([told()], {ANNA: [contact()]}, roles, rules(opportunities="only_if_one"), REP_USER)
    assert found.opportunity_ids == (opportunity().id,)
    assert "the only open one" in found.why


def test_opportunities_and_accounts_come_from_contacts_alone() -> None:
    """A lead has no account, and what an unmatched contact works on does not matter."""
    roles = {contact(9).id: [opportunity()]}
    found = match([told()], {ANNA: [lead(account_id="001000000000001AAA")]}, roles, rules(), REP_USER)
    assert (found.opportunity_ids, found.account_id) == ((), None)


def test_the_account_follows_the_contact() -> None:
    """The account of the first contact that has one is the match's."""
    people = {ANNA: [contact(1)], "b@customer.test": [contact(2, account_id="001000000000002AAA")]}
    found = match([told(), told("b@customer.test")], people, {}, rules(), REP_USER)
    assert found.account_id == "001000000000002AAA"


def test_addresses_are_compared_without_case() -> None:
    """Anna@Customer.test and anna@customer.test are one."""
    found = match([told("Anna@Customer.TEST")], {ANNA: [contact()]}, {}, rules(), REP_USER)
    assert found.decision is Verdict.RECORD


def test_who_is_looked_up() -> None:
    """Who did not get the mail, blind copies, doubles, left-out addresses and those beyond the limit are not."""
    recipients = [
        told("a@x.test"),
        told("A@X.test", RecipientKind.CC),
        told("b@x.test", state=State.BOUNCED),
        told("c@x.test", RecipientKind.BCC),
        told("d@x.test"),
        told("e@x.test"),
        told("f@x.test"),
    ]
    found = to_look_up(
        recipients, rules(maximum_recipients=2), bcc=False, left_out=lambda one: one == "d@x.test"
    )
    assert [one.address for one in found] == ["a@x.test", "e@x.test"]
    assert "c@x.test" in [one.address for one in to_look_up(recipients, rules(), bcc=True)]


def test_records_that_the_sender_named_come_first() -> None:
    """rec+ID@ of a contact and of an opportunity: both are on the match, before what was found, and it says so."""
    named = Explicit((contact(7, "other@customer.test"),), opportunity(5).id, ("003000000000404AAA",))
    found = match([told()], {ANNA: [contact()]}, {}, rules(), REP_USER, named)
    assert [one.person.id for one in found.people] == [contact(7).id, contact().id]
    assert found.related_to == opportunity(5).id
    assert "003000000000404AAA was named, but there is no such record" in found.why


def test_a_named_record_is_reason_enough() -> None:
    """Nobody has the address, but the sender said what the mail is about: it is recorded there."""
    found = match([told()], {}, {}, rules(), REP_USER, Explicit((), opportunity().id))
    assert found.decision is Verdict.RECORD


def test_newcomers_are_recorded_on_once_made() -> None:
    """After the lead was made the match is as if it had been there."""
    before = match([told()], {}, {}, rules(nobody="create_lead"), REP_USER)
    after = with_made(before, [MatchedPerson(lead(), told())])
    assert (after.decision, after.unmatched, after.newcomers) == (Verdict.RECORD, (), ())
    assert f"lead {lead().id}, made" in after.why


def test_newcomers_who_could_not_be_made() -> None:
    """None could be made: the match stays as it was, and nothing is recorded on nobody."""
    before = match([told()], {}, {}, rules(nobody="create_lead"), REP_USER)
    assert with_made(before, []).decision is Verdict.CREATE_LEAD
