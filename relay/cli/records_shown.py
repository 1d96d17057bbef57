"""How `relay records` shows records: one line for each, and the whole of one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from relay.cli import pauses
from relay.cli.show import Json, ago, instant, minute, print_json, print_table, safe
from relay.clock import SystemClock
from relay.ids import DeliveryId
from relay.queue.model import FINAL, State
from relay.queue.selection import ListedDelivery
from relay.salesforce.record_rows import RecordingRow, RecordRow, RecordState
from relay.salesforce.store import RecordStore
from relay.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class Shown:
    """A delivery of role record, the records it came to, and what is known of it."""

    delivery: ListedDelivery
    records: Sequence[RecordRow] = ()
    recording: RecordingRow | None = None


def shown(tx: Transaction, deliveries: Sequence[ListedDelivery]) -> list[Shown]:
    """Put deliveries together with what is known of their records."""
    store = RecordStore()
    ids: list[DeliveryId] = [one.id for one in deliveries]
    records, recordings = store.of_deliveries(tx, ids), store.recordings(tx, ids)
    return [Shown(one, records[one.id], recordings.get(one.id)) for one in deliveries]


def with_reasons(state_dir: Path, found: Sequence[Shown]) -> list[Shown]:
    """Give those that wait for nothing but Salesforce a reason, while the service leaves it alone."""
    deliveries = pauses.with_reasons(state_dir, [one.delivery for one in found])
    return [replace(one, delivery=delivery) for one, delivery in zip(found, deliveries, strict=True)]


def items(found: Sequence[Shown]) -> list[Json]:
    """Give an item for each record; one without an id for a delivery that came to none yet."""
    return [item for one in found for item in _items(one)]


def _items(one: Shown) -> list[Json]:
    return [_item(one, record) for record in one.records or (None,)]


def _item(one: Shown, record: RecordRow | None) -> Json:
    delivery, known = one.delivery, one.recording
    return {
        "message": delivery.message,
        "delivery": delivery.id,
        "salesforce_id": record.salesforce_id if record else None,
        "object": record.object if record else None,
        "related": list(record.related) if record else [],
        "state": _state(one, record),
        "reason": _reason(one, record),
        "rep": delivery.login,
        "subject": delivery.subject,
        "message_id": delivery.message_id,
        "accepted_at": instant(delivery.accepted_at),
        "attempts": delivery.attempts,
        "next_attempt": instant(delivery.next_attempt_at),
        "rule": delivery.rule,
        "key": record.key if record else None,
        "found": record.found if record else False,
        "summary": record.summary if record else "",
        "remarks": record.reason if record else "",
        "why": known.why if known else "",
        "unmatched": list(known.unmatched) if known else [],
        "match_again": instant(known.rematch_at) if known and delivery.state is State.HELD else None,
        "category": known.category if known else "",
        "code": known.code if known else "",
        "fault": known.fault if known else "",
    }


def print_items(schema: str, found: Sequence[Shown], *, json: bool) -> None:
    """Print records, as a table or as JSON."""
    if json:
        print_json(schema, items(found))
        return
    now = SystemClock().now()
    print_table(
        ("MESSAGE", "REP", "STATE", "AGE", "OBJECT", "RECORD", "SUBJECT", "REASON"),
        [
            (
                one.delivery.message,
                one.delivery.login or "-",
                _state(one, record),
                ago(one.delivery.accepted_at, now),
                record.object if record else "-",
                (record.salesforce_id if record else None) or "-",
                one.delivery.subject,
                _reason(one, record),
            )
            for one in found
            for record in one.records or (None,)
        ],
    )


def _state(one: Shown, record: RecordRow | None) -> str:
    undone = record is not None and record.state is RecordState.UNDONE
    return "undone" if undone else one.delivery.state.value


def _reason(one: Shown, record: RecordRow | None) -> str:
    undone = record is not None and record.state is RecordState.UNDONE
    return (record.reason if undone and record else "") or _why(one)


def _why(one: Shown) -> str:
    """Tell why it is where it is; of what is tried again, that the reason is the one of the last attempt."""
    delivery, known = one.delivery, one.recording
    again = delivery.state in (State.QUEUED, State.ACTIVE)
    if again and known and known.related_to:
        return _before(f"to be recorded on {', '.join(known.related_to)}", delivery.reason)
    return _before("to be tried again", delivery.reason) if again and delivery.reason else delivery.reason


def _before(now: str, before: str) -> str:
    return f"{now}; before: {before}" if before else now


def is_undone(one: Shown) -> bool:
    """Tell whether everything that was made of it was taken back."""
    return bool(one.records) and all(row.state is RecordState.UNDONE for row in one.records)


def nothing_to_undo(one: Shown) -> str:
    """Tell why there is nothing to take back, or nothing any more; "" when there is."""
    if any(row.state in (RecordState.MADE, RecordState.STARTED) or row.pending for row in one.records):
        return ""
    if is_undone(one):
        return "it is undone already"
    return f"nothing was made of it: it is {one.delivery.state}" if one.delivery.state in FINAL else ""


def print_whole(found: Sequence[Shown]) -> None:
    """Print all that is known of records."""
    for one in found:
        delivery = one.delivery
        typer.echo(f"{delivery.message}  {delivery.state}  {safe(delivery.subject)}")
        _line("rep", delivery.login or "-")
        _line("reason", _why(one))
        if one.recording is not None:
            for number, line in enumerate(one.recording.why.splitlines()):
                _line("matched" if number == 0 else "", line)
            if delivery.state is State.HELD and one.recording.rematch_at:
                _line("again", f"{minute(one.recording.rematch_at)} UTC")
            if one.recording.code:
                _line("fault", f"{one.recording.code}: {one.recording.fault} ({one.recording.category})")
        for record in one.records:
            _line("record", f"{record.salesforce_id or '-'}  {record.state}  {record.summary}")
            if record.related:
                _line("on", ", ".join(record.related))
            if record.reason:
                _line("remark", record.reason)


def _line(name: str, text: str) -> None:
    if text:
        typer.echo(f"  {name:<8} {safe(text)}")
