"""What the page knows of the records that mail came to in Salesforce: where they are, and whether they can be taken back."""

from collections.abc import Sequence
from dataclasses import dataclass

from relay.delivery_kind import Role
from relay.ids import DeliveryId, QueueId
from relay.salesforce.record_rows import RecordRow, RecordState
from relay.salesforce.store import RecordStore
from relay.storage.database import Transaction
from relay.web.asking import Ask
from relay.web.sent_mail import Sent


@dataclass(frozen=True, slots=True)
class Recorded:
    """The records of one message."""

    link: str = ""
    """Where the first of them is in Salesforce; "" when there is none."""
    may_undo: bool = False
    undone: bool = False
    """All that were made are taken back."""


NOTHING = Recorded()


def instance_of(ask: Ask) -> str:
    """Give the address of the organisation; "" when the settings name none."""
    settings = ask.house.configuration.settings.salesforce
    return settings.instance if settings else ""


def record_link(instance: str, record: str) -> str:
    """Give the address of a record's page, which Salesforce leads to in Classic and Lightning alike."""
    return f"{instance.rstrip('/')}/{record}" if instance and record else ""


def recorded(tx: Transaction, some: Sequence[Sent], instance: str) -> dict[QueueId, Recorded]:
    """Give what each message was recorded as; what was not recorded is left out."""
    messages = {one.logging.id: one.id for one in some if one.logging and one.logging.role is Role.RECORD}
    found = RecordStore().of_deliveries(tx, list(messages))
    return {messages[delivery]: _recorded(rows, instance) for delivery, rows in found.items() if rows}


def _recorded(rows: Sequence[RecordRow], instance: str) -> Recorded:
    made = [row for row in rows if row.state is RecordState.MADE and row.salesforce_id]
    taken = [row for row in rows if row.state is RecordState.UNDONE]
    link = record_link(instance, made[0].salesforce_id or "") if made else ""
    # What could not be deleted yet is deleted when it is undone once more.
    again = any(row.pending for row in taken)
    return Recorded(link, bool(made) or again, bool(taken) and not made)


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """One record on the page of its message."""

    row: RecordRow
    link: str
    related: tuple[tuple[str, str], ...]
    """The ids that it stands on, with where they are."""


@dataclass(frozen=True, slots=True)
class ShownRecording:
    """What is known of recording a message."""

    records: tuple[ShownRecord, ...]
    why: tuple[str, ...]
    """How its recipients were matched, in words."""
    unmatched: tuple[str, ...]


def shown_recording(tx: Transaction, deliveries: Sequence[DeliveryId], instance: str) -> ShownRecording:
    """Give it for the deliveries of one message."""
    store = RecordStore()
    rows = [row for some in store.of_deliveries(tx, deliveries).values() for row in some]
    told = store.recordings(tx, deliveries).values()
    return ShownRecording(
        tuple(
            ShownRecord(
                row,
                record_link(instance, row.salesforce_id or "") if row.state is RecordState.MADE else "",
                tuple((one, record_link(instance, one)) for one in row.related),
            )
            for row in rows
        ),
        tuple(one.why for one in told if one.why),
        tuple(address for one in told for address in one.unmatched),
    )
