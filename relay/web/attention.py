"""What of the logging needs a person: failed and unmatched mail, with its fault, what it means and what happens next.

Reading only. What somebody dismissed stands in marks of the page's store and is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relay.delivery_kind import Role
from relay.ids import DeliveryId
from relay.queue.model import State
from relay.queue.playbook import Play, play_for, skeleton
from relay.queue.selection import ListedDelivery, Selection
from relay.queue.store import QueueStore
from relay.salesforce.faults_table import explanation
from relay.salesforce.model import Category, Fault, FaultKind
from relay.salesforce.record_rows import RecordingRow
from relay.salesforce.store import RecordStore
from relay.storage.database import Transaction

_FAILED = (State.BOUNCED, State.EXPIRED)
_SHOWN = (State.HELD, State.DEFERRED, *_FAILED)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One mail whose logging did not work, or not yet."""

    delivery: ListedDelivery
    recording: RecordingRow | None
    advice: str
    """What it means and what to do, in plain words."""

    @property
    def unmatched(self) -> Sequence[str]:
        """Give the addresses that nobody in Salesforce has."""
        return self.recording.unmatched if self.recording else ()

    @property
    def code(self) -> str:
        """Give Salesforce's error code; the enhanced status or nothing for a log copy."""
        return self.recording.code if self.recording else ""

    @property
    def category(self) -> str:
        """Give how the diagnostics group it (product documentation, Salesforce Diagnostics)."""
        return (self.recording.category if self.recording else "") or Category.OTHER.value

    @property
    def final(self) -> bool:
        """Tell whether nothing more is tried, whoever asks."""
        return self.delivery.state in _FAILED

    @property
    def waits_for_somebody(self) -> bool:
        """Tell whether it stays as it is until somebody does something."""
        return self.delivery.state is State.HELD or self.final

    @property
    def group(self) -> tuple[str, str]:
        """Give what it shares with others: what they are, and why."""
        if self.unmatched:
            return "unmatched", self.unmatched[0].rpartition("@")[2].lower()
        return "failed", self.code or skeleton(self.delivery.reason)


@dataclass(frozen=True, slots=True)
class Group:
    """Troubles with one reason."""

    kind: str
    """unmatched or failed."""
    key: str
    advice: str
    troubles: tuple[Trouble, ...]


def troubles(
    tx: Transaction, queue: QueueStore, ids: Sequence[DeliveryId], texts: Mapping[str, str]
) -> list[Trouble]:
    """Give these, in their order, with what is known of them."""
    if not ids:
        return []
    listed = {one.id: one for one in queue.list(tx, Selection(ids=tuple(ids), states=_SHOWN), len(ids))}
    records = [one.id for one in listed.values() if one.role is Role.RECORD]
    known = RecordStore().recordings(tx, records)
    return [Trouble(listed[one], known.get(one), _advice(listed[one], known.get(one), texts)) for one in ids]


def _advice(delivery: ListedDelivery, recording: RecordingRow | None, texts: Mapping[str, str]) -> str:
    if recording is not None and recording.unmatched:
        return texts.get("attention.unmatched_advice", "")
    if recording is not None and recording.code:
        fault = Fault(
            FaultKind(recording.kind), Category(recording.category), recording.code, recording.fault
        )
        return explanation(fault, texts=texts)
    return advice_of(play_for(delivery.state, delivery.reason), texts)


def advice_of(play: Play, texts: Mapping[str, str]) -> str:
    """Give the advice of the playbook in the language of `texts`; the English that it is written in where they lack it."""
    return texts.get(f"play.{play.kind}") or play.advice


def grouped(found: Sequence[Trouble]) -> list[Group]:
    """Group what waits for somebody by its reason, the largest group first."""
    groups: dict[tuple[str, str], list[Trouble]] = {}
    for one in found:
        if one.waits_for_somebody:
            groups.setdefault(one.group, []).append(one)
    made = [Group(kind, key, some[0].advice, tuple(some)) for (kind, key), some in groups.items()]
    return sorted(made, key=lambda group: (group.kind, -len(group.troubles), group.key))
