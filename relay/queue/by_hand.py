"""What a person does to deliveries, whole: the change, its events, and what follows for the rest of the message.

The commands and the page share it, so that both leave the same trace in the mail log.
"""

from collections.abc import Callable
from dataclasses import dataclass

from relay.ids import QueueId
from relay.maillog.events import DeliveryChanged, MessageClosed
from relay.maillog.store import MailLog
from relay.queue.selection import ListedDelivery, Selection
from relay.queue.settlement import closed, copies_skipped
from relay.queue.store import QueueStore
from relay.storage.database import Transaction

Verb = Callable[[QueueStore, Transaction, Selection, int], list[ListedDelivery]]


@dataclass(frozen=True, slots=True)
class Act:
    """One verb with what the mail log says of it."""

    verb: str
    """In the past tense: "cancelled"."""
    do: Verb
    reason: str = ""
    ends: bool = False
    """Whether it is the end of what it is done to, so that messages may be closed by it."""
    due: bool = False
    """Whether what it is done to is due then."""


def retry(because: str = "") -> Act:
    """Make what is deferred due now."""
    return Act("retried", lambda store, tx, some, now: store.retry(tx, some, now), because, due=True)


def release(because: str = "") -> Act:
    """Make what is held due now."""
    return Act("released", lambda store, tx, some, now: store.release(tx, some, now), because, due=True)


def hold(by: str, because: str = "") -> Act:
    """Keep from being attempted."""
    why = because or f"held by {by}"
    return Act("held", lambda store, tx, some, now: store.hold(tx, some, why), because)


def cancel(by: str, because: str = "") -> Act:
    """Give up for good, without a report to the sender."""
    why = because or f"cancelled by {by}"
    return Act("cancelled", lambda store, tx, some, now: store.cancel(tx, some, why), because, ends=True)


def carry_out(
    tx: Transaction, store: QueueStore, log: MailLog, selection: Selection, act: Act, by: str, now: int
) -> list[ListedDelivery]:
    """Do it to one slice of what is selected, with its events; give what was changed. Repeat it while slices are full."""
    changed = act.do(store, tx, selection, now)
    by_message: dict[QueueId, list[str]] = {}
    for delivery in changed:
        by_message.setdefault(delivery.message, []).append(delivery.target)
    log.append(
        tx,
        [
            DeliveryChanged(
                at=now, message=message, verb=act.verb, targets=tuple(targets), by=by, reason=act.reason
            )
            for message, targets in by_message.items()
        ],
    )
    if act.ends:
        for message in by_message:
            skipped, _ = store.skip_copies(tx, message)
            log.append(tx, copies_skipped(message, skipped, now))
        log.append(tx, [end for message in by_message if (end := _closed(store, tx, message, now))])
    return changed


def _closed(store: QueueStore, tx: Transaction, message: QueueId, now: int) -> MessageClosed | None:
    closing = store.closing(tx, message)
    return None if closing is None else closed(message, closing, now)
