"""Properties of matching and composing: nothing is lost, nothing is invented, and order changes nothing."""

from hypothesis import given
from hypothesis import strategies as st

from relay.config.recording import MatchSettings
from relay.salesforce.activity import compose
from relay.salesforce.composed import MailParts
from relay.salesforce.lengths import LENGTHS, units
from relay.salesforce.matching import match
from relay.salesforce.model import Person, PersonKind, ToldRecipient, Verdict
from relay.salesforce.subject import SubjectValues, subject_of
from tests.support.recording import (
    REP_USER,
    contact,
    facts,
    lead,
    opportunity,
    org,
    rules,
    settings,
    told,
    user,
)

ADDRESSES = ["a@x.test", "b@x.test", "c@x.test"]
_make = st.sampled_from([contact, lead, user])


@st.composite
def _person(draw: st.DrawFn) -> Person:
    return draw(_make)(
        draw(st.integers(1, 6)),
        draw(st.sampled_from(ADDRESSES)),
        created_at=draw(st.integers(0, 2)),
        last_activity=draw(st.sampled_from([None, "2026-01-01", "2026-02-01"])),
        activities=draw(st.sampled_from([None, 0, 3])),
        owner_id=draw(st.sampled_from([None, REP_USER, "005000000000009AAA"])),
    )


_people = st.lists(_person(), max_size=8, unique_by=lambda one: one.id)
_recipients = st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=3, unique=True).map(
    lambda some: [told(one) for one in some]
)
_rules = st.builds(
    rules,
    objects=st.sampled_from([["contact", "lead"], ["lead", "contact"], ["contact"], ["lead"]]),
    several=st.sampled_from(
        ["most_recent_activity", "most_activity", "oldest", "newest", "mine_first", "all"]
    ),
    nobody=st.sampled_from(["hold", "unrelated", "create_lead", "create_contact", "skip"]),
    opportunities=st.sampled_from(["off", "latest_open", "all_open", "only_if_one"]),
)


def found_by(people: list[Person]) -> dict[str, list[Person]]:
    """Give people by their addresses."""
    return {address: [one for one in people if one.email == address] for address in ADDRESSES}


@given(_recipients, _people, _rules, st.randoms(use_true_random=False))
def test_the_order_of_answers_changes_nothing(
    recipients: list[ToldRecipient], people: list[Person], given_rules: MatchSettings, chance: object
) -> None:
    """The same records in another order give the same match, word for word."""
    shuffled = list(people)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # random.Random
    roles = {one.id: [opportunity(number, one.id) for number in (1, 2)] for one in people}
    first = match(recipients, found_by(people), roles, given_rules, REP_USER)
    assert first == match(recipients, found_by(shuffled), roles, given_rules, REP_USER)


@given(_recipients, _people, _rules)
def test_every_recipient_is_matched_or_unmatched(
    recipients: list[ToldRecipient], people: list[Person], given_rules: MatchSettings
) -> None:
    """Nobody is lost, nobody is both, nobody comes from nowhere, and every recipient has a reason."""
    made = match(recipients, found_by(people), {}, given_rules, REP_USER)
    by_person = {one.recipient.address for one in made.people}
    assert by_person | set(made.unmatched) == {one.address for one in recipients}
    assert not by_person & set(made.unmatched)
    assert {one.person.id for one in made.people} <= {one.id for one in people}
    assert all(one.address in made.why for one in recipients)


@given(_recipients, _people, _rules)
def test_a_record_has_a_customer(
    recipients: list[ToldRecipient], people: list[Person], given_rules: MatchSettings
) -> None:
    """Recording needs a contact or a lead; colleagues alone are no reason."""
    made = match(recipients, found_by(people), {}, given_rules, REP_USER)
    outside = [one for one in made.people if one.person.kind is not PersonKind.USER]
    assert (made.decision is Verdict.RECORD) == bool(outside)


@given(
    _recipients,
    _people,
    _rules,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.text(max_size=300),
    st.text(max_size=40),
)
def test_what_is_composed_keeps_to_the_rules(
    recipients: list[ToldRecipient],
    people: list[Person],
    given_rules: MatchSettings,
    enhanced: bool,
    shared: bool,
    key: bool,
    text: str,
    subject: str,
) -> None:
    """No lead stands beside something, no text is too long, no key is there twice, everybody matched is related."""
    roles = {one.id: [opportunity(number, one.id) for number in (1, 2)] for one in people}
    made = match(recipients, found_by(people), roles, given_rules, REP_USER)
    shape = org(email_message="described" if enhanced else None, shared=shared, key=key)
    records = compose(
        MailParts(text=text * 200), facts(*recipients, subject=subject), made, shape, settings()
    )
    assert len({one.key for one in records}) == len(records)
    for one in records:
        who = one.fields.get("WhoId") or (one.fields.get("ToIds") or [""])[0]  # type: ignore[index]
        about = one.fields.get("WhatId") or one.fields.get("RelatedToId")
        assert not (str(who).startswith("00Q") and about)
        lengths = LENGTHS[one.object]
        assert all(
            units(str(value)) <= lengths[name] for name, value in one.fields.items() if name in lengths
        )
    if records:
        outside = {one.person.id for one in made.people if one.person.kind is not PersonKind.USER}
        assert outside <= {one for record in records for one in record.related}


@given(st.text(max_size=60), st.text(max_size=300), st.integers(1, 300))
def test_subjects_are_one_line_within_their_length(template: str, subject: str, limit: int) -> None:
    """Whatever the template and the mail say."""
    made = subject_of(template + "{subject}{{activity_subject}}", SubjectValues(subject), limit)
    assert units(made) <= limit
    assert made == made.strip()
    assert not set(made) & set("\r\n\x00")
