"""Clear away what nobody needs any more: spool files without a message, old events and messages, distant retries."""

import asyncio
import logging
from collections.abc import Callable

from relay.clock import Clock
from relay.errors import StorageError
from relay.maillog.store import MailLog
from relay.queue.retry import SECOND
from relay.queue.rules import RunnerRules
from relay.queue.settlement import closed, given_up
from relay.queue.store import QueueStore
from relay.storage.database import Database, Transaction
from relay.storage.lease import boot_id
from relay.storage.spool import Spool

logger = logging.getLogger(__name__)

ORPHAN_AGE = 24 * 3600
"""Seconds after which a spool file without a message is nobody's: longer than any transaction takes."""
PORTION = 500
"""Rows cleared in one transaction, so that mail never waits long."""
_PORTIONS = 200


class Housekeeping:
    """Runs now and then; what one run does not come to, the next one does."""

    def __init__(
        self,
        database: Database,
        store: QueueStore,
        mail_log: MailLog,
        spool: Spool,
        clock: Clock,
        *,
        portion: int = PORTION,
    ) -> None:
        self._database = database
        self._store = store
        self._mail_log = mail_log
        self._spool = spool
        self._clock = clock
        self._portion = portion
        self._kept = True
        """Whether earlier settings may have left content of closed messages."""

    async def run(self, rules: RunnerRules) -> None:
        """Clear away once. Never raises StorageError: it is logged, and the next run tries again."""
        try:
            await self._give_back_overdue()
            await self._pull_in(rules)
            await self._expire_held(rules)
            await self._sweep()
            await self._purge(rules)
        except (StorageError, OSError) as exc:
            logger.warning("clearing away was not finished: %s", exc)

    async def _give_back_overdue(self) -> None:
        """Queue again what an attempt has let go of without settling it, which nothing known does."""
        instant = round(self._clock.monotonic() * SECOND)
        overdue = await self._database.write(lambda tx: self._store.give_back_overdue(tx, boot_id(), instant))
        if overdue:
            logger.error(
                "%d deliveries were under way for longer than any attempt takes; they are queued again",
                overdue,
            )

    async def _pull_in(self, rules: RunnerRules) -> None:
        """Make due what a clock that was set back has left further ahead than any wait is long."""
        now = self._clock.now()
        retry, waits = rules.retry, rules.waits
        longest = max(retry.delivery.longest_wait(), retry.logging.longest_wait(), waits.delay, waits.rest)
        latest = now + longest
        pulled = await self._database.write(lambda tx: self._store.pull_in(tx, latest, now))
        if pulled:
            logger.warning("%d deliveries were due too far ahead: the clock was set back", pulled)

    async def _expire_held(self, rules: RunnerRules) -> None:
        """Give up the records that were held for as long as the retry settings allow."""
        before = self._clock.now() - rules.retry.logging.lifetime
        while await self._database.write(lambda tx: self._expired(tx, before)) >= self._portion:
            pass

    def _expired(self, tx: Transaction, before: int) -> int:
        expired, now = self._store.expire_held(tx, before, self._portion), self._clock.now()
        self._mail_log.append(tx, [given_up(one, now) for one in expired])
        for message in dict.fromkeys(one.message for one in expired):
            if (closing := self._store.closing(tx, message)) is not None:
                self._mail_log.append(tx, [closed(message, closing, now)])
        return len(expired)

    async def _sweep(self) -> None:
        known = await self._database.read(self._store.spool_names)
        before = self._clock.now() / SECOND - ORPHAN_AGE
        removed = await asyncio.to_thread(self._spool.sweep, known, before)
        if removed:
            logger.info("%d spool files without a message were removed", removed)

    async def _purge(self, rules: RunnerRules) -> None:
        now = self._clock.now()
        keep, before = rules.keep_content, self._kept
        if keep is not None:
            await self._in_portions(self._store.purge, now - keep)
        elif before and await self._database.read(lambda tx: self._store.purgeable(tx, now)):
            await self._in_portions(self._store.purge, now)
        self._kept = keep is not None
        await self._in_portions(self._store.forget, now - rules.keep_events)
        await self._in_portions(self._mail_log.purge, now - rules.keep_events)

    async def _in_portions(self, clear: Callable[[Transaction, int, int], int], before: int) -> None:
        for _ in range(_PORTIONS):
            if await self._database.write(lambda tx: clear(tx, before, self._portion)) < self._portion:
                return
