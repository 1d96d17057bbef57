"""Store what attempts came to, with the reports they cause, in one transaction each.

A settlement that cannot be stored is kept and tried again until it is, or the relay stops: mail is never sent twice
only because the store was away.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from relay.clock import Clock
from relay.envelope import reverse_path_text
from relay.errors import RelayError, StorageError
from relay.ids import DeliveryId, QueueId
from relay.maillog.events import Event
from relay.maillog.store import MailLog
from relay.outcome import Outcome
from relay.queue.content import read_original
from relay.queue.meter import QueueMeter, measure
from relay.queue.model import Change, Closing, ContentReader, Delivery, QueuedMessage
from relay.queue.notices import Notice, ReportQuota, notice_of, report_of, untold
from relay.queue.report import Original
from relay.queue.rules import RunnerRules
from relay.queue.settlement import (
    ALL_TOGETHER,
    Companions,
    Settlement,
    Telling,
    closed,
    copies_skipped,
    settlement_of,
)
from relay.queue.store import QueueStore
from relay.queue.together import Together
from relay.storage.database import Database, Transaction
from relay.values import quick

logger = logging.getLogger(__name__)

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 30.0
_NOTHING = Original(b"", None)
_BOUNDARY = 16
"""Random octets in the boundary of a report's parts."""
_FEW = 20
"""Recipients in a report that is written in a moment."""
_PATIENCE = 0.02
"""Seconds that a settlement waits for a commit to share: no client waits for it."""


class _StaleClaim(StorageError):
    """Some of the deliveries were no longer ours when their attempt was settled; nothing was stored."""

    def __init__(self, ours: frozenset[DeliveryId]) -> None:
        super().__init__("deliveries were claimed anew while they were attempted")
        self.ours = ours
        """Those that still are ours."""


@quick
@dataclass(frozen=True, slots=True)
class Beside:
    """What a settlement must know of the attempt that it is only a part of."""

    secrets: tuple[str, ...]
    """The addresses of its log copies."""
    routes: Mapping[str, str]
    """The route of each target."""
    companions: Companions


ALONE = Beside((), {}, ALL_TOGETHER)
"""The settlement of a whole attempt."""


@quick
@dataclass(frozen=True, slots=True)
class _Ended:
    """What an attempt at one message came to, and what it causes."""

    message: QueueId
    changes: Sequence[Change]
    events: Sequence[Event]
    notices: Sequence[Notice]
    now: int


