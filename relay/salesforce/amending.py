"""Take records back, and have them stand on other records: what people do about what was recorded.

Undoing makes a tombstone before anything is deleted, so that nothing makes the record again whatever happens between.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from relay.clock import Clock
from relay.ids import DeliveryId, QueueId
from relay.maillog.events import LogRelated, LogUndone
from relay.maillog.store import MailLog
from relay.salesforce.client import SalesforceClient
from relay.salesforce.exchange import Changed, NewRecord, SalesforceError
from relay.salesforce.faults_table import local_fault
from relay.salesforce.model import Fault, FaultKind, Written
from relay.salesforce.org import Organization
from relay.salesforce.record_rows import RecordRow, RecordState
from relay.salesforce.store import RecordStore
from relay.salesforce.uncertain import settle_rows, unsure_for
from relay.storage.database import Database, Transaction

_PEOPLE = ("003", "00Q")
_UNDONE = RecordState.UNDONE


@dataclass(frozen=True, slots=True)
class Amended:
    """What became of one record; `fault` None: it was done."""

    row: RecordRow
    done: str
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Amending:
    """The means."""

    database: Database
    client: SalesforceClient
    clock: Clock
    by: str
    reason: str = ""
    store: RecordStore = field(default_factory=RecordStore)
    mail_log: MailLog = field(default_factory=MailLog)

    async def rows(self, deliveries: Sequence[DeliveryId]) -> list[RecordRow]:
        """Give the records that deliveries came to."""
        found = await self.database.read(lambda tx: self.store.of_deliveries(tx, deliveries))
        return [row for rows in found.values() for row in rows]

    async def undo(self, rows: Sequence[RecordRow]) -> list[Amended]:
        """Take records back: a tombstone each, and those that the relay has made are deleted in Salesforce.

        What something else had logged stays there. What cannot be deleted now is, when it is undone once more.
        Raises SalesforceError when it cannot be found out whether something was made.
        """
        keys = [row.key for row in await self._certain(rows)]
        todo = await self.database.write(lambda tx: self._bury(tx, keys))
        return [await self._delete(row) for row in todo]

    async def _certain(self, rows: Sequence[RecordRow]) -> Sequence[RecordRow]:
        """Look for what was asked for and whose answer nobody knows: it must not stay behind."""
        uncertain = [row for row in rows if row.state is RecordState.STARTED]
        if not uncertain:
            return rows
        shape = await Organization(self.client, self.clock).shape()
        for identity in {row.identity for row in uncertain}:
            some = [row for row in uncertain if row.identity == identity]
            await settle_rows(self.database, self.store, self.client, self.clock, identity, some, shape)
        keys = [row.key for row in rows]
        after = await self.database.read(lambda tx: self.store.by_keys(tx, keys))
        left = max(unsure_for(row, self.client, self.clock.now()) for row in after.values())
        if left > 0:
            said = "whether the record was made is not known yet; it can be undone later"
            raise SalesforceError(local_fault("TIMEOUT", said, retry_after=left))
        return [after[key] for key in keys if key in after]

    def _bury(self, tx: Transaction, keys: Sequence[str]) -> list[RecordRow]:
        """Make the tombstones; give what is to be deleted, as it stands now."""
        now, held = self.clock.now(), self.store.by_keys(tx, keys)
        rows = [held[key] for key in keys if key in held]
        todo = [
            row for row in rows if row.state is RecordState.MADE or (row.state is _UNDONE and row.pending)
        ]
        for row in todo:
            self.store.undo(tx, [row.key], now, pending=not row.found, reason=self._reason)
        return todo

    @property
    def _reason(self) -> str:
        return f"undone by {self.by}{f': {self.reason}' if self.reason else ''}"

    async def _delete(self, row: RecordRow) -> Amended:
        if row.found or row.salesforce_id is None:
            await self.database.write(lambda tx: self._undone(tx, row))
            return Amended(row, "left in Salesforce, since something else had logged it")
        (result,) = await self.client.delete(row.identity, [(row.object, row.salesforce_id)])
        if isinstance(result, Fault) and result.kind is not FaultKind.GONE:
            return Amended(row, "", result)
        await self.database.write(lambda tx: self._undone(tx, row))
        return Amended(row, "deleted")

    def _undone(self, tx: Transaction, row: RecordRow) -> None:
        now = self.clock.now()
        self.store.undo(tx, [row.key], now, pending=False, reason=self._reason)
        record = row.salesforce_id or ""
        self.mail_log.append(
            tx, [LogUndone(at=now, message=row.message, record=record, by=self.by, reason=self.reason)]
        )

    async def relate(self, rows: Sequence[RecordRow], ids: Sequence[str]) -> list[Amended]:
        """Have records that are in Salesforce stand on these, too, as far as Salesforce allows."""
        made = [row for row in rows if row.state is RecordState.MADE and row.salesforce_id]
        return [await self._relate(row, one) for row in made[:1] for one in ids]

    async def _relate(self, row: RecordRow, to: str) -> Amended:
        person = to.startswith(_PEOPLE)
        result: Written
        if person and row.object == "EmailMessage":
            relation = {"EmailMessageId": row.salesforce_id, "RelationId": to, "RelationType": "OtherAddress"}
            (result,) = await self.client.create(row.identity, [NewRecord("EmailMessageRelation", relation)])
        else:
            name = "WhoId" if person else "WhatId" if row.object == "Task" else "RelatedToId"
            change = Changed(row.object, row.salesforce_id or "", {name: to})
            (result,) = await self.client.update(row.identity, [change])
        if isinstance(result, Fault):
            return Amended(row, "", result)
        await self.database.write(
            lambda tx: self._related(tx, row.key, row.message, row.salesforce_id or "", to)
        )
        return Amended(row, f"stands on {to}")

    def _related(self, tx: Transaction, key: str, message: QueueId, record: str, to: str) -> None:
        now = self.clock.now()
        rows = self.store.by_keys(tx, [key])
        related = [*rows[key].related, to] if key in rows else [to]
        self.store.relate(tx, key, list(dict.fromkeys(related)), now)
        event = LogRelated(
            at=now, message=message, record=record, related=(to,), by=self.by, reason=self.reason
        )
        self.mail_log.append(tx, [event])
