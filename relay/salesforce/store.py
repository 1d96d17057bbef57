"""The intended records in the database: one row each, stored before anything is asked of Salesforce.

Every verb takes part in the caller's transaction. A row is never left out of: what was asked for is marked as started
in the commit before the call, so that after a crash, a reset or a timeout it is looked for and not made twice.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence

from relay.config.model import Mode
from relay.ids import DeliveryId, Login, QueueId, number_of, queue_id_of
from relay.queue.model import State
from relay.queue.operations import UNMATCHED
from relay.queue.rows import integer, optional_text, text
from relay.salesforce.model import Fault, Made
from relay.salesforce.record_rows import (
    RECORD,
    RECORDING,
    Intention,
    RecordingRow,
    RecordRow,
    RecordState,
    SentMail,
    Told,
    record_row,
    recording_row,
)
from relay.storage.database import Transaction, Value
from relay.storage.portions import execute_in

MAIL = """
    SELECT id, login, accepted_at, message_id, subject, mode, listener FROM message WHERE id IN ({marks})
"""
"""Messages as recording sees them."""

RECIPIENTS = "SELECT message, target, state FROM delivery WHERE role = 'recipient' AND message IN ({marks}) ORDER BY id"
"""Their recipients, and what became of each."""

BY_DELIVERY = f"SELECT {RECORD} FROM record WHERE delivery IN ({{marks}}) ORDER BY created_at, key"  # noqa: S608 - our columns
"""The intended records of deliveries."""

BY_KEY = f"SELECT {RECORD} FROM record WHERE key IN ({{marks}})"  # noqa: S608 - our columns
"""Intended records by their keys."""

OWNED = "SELECT salesforce_id, key FROM record WHERE salesforce_id IN ({marks})"
"""Which of these records in Salesforce the relay knows, and by which key."""

MAIL_OF = """
    SELECT m.message_id, m.id, d.state FROM message m JOIN delivery d ON d.message = m.id
    WHERE m.login = ? AND m.message_id IS NOT NULL AND d.role = 'record'
        AND d.state IN ('waiting', 'queued', 'active', 'deferred', 'held', 'sent')
"""
"""The mails of a rep that are recorded, or are to be."""

OPEN = """
    SELECT id FROM delivery WHERE state IN ('waiting', 'queued', 'active', 'deferred', 'held') AND id IN ({marks})
