"""The queue in the database: accepting, claiming and settling, in SQL.

Every verb takes part in the caller's transaction (Database.write, Database.read), so that what happens to a message
and the events that tell of it are one. The states are moved only as relay.queue.model.TRANSITIONS allows.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from relay.clock import Clock, SystemClock
from relay.delivery_kind import Role, Transport
from relay.errors import IllegalState
from relay.ids import DeliveryId, QueueId, number_of
from relay.policy.decision import PlannedDelivery
from relay.queue.accepting import Arrival, add, add_delivery
from relay.queue.ending import Ending, closing_of, nobody_received
from relay.queue.model import (
    FINAL,
    Change,
    ClaimedMessage,
    Closing,
    Delivery,
    Lease,
    NewMessage,
    QueuedMessage,
    StoredContent,
)
from relay.queue.operations import SLICE, Operations
from relay.queue.releasing import Waits, earliest, next_waited_for, release_waited_for
from relay.queue.rows import (
    CONTENT,
    DELIVERY,
    QUEUED,
    delivery,
    integer,
    optional_integer,
    queued_message,
    recipient,
    stored_content,
)
from relay.queue.selection import OPEN, FoundMessage, ListedDelivery, Selection
from relay.queue.settling import apply
from relay.storage.database import Transaction
from relay.storage.spool import Spool

__all__ = ["OPEN", "SLICE", "FoundMessage", "ListedDelivery", "QueueStore", "Selection"]

DUE = """
    SELECT message FROM delivery
    WHERE transport = ? AND state IN ('queued', 'deferred') AND next_attempt_at <= ?
    ORDER BY next_attempt_at LIMIT ?
"""
"""The messages that are due, the longest due first; the index delivery_due gives them in this order."""

# The + keeps the search on the message's own few deliveries, where the index of all that is due looks as good to SQLite.
CLAIM = f"""
    UPDATE delivery SET state = 'active', fence = fence + 1, lease_owner = ?, lease_until = ?, lease_boot = ?
    WHERE message = ? AND +transport = ? AND state IN ('queued', 'deferred') AND +next_attempt_at <= ?
    RETURNING {DELIVERY}
"""  # noqa: S608 - columns are ours
"""All due deliveries of one message become ours, under a new fencing number."""

CLAIMED = f"""
    SELECT {QUEUED}, prefix, skips, octets, wire, spool_name
    FROM message LEFT JOIN content ON content.message = message.id WHERE message.id = ?
"""  # noqa: S608 - columns are ours
"""A message and its content, for an attempt."""

RECIPIENTS = "SELECT target, notify, orcpt FROM delivery WHERE message = ? AND role = 'recipient' ORDER BY id"
"""Whom the sender wrote to."""

NEXT_DUE = """
    SELECT min(next_attempt_at) FROM delivery WHERE transport = ? AND state IN ('queued', 'deferred')
"""
"""When the next delivery of a transport is due."""

PULL_IN = """
    UPDATE delivery SET next_attempt_at = ?
    WHERE transport = ? AND state IN ('queued', 'deferred') AND next_attempt_at > ?
"""
"""What is due too far ahead becomes due now."""

PULL_IN_WAITING = "UPDATE delivery SET next_attempt_at = ? WHERE state = 'waiting' AND next_attempt_at > ?"
"""The same for records that wait for the rest of the recipients."""

GIVE_BACK = """
    UPDATE delivery SET state = 'queued', next_attempt_at = coalesce(next_attempt_at, created_at),
        lease_owner = NULL, lease_until = NULL, lease_boot = NULL
    WHERE message IN (SELECT id FROM message WHERE closed_at IS NULL) AND state = 'active' AND {whose}
"""
"""What was claimed but did not end is queued again; walked by the open messages, not the history."""

GIVE_BACK_OWN = GIVE_BACK.format(whose="lease_owner = ?")
"""Of one owner: it stops."""

GIVE_BACK_OTHERS = GIVE_BACK.format(whose="lease_owner <> ?")
"""Of every owner but one: they are dead."""

GIVE_BACK_OVERDUE = GIVE_BACK.format(whose="(lease_boot <> ? OR lease_until < ?)")
"""What should have been settled long ago: its lease is of an earlier boot, or over."""

LOAD = f"SELECT {QUEUED} FROM message WHERE id = ?"  # noqa: S608 - columns are ours
"""One message."""

CONTENT_OF = f"SELECT {CONTENT} FROM content JOIN message ON message.id = content.message WHERE message = ?"  # noqa: S608 - columns are ours
"""The content of one message."""

SPOOL_NAMES = "SELECT spool_name FROM content WHERE spool_name IS NOT NULL"
"""The spool files that belong to a message."""

OLD_CONTENT = """
    SELECT content.message FROM content JOIN message ON message.id = content.message
    WHERE content.message < ? AND closed_at < ? ORDER BY content.message LIMIT ?
