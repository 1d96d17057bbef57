"""What a running service watches and tells of itself: the free disk, its certificate, the queue's gauges, the next hops."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from relay.certificate import ending
from relay.clock import Clock
from relay.delivery.courier import SmtpCourier
from relay.metrics import Metrics
from relay.queue.listing import Listing, Standing
from relay.storage.database import Database
from relay.storage.sqlite import DATABASE_NAME

logger = logging.getLogger(__name__)

_DISK_EVERY = 0.25
"""Seconds that a look at the disk holds: a burst of large mail must not use up what is kept free."""
_FULL = "the disk is nearly full"
GONE = -1
"""Less than any setting asks to be kept free."""
_DAY = 86_400_000_000
_COUNT_SHARE = 20.0
"""The queue is counted for at most one part in so many of the time: a walk over a million deliveries takes a while."""


class Disk:
    """The disk that the state is on, and whether the database is still there."""

    def __init__(self, folder: Path, clock: Clock, meter: Metrics) -> None:
        self._folder = folder
        self._clock = clock
        self._meter = meter
        self._looked_at = -_DISK_EVERY
        self._database = self._file()
        self._free = 0
        self._low = False
        self.trouble = _FULL
        """Why no mail is taken, when there is too little room for it."""

    def free(self) -> int:
        """Give the octets that are free; GONE where nobody would find again what is written now."""
        now = self._clock.monotonic()
        if now - self._looked_at >= _DISK_EVERY:
            self._looked_at = now
            try:
                free = shutil.disk_usage(self._folder).free if self._file() == self._database else GONE
                trouble = "its database is not the one that was opened; stop the relay, and put it back"
            except OSError as exc:  # a disk that is gone has no room; it is looked at again
                free, trouble = GONE, str(exc.strerror)
            self.trouble = f"{self._folder} takes no more mail: {trouble}" if free == GONE else _FULL
            if free == GONE != self._free:
                logger.error("%s", self.trouble)
            self._free = free
            self._meter.disk_free(max(free, 0))
        return self._free

    def look(self, wanted: int) -> None:
        """Look at the disk, and tell when it has come to have less than `wanted` octets, or that much again."""
        free = self.free()
        if free == GONE or (free < wanted) == self._low:
            return
        self._low = free < wanted
        room = (
            f"{free >> 20} MiB free in {self._folder}, {wanted >> 20} MiB wanted (limits.minimum_free_disk)"
        )
        if self._low:
            logger.error("%s, new mail is answered 452 4.3.1: %s", _FULL, room)
        else:
            logger.info("the disk has room again, mail is taken: %s", room)

    def _file(self) -> tuple[int, int]:
        """Tell the database's file from any other: one that was removed or replaced still can be written, and is lost."""
        found = (self._folder / DATABASE_NAME).stat()
        return found.st_dev, found.st_ino


class Expiry:
    """The end of the certificate that clients are shown: it is told before and after, once a day."""

    def __init__(self, clock: Clock, meter: Metrics) -> None:
        self._clock = clock
        self._meter = meter
        self._until: int | None = None
        self._next = 0

    def look(self, until: int | None) -> None:
        """Tell of the certificate that is in use, when there is something to tell."""
        if until != self._until:
            self._until, self._next = until, 0
            self._meter.certificate_ends((until or 0) / 1_000_000)
        now = self._clock.now()
        if until is not None and now >= self._next and (text := ending(until, now)):
            self._next = now + _DAY
            logger.error("tls.certificate: %s", text)


class Gauges:
    """The metrics of the queue, counted anew where counting does not cost too much."""

    def __init__(self, database: Database, clock: Clock, meter: Metrics) -> None:
        self._database = database
        self._clock = clock
        self._meter = meter
        self._counted: tuple[float, Standing] = (0.0, Standing())

    async def exposition(self) -> bytes:
        """Give all metrics in Prometheus' text format."""
        due, standing = self._counted
        began = self._clock.monotonic()
        if began >= due:
            standing = await self._database.read(Listing().standing)
            done = self._clock.monotonic()
            self._counted = (done + (done - began) * _COUNT_SHARE, standing)
        now = self._clock.now()
        ages = {state: max(0, now - at) / 1_000_000 for state, at in standing.oldest.items()}
        self._meter.queue_holds(standing.counts, ages)
        return self._meter.exposition()


def hops_of(courier: SmtpCourier) -> Sequence[dict[str, object]]:
    """Give how each next hop stands, as JSON can hold it."""
    return [
        {
            "route": hop.route,
            "host": f"{hop.host}:{hop.port}",
            "connections": hop.connections,
            "idle": hop.idle,
            "waiting": hop.waiting,
            "trouble": hop.trouble,
            "retry_in": round(hop.retry_in, 1),
        }
        for hop in courier.state()
    ]
