"""Take in what Salesforce shows: the first run, the poll of all reps of one identity, deletions, and a look at all.

Each portion of Tasks is one unit of work; the mark of how far things are known moves with the last one, so that a run
that is killed is done again from where the one before ended.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from relay.clock import Clock
from relay.reminders import asking
from relay.reminders.calls import Salesforce, SyncRep, SyncRules
from relay.reminders.links import Absorbed, Context, LinkStore
from relay.reminders.mapping import instant_of, remote_task
from relay.reminders.model import NOTHING, Reminder, ReminderId, RepKey, Tally
from relay.reminders.outgoing import OutgoingStore
from relay.reminders.switches import Standing, SwitchStore
from relay.salesforce.exchange import SalesforceError
from relay.salesforce.model import Json, Row
from relay.storage.database import Database, Transaction

_SECOND = 1_000_000
OVERLAP = 10 * 60 * _SECOND
"""A poll asks again for what was changed so long before the last one: a long transaction shows late."""
_DAY = 86_400 * _SECOND
REACH = 15 * _DAY
"""For so long Salesforce tells deletions (getDeleted), and keeps what is in the recycle bin."""
_MARGIN = 10 * 60 * _SECOND
_SHORTEST = 2 * 60 * _SECOND
LAG = 3600 * _SECOND
"""Reps whose mark is further behind than this are asked for apart, so that they do not make the others' poll long."""
PORTION = 200
_LOOK = 400
_OWNERS = 380
"""Owners in one question (asking.LONGEST): so many leave room for some known ids beside them."""
_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Parts:
    """What taking in and sending out work with."""

    database: Database
    salesforce: Salesforce
    clock: Clock
    rules: SyncRules
    users: Mapping[RepKey, str]
    """The Salesforce user of every rep who has one."""
    owners: Mapping[str, RepKey]
    """Whose reminders are kept in step, by Salesforce user."""
    links: LinkStore = LinkStore()  # noqa: RUF009 - it holds nothing
    outgoing: OutgoingStore = OutgoingStore()  # noqa: RUF009 - it holds nothing
    switches: SwitchStore = SwitchStore()  # noqa: RUF009 - it holds nothing

    def context(self) -> Context:
        """Give what judging needs to know, now."""
        now = self.clock.now()
        skew = self.salesforce.server_now() - now
        return Context(self.owners, self.users, self.rules.subject, skew, now)


async def absorb(parts: Parts, rows: Sequence[Row]) -> Absorbed:
    """Take in rows, portion by portion."""
    whole = Absorbed()
    for at in range(0, len(rows), PORTION):
        tasks = [remote_task(row) for row in rows[at : at + PORTION]]
        context = parts.context()
        whole.add(await parts.database.write(lambda tx, t=tasks, c=context: parts.links.absorb(tx, t, c)))  # type: ignore[misc]  # bound now
    return whole


async def poll(
    parts: Parts, identity: str, standings: Sequence[tuple[SyncRep, Standing]]
) -> Mapping[RepKey, Tally]:
    """Ask once for all reps of an identity what has changed, and look again at some known Tasks.

    Raises SalesforceError; then the marks stay where they were.
    """
    tallies: dict[RepKey, Tally] = {}
    newest = max((standing.watermark or 0 for _, standing in standings), default=0)
    near = [one for one in standings if (one[1].watermark or 0) >= newest - LAG]
    late = [one for one in standings if (one[1].watermark or 0) < newest - LAG]
    for group in (near, late):
        for at in range(0, len(group), _OWNERS):
            tallies |= await _poll(parts, identity, group[at : at + _OWNERS])
    return tallies


async def _poll(
    parts: Parts, identity: str, group: Sequence[tuple[SyncRep, Standing]]
) -> Mapping[RepKey, Tally]:
    reps = [rep.key for rep, _ in group]
    owners = [rep.user_id for rep, _ in group]
    mark = min(standing.watermark or 0 for _, standing in group)
    since = max(0, min(mark, parts.salesforce.server_now()) - OVERLAP)
    room = asking.room_for_known(owners)
    known = await parts.database.read(lambda tx: parts.links.least_seen(tx, reps, room))
    absorbed, until = await _asked(parts, identity, asking.changes(owners, since, known), all_rows=True)
    missing = await _note_missing(parts, known, absorbed)
    if len(missing) > parts.rules.deletions:
        # Those were a sample: whether somebody is asked goes by how many are gone in all.
        whose = {one.rep for one in missing}
        absorbed.add(await look_at_all(parts, identity, [rep for rep, _ in group if rep.key in whose]))
    return await finish(parts, reps, absorbed, until)


