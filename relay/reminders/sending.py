"""Tell Salesforce what was made, changed and deleted here: at most 200 records a call, each exactly once.

What is to be changed is looked at first and merged, so that nothing somebody wrote there meanwhile is lost unseen. A
create is noted before the call; when its answer is lost, Salesforce is searched for it before it is made again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from relay.reminders import asking
from relay.reminders.calls import SyncRep
from relay.reminders.links import Absorbed, Context, owed
from relay.reminders.mapping import KEY_FIELD, Labels, fields_of, labels_of
from relay.reminders.model import (
    FIELDS,
    LONGEST_DETAILS,
    NOTHING,
    Reminder,
    ReminderId,
    RepKey,
    Tally,
    WithPerson,
)
from relay.reminders.outgoing import LONGEST_WAIT
from relay.reminders.taking import Parts, absorb, remove
from relay.salesforce.exchange import Changed, NewRecord, SalesforceError
from relay.salesforce.model import Fault, FaultKind, Json, Made, Row, Written
from relay.storage.database import Transaction

BATCH = 200
"""Records in one call (REST guide, sObject Collections)."""
_SECOND = 1_000_000
_FIRST_WAIT = 30 * _SECOND
_UNKNOWN_TRIES = 3
_NOT_KNOWN = "whether Salesforce has made the record is not known yet; it is looked for again"
_SERVER_FAULT = 500
_ROUNDS = 10_000
_FOR_NOW = frozenset(
    {FaultKind.AGAIN, FaultKind.LIMIT, FaultKind.SIGN_IN, FaultKind.STOPPED, FaultKind.NEIGHBOUR}
)
_WHOLE = frozenset({FaultKind.LIMIT, FaultKind.SIGN_IN, FaultKind.STOPPED})


@dataclass(slots=True)
class Sent:
    """What sending came to."""

    tallies: dict[RepKey, Tally] = field(default_factory=dict)
    stop: Fault | None = None
    """Why no more was sent."""

    def count(self, rep: RepKey, tally: Tally) -> None:
        """Add to a rep's tally."""
        self.tallies[rep] = self.tallies.get(rep, NOTHING) + tally

    def add(self, tallies: Mapping[RepKey, Tally]) -> None:
        """Add many."""
        for rep, tally in tallies.items():
            self.count(rep, tally)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a change tells Salesforce."""

    one: Reminder
    names: tuple[str, ...]
    owner: str


class Sender:
    """Sends what is due of the reps of one identity."""

    def __init__(self, parts: Parts, identity: str, reps: Sequence[SyncRep]) -> None:
        self._parts = parts
        self._identity = identity
        self._reps = {rep.key: rep.user_id for rep in reps}
        self._labels: Labels | None = None
        self._keyed: bool | None = None
        self.sent = Sent()

    async def run(self) -> Sent:
        """Send until nothing is due. What cannot be sent now is due later; a fault of all calls stops, and is told."""
        for _ in range(_ROUNDS):
            now = self._parts.clock.now()
            batch = await self._parts.database.read(
                lambda tx, n=now: self._parts.outgoing.due(tx, self._reps, n, BATCH)  # type: ignore[misc]  # bound now
            )
            if not batch or self.sent.stop is not None:
                break
            try:
                await self._send(batch)
            except SalesforceError as exc:
                await self._put_off([one.id for one in batch], exc.fault)
        return self.sent

    async def _send(self, batch: Sequence[Reminder]) -> None:
        doubtful = [one for one in batch if one.salesforce_id is None and one.push_started_at is not None]
        if doubtful:
            await self._find(doubtful)
            batch = await self._at_an_end(await self._again(batch))
        await self._delete_unsent(batch)
        linked = [one for one in batch if one.salesforce_id is not None]
        if linked:
            rows = await self._look(linked)
            linked = await self._again(linked)
            await self._delete([one for one in linked if one.deleted_at is not None], rows)
            await self._update([one for one in linked if one.deleted_at is None])
        await self._create([one for one in batch if one.salesforce_id is None and one.deleted_at is None])

    async def _again(self, batch: Sequence[Reminder]) -> list[Reminder]:
        ids = [one.id for one in batch]
        now_held = await self._parts.database.read(lambda tx: self._parts.outgoing.some(tx, ids))
        return [one for one in now_held if one.next_push_at is not None and one.gone_at is None]

    async def _put_off(self, which: Sequence[ReminderId], fault: Fault) -> None:
        """Tell them later; where all other calls would fail as well, stop."""
        if fault.kind in _WHOLE or fault.status == 0 or fault.status >= _SERVER_FAULT:
            self.sent.stop = fault
        await self._parts.database.write(lambda tx: self._later(tx, which, fault))

    def _later(self, tx: Transaction, which: Sequence[ReminderId], fault: Fault) -> None:
        now = self._parts.clock.now()
        for one in self._parts.outgoing.some(tx, which):
            wait = min(_FIRST_WAIT << min(one.attempts, 10), LONGEST_WAIT)
            self._parts.outgoing.later(tx, one.id, now + wait, _told(fault))

    # Looking first

    async def _look(self, linked: Sequence[Reminder]) -> Mapping[str, Row]:
        """Look at the Tasks and merge; what is gone there is carried out here."""
        ids = [one.salesforce_id for one in linked if one.salesforce_id is not None]
        rows: list[Row] = []
        for some in asking.portions(ids):
            rows += await self._parts.salesforce.query(
                asking.by_ids(some), identity=self._identity, all_rows=True
            )
        absorbed = await absorb(self._parts, rows)
        for one in linked:
            if one.salesforce_id not in absorbed.seen and one.deleted_at is None:
                absorbed.gone.setdefault(one.id, 0)
        await self._carry_out(absorbed)
        return {str(row.get("Id")): row for row in rows}

    async def _carry_out(self, absorbed: Absorbed) -> None:
        context = self._parts.context()

        def unit(tx: Transaction) -> list[Mapping[RepKey, Tally]]:
            gone = remove(self._parts, tx, absorbed.gone, context)
            return [gone, self._parts.outgoing.leave(tx, absorbed.left, context)]

        for tallies in [absorbed.tallies, *await self._parts.database.write(unit)]:
            self.sent.add(tallies)

    async def _find(self, doubtful: Sequence[Reminder]) -> None:
        """Search Salesforce for creates whose answer was lost; those that are not there will be made again."""
        rows: list[Row] = []
        keyed = await self._has_key()
        if keyed:
            for some in asking.portions([one.push_key for one in doubtful]):
                rows += await self._asked(asking.by_keys(some))
        else:
            since = min(one.push_started_at or 0 for one in doubtful) - 300 * _SECOND
            users = self._parts.users
            owners = sorted({user for one in doubtful if (user := one.owner_id or users.get(one.rep))})
            subjects = sorted({one.base.subject for one in doubtful if one.base is not None})
            for some in asking.portions(subjects, asking.LONGEST - 2_000 - 27 * len(owners)):
                rows += await self._asked(asking.by_subjects(owners, some, since))
        known = await absorb(self._parts, rows)
        await self._carry_out(known)

    async def _at_an_end(self, batch: Sequence[Reminder]) -> list[Reminder]:
        """Put off what Salesforce may still be making: without our key nothing would refuse it a second time."""
        calls, now = self._parts.salesforce, self._parts.salesforce.server_now()
        limit = 0 if await self._has_key() else round(calls.answers_within * _SECOND)
        begun = {one.id: one.push_started_at for one in batch if one.salesforce_id is None}
        left = {
            which: at + limit - now
            for which, at in begun.items()
            if at is not None and at <= now < at + limit
        }

        def later(tx: Transaction) -> None:
            for which, wait in left.items():
                self._parts.outgoing.later(tx, which, self._parts.clock.now() + wait, _NOT_KNOWN)

        if left:
            await self._parts.database.write(later)
        return [one for one in batch if one.id not in left]

    async def _asked(self, soql: str, *, all_rows: bool = True) -> list[Row]:
        return await self._parts.salesforce.query(soql, identity=self._identity, all_rows=all_rows)

    async def _has_key(self) -> bool:
        if self._keyed is None:
            described = await self._parts.salesforce.describe("Task")
            self._keyed = described is not None and described.may_create(KEY_FIELD)
        return self._keyed

    async def _words(self) -> Labels:
        if self._labels is None:
            statuses = await self._parts.salesforce.statuses()
            self._labels = labels_of(statuses, await self._parts.salesforce.priorities())
        return self._labels

    # Deleting

    async def _delete_unsent(self, batch: Sequence[Reminder]) -> None:
        """What was deleted here before it was ever there needs no call."""
        unsent = {one.id: 0 for one in batch if one.salesforce_id is None and one.deleted_at is not None}
        if unsent:
            context = self._parts.context()
            await self._parts.database.write(lambda tx: self._parts.outgoing.vanish(tx, unsent, context))

    async def _delete(self, deleted: Sequence[Reminder], rows: Mapping[str, Row]) -> None:
        there: list[Reminder] = []
        gone: dict[ReminderId, int] = {}
        for one in deleted:
            row = rows.get(one.salesforce_id or "")
            if row is None or row.get("IsDeleted"):
                gone[one.id] = 0
            else:
                there.append(one)
        if there:
            ids = [("Task", one.salesforce_id or "") for one in there]
            written = await self._parts.salesforce.delete(self._identity, ids)
            for one, result in zip(there, written, strict=True):
                if isinstance(result, Made) or result.kind is FaultKind.GONE:
                    gone[one.id] = 0
                    self.sent.count(one.rep, Tally(deleted=1))
                else:
                    await self._failed(one, result)
        if gone:
            context = self._parts.context()
            await self._parts.database.write(lambda tx: self._parts.outgoing.vanish(tx, gone, context))

    # Changing

    async def _update(self, changed: Sequence[Reminder]) -> None:
        if not changed:
            return
        labels = await self._words()
        context = self._parts.context()
        todo: list[_Told] = []
        records: list[Changed] = []
        for one in changed:
            told = _Told(one, owed(one, context), context.users.get(one.rep) or one.owner_id or "")
            fields = fields_of(one.values, [name for name in told.names if name != "owner"], labels)
            if "owner" in told.names:
                fields["OwnerId"] = told.owner
            assert one.salesforce_id is not None
            if fields:
                todo.append(told)
                records.append(Changed("Task", one.salesforce_id, fields))
            else:  # in step already
                await self._parts.database.write(lambda tx, t=told: self._told(tx, [t], context))  # type: ignore[misc]  # bound now
        written = await self._parts.salesforce.update(self._identity, records) if records else []
        taken = [told for told, result in zip(todo, written, strict=True) if isinstance(result, Made)]
        await self._parts.database.write(lambda tx: self._told(tx, taken, context))
        for told in taken:
            self.sent.count(told.one.rep, Tally(pushed=1))
        for told, result in zip(todo, written, strict=True):
            if not isinstance(result, Made):
                await self._failed(told.one, result)

    def _told(self, tx: Transaction, taken: Sequence["_Told"], context: Context) -> None:
        for told in taken:
            self._parts.outgoing.told(tx, told.one, told.names, told.owner, context)

    # Making

    async def _create(self, new: Sequence[Reminder]) -> None:
        if not new:
            return
        new = await self._with_people(new)
        labels, keyed = await self._words(), await self._has_key()
        context = self._parts.context()
        begun = self._parts.salesforce.server_now()
        owners = [context.users[one.rep] for one in new]

        def begin(tx: Transaction) -> None:
            for one, owner in zip(new, owners, strict=True):
                self._parts.outgoing.begin(tx, one, owner, begun)

        await self._parts.database.write(begin)
        records = [_record(one, owner, labels, keyed) for one, owner in zip(new, owners, strict=True)]
        written = await self._parts.salesforce.create(self._identity, records)
        await self._made(new, owners, written, context)

    async def _with_people(self, new: Sequence[Reminder]) -> Sequence[Reminder]:
        """Find whom a reminder is about where only the address is known: a contact, else a lead; else nobody."""
        wanted = {one.person.email.lower() for one in new if one.person.id is None and one.person.email}
        found: dict[str, WithPerson] = {}
        for kind in ("Contact", "Lead"):
            for some in asking.portions(sorted(wanted - found.keys())):
                for row in await self._asked(asking.people(kind, some), all_rows=False):
                    address = str(row.get("Email")).lower()
                    found.setdefault(address, WithPerson(str(row.get("Id")), str(row.get("Name")), address))
        if not found:
            return new
        known = {one.id: found[one.person.email.lower()] for one in new if one.person.email.lower() in found}
        await self._parts.database.write(lambda tx: self._parts.outgoing.know(tx, known))
        return [replace(one, person=known.get(one.id, one.person)) for one in new]

    async def _made(
        self, new: Sequence[Reminder], owners: Sequence[str], written: Sequence[Written], context: Context
    ) -> None:
        made = [
            (one, owner, result.id)
            for one, owner, result in zip(new, owners, written, strict=True)
            if isinstance(result, Made)
        ]

        def unit(tx: Transaction) -> None:
            for one, owner, task in made:
                self._parts.outgoing.made(tx, one, task, owner, context)

        await self._parts.database.write(unit)
        for one, _, _ in made:
            self.sent.count(one.rep, Tally(pushed=1))
        for one, result in zip(new, written, strict=True):
            if not isinstance(result, Made):
                await self._failed(one, result)

    # What went wrong

    async def _failed(self, one: Reminder, fault: Fault) -> None:
        making = one.salesforce_id is None
        if making and not fault.maybe_done and fault.kind is not FaultKind.DUPLICATE:
            await self._parts.database.write(lambda tx: self._parts.outgoing.undo_begin(tx, one.id))
        again = fault.kind in _FOR_NOW or (fault.kind is FaultKind.UNKNOWN and one.attempts < _UNKNOWN_TRIES)
        if again or (making and fault.kind is FaultKind.DUPLICATE and one.attempts < _UNKNOWN_TRIES):
            await self._put_off([one.id], fault)
        elif fault.kind is FaultKind.GONE and not making:
            await self._carry_out(Absorbed(gone={one.id: 0}))
        elif fault.kind is FaultKind.TOO_LONG and one.values.details:
            await self._cut(one)
        else:
            await self._parts.database.write(lambda tx: self._parts.outgoing.refused(tx, one, _told(fault)))
            self.sent.count(one.rep, Tally(errors=1))

    async def _cut(self, one: Reminder) -> None:
        length = min(LONGEST_DETAILS, len(one.values.details)) * 9 // 10
        details = one.values.details[:length].rstrip()
        now = self._parts.clock.now()
        await self._parts.database.write(lambda tx: self._parts.outgoing.cut(tx, one, details, now))


def _record(one: Reminder, owner: str, labels: Labels, keyed: bool) -> NewRecord:
    fields: dict[str, Json] = {
        name: value for name, value in fields_of(one.values, FIELDS, labels).items() if value is not None
    }
    fields["OwnerId"] = owner
    if one.person.id is not None:
        fields["WhoId"] = one.person.id
    if keyed:
        fields[KEY_FIELD] = one.push_key
    return NewRecord("Task", fields)


def _told(fault: Fault) -> str:
    """Say in one line what Salesforce answered."""
    return f"Salesforce: {fault.message or fault.code} ({fault.code})"[:500]
