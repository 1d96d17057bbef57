"""Keep reminders in step with Salesforce: one cycle for all reps, or the sending alone.

Nothing here runs by itself: relay.reminding says when. Two cycles at once would take in what the other one has just
deleted, so that they wait for each other, also from one process to another (the guard).
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field

from relay.reminders.calls import NoMeter, ReminderMeter, SyncRep
from relay.reminders.model import NOTHING, RepKey, Tally
from relay.reminders.sending import Sender
from relay.reminders.switches import Standing
from relay.reminders.taking import REACH, Parts, deletions, finish, first_run, look_at_all, poll, reconsider
from relay.salesforce.exchange import SalesforceError
from relay.salesforce.model import Fault, FaultKind
from relay.storage.database import Transaction

logger = logging.getLogger(__name__)

DELETIONS_EVERY = 12 * 3600 * 1_000_000
"""How often Salesforce is asked for its list of deletions; polls bring what is in the recycle bin without it."""

Guard = Callable[[], AbstractAsyncContextManager[object]]
"""Keeps others, in this process and the next, from keeping the same reminders in step meanwhile."""


@dataclass(slots=True)
class Outcome:
    """What a run came to, for each rep."""

    tallies: dict[RepKey, Tally] = field(default_factory=dict)
    troubles: dict[RepKey, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def add(self, tallies: Mapping[RepKey, Tally]) -> None:
        """Add to the tallies."""
        for rep, tally in tallies.items():
            self.tallies[rep] = self.tallies.get(rep, NOTHING) + tally

    def failed(self, reps: Sequence[SyncRep], fault: Fault) -> None:
        """Note why it came to nothing for some reps."""
        self.faults.append(fault)
        for rep in reps:
            self.troubles[rep.key] = f"Salesforce: {fault.message or fault.code} ({fault.code})"[:500]


class Synchroniser:
    """Keeps the reminders of some reps in step."""

    def __init__(
        self, parts: Parts, reps: Sequence[SyncRep], guard: Guard, meter: ReminderMeter | None = None
    ) -> None:
        self._parts = parts
        self._reps = {rep.key: rep for rep in reps}
        self._guard = guard
        self._meter = meter or NoMeter()

    async def cycle(self, *, whole: bool = False) -> Outcome:
        """Do one cycle: first runs where one is due, else a poll; then send what is due.

        `whole`: look at every known Task, also at those that somebody is asked about, and try again what was refused.
        """
        async with self._guard():
            outcome = Outcome()
            if whole:
                await self._reconsider(outcome)
            for identity, group in (await self._groups()).items():
                await self._cycle(identity, group, outcome, whole)
            await self._conclude(outcome)
            return outcome

    async def _reconsider(self, outcome: Outcome) -> None:
        standings = await self._parts.database.read(self._parts.switches.all)
        for key, rep in self._reps.items():
            if key in standings and standings[key].running and standings[key].storm:
                try:
                    await reconsider(self._parts, rep.identity, rep)
                except SalesforceError as exc:
                    outcome.failed([rep], exc.fault)

    async def send(self) -> Outcome:
        """Send what is due, without asking what has changed."""
        async with self._guard():
            outcome = Outcome()
            for identity, group in (await self._groups()).items():
                reps = [rep for rep, standing in group if standing.first_done]
                await self._send(identity, reps, outcome)
            await self._conclude(outcome)
            return outcome

    async def _groups(self) -> dict[str, list[tuple[SyncRep, Standing]]]:
        """Give those for whom anything is done now, by the identity that it is done as."""
        standings = await self._parts.database.read(self._parts.switches.all)
        groups: dict[str, list[tuple[SyncRep, Standing]]] = {}
        for key, rep in self._reps.items():
            standing = standings.get(key)
            if standing is not None and standing.running and not standing.storm:
                groups.setdefault(rep.identity, []).append((rep, standing))
        return groups

    async def _cycle(
        self, identity: str, group: Sequence[tuple[SyncRep, Standing]], outcome: Outcome, whole: bool
    ) -> None:
        reps = [rep for rep, _ in group]
        known = [one for one in group if one[1].first_done]
        fresh = [one for one in group if not one[1].first_done]
        if not await self._taken(known, outcome, self._known(identity, known, outcome, whole)):
            return
        if not await self._taken(fresh, outcome, self._fresh(identity, fresh, outcome)):
            return
        if whole:
            await self._parts.database.write(lambda tx: self._retry(tx, reps))
        standings = await self._parts.database.read(self._parts.switches.all)
        await self._send(identity, [rep for rep in reps if _may_send(standings[rep.key])], outcome)

    async def _taken(
        self, group: Sequence[tuple[SyncRep, Standing]], outcome: Outcome, taking: Awaitable[None]
    ) -> bool:
        """Take in what some reps have there; tell whether it makes sense to ask Salesforce for more.

        What one question comes to keeps nobody else from being asked for. Where calls are saved, changes still go out.
        """
        try:
            await taking
        except SalesforceError as exc:
            outcome.failed([rep for rep, _ in group], exc.fault)
            return exc.fault.status != 0 or exc.fault.kind is FaultKind.LIMIT
        return True

    async def _known(
        self, identity: str, known: Sequence[tuple[SyncRep, Standing]], outcome: Outcome, whole: bool
    ) -> None:
        if known:
            outcome.add(await poll(self._parts, identity, known))
            await self._look_for_deletions(identity, known, outcome, whole)

    async def _fresh(
        self, identity: str, fresh: Sequence[tuple[SyncRep, Standing]], outcome: Outcome
    ) -> None:
        if fresh:
            outcome.add(await first_run(self._parts, identity, fresh))

    def _retry(self, tx: Transaction, reps: Sequence[SyncRep]) -> None:
        for rep in reps:
            self._parts.outgoing.retry(tx, rep.key, self._parts.clock.now())

    async def _look_for_deletions(
        self, identity: str, known: Sequence[tuple[SyncRep, Standing]], outcome: Outcome, whole: bool
    ) -> None:
        now = self._parts.salesforce.server_now()
        due = [(rep, standing.deletions_until or 0) for rep, standing in known]
        keys = [rep.key for rep, _ in known]
        marks = [min(one.watermark or 0, one.deletions_until or 0) for _, one in known]
        if whole or min(marks) < now - REACH:  # beyond 15 days Salesforce does not tell deletions
            absorbed = await look_at_all(self._parts, identity, [rep for rep, _ in known])
            await self._parts.database.write(lambda tx: self._deletions_known(tx, keys, now))
        elif due and min(at for _, at in due) < now - DELETIONS_EVERY:
            absorbed = await deletions(self._parts, identity, due)
        else:
            return
        outcome.add(await finish(self._parts, keys, absorbed, None))

    def _deletions_known(self, tx: Transaction, reps: Sequence[RepKey], until: int) -> None:
        for rep in reps:
            self._parts.switches.deletions_known(tx, rep, until)

    async def _send(self, identity: str, reps: Sequence[SyncRep], outcome: Outcome) -> None:
        if not reps:
            return
        sent = await Sender(self._parts, identity, reps).run()
        outcome.add(sent.tallies)
        if sent.stop is not None:
            outcome.failed(reps, sent.stop)

    async def _conclude(self, outcome: Outcome) -> None:
        self._meter.reminders_cycle(not outcome.faults)
        for tally in outcome.tallies.values():
            self._meter.reminders_synced(asdict(tally))
        if not outcome.troubles and not any(outcome.tallies.values()):
            return
        now = self._parts.clock.now()

        def unit(tx: Transaction) -> None:
            for rep, tally in outcome.tallies.items():
                if tally:
                    self._parts.switches.note(tx, rep, tally, now)
            for rep, text in outcome.troubles.items():
                self._parts.switches.trouble(tx, [rep], text)

        await self._parts.database.write(unit)
        for text in set(outcome.troubles.values()):
            logger.warning("reminders are not kept in step just now: %s", text)


def _may_send(standing: Standing) -> bool:
    return standing.running and standing.first_done and not standing.storm