async def _asked(
    parts: Parts, identity: str, soql: str, *, all_rows: bool, progress: "Progress | None" = None
) -> tuple[Absorbed, int]:
    """Take in all that a question gives; and tell up to which instant of Salesforce's clock it is known."""
    absorbed, until = Absorbed(), 0
    pages: AsyncIterator[list[Row]] = parts.salesforce.pages(
        soql, identity=identity, all_rows=all_rows, background=True
    )
    async for page in pages:
        until = until or parts.salesforce.server_now()
        for at in range(0, len(page), PORTION):
            absorbed.add(await absorb(parts, page[at : at + PORTION]))
            if progress is not None:
                await progress.note(page[at : at + PORTION])
    return absorbed, until or parts.salesforce.server_now()


async def _note_missing(parts: Parts, asked: Sequence[str], absorbed: Absorbed) -> list[Reminder]:
    """What was asked for by its id and is not shown is gone for good: no bin holds it, or it may not be seen."""
    missing = [one for one in asked if one not in absorbed.seen]
    if not missing:
        return []
    held = await parts.database.read(lambda tx: parts.links.known(tx, missing))
    for one in held.values():
        absorbed.gone.setdefault(one.id, 0)
    return list(held.values())


async def finish(
    parts: Parts, reps: Sequence[RepKey], absorbed: Absorbed, until: int | None, *, first: bool = False
) -> Mapping[RepKey, Tally]:
    """Carry out what is gone, and move the marks, in one unit."""
    context = parts.context()

    def unit(tx: Transaction) -> Mapping[RepKey, Tally]:
        tallies = dict(absorbed.tallies)
        for more in (
            remove(parts, tx, absorbed.gone, context),
            parts.outgoing.leave(tx, absorbed.left, context),
        ):
            for rep, tally in more.items():
                tallies[rep] = tallies.get(rep, NOTHING) + tally
        for rep in reps:
            if not parts.switches.get(tx, rep).storm:
                parts.switches.ran(tx, rep, context.now, until, first=first)
                if first and until is not None:
                    parts.switches.deletions_known(tx, rep, until)
        return tallies

    return await parts.database.write(unit)


def remove(
    parts: Parts, tx: Transaction, gone: Mapping[ReminderId, int], context: Context
) -> Mapping[RepKey, Tally]:
    """Delete here what was deleted in Salesforce; where that is too much at once, pause and have somebody asked."""
    by_rep: dict[RepKey, dict[ReminderId, int]] = {}
    for one in parts.outgoing.some(tx, gone):
        by_rep.setdefault(one.rep, {})[one.id] = gone[one.id]
    tallies: dict[RepKey, Tally] = {}
    for rep, some in by_rep.items():
        linked = parts.outgoing.linked(tx, rep)
        if len(some) > parts.rules.deletions and len(some) > _SHARE * linked:
            parts.outgoing.wait_for_word(tx, some)
            parts.switches.storm(tx, rep, len(some), storm_text(len(some)))
        else:
            for whose, tally in parts.outgoing.vanish(tx, some, context).items():
                tallies[whose] = tallies.get(whose, NOTHING) + tally
    return tallies


class Progress:
    """Notes how far the first run has got, for each rep."""

    def __init__(self, parts: Parts, reps: Sequence[SyncRep], totals: Mapping[str, int]) -> None:
        self._parts = parts
        self._reps = {rep.user_id: rep.key for rep in reps}
        self._totals = totals
        self._done = dict.fromkeys(self._reps, 0)

    async def note(self, rows: Sequence[Row]) -> None:
        """Note the rows just taken in; with none, what is to come."""
        for row in rows:
            owner = row.get("OwnerId")
            if isinstance(owner, str) and owner in self._done:
                self._done[owner] += 1

        def unit(tx: Transaction) -> None:
            for owner, rep in self._reps.items():
                total = self._totals.get(owner, 0)
                self._parts.switches.progress(tx, rep, self._done[owner], max(total, self._done[owner]))

        await self._parts.database.write(unit)


async def first_run(
    parts: Parts, identity: str, standings: Sequence[tuple[SyncRep, Standing]]
) -> Mapping[RepKey, Tally]:
    """Take in what the first run takes; nothing is sent. Where it had been on before, what is known is looked at again.

    Raises SalesforceError; then it begins anew the next time.
    """
    tallies: dict[RepKey, Tally] = {}
    for at in range(0, len(standings), _OWNERS):
        group = standings[at : at + _OWNERS]
        reps = [rep for rep, _ in group]
        owners = [rep.user_id for rep in reps]
        all_open = parts.rules.all_open
        await _know_the_time(parts, identity)
        since = _day_before(parts, [standing for _, standing in group])
        rows = await parts.salesforce.query(
            asking.first_count(owners, since, all_open=all_open), identity=identity, background=True
        )
        totals = {str(row.get("OwnerId")): _count(row.get("total")) for row in rows}
        progress = Progress(parts, reps, totals)
        await progress.note(())
        soql = asking.first(owners, since, all_open=all_open)
        absorbed, until = await _asked(parts, identity, soql, all_rows=False, progress=progress)
        before = [rep for rep, standing in group if standing.ran_before]
        absorbed.add(await look_at_all(parts, identity, before))
        tallies |= await finish(parts, [rep.key for rep in reps], absorbed, until, first=True)
    return tallies