@dataclass(slots=True)
class Settler:
    """Settles attempts. `rules` is swapped whole at a reload."""

    database: Database
    store: QueueStore
    mail_log: MailLog
    clock: Clock
    next_number: Callable[[], int]
    report_queued: Callable[[], None]
    """Told when a report of the relay itself is due."""
    rules: RunnerRules
    meter: QueueMeter
    quota: ReportQuota = field(default_factory=ReportQuota)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Once set, a settlement that cannot be stored is let go of."""
    _together: Together[_Ended, Sequence[Event]] = field(init=False)

    def __post_init__(self) -> None:
        """Settlements wait for others, and for the next commit: nobody but the crash table sees the difference."""
        self._together = Together(lambda: self.database, self._unit, _PATIENCE)

    def settle_now(self) -> None:
        """Let what waits to be settled wait no longer: there is a commit to share."""
        self._together.hurry()

    async def settle(
        self,
        message: QueuedMessage,
        deliveries: Sequence[Delivery],
        outcomes: Mapping[DeliveryId, Outcome],
        content: ContentReader | None,
        route: str,
        beside: Beside = ALONE,
    ) -> None:
        """Store what the attempt came to. Deliveries that are no longer ours are left alone."""
        ours = deliveries
        while ours:
            now = self.clock.now()
            settlement = settlement_of(
                message,
                ours,
                outcomes,
                self.rules,
                now,
                self.clock.chance(),
                beside.secrets,
                beside.companions,
            )
            notices: Sequence[Notice] = ()
            events: Sequence[Event] = settlement.events
            if settlement.tellings:
                notices, more = await self._notices(message, settlement, content, now)
                events = [*events, *more]
            try:
                stored = await self._store(message, settlement, events, notices, now)
            except _StaleClaim as stale:
                logger.warning("%s: deliveries were claimed anew while they were attempted", message.id)
                ours = [one for one in ours if one.id in stale.ours]
                continue
            measure(self.meter, route, stored, beside.routes)
            if notices:
                self.report_queued()
            return

    def _unit(self, tx: Transaction, items: Sequence[_Ended]) -> list[Sequence[Event]]:
        """Settle attempts that ended at the same time; give the events of each."""
        settled = self.store.settle_all(tx, [(one.message, one.changes) for one in items])
        return [self._settled(tx, one, *found) for one, found in zip(items, settled, strict=True)]

    def _settled(
        self, tx: Transaction, ended: _Ended, settled: Sequence[DeliveryId], closing: Closing | None
    ) -> Sequence[Event]:
        """Queue the reports and keep the events of one that was settled; raises _StaleClaim when not all of it was."""
        if len(settled) != len(ended.changes):
            raise _StaleClaim(frozenset(settled))
        for notice in ended.notices:
            self.store.accept(tx, notice.message, notice.plan, lease=None)
        whole = list(ended.events)
        if closing is None:
            skipped, closing = self.store.skip_copies(tx, ended.message)
            whole += copies_skipped(ended.message, skipped, ended.now)
        if closing is not None:
            whole.append(closed(ended.message, closing, ended.now))
        self.mail_log.append(tx, whole)
        return whole

    async def _store(
        self,
        message: QueuedMessage,
        settlement: Settlement,
        events: Sequence[Event],
        notices: Sequence[Notice],
        now: int,
    ) -> Sequence[Event]:
        """Store it, however long that takes; give the events stored, none when it is let go of."""
        ended = _Ended(message.id, settlement.changes, events, notices, now)
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._together.write(ended)
            except _StaleClaim:
                raise
            except Exception as exc:  # noqa: BLE001 - whatever it is, the outcome must not be lost
                _complain(message, exc, first=pause == _FIRST_PAUSE)
            if self.stopping.is_set():
                return ()
            await _pause(self.stopping, pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _notices(
        self, message: QueuedMessage, settlement: Settlement, content: ContentReader | None, now: int
    ) -> tuple[list[Notice], list[Event]]:
        """Compose the reports. What cannot be told becomes an event that an admin must look at."""
        sender = reverse_path_text(message.envelope.reverse_path)
        if not self.quota.take(sender.lower(), self.rules.reports, now):
            return [], untold(message, settlement.tellings, "too many reports in this span of time", now)
        original = await self._original(message, content)
        try:
            notices = [await self._notice(message, telling, original, now) for telling in settlement.tellings]
        except Exception:
            logger.exception("%s: a report could not be composed", message.id)
            return [], untold(message, settlement.tellings, "the report could not be composed", now)
        return notices, [event for notice in notices for event in notice.events]

    async def _notice(self, message: QueuedMessage, telling: Telling, original: Original, now: int) -> Notice:
        """Compose one report; a long one beside the event loop."""
        report = report_of(message, telling, original, self.rules.retry, now)
        compose = partial(
            notice_of, report, self.rules.reporter, self.next_number(), secrets.token_hex(_BOUNDARY)
        )
        return compose() if len(telling.recipients) <= _FEW else await asyncio.to_thread(compose)

    async def _original(self, message: QueuedMessage, content: ContentReader | None) -> Original:
        if content is None:
            return _NOTHING
        try:
            return await read_original(content)
        except Exception as exc:  # noqa: BLE001 - a report without the original is better than none
            logger.warning("%s: the content cannot be read for a report: %s", message.id, exc)
            return _NOTHING


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return


def _complain(message: QueuedMessage, exc: Exception, *, first: bool) -> None:
    """Say that a settlement was not stored: at length the first time, when nothing explains it."""
    known = isinstance(exc, RelayError) or not first
    logger.error(
        "%s: what an attempt came to is not stored yet: %s", message.id, exc, exc_info=None if known else exc
    )
