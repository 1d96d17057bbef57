"""Make leads or contacts of recipients whom nobody in Salesforce is, where logging.match.nobody says so.

An address is made once, however many messages go to it: what was found a while ago is looked up anew before, and
duplicates that Salesforce's own rules find are taken as they are.
"""

from collections.abc import Sequence
from dataclasses import replace

from relay.salesforce.exchange import NewRecord, SalesforceError
from relay.salesforce.matching import with_made
from relay.salesforce.model import (
    Fault,
    FaultKind,
    Made,
    MatchedPerson,
    Person,
    PersonKind,
    ToldRecipient,
    Verdict,
    Written,
)
from relay.salesforce.new_person import new_person
from relay.salesforce.outcomes import outcome_of
from relay.salesforce.recipients import address_key
from relay.salesforce.record_rows import Told
from relay.salesforce.work import Tools, Work

_OBJECTS = {Verdict.CREATE_LEAD: PersonKind.LEAD, Verdict.CREATE_CONTACT: PersonKind.CONTACT}


async def make_newcomers(tools: Tools, works: Sequence[Work]) -> None:
    """Make those whom the matches ask for, and match the messages with them; a fault is the message's outcome."""
    by_identity: dict[str, list[Work]] = {}
    for one in works:
        by_identity.setdefault(one.identity, []).append(one)
    for identity, some in by_identity.items():
        try:
            await _make(tools, identity, some)
        except SalesforceError as exc:
            for one in some:
                _fail(one, exc.fault)


async def _make(tools: Tools, identity: str, works: Sequence[Work]) -> None:
    wanted = {address_key(each.address): (one, each) for one in works for each in _newcomers(one)}
    tools.lookup.forget([each.address for _, each in wanted.values()])
    found = await tools.lookup.people([each.address for _, each in wanted.values()])
    people: dict[str, Written | Person] = {key: some[0] for key, some in found.items() if some}
    missing = [key for key in wanted if key not in people]
    records = [_record(*wanted[key]) for key in missing]
    results = await tools.client.create(identity, records) if records else []
    people.update(zip(missing, results, strict=True))
    tools.lookup.forget([each.address for _, each in wanted.values()])
    for one in works:
        _take(one, people)


def _newcomers(one: Work) -> Sequence[ToldRecipient]:
    return one.match.newcomers if one.match is not None else ()


def _record(one: Work, recipient: ToldRecipient) -> NewRecord:
    assert one.match is not None
    assert one.facts is not None
    return new_person(recipient, _OBJECTS[one.match.decision], one.facts.rep)


def _take(one: Work, people: dict[str, Written | Person]) -> None:
    assert one.match is not None
    kind = _OBJECTS[one.match.decision]
    made: list[MatchedPerson] = []
    for each in one.match.newcomers:
        person = _person(people[address_key(each.address)], kind, each)
        if isinstance(person, Fault):
            _fail(one, person)
            return
        made.append(MatchedPerson(person, each))
    one.match = with_made(one.match, made)
    if one.told is not None:
        one.told = replace(one.told, why=one.match.why, unmatched=one.match.unmatched)


def _person(result: Written | Person, kind: PersonKind, recipient: ToldRecipient) -> Person | Fault:
    if isinstance(result, Person):
        return result
    if isinstance(result, Made):
        return Person(result.id, kind, recipient.address, recipient.name)
    if result.kind is FaultKind.DUPLICATE and result.record_ids:
        found = result.record_ids[0]
        return Person(found, PersonKind.CONTACT if found[:3] == "003" else PersonKind.LEAD, recipient.address)
    return result


def _fail(one: Work, fault: Fault) -> None:
    assert one.facts is not None
    one.outcome = outcome_of(fault, one.delivery.attempts)
    one.told = replace(one.told or Told(one.id, one.facts.message, one.facts.login), fault=fault)