async def _know_the_time(parts: Parts, identity: str) -> None:
    """Learn Salesforce's clock by a small question, since the 24 hours are counted by it."""
    del identity
    await parts.salesforce.statuses()


def _day_before(parts: Parts, standings: Sequence[Standing]) -> int:
    """Give the instant, by Salesforce's clock, a day before it was switched on."""
    now = parts.clock.now()
    longest = max((max(0, now - standing.switched_at) for standing in standings), default=0)
    return parts.salesforce.server_now() - _DAY - min(longest, REACH)


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


async def deletions(parts: Parts, identity: str, since: Sequence[tuple[SyncRep, int]]) -> Absorbed:
    """Ask what was deleted since the oldest of the instants; where Salesforce cannot tell, look at all that is known.

    What of it does not belong to these reps is deleted all the same.
    """
    until = parts.salesforce.server_now()
    start = max(min(at for _, at in since) - _MARGIN, until - REACH + _MARGIN)
    start = min(start, until - _SHORTEST)
    params = {"start": _written(start), "end": _written(until)}
    try:
        answer = await parts.salesforce.get(
            "sobjects/Task/deleted/", identity=identity, background=True, params=params
        )
    except SalesforceError as exc:
        if exc.fault.code not in ("INVALID_REPLICATION_DATE", "EXCEEDED_ID_LIMIT"):
            raise
        return await look_at_all(parts, identity, [rep for rep, _ in since])
    told: list[str] = []
    covered = until
    if isinstance(answer, Mapping):
        covered = instant_of(answer.get("latestDateCovered")) or until
        told = [str(one.get("id")) for one in _records(answer.get("deletedRecords"))]
    known: list[str] = []
    for at in range(0, len(told), 1000):
        some = told[at : at + 1000]
        known += await parts.database.read(lambda tx, s=some: list(parts.links.known(tx, s)))  # type: ignore[misc]  # bound now
    absorbed = await _looked_up(parts, identity, known)  # one that is out of the bin again is not gone
    reps = [rep.key for rep, _ in since]

    def note(tx: Transaction) -> None:
        for rep in reps:
            parts.switches.deletions_known(tx, rep, covered)

    await parts.database.write(note)
    return absorbed


def _records(value: Json) -> Sequence[Mapping[str, Json]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, Sequence) else []


def _written(instant: int) -> str:
    return f"{datetime.fromtimestamp(instant // _SECOND, UTC):%Y-%m-%dT%H:%M:%S}+00:00"


async def _looked_up(parts: Parts, identity: str, ids: Sequence[str]) -> Absorbed:
    absorbed = Absorbed()
    for some in asking.portions(ids, most=_LOOK):
        found, _ = await _asked(parts, identity, asking.by_ids(some), all_rows=True)
        await _note_missing(parts, some, found)
        absorbed.add(found)
    return absorbed


async def reconsider(parts: Parts, identity: str, rep: SyncRep) -> None:
    """Look again at what somebody is asked about: what was taken out of the bin again needs no answer."""
    waiting = await parts.database.read(
        lambda tx: parts.outgoing.some(tx, parts.outgoing.awaiting(tx, rep.key))
    )
    await _looked_up(parts, identity, [one.salesforce_id for one in waiting if one.salesforce_id is not None])

    def unit(tx: Transaction) -> None:
        still = len(parts.outgoing.awaiting(tx, rep.key))
        if still < len(waiting):
            parts.switches.storm(tx, rep.key, still, storm_text(still) if still else "")

    await parts.database.write(unit)


def storm_text(gone: int) -> str:
    """Say what somebody is asked."""
    return f"{gone} Tasks were deleted in Salesforce at once: confirm, or keep them here"


async def look_at_all(parts: Parts, identity: str, reps: Sequence[SyncRep]) -> Absorbed:
    """Look up every known Task of these reps."""
    absorbed = Absorbed()
    for rep in reps:
        after = 0
        while some := await parts.database.read(
            lambda tx, r=rep.key, a=after: parts.links.linked(tx, r, a, _LOOK)  # type: ignore[misc]  # bound now
        ):
            after = some[-1][0]
            absorbed.add(await _looked_up(parts, identity, [task for _, task in some]))
    return absorbed
