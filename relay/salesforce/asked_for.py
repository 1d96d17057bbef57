"""Leads and contacts that are made of an address: looked for where one was asked for before, claimed before it is asked for."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from relay.clock import Clock, rfc3339
from relay.ids import Login, QueueId
from relay.outcome import Deferred
from relay.salesforce.client import SalesforceClient
from relay.salesforce.exchange import NewRecord, SalesforceError
from relay.salesforce.looking import CLOCKS_APART
from relay.salesforce.model import Fault, FaultKind, Made, Person, PersonKind, Written
from relay.salesforce.people_queries import person_of
from relay.salesforce.recipients import address_key, written_forms
from relay.salesforce.record_key import newcomer_key
from relay.salesforce.record_rows import RecordRow, RecordState
from relay.salesforce.soql import MAXIMUM_ENCODED, encoded_length, listed, portions
from relay.salesforce.store import RecordStore
from relay.salesforce.uncertain import not_known_yet, unsure_for
from relay.storage.database import Database, Transaction

_SHUT_OUT = frozenset({FaultKind.SIGN_IN, FaultKind.STOPPED})


@dataclass(frozen=True, slots=True)
class Asking:
    """What they are asked for with."""

    database: Database
    client: SalesforceClient
    clock: Clock
    store: RecordStore = field(default_factory=RecordStore)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody to be made: for which message of which rep, and the record."""

    message: QueueId
    login: Login
    record: NewRecord


@dataclass(frozen=True, slots=True)
class Before:
    """What became of addresses that were asked for before, and since when their rows are as they were read."""

    people: Mapping[str, Person | Deferred]
    changed_at: Mapping[str, int]


async def asked_for_before(by: Asking, keys: Sequence[str]) -> Before:
    """Find those who were asked for before, as the identity that did; who may yet come to be is waited for.

    `keys` are addresses as `address_key` gives them. An identity that may not sign in, or not call, any more sees
    nobody: whom it has made is looked up as everybody is, or lost. Raises SalesforceError.
    """
    own = {newcomer_key(key): key for key in keys}
    rows = await by.database.read(lambda tx: by.store.by_keys(tx, list(own)))
    by_call: defaultdict[tuple[str, str], list[RecordRow]] = defaultdict(list)
    for row in rows.values():
        if row.state in (RecordState.STARTED, RecordState.MADE):
            by_call[row.identity, row.object].append(row)
    people: dict[str, Person] = {}
    asked = by.clock.now()
    for (identity, object), some in by_call.items():
        try:
            people.update(await _seen(by, identity, object, {own[row.key]: row for row in some}))
        except SalesforceError as exc:
            if exc.fault.kind not in _SHUT_OUT:
                raise
    there = [(newcomer_key(key), Made(one.id, one.kind), False, "") for key, one in people.items()]
    if there:
        await by.database.write(lambda tx: by.store.made(tx, there, by.clock.now()))
    late: dict[str, Person | Deferred] = {}
    for row in rows.values():
        left = unsure_for(row, by.client, asked)
        if left > 0:
            late[own[row.key]] = not_known_yet(left)
    return Before(late | people, {own[row.key]: row.changed_at for row in rows.values()})


async def _seen(by: Asking, identity: str, object: str, rows: Mapping[str, RecordRow]) -> dict[str, Person]:
    ahead = by.client.server_now() - by.clock.now()
    since = min(row.first_started_at or row.created_at for row in rows.values()) + ahead - CLOCKS_APART
    lead = object == PersonKind.LEAD
    start = (
        f"SELECT Id, Name, Email{'' if lead else ', AccountId'} FROM {object} WHERE "  # noqa: S608 - names of ours
        f"CreatedDate >= {rfc3339(since)}{' AND IsConverted = false' if lead else ''} AND Email IN "
    )
    found: dict[str, Person] = {}
    for some in portions(list(rows), MAXIMUM_ENCODED - encoded_length(start), written_forms):
        forms = [form for key in some for form in written_forms(key)]
        for row in await by.client.query(start + listed(forms), identity=identity):
            person = person_of(row, PersonKind(object))
            if person is not None and address_key(person.email) in rows:
                found[address_key(person.email)] = person
    return found


async def create(
    by: Asking, identity: str, wanted: Mapping[str, Newcomer], before: Before
) -> dict[str, Written | Deferred]:
    """Make them; that they are asked for is stored before, and what came of it after.

    Whom somebody else has asked for since `before` was read - another round, another process - is waited for.
    """
    ours = await by.database.write(lambda tx: _claimed(tx, by, identity, wanted, before))
    waited: dict[str, Written | Deferred] = {
        key: not_known_yet(by.client.answers_within) for key in wanted if key not in ours
    }
    if not ours:
        return waited
    answers = await by.client.create(identity, [wanted[key].record for key in ours])
    results = dict(zip(ours, answers, strict=True))
    made = [(newcomer_key(key), one, False, "") for key, one in results.items() if isinstance(one, Made)]
    refused = [
        (newcomer_key(key), f"{one.code}: {one.message}")
        for key, one in results.items()
        if isinstance(one, Fault) and not one.maybe_done
    ]

    def keep(tx: Transaction) -> None:
        by.store.made(tx, made, by.clock.now())
        by.store.not_made(tx, refused, by.clock.now())

    await by.database.write(keep)
    return waited | results


def _claimed(
    tx: Transaction, by: Asking, identity: str, wanted: Mapping[str, Newcomer], before: Before
) -> list[str]:
    """Mark them as asked for; give those that nobody else has meanwhile."""
    return [
        key
        for key, one in wanted.items()
        if by.store.start_newcomer(
            tx,
            (newcomer_key(key), one.message, one.login, identity, one.record.object),
            before.changed_at.get(key),
            by.clock.now(),
        )
    ]