"""
"""Which of these deliveries are not final."""

INTEND = """
    INSERT INTO record (key, message, delivery, login, identity, object, state, related, find_by, summary, created_at,
        changed_at)
    VALUES (?, ?, ?, ?, ?, ?, 'intended', ?, ?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET message = excluded.message, delivery = excluded.delivery, login = excluded.login,
        identity = excluded.identity, object = excluded.object, related = excluded.related, find_by = excluded.find_by,
        summary = excluded.summary, changed_at = excluded.changed_at
    WHERE state = 'intended'
"""
"""A record is to be made; one that was intended before and not made is this delivery's from now on."""

DROP = "DELETE FROM record WHERE key = ? AND state = 'intended'"
"""What a delivery intended before, and what is known not to be in Salesforce: it may be matched otherwise now."""

START_NEWCOMER = """
    INSERT INTO record (key, message, delivery, login, identity, object, state, starts, first_started_at, created_at,
        changed_at)
    VALUES (?, ?, 0, ?, ?, ?, 'started', 1, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET message = excluded.message, login = excluded.login, identity = excluded.identity,
        object = excluded.object, state = 'started', starts = starts + 1, salesforce_id = NULL,
        first_started_at = excluded.first_started_at, changed_at = excluded.changed_at
    WHERE record.changed_at = ?
"""
"""A lead or contact is about to be asked for, if nobody did since; it is no delivery's, since mail of many may wait for it."""

START = """
    UPDATE record SET state = 'started', starts = starts + 1, first_started_at = coalesce(first_started_at, ?),
        pending = ?, reason = '', changed_at = ?
    WHERE key = ? AND state IN ('intended', 'started')
"""
"""It is about to be asked for; committed before it is."""

MADE = """
    UPDATE record SET state = 'made', salesforce_id = ?, found = ?, pending = ?, reason = ?, changed_at = ?
    WHERE key = ? AND state IN ('intended', 'started', 'made')
"""
"""It is in Salesforce."""

NOT_MADE = """
    UPDATE record SET state = 'intended', reason = ?, changed_at = ? WHERE key = ? AND state IN ('intended', 'started')
"""
"""It is known not to be in Salesforce."""

HUNG = "UPDATE record SET pending = ?, reason = ?, changed_at = ? WHERE key = ? AND state = 'made'"
"""What hangs on it was seen to, as far as that is possible."""

UNDO = """
    UPDATE record SET state = 'undone', pending = ?, reason = ?, changed_at = ? WHERE key = ? AND state IN ('made', 'undone')
"""
"""It is taken back: a tombstone from now on. `pending`: it must still be deleted in Salesforce."""

RELATE = "UPDATE record SET related = ?, changed_at = ? WHERE key = ?"
"""It stands on other records now."""

TELL = """
    INSERT INTO recording (delivery, message, login, why, unmatched, unmatched_since, rematch_at, late, category, kind,
        code, fault, changed_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (delivery) DO UPDATE SET why = CASE WHEN excluded.why = '' THEN why ELSE excluded.why END,
        unmatched = excluded.unmatched, late = excluded.late,
        unmatched_since = CASE WHEN excluded.rematch_at IS NULL THEN NULL
            ELSE coalesce(unmatched_since, excluded.unmatched_since) END,
        rematch_at = excluded.rematch_at, category = excluded.category, kind = excluded.kind, code = excluded.code,
        fault = excluded.fault, changed_at = excluded.changed_at
"""
"""What an attempt found out about a message."""

RECORDINGS = f"SELECT {RECORDING} FROM recording WHERE delivery IN ({{marks}})"  # noqa: S608 - our columns
"""What is known of recording some messages."""

NAME = """
    INSERT INTO recording (delivery, message, login, related_to, changed_at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (delivery) DO UPDATE SET related_to = excluded.related_to, changed_at = excluded.changed_at
"""
"""Somebody named the records that a message stands on."""

TO_REMATCH = f"""
    SELECT {RECORDING} FROM recording WHERE rematch_at <= ? ORDER BY rematch_at LIMIT ?
"""  # noqa: S608 - our columns
"""Messages of which nobody was matched, and that are to be matched again."""

NEXT_REMATCH = "SELECT min(rematch_at) FROM recording WHERE rematch_at IS NOT NULL"
"""When the next of them is."""

REMATCH_AT = "UPDATE recording SET rematch_at = ?, rematches = rematches + 1 WHERE delivery = ?"
"""It is matched again then; NULL: never."""

WITH_LATE = f"""
    SELECT {RECORDING} FROM recording WHERE late <> '[]' AND delivery > ? ORDER BY delivery LIMIT ?
"""  # noqa: S608 - our columns
"""Messages of which some recipients did not have the mail when it was recorded."""

SET_LATE = "UPDATE recording SET late = ? WHERE delivery = ?"
"""These are still waited for."""

SPOOLED_UNMATCHED = f"""
    SELECT r.message FROM recording r JOIN delivery d ON d.id = r.delivery JOIN content c ON c.message = r.message
    WHERE r.rematch_at IS NOT NULL AND d.state = 'held' AND d.reason LIKE '{UNMATCHED}%' AND c.spool_name IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM delivery o WHERE o.message = r.message AND o.id <> d.id
            AND o.state IN ('waiting', 'queued', 'active', 'deferred', 'held'))
    ORDER BY r.message LIMIT ?
"""  # noqa: S608 - a word of ours
"""Messages that wait for nothing but a match, with content that takes room in the spool; the oldest first."""

FORGET = """
    DELETE FROM recording WHERE delivery IN (
        SELECT r.delivery FROM recording r LEFT JOIN delivery d ON d.id = r.delivery WHERE d.id IS NULL LIMIT ?)
"""
"""What is known of messages that are forgotten goes, too; intended records stay, since they keep from making them twice."""

STARTS_OF_TIME = "DELETE FROM record WHERE key IN (SELECT key FROM record WHERE changed_at < ? AND state <> 'undone' LIMIT ?)"
"""Records of a time that is over; tombstones stay."""


class RecordStore:
    """The intended records."""

    def mail(self, tx: Transaction, messages: Sequence[QueueId]) -> dict[QueueId, SentMail]:
        """Give messages as they were sent, with what became of their recipients; unknown ones are left out."""
        numbers = [number_of(one) for one in messages]
        recipients: dict[int, list[tuple[str, State]]] = {number: [] for number in numbers}
        for number, target, state in execute_in(tx, RECIPIENTS, (), numbers):
            recipients[integer(number)].append((str(target), State(str(state))))
        found = {}
        for row in execute_in(tx, MAIL, (), numbers):
            mail = _mail(row, tuple(recipients[integer(row[0])]))
            found[mail.message] = mail
        return found

    def of_deliveries(
        self, tx: Transaction, deliveries: Sequence[DeliveryId]
    ) -> dict[DeliveryId, list[RecordRow]]:
        """Give the intended records of each delivery."""
        found: dict[DeliveryId, list[RecordRow]] = {one: [] for one in deliveries}
        for row in execute_in(tx, BY_DELIVERY, (), deliveries):
            record = record_row(row)
            found[record.delivery].append(record)
        return found

    def by_keys(self, tx: Transaction, keys: Sequence[str]) -> dict[str, RecordRow]:
        """Give intended records by their keys."""
        rows = (record_row(row) for row in execute_in(tx, BY_KEY, (), keys))
        return {row.key: row for row in rows}

    def known(self, tx: Transaction, ids: Sequence[str]) -> dict[str, str]:
        """Tell which of these ids in Salesforce are records of the relay, and by which key."""
        return {str(row[0]): str(row[1]) for row in execute_in(tx, OWNED, (), ids)}

    def recordings(self, tx: Transaction, deliveries: Sequence[DeliveryId]) -> dict[DeliveryId, RecordingRow]:
        """Give what is known of recording these."""
        rows = (recording_row(row) for row in execute_in(tx, RECORDINGS, (), deliveries))
        return {row.delivery: row for row in rows}

    def intend(
        self, tx: Transaction, intentions: Sequence[Intention], now: int
    ) -> dict[tuple[DeliveryId, str], RecordRow]:
        """Store what is to be made, and mark as started what may be; give the row of each intended record.

        What its row says is what holds: made or undone before, or another delivery's that is still at it - then
        `delivery` is that one. What a delivery intended before, and is not in Salesforce, is forgotten.
        """
        keys = list(dict.fromkeys(one.key for each in intentions for one in each.records))
        before = self.by_keys(tx, keys)
        others = [row.delivery for row in before.values()]
        busy = {DeliveryId(integer(row[0])) for row in execute_in(tx, OPEN, (), others)}
        earlier = self.of_deliveries(tx, [each.delivery for each in intentions])
        dropped = {row.key for rows in earlier.values() for row in rows} - set(keys)
        tx.execute_many(DROP, [(key,) for key in dropped])
        for each in intentions:
            self._intend(tx, each, before, busy, now)
        after = self.by_keys(tx, keys)
        return {(each.delivery, one.key): after[one.key] for each in intentions for one in each.records}

    def _intend(
        self,
        tx: Transaction,
        each: Intention,
        before: Mapping[str, RecordRow],
        busy: Collection[DeliveryId],
        now: int,
    ) -> None:
        for one in each.records:
            row = before.get(one.key)
            elsewhere = row is not None and row.delivery != each.delivery
            if elsewhere and row is not None and row.state is RecordState.STARTED and row.delivery in busy:
                continue
            if row is not None and row.state is RecordState.STARTED:
                # Of a delivery that was given up in the middle: it may be in Salesforce, and is looked for.
                tx.execute("UPDATE record SET delivery = ?, message = ? WHERE key = ?", (each.delivery, number_of(each.message), one.key))  # fmt: skip
                continue
            tx.execute(
                INTEND,
                (
                    one.key,
                    number_of(each.message),
                    each.delivery,
                    each.login,
                    each.identity,
                    one.object,
                    json.dumps(one.related),
                    json.dumps(dict(one.find_by)),
                    text(one.summary),
                    now,
                    now,
                ),
            )

    def mail_of(self, tx: Transaction, login: Login) -> dict[str, tuple[QueueId, State]]:
        """Give the mails of a rep that are recorded or are to be, by their Message-IDs, and where each stands."""
        rows = tx.execute(MAIL_OF, (login,))
        return {str(name): (queue_id_of(integer(number)), State(str(state))) for name, number, state in rows}

    def start(self, tx: Transaction, keys: Iterable[tuple[str, bool]], now: int) -> None:
        """Mark records as asked for, before they are; each with whether something hangs on it."""
        tx.execute_many(START, [(now, hangs, now, key) for key, hangs in keys])

    def start_newcomer(
        self, tx: Transaction, newcomer: tuple[str, QueueId, Login, str, str], seen: int | None, now: int
    ) -> bool:
        """Mark a lead or contact as asked for: key, for which message, of which rep, as which identity, object.

        Tells whether that was done: not when the row is another than the one seen, which was changed then (None: none).
        """
        key, message, login, identity, object = newcomer
        tx.execute(START_NEWCOMER, (key, number_of(message), login, identity, object, now, now, now, seen))
        return tx.changes() > 0

    def made(self, tx: Transaction, results: Iterable[tuple[str, Made, bool, str]], now: int) -> None:
        """Store that records are in Salesforce: key, where, whether something that hangs on it is missing, a remark."""
        rows = [
            (made.id, made.found, pending, text(remark), now, key) for key, made, pending, remark in results
        ]
        tx.execute_many(MADE, rows)

    def not_made(self, tx: Transaction, results: Iterable[tuple[str, str]], now: int) -> None:
        """Store that records are known not to be in Salesforce: key and reason."""
        tx.execute_many(NOT_MADE, [(text(reason), now, key) for key, reason in results])

    def hung(self, tx: Transaction, results: Iterable[tuple[str, bool, str]], now: int) -> None:
        """Store what became of what hangs on records: key, whether something is still missing, a remark."""
        tx.execute_many(HUNG, [(pending, text(remark), now, key) for key, pending, remark in results])

    def undo(
        self, tx: Transaction, keys: Iterable[str], now: int, *, pending: bool, reason: str = ""
    ) -> None:
        """Make tombstones of records; pending: they are still to be deleted in Salesforce."""
        tx.execute_many(UNDO, [(pending, text(reason), now, key) for key in keys])

    def relate(self, tx: Transaction, key: str, related: Sequence[str], now: int) -> None:
        """Store that a record stands on these."""
        tx.execute(RELATE, (json.dumps(list(related)), now, key))

    def tell(self, tx: Transaction, told: Iterable[Told], now: int) -> None:
        """Keep what attempts found out about messages."""
        tx.execute_many(TELL, [_told_row(one, now) for one in told])

    def name(
        self,
        tx: Transaction,
        delivery: DeliveryId,
        message: QueueId,
        login: Login | None,
        ids: Sequence[str],
        now: int,
    ) -> None:
        """Keep the records that somebody named for a message."""
        tx.execute(NAME, (delivery, number_of(message), login or "", json.dumps(list(ids)), now))

    def to_rematch(self, tx: Transaction, now: int, limit: int) -> list[RecordingRow]:
        """Give the messages that are to be matched again, the longest due first."""
        return [recording_row(row) for row in tx.execute(TO_REMATCH, (now, limit))]

    def next_rematch(self, tx: Transaction) -> int | None:
        """Give when the next message is to be matched again."""
        at = tx.execute(NEXT_REMATCH)[0][0]
        return None if at is None else integer(at)

    def rematch_at(self, tx: Transaction, delivery: DeliveryId, at: int | None) -> None:
        """Have a message matched again then; None: never."""
        tx.execute(REMATCH_AT, (at, delivery))

    def spooled_unmatched(self, tx: Transaction, limit: int) -> list[QueueId]:
        """Give messages that wait for nothing but a match, with their content in the spool; the oldest first."""
        return [queue_id_of(integer(row[0])) for row in tx.execute(SPOOLED_UNMATCHED, (limit,))]

    def with_late(self, tx: Transaction, after: DeliveryId, limit: int) -> list[RecordingRow]:
        """Give recorded messages of which some recipients did not have the mail then; in the order of deliveries."""
        return [recording_row(row) for row in tx.execute(WITH_LATE, (after, limit))]

    def set_late(self, tx: Transaction, delivery: DeliveryId, late: Sequence[str]) -> None:
        """Keep who is still waited for."""
        tx.execute(SET_LATE, (json.dumps(list(late)), delivery))

    def forget(self, tx: Transaction, before: int, limit: int) -> int:
        """Delete what is known of messages that are forgotten, and records made before an instant; give how many."""
        tx.execute(FORGET, (limit,))
        forgotten = tx.changes()
        tx.execute(STARTS_OF_TIME, (before, limit))
        return max(forgotten, tx.changes())


def _mail(row: Sequence[Value], recipients: tuple[tuple[str, State], ...]) -> SentMail:
    number, login, accepted_at, message_id, subject, mode, listener = row
    return SentMail(
        queue_id_of(integer(number)),
        None if login is None else Login(str(login)),
        integer(accepted_at),
        optional_text(message_id),
        str(subject),
        Mode(str(mode)),
        str(listener),
        recipients,
    )


def _told_row(one: Told, now: int) -> tuple[Value, ...]:
    fault: Fault | None = one.fault
    said = (
        ("", "", "", "") if fault is None else (fault.category, fault.kind, fault.code, text(fault.message))
    )
    return (
        one.delivery,
        number_of(one.message),
        one.login,
        text(one.why),
        json.dumps(list(one.unmatched)),
        now if one.rematch_at is not None else None,
        one.rematch_at,
        json.dumps(list(one.late)),
        *said,
        now,
    )
