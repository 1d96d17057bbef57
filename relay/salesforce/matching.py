"""Who the recipients of a message are in Salesforce, and what its record is to stand on.

Pure. Users are colleagues: they stand on the record, but are never the reason to make one. A record cannot stand on
leads and on an account or opportunity at once (Object Reference, Task: WhatId must be empty when WhoId is a lead), so
opportunities and accounts come from contacts alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from relay.config.recording import MatchSettings
from relay.queue.model import State
from relay.salesforce.model import (
    Match,
    MatchedPerson,
    Opportunity,
    Person,
    PersonKind,
    RecipientKind,
    ToldRecipient,
    Verdict,
)
from relay.salesforce.opportunity_choice import choose_opportunities
from relay.salesforce.person_choice import choose
from relay.salesforce.recipients import address_key
from relay.salesforce.soql import MAXIMUM_EMAIL

MAXIMUM_NEWCOMERS = 10
"""How many leads or contacts one message may make."""
_VERDICTS = {
    "hold": Verdict.HOLD,
    "unrelated": Verdict.UNRELATED,
    "create_lead": Verdict.CREATE_LEAD,
    "create_contact": Verdict.CREATE_CONTACT,
    "skip": Verdict.SKIP,
}
_NOBODY = {
    Verdict.HOLD: "nobody has any of the addresses: held, and matched again later",
    Verdict.UNRELATED: "nobody has any of the addresses: recorded without relations",
    Verdict.CREATE_LEAD: "nobody has any of the addresses: leads are made",
    Verdict.CREATE_CONTACT: "nobody has any of the addresses: contacts are made",
    Verdict.SKIP: "nobody has any of the addresses",
}
COLLEAGUES = "all recipients are users of Salesforce: internal mail"


@dataclass(frozen=True, slots=True)
class Explicit:
    """The records that the sender named (rec+ID@), as they were found."""

    people: tuple[Person, ...] = ()
    related_to: str | None = None
    """An account, an opportunity, or another record that activities may be about."""
    missing: tuple[str, ...] = ()
    """Ids of nothing that can be seen."""


NOTHING_NAMED = Explicit()


def to_look_up(
    recipients: Sequence[ToldRecipient],
    rules: MatchSettings,
    *,
    bcc: bool,
    left_out: Callable[[str], bool] = lambda _: False,
) -> tuple[ToldRecipient, ...]:
    """Give the recipients that are looked up: who really got the mail, without doubles, as many as are allowed.

    Blind copies count only with `bcc` (logging.capture.bcc_recipients). `left_out` says of an address (in its
    `address_key`) that it is excluded or internal: a mail to a customer is not recorded on the colleague in Cc.
    """
    distinct: dict[str, ToldRecipient] = {}
    for one in recipients:
        if one.state is State.SENT and (bcc or one.kind is not RecipientKind.BCC):
            key = address_key(one.address)
            if not left_out(key):
                distinct.setdefault(key, one)
    return tuple(distinct.values())[: rules.maximum_recipients]


def match(
    recipients: Sequence[ToldRecipient],
    found: Mapping[str, Sequence[Person]],
    opportunities: Mapping[str, Sequence[Opportunity]],
    rules: MatchSettings,
    rep_user_id: str | None,
    named: Explicit = NOTHING_NAMED,
) -> Match:
    """Match the recipients (as `to_look_up` gives them) by the records that were found for their addresses.

    `found` is by `address_key`, `opportunities` (open ones) by the id of the contact.
    """
    seen = [_identified(one, found, rules, rep_user_id) for one in recipients]
    people = tuple(_distinct([*_explicit(named, recipients), *(one for each in seen for one in each.people)]))
    outside = tuple(each.recipient for each in seen if not each.people)
    why = [f"{each.recipient.address}: {each.why}" for each in seen]
    why += [f"{one} was named, but there is no such record" for one in named.missing]
    if all(one.person.kind is PersonKind.USER for one in people) and named.related_to is None:
        return _without_people(people, outside, rules, why)
    contacts = [one.person for one in people if one.person.kind is PersonKind.CONTACT]
    chosen = choose_opportunities([one.id for one in contacts], opportunities, rules)
    return Match(
        decision=Verdict.RECORD,
        people=people,
        opportunity_ids=chosen.ids,
        account_id=next((one.account_id for one in contacts if one.account_id), None),
        unmatched=tuple(one.address for one in outside),
        related_to=named.related_to,
        why="\n".join([*_named_words(named), *why, *([chosen.why] if chosen.why else [])]),
    )


@dataclass(frozen=True, slots=True)
class _Identified:
    recipient: ToldRecipient
    people: tuple[MatchedPerson, ...]
    why: str


def _identified(
    recipient: ToldRecipient,
    found: Mapping[str, Sequence[Person]],
    rules: MatchSettings,
    rep_user_id: str | None,
) -> _Identified:
    """Find who one recipient is; somebody who is both a contact and a user is the contact."""
    candidates = found.get(address_key(recipient.address), ())
    choice = choose(candidates, rules, rep_user_id)
    if choice.people:
        return _Identified(recipient, _as_matched(choice.people, recipient), choice.why)
    users = sorted((one for one in candidates if one.kind is PersonKind.USER), key=lambda one: one.id)
    if users:
        return _Identified(recipient, _as_matched(users[:1], recipient), f"user {users[0].id}: a colleague")
    return _Identified(recipient, (), choice.why)


def _as_matched(people: Sequence[Person], recipient: ToldRecipient) -> tuple[MatchedPerson, ...]:
    return tuple(MatchedPerson(one, recipient) for one in people)


def _explicit(named: Explicit, recipients: Sequence[ToldRecipient]) -> list[MatchedPerson]:
    """Give the people that the sender named, each with the recipient who has the address, else with the first."""
    if not recipients:
        return []
    by_address = {address_key(one.address): one for one in recipients}
    return [MatchedPerson(one, by_address.get(address_key(one.email), recipients[0])) for one in named.people]


def _named_words(named: Explicit) -> list[str]:
    words = [f"{one.kind.lower()} {one.id}: named by the sender" for one in named.people]
    return [*words, *([f"{named.related_to}: named by the sender"] if named.related_to else [])]


def _distinct(people: Sequence[MatchedPerson]) -> list[MatchedPerson]:
    distinct: dict[str, MatchedPerson] = {}
    for one in people:
        distinct.setdefault(one.person.id, one)
    return list(distinct.values())


def _without_people(
    people: tuple[MatchedPerson, ...],
    outside: tuple[ToldRecipient, ...],
    rules: MatchSettings,
    why: Sequence[str],
) -> Match:
    """Decide about mail that is on no contact and on no lead."""
    addresses = tuple(one.address for one in outside)
    if people and not outside:
        return Match(Verdict.SKIP, people, why="\n".join([COLLEAGUES, *why]))
    decision = _VERDICTS[rules.nobody]
    created = decision in (Verdict.CREATE_LEAD, Verdict.CREATE_CONTACT)
    newcomers = _newcomers(outside) if created else ()
    if created and not newcomers:
        decision = Verdict.HOLD
    return Match(
        decision,
        people,
        unmatched=addresses,
        newcomers=newcomers,
        why="\n".join([_NOBODY[decision], *why]),
    )


def _newcomers(outside: tuple[ToldRecipient, ...]) -> tuple[ToldRecipient, ...]:
    """Give who is to be made: those in To; the first one when nobody of them is. Nobody whose address fits no field."""
    fitting = tuple(one for one in outside if len(one.address) <= MAXIMUM_EMAIL)
    written_to = tuple(one for one in fitting if one.kind is RecipientKind.TO)
    return (written_to or fitting[:1])[:MAXIMUM_NEWCOMERS]


def with_made(before: Match, made: Sequence[MatchedPerson]) -> Match:
    """Give the match once its newcomers were made: it is recorded on them."""
    addresses = {address_key(one.recipient.address) for one in made}
    words = [f"{one.recipient.address}: {one.person.kind.lower()} {one.person.id}, made" for one in made]
    return replace(
        before,
        decision=Verdict.RECORD if made else before.decision,
        people=tuple(_distinct([*made, *before.people])),
        unmatched=tuple(one for one in before.unmatched if address_key(one) not in addresses),
        newcomers=(),
        account_id=next((one.person.account_id for one in made if one.person.account_id), None),
        why="\n".join([before.why, *words]),
    )
