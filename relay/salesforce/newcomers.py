"""Make leads or contacts of recipients whom nobody in Salesforce is, where logging.match.nobody says so.

An address is made once, however many messages go to it: what was found a while ago is looked up anew before, who was
asked for and not answered is looked for and waited for, and duplicates that Salesforce's own rules find are taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from relay.config.recording import MatchSettings
from relay.directory.model import Rep
from relay.ids import QueueId
from relay.outcome import Deferred
from relay.queue.model import State
from relay.salesforce.asked_for import Asking, Newcomer, asked_for_before, create
from relay.salesforce.exchange import SalesforceError
from relay.salesforce.lookup import Lookup
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
from relay.salesforce.record_key import newcomer_key
from relay.salesforce.record_rows import RecordState, Told
from relay.salesforce.uncertain import not_known_yet
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
    people: dict[str, Written | Person | Deferred] = {key: some[0] for key, some in found.items() if some}
    by = Asking(tools.database, tools.client, tools.clock, tools.store)
    before = await asked_for_before(by, [key for key in wanted if key not in people])
    people.update(before.people)
    missing = {key: _newcomer(*wanted[key]) for key in wanted if key not in people}
    people.update(await create(by, identity, missing, before))
    tools.lookup.forget([each.address for _, each in wanted.values()])
    for one in works:
        _take(one, people)


async def make_lead(
    by: Asking, rules: MatchSettings, rep: Rep, message: QueueId, address: str
) -> str | Deferred | Fault:
    """Make a lead of an address for a rep who asks for it, once however often and wherever that is; give its id.

    Who has the address by now, by these rules, is taken instead. Deferred: whether it is made is not known yet.
    Raises SalesforceError when who was asked for before cannot be looked for.
    """
    key = address_key(address)
    before = await asked_for_before(by, [key])
    found: Written | Person | Deferred | None = before.people.get(key) or await _by_now(by, rules, address)
    if found is None:
        record = new_person(ToldRecipient(address, State.SENT, by.clock.now()), PersonKind.LEAD, rep)
        newcomer = Newcomer(message, rep.login, record)
        found = (await create(by, by.client.identity_of(rep), {key: newcomer}, before))[key]
    match found:
        case Fault(maybe_done=True):
            return not_known_yet(by.client.answers_within)
        case Fault():
            return found.record_ids[0] if found.kind is FaultKind.DUPLICATE and found.record_ids else found
        case Deferred():
            return found
        case Made() | Person():
            return found.id
        case _:
            assert_never(found)


async def _by_now(by: Asking, rules: MatchSettings, address: str) -> Person | Fault | None:
    try:
        found = await Lookup(by.client, by.clock, rules).people([address])
    except SalesforceError as exc:
        return replace(exc.fault, maybe_done=False)  # nothing was to be made yet
    people = found[address_key(address)]
    kinds = [PersonKind(name.capitalize()) for name in rules.objects]
    return next((one for kind in kinds for one in people if one.kind is kind), None)


async def is_made(by: Asking, address: str) -> bool:
    """Tell whether a lead or contact of this address was made, as far as is kept here."""
    key = newcomer_key(address_key(address))
    row = (await by.database.read(lambda tx: by.store.by_keys(tx, [key]))).get(key)
    return row is not None and row.state is RecordState.MADE


def _newcomers(one: Work) -> Sequence[ToldRecipient]:
    return one.match.newcomers if one.match is not None else ()


def _newcomer(one: Work, recipient: ToldRecipient) -> Newcomer:
    assert one.match is not None
    assert one.facts is not None
    record = new_person(recipient, _OBJECTS[one.match.decision], one.facts.rep)
    return Newcomer(one.facts.message, one.facts.login, record)


def _take(one: Work, people: Mapping[str, Written | Person | Deferred]) -> None:
    assert one.match is not None
    kind = _OBJECTS[one.match.decision]
    made: list[MatchedPerson] = []
    for each in one.match.newcomers:
        found = people[address_key(each.address)]
        if isinstance(found, Deferred):
            one.outcome = found
            return
        person = _person(found, kind, each)
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
