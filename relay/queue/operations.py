"""What is done to deliveries by hand: retry, hold, release, cancel, skip. Each verb takes a slice and can be repeated."""

from collections.abc import Sequence
from dataclasses import replace

from relay.delivery_kind import Role
from relay.ids import QueueId, number_of
from relay.queue.ending import Ending
from relay.queue.listing import Listing
from relay.queue.model import TRANSITIONS, State
from relay.queue.releasing import waits_again
from relay.queue.rows import LISTED, listed
from relay.queue.selection import ListedDelivery, Selection
from relay.storage.database import Transaction

MOVE = """
    UPDATE delivery SET state = ?, next_attempt_at = ?, reason = ?, held_at = NULL WHERE id = ? AND state IN ({states})
"""
"""One delivery into another state, from those only that the table of states allows."""

HOLD_EVERYTHING = """
    UPDATE delivery SET state = 'held', next_attempt_at = NULL, reason = ?, fence = fence + 1, held_at = NULL,
        lease_owner = NULL, lease_until = NULL, lease_boot = NULL
    WHERE message IN (SELECT id FROM message WHERE closed_at IS NULL)
        AND state IN ('waiting', 'queued', 'active', 'deferred')
"""
"""All that is not final and not held yet, claims included: of a restored queue, whose service is gone."""

NO_EXPIRY = "UPDATE delivery SET held_at = NULL WHERE state = 'held' AND held_at IS NOT NULL"
"""What was held already in a restored queue does not expire either: releasing is explicit."""

UNMATCHED = "unmatched: "
"""How the reason begins of records that wait for somebody in Salesforce to have an address: they have a time of their own."""

HELD_FOR_LONG = f"""
    SELECT {LISTED} FROM message m JOIN delivery d ON d.message = m.id
    WHERE m.closed_at IS NULL AND d.role = 'record' AND d.state = 'held' AND d.held_at < ?
        AND d.reason NOT LIKE '{UNMATCHED}%' LIMIT ?
"""  # noqa: S608 - columns are ours
"""Records that Salesforce did not take, and that nobody has done anything about."""

SLICE = 1000
"""How many deliveries one verb changes: the writer is not kept from other work. Repeat it while it gives so many."""

# What is being attempted is not touched: whether it is sent cannot be known before the hop has answered.
_BY_HAND = {
    target: tuple(
        state for state in State if target in TRANSITIONS[state] and state not in (State.ACTIVE, target)
    )
    for target in (State.HELD, State.CANCELLED, State.SKIPPED)
}


class Operations(Listing):
    """The verbs; relay.queue.store.QueueStore carries them out."""

    def __init__(self, ending: Ending) -> None:
        self._ending = ending

    def retry(
        self, tx: Transaction, selection: Selection, now: int, limit: int = SLICE
    ) -> list[ListedDelivery]:
        """Make what is deferred due now; give what was changed. What is held stays held: see `release`."""
        return self._move(tx, selection, (State.DEFERRED,), State.QUEUED, now, None, limit)

    def hold(
        self, tx: Transaction, selection: Selection, reason: str, limit: int = SLICE
    ) -> list[ListedDelivery]:
        """Keep from being attempted whatever is not attempted just now; give what was changed."""
        return self._move(tx, selection, _BY_HAND[State.HELD], State.HELD, None, reason, limit)

    def release(
        self, tx: Transaction, selection: Selection, now: int, limit: int = SLICE
    ) -> list[ListedDelivery]:
        """Make what is held due now; give what was changed. A record waits again while nobody has its mail."""
        changed = self._move(tx, selection, (State.HELD,), State.QUEUED, now, None, limit)
        return [self._waits_again(tx, one) if one.role is Role.RECORD else one for one in changed]

    def cancel(
        self, tx: Transaction, selection: Selection, reason: str, limit: int = SLICE
    ) -> list[ListedDelivery]:
        """Give up for good what is not attempted just now; give what was changed.

        A message of which nothing is left to do is closed: `closing` tells how it ended.
        """
        changed = self._move(tx, selection, _BY_HAND[State.CANCELLED], State.CANCELLED, None, reason, limit)
        self._close(tx, changed)
        return changed

    def skip(
        self, tx: Transaction, selection: Selection, reason: str, limit: int = SLICE
    ) -> list[ListedDelivery]:
        """Decide that nothing is to be done for what is not attempted just now; give what was changed, as `cancel` does."""
        changed = self._move(tx, selection, _BY_HAND[State.SKIPPED], State.SKIPPED, None, reason, limit)
        self._close(tx, changed)
        return changed

    def expire_held(self, tx: Transaction, before: int, limit: int = SLICE) -> list[ListedDelivery]:
        """Give up the records that an attempt held before an instant; give what was changed, as `cancel` does."""
        held = [listed(row) for row in tx.execute(HELD_FOR_LONG, (before, limit))]
        changed = [replace(one, state=State.EXPIRED, next_attempt_at=None) for one in held]
        tx.execute_many(
            MOVE.format(states="'held'"), [(State.EXPIRED, None, one.reason, one.id) for one in changed]
        )
        self._close(tx, changed)
        return changed

    def replace_content(self, tx: Transaction, message: QueueId, wire: bytes) -> None:
        """Keep this, in wire form, in the place of a message's content: only when nobody is sent it any more."""
        self._ending.replace_content(tx, number_of(message), wire)

    def _close(self, tx: Transaction, changed: Sequence[ListedDelivery]) -> None:
        for message in dict.fromkeys(delivery.message for delivery in changed):
            self._ending.close_if_done(tx, [number_of(message)])

    def hold_everything(self, tx: Transaction, reason: str) -> int:
        """Hold every delivery that is not final, also those under way: only for a queue that no service works on."""
        tx.execute(NO_EXPIRY)
        tx.execute(HOLD_EVERYTHING, (reason,))
        return tx.changes()

    def _waits_again(self, tx: Transaction, released: ListedDelivery) -> ListedDelivery:
        if not waits_again(tx, released.id, number_of(released.message)):
            return released
        return replace(released, state=State.WAITING, next_attempt_at=None)

    def _move(
        self,
        tx: Transaction,
        selection: Selection,
        among: tuple[State, ...],
        target: State,
        due: int | None,
        reason: str | None,
        limit: int,
    ) -> list[ListedDelivery]:
        sql = MOVE.format(states=", ".join(f"'{state}'" for state in among))
        before = self._selected(tx, selection, among, limit)
        after = [
            replace(
                delivery,
                state=target,
                next_attempt_at=due,
                reason=delivery.reason if reason is None else reason,
            )
            for delivery in before
        ]
        tx.execute_many(sql, [(target, due, delivery.reason, delivery.id) for delivery in after])
        return after
