"""Make leads or contacts of recipients whom nobody in Salesforce is, where logging.match.nobody says so.

An address is made once, however many messages go to it: what was found a while ago is looked up anew before, who was
asked for and not answered is looked for and waited for, and duplicates that Salesforce's own rules find are taken.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from relay.clock import rfc3339
from relay.outcome import Deferred
from relay.salesforce.exchange import NewRecord, SalesforceError
from relay.salesforce.looking import CLOCKS_APART
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
from relay.salesforce.people_queries import person_of
from relay.salesforce.recipients import address_key, written_forms
from relay.salesforce.record_key import newcomer_key
from relay.salesforce.record_rows import RecordRow, RecordState, Told
from relay.salesforce.soql import MAXIMUM_ENCODED, encoded_length, listed, portions
from relay.salesforce.uncertain import not_known_yet, unsure_for
from relay.salesforce.work import Tools, Work
from relay.storage.database import Transaction

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
    people.update(await _asked_for_before(tools, [key for key in wanted if key not in people]))
    people.update(await _create(tools, identity, {key: wanted[key] for key in wanted if key not in people}))
    tools.lookup.forget([each.address for _, each in wanted.values()])
    for one in works:
        _take(one, people)


async def _asked_for_before(tools: Tools, keys: Sequence[str]) -> dict[str, Person | Deferred]:
    """Find those who were asked for before, as the identity that did; who may yet come to be is waited for."""
    own = {newcomer_key(key): key for key in keys}
    rows = await tools.database.read(lambda tx: tools.store.by_keys(tx, list(own)))
    by_call: defaultdict[tuple[str, str], list[RecordRow]] = defaultdict(list)
    for row in rows.values():
        if row.state in (RecordState.STARTED, RecordState.MADE):
            by_call[row.identity, row.object].append(row)
    people: dict[str, Person | Deferred] = {}
    asked = tools.clock.now()
    for (identity, object), some in by_call.items():
        people.update(await _seen(tools, identity, object, {own[row.key]: row for row in some}))
    for row in rows.values():
        left = unsure_for(row, tools.client, asked)
        if left > 0:
            people.setdefault(own[row.key], not_known_yet(left))
    return people


async def _seen(
    tools: Tools, identity: str, object: str, rows: Mapping[str, RecordRow]
) -> dict[str, Person | Deferred]:
    ahead = tools.client.server_now() - tools.clock.now()
    since = min(row.first_started_at or row.created_at for row in rows.values()) + ahead - CLOCKS_APART
    lead = object == PersonKind.LEAD
    start = (
        f"SELECT Id, Name, Email{'' if lead else ', AccountId'} FROM {object} WHERE "  # noqa: S608 - names of ours
        f"CreatedDate >= {rfc3339(since)}{' AND IsConverted = false' if lead else ''} AND Email IN "
    )
    found: dict[str, Person | Deferred] = {}
    for some in portions(list(rows), MAXIMUM_ENCODED - encoded_length(start), written_forms):
        forms = [form for key in some for form in written_forms(key)]
        for row in await tools.client.query(start + listed(forms), identity=identity):
            person = person_of(row, PersonKind(object))
            if person is not None and address_key(person.email) in rows:
                found[address_key(person.email)] = person
    return found


async def _create(
    tools: Tools, identity: str, wanted: Mapping[str, tuple[Work, ToldRecipient]]
) -> dict[str, Written]:
    """Make them; that they are asked for is stored before, and what came of it after."""
    if not wanted:
        return {}
    records = {key: _record(*one) for key, one in wanted.items()}
    starts = [
        (newcomer_key(key), facts.message, facts.login, identity, records[key].object)
        for key, (one, _) in wanted.items()
        if (facts := one.facts) is not None
    ]
    store, database = tools.store, tools.database
    await database.write(lambda tx: store.start_newcomers(tx, starts, tools.clock.now()))
    results = dict(zip(records, await tools.client.create(identity, list(records.values())), strict=True))
    made = [(newcomer_key(key), one, False, "") for key, one in results.items() if isinstance(one, Made)]
    refused = [
        (newcomer_key(key), f"{one.code}: {one.message}")
        for key, one in results.items()
        if isinstance(one, Fault) and not one.maybe_done
    ]

    def keep(tx: Transaction) -> None:
        store.made(tx, made, tools.clock.now())
        store.not_made(tx, refused, tools.clock.now())

    await database.write(keep)
    return results


def _newcomers(one: Work) -> Sequence[ToldRecipient]:
    return one.match.newcomers if one.match is not None else ()


def _record(one: Work, recipient: ToldRecipient) -> NewRecord:
    assert one.match is not None
    assert one.facts is not None
    return new_person(recipient, _OBJECTS[one.match.decision], one.facts.rep)


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