"""
"""Content of messages that were closed long enough ago."""

OLD_MESSAGES = "SELECT id FROM message WHERE id < ? AND closed_at < ? ORDER BY id LIMIT ?"
"""Messages that were closed long enough ago, the oldest first."""

FORGET = ("DELETE FROM delivery WHERE message = ?", "DELETE FROM message WHERE id = ?")
"""All that is left of a message."""

_ID_SHIFT = 11  # relay.ids: a queue id is never below its instant's microseconds * 2048


class QueueStore(Operations):
    """The queue. Its questions are in relay.queue.listing, the verbs of operators in relay.queue.operations.

    `spool` is where content may be besides the database; without it spool files of closed messages wait for the
    sweep. `keep_content`: retention.content is not until_done, and `purge` removes content.
    """

    def __init__(
        self, spool: Spool | None = None, *, keep_content: bool = False, clock: Clock | None = None
    ) -> None:
        remove = None if spool is None else spool.remove
        super().__init__(Ending(clock or SystemClock(), remove, keep_content))

    def use(self, *, keep_content: bool, waits: Waits | None = None) -> None:
        """Go on with another retention of content, and other waits of records."""
        waits = self._ending.waits if waits is None else waits
        self._ending = replace(self._ending, keep_content=keep_content, waits=waits)

    def on_release(self, tell: Callable[[], None]) -> None:
        """Have `tell` called, on the database's thread, when records were released and are due soon."""
        self._ending = replace(self._ending, released=tell)

    def accept(
        self, tx: Transaction, message: NewMessage, plan: Sequence[PlannedDelivery], *, lease: Lease | None
    ) -> list[Delivery]:
        """Keep a message and its planned deliveries; give those that are not final, in the plan's order.

        With a lease they are ACTIVE under it, fence 1; else QUEUED and due now. A record is WAITING. When all are
        final the message is closed at once, and its content is not kept.
        """
        return self.accept_all(tx, [Arrival(message, plan, lease)])[0]

    def accept_all(self, tx: Transaction, arrivals: Sequence[Arrival]) -> list[list[Delivery]]:
        """Keep several messages, as `accept` does each."""
        todo = [[one for one in added if one.state not in FINAL] for added in add(tx, arrivals)]
        done = [arrival.message.number for arrival, left in zip(arrivals, todo, strict=True) if not left]
        self._ending.close_if_done(tx, done)
        return todo

    def claim(
        self, tx: Transaction, transport: Transport, now: int, limit: int, lease: Lease
    ) -> list[ClaimedMessage]:
        """Make due deliveries ACTIVE under the lease, the longest due first, all due ones of a message together.

        `limit` counts deliveries; the last message taken may go beyond it. Each claim raises the fence. Records that
        have waited long enough for the rest of the recipients are released before.
        """
        if transport is Transport.SALESFORCE:
            release_waited_for(tx, now, self._ending.waits)
        claimed: list[ClaimedMessage] = []
        for number in dict.fromkeys(integer(row[0]) for row in tx.execute(DUE, (transport, now, limit))):
            if limit <= 0:
                break
            values = (lease.owner, lease.until, lease.boot_id, number, transport, now)
            deliveries = sorted((delivery(row) for row in tx.execute(CLAIM, values)), key=lambda d: d.id)
            limit -= len(deliveries)
            claimed.append(_claimed(tx, number, tuple(deliveries)))
        return claimed

    def settle(
        self, tx: Transaction, message: QueueId, changes: Sequence[Change]
    ) -> tuple[list[DeliveryId], Closing | None]:
        """Apply what attempts came to; give the deliveries changed, and the closing when nothing is open any more.

        A change whose claim was overtaken (another fence, or no longer active) is dropped. Closing deletes the content
        unless it is kept longer. Raises IllegalState for a state that cannot follow ACTIVE, and for a delivery of
        another message.
        """
        return self.settle_all(tx, [(message, changes)])[0]

    def settle_all(
        self, tx: Transaction, settlements: Sequence[tuple[QueueId, Sequence[Change]]]
    ) -> list[tuple[list[DeliveryId], Closing | None]]:
        """Apply what attempts at several messages came to, as `settle` does each."""
        now = self._ending.clock.now()
        applied = apply(tx, [change for _, changes in settlements for change in changes], now)
        settled = [
            (number_of(message), [one.delivery for one in changes if one.delivery in applied])
            for message, changes in settlements
        ]
        if any(applied[one] != number for number, some in settled for one in some):
            raise IllegalState("a delivery of another message was to be settled")
        closings = self._ending.close_if_done(tx, list(dict.fromkeys(n for n, some in settled if some)))
        # The last settlement of a message is the one that closes it.
        told = [(some, closings.pop(number, None)) for number, some in reversed(settled)]
        told.reverse()
        return told

    def skip_copies(self, tx: Transaction, message: QueueId) -> tuple[list[tuple[Role, str]], Closing | None]:
        """Skip the log copies and records of mail that nobody received, but for those attempted just now.

        Gives their roles and targets (a log copy's is a secret), and the closing when nothing is open any more.
        """
        number = number_of(message)
        skipped = self._ending.skip_copies(tx, number)
        return skipped, self._ending.close_if_done(tx, [number]).get(number) if skipped else None

    def closing(self, tx: Transaction, message: QueueId) -> Closing | None:
        """Give how a message ended; None while it is open."""
        return closing_of(tx, number_of(message))

    def next_due(self, tx: Transaction, transport: Transport) -> int | None:
        """Give the instant at which the next delivery is due, which may have passed; None when nothing is queued."""
        due = optional_integer(tx.execute(NEXT_DUE, (transport,))[0][0])
        return earliest((due, next_waited_for(tx))) if transport is Transport.SALESFORCE else due

    def pull_in(self, tx: Transaction, latest: int, now: int) -> int:
        """Make due at `now` whatever would be due after `latest`, as when the clock was set back; give how many."""
        pulled = 0
        for transport in Transport:
            tx.execute(PULL_IN, (now, transport, latest))
            pulled += tx.changes()
        tx.execute(PULL_IN_WAITING, (now, latest))
        return pulled + tx.changes()

    def give_back(self, tx: Transaction, owner: str) -> int:
        """Queue again what `owner` claimed and did not end; give how many. For an orderly stop."""
        tx.execute(GIVE_BACK_OWN, (owner,))
        return tx.changes()

    def recover(self, tx: Transaction, lease: Lease, now: int) -> int:
        """Queue again, due at once, what any owner but the lease's claimed; give how many.

        For the start of the one service of this state folder: its lock says that the others are dead.
        """
        tx.execute(GIVE_BACK_OTHERS, (lease.owner,))
        return tx.changes()

    def add(self, tx: Transaction, message: QueueId, planned: PlannedDelivery, now: int) -> None:
        """Queue one more delivery of a message that is open, due now. Its content is there as long as it is open."""
        number = tx.last_id("delivery") + 1
        tx.note_id("delivery", number)
        add_delivery(tx, message, DeliveryId(number), planned, now)

    def give_back_overdue(self, tx: Transaction, boot: str, instant: int) -> int:
        """Queue again what was claimed under a lease that is over; give how many.

        `instant` is in monotonic microseconds of the boot. An attempt that ends after all finds its claim overtaken.
        """
        tx.execute(GIVE_BACK_OVERDUE, (boot, instant))
        return tx.changes()

    def content(self, tx: Transaction, message: QueueId) -> StoredContent | None:
        """Give where the content of a message is; None when it is gone."""
        rows = tx.execute(CONTENT_OF, (number_of(message),))
        return stored_content(rows[0]) if rows else None

    def load(self, tx: Transaction, message: QueueId) -> QueuedMessage | None:
        """Give a message as couriers know it; its envelope's recipients are its deliveries of role recipient."""
        number = number_of(message)
        rows = tx.execute(LOAD, (number,))
        return (
            queued_message(number, rows[0], map(recipient, tx.execute(RECIPIENTS, (number,))))
            if rows
            else None
        )

    def spool_names(self, tx: Transaction) -> set[str]:
        """Give the names of all spool files that belong to a message."""
        return {str(row[0]) for row in tx.execute(SPOOL_NAMES)}

    def purge(self, tx: Transaction, before: int, limit: int = SLICE) -> int:
        """Delete the content of messages closed before an instant, at most `limit`; give how many."""
        rows = tx.execute(OLD_CONTENT, (before << _ID_SHIFT, before, limit))
        self._ending.forget_content(tx, [integer(row[0]) for row in rows])
        return len(rows)

    def purgeable(self, tx: Transaction, before: int) -> bool:
        """Tell whether `purge` would find anything; a question for a reader, since it may walk the whole queue."""
        return bool(tx.execute(OLD_CONTENT, (before << _ID_SHIFT, before, 1)))

    def forget(self, tx: Transaction, before: int, limit: int = SLICE) -> int:
        """Delete whatever is left of messages closed before an instant, at most `limit`; give how many."""
        rows = tx.execute(OLD_MESSAGES, (before << _ID_SHIFT, before, limit))
        self._ending.forget_content(tx, [integer(row[0]) for row in rows])
        for sql in FORGET:
            tx.execute_many(sql, rows)
        return len(rows)


def _claimed(tx: Transaction, number: int, deliveries: tuple[Delivery, ...]) -> ClaimedMessage:
    row = tx.execute(CLAIMED, (number,))[0]
    message = queued_message(number, row[:11], map(recipient, tx.execute(RECIPIENTS, (number,))))
    content = row[11:] if row[11] is not None else (b"", "", message.octets, None, None)
    copies = {one.role for one in deliveries} == {Role.LOG_COPY}
    # Their recipients failed while they were attempted, and that was broken off: by a stop, or a crash.
    pointless = copies and nobody_received(tx, number)
    return ClaimedMessage(message, deliveries, stored_content(content), pointless)
