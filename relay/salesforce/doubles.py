"""Look once more for records that were asked for twice, and take back what is there twice.

Salesforce may carry a call out long after its caller has given up. With the relay's own key in a unique field it then
refuses the second one; without it both are there. Deleted is only what a call of ours answered with its id, and only
when the other is like it in every field that the relay writes, by the same user, with all that hangs on it, and nobody
else has changed either.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from relay.maillog.events import LogDoubled
from relay.salesforce.client import SalesforceClient
from relay.salesforce.doubt_store import Doubt, DoubtStore
from relay.salesforce.exchange import Description, SalesforceError
from relay.salesforce.looking import Candidate, Wanted, find
from relay.salesforce.model import Fault, FaultKind, Made, Row
from relay.salesforce.org_shape import OrgShape
from relay.salesforce.record_rows import RecordRow, RecordState
from relay.salesforce.soql import listed
from relay.salesforce.work import Tools
from relay.storage.database import Transaction

logger = logging.getLogger(__name__)

_TIMES = 5
"""How many times as long as any call should take it may be until a call that was lost has come to its end."""
_TRIES = 10
_STAYS = "{} is like it; it stays, since more hangs on it"
_NOT_KNOWN = "it may be there twice; Salesforce could not be asked for days"
_MOST = 100
_COMPARED = {
    "EmailMessage": (
        "Subject",
        "FromAddress",
        "FromName",
        "ToAddress",
        "CcAddress",
        "BccAddress",
        "MessageDate",
        "RelatedToId",
        "TextBody",
        "HtmlBody",
    ),
    "Task": (
        "Subject",
        "Description",
        "WhoId",
        "WhatId",
        "OwnerId",
        "ActivityDate",
        "Status",
        "Priority",
        "Type",
    ),
}
"""What two records must have in common to be one mail, as far as it is visible."""
_BY_WHOM = ("CreatedById", "LastModifiedById")
"""Who made them, and that nobody else has worked with one since."""
_STORE = DoubtStore()


def doubt(tx: Transaction, client: SalesforceClient, made: Sequence[tuple[str, str]], now: int) -> None:
    """Have records looked for once more that a second call has made: key, and the id that it answered."""
    _STORE.doubt(tx, made, now + _wait(client))


def _wait(client: SalesforceClient) -> int:
    return round(_TIMES * client.answers_within * 1_000_000)


async def look_again(tools: Tools) -> None:
    """Look for the records whose time has come. What cannot be asked now is, later. Raises StorageError."""
    doubts = await tools.database.read(lambda tx: _STORE.due(tx, tools.clock.now(), _MOST))
    if not doubts:
        return
    keys = [one.key for one in doubts]
    rows = await tools.database.read(lambda tx: tools.store.by_keys(tx, keys))
    by_identity: defaultdict[str, list[tuple[Doubt, RecordRow]]] = defaultdict(list)
    for one in doubts:
        if one.key in rows:
            by_identity[rows[one.key].identity].append((one, rows[one.key]))
    for identity, some in by_identity.items():
        try:
            await _Looking(tools, identity, await tools.organization.shape()).look(some)
        except SalesforceError as exc:
            logger.info("records that may be there twice are looked for later: %s", exc)
            await _later(tools, some)
    gone = [one.key for one in doubts if one.key not in rows]
    await tools.database.write(lambda tx: _STORE.settled(tx, gone))


async def next_due(tools: Tools) -> int | None:
    """Give when the next record is to be looked for; None: there are none."""
    return await tools.database.read(_STORE.next_due)


async def _later(tools: Tools, some: Sequence[tuple[Doubt, RecordRow]]) -> None:
    """Have them looked at later, after twice as long each time, though not for ever: then that is told."""
    wait, now = _wait(tools.client), tools.clock.now()
    again = [(one.key, now + (wait << one.tries)) for one, _ in some if one.tries < _TRIES]
    given_up = [(one, row) for one, row in some if one.tries >= _TRIES]
    events = [_doubled(one, row, now, _NOT_KNOWN) for one, row in given_up]

    def keep(tx: Transaction) -> None:
        _STORE.later(tx, again)
        tools.mail_log.append(tx, events)
        _STORE.settled(tx, [one.key for one, _ in given_up])

    await tools.database.write(keep)


def _doubled(one: Doubt, row: RecordRow, now: int, reason: str, deleted: str = "") -> LogDoubled:
    return LogDoubled(
        at=now, message=row.message, record=one.other or one.answered, deleted=deleted, reason=reason
    )


class _Looking:
    """One look, as one identity."""

    def __init__(self, tools: Tools, identity: str, shape: OrgShape) -> None:
        self._tools = tools
        self._identity = identity
        self._shape = shape

    async def look(self, some: Sequence[tuple[Doubt, RecordRow]]) -> None:
        """Settle each. Raises SalesforceError, StorageError."""
        begun = [(one, row) for one, row in some if one.other is not None and await self._still(one, row)]
        fresh = [(one, row) for one, row in some if one.other is None]
        found = await self._found([row for _, row in fresh if _counts(row)])
        for one, row in fresh:
            other = await self._other(one, row, found.get(row.key, ()))
            if other is None:
                await self._tools.database.write(partial(_STORE.settled, keys=[one.key]))
            elif await self._hangs_on_both(row.object, one.answered, other):
                replaced = replace(one, other=other)
                if await self._tools.database.write(partial(self._replace, one=replaced, row=row)):
                    begun.append((replaced, row))
            else:
                await self._tell(one, row, _STAYS.format(other), "")
        for one, row in begun:
            await self._delete(one, row)

    async def _found(self, rows: Sequence[RecordRow]) -> Mapping[str, Sequence[Candidate]]:
        """Give what may be the same records, without those that are known to be others."""
        ahead = self._tools.client.server_now() - self._tools.clock.now()
        wanted = [
            Wanted(row.key, row.object, row.find_by, (row.first_started_at or row.created_at) + ahead)
            for row in rows
        ]
        found = await find(self._tools.client, self._identity, wanted, self._shape)
        ids = [each.id for some in found.values() for each in some]
        known = await self._tools.database.read(lambda tx: self._tools.store.known(tx, ids))
        return {key: [each for each in some if known.get(each.id, key) == key] for key, some in found.items()}

    async def _other(self, one: Doubt, row: RecordRow, found: Sequence[Candidate]) -> str | None:
        """Give the id of another record that is the same mail; None when there is none, or ours is gone."""
        ids = {each.id for each in found}
        if not _counts(row) or row.salesforce_id != one.answered or len(ids | {one.answered}) < 2:
            return None
        there = await self._there(row.object, [*ids, one.answered])
        ours = there.pop(one.answered[:15], None)
        return next((str(each["Id"]) for each in there.values() if _alike(each, ours)), None)

    async def _still(self, one: Doubt, row: RecordRow) -> bool:
        """Tell whether what was to be deleted a while ago still is: not when it is the only one by now, or was changed."""
        assert one.other is not None
        there = await self._there(row.object, [one.answered, one.other])
        ours, other = there.get(one.answered[:15]), there.get(one.other[:15])
        if ours is None or not _counts(row):  # it is gone, or has been undone
            return True
        if other is None:
            await self._tools.database.write(partial(self._put_back, one=one, row=row))
            return False
        if _alike(other, ours) and await self._hangs_on_both(row.object, one.answered, one.other):
            return True
        await self._tell(one, row, _STAYS.format(one.answered), "")
        return False

    async def _there(self, object: str, ids: Sequence[str]) -> dict[str, Row]:
        """Give those that are there, with what they are compared by, by the first 15 characters of their ids."""
        fields = [*_BY_WHOM, *_compared(object, self._shape)]
        soql = f"SELECT Id, {', '.join(fields)} FROM {object} WHERE Id IN "  # noqa: S608 - names of ours
        rows = await self._tools.client.query(soql + listed(ids), identity=self._identity, background=True)
        return {str(each["Id"])[:15]: each for each in rows}

    async def _hangs_on_both(self, object: str, ours: str, other: str) -> bool:
        """Tell whether all that hangs on ours hangs on the other as well."""
        asked: list[tuple[str, str, tuple[str, ...]]] = [
            ("ContentDocumentLink", "LinkedEntityId", ("ContentDocument.Title",))
        ]
        if object == "EmailMessage":
            asked.append(("EmailMessageRelation", "EmailMessageId", ("RelationId", "RelationType")))
        for name, parent, columns in asked:
            soql = f"SELECT {parent}, {', '.join(columns)} FROM {name} WHERE {parent} IN "  # noqa: S608 - names of ours
            rows = await self._tools.client.query(
                soql + listed([ours, other]), identity=self._identity, background=True
            )
            mine = [_without(each, parent) for each in rows if _same_id(each.get(parent), ours)]
            theirs = [_without(each, parent) for each in rows if _same_id(each.get(parent), other)]
            if any(each not in theirs for each in mine):
                return False
        return True

    def _replace(self, tx: Transaction, *, one: Doubt, row: RecordRow) -> bool:
        """Store which counts from now on, before the other is deleted; False when it was taken back meanwhile."""
        now_held = self._tools.store.by_keys(tx, [row.key])[row.key]
        if not _counts(now_held) or now_held.salesforce_id != one.answered or one.other is None:
            _STORE.settled(tx, [one.key])
            return False
        made = (
            row.key,
            Made(one.other, row.object),
            row.pending,
            f"it was there twice, also as {one.answered}",
        )
        self._tools.store.made(tx, [made], self._tools.clock.now())
        _STORE.replaced(tx, one.key, one.other)
        return True

    def _put_back(self, tx: Transaction, *, one: Doubt, row: RecordRow) -> None:
        """Have the one that was answered count again."""
        now_held = self._tools.store.by_keys(tx, [row.key])[row.key]
        if _counts(now_held) and now_held.salesforce_id == one.other:
            made = (row.key, Made(one.answered, row.object), row.pending, f"{one.other} is there no more")
            self._tools.store.made(tx, [made], self._tools.clock.now())
        _STORE.settled(tx, [one.key])

    async def _delete(self, one: Doubt, row: RecordRow) -> None:
        (result,) = await self._tools.client.delete(
            self._identity, [(row.object, one.answered)], background=True
        )
        if not isinstance(result, Fault) or result.kind is FaultKind.GONE:
            await self._tell(one, row, "a call that had not answered was carried out late", one.answered)
        elif result.kind in (FaultKind.PERMISSION, FaultKind.RULE):
            await self._tell(one, row, f"{one.answered} could not be deleted: {result.code}", "")
        else:
            await _later(self._tools, [(one, row)])

    async def _tell(self, one: Doubt, row: RecordRow, reason: str, deleted: str) -> None:
        """Say in the mail log that it was there twice."""
        event = _doubled(one, row, self._tools.clock.now(), reason, deleted)

        def keep(tx: Transaction) -> None:
            self._tools.mail_log.append(tx, [event])
            _STORE.settled(tx, [one.key])

        await self._tools.database.write(keep)


def _counts(row: RecordRow) -> bool:
    return row.state is RecordState.MADE and not row.found


def _compared(object: str, shape: OrgShape) -> Sequence[str]:
    described: Description | None = shape.email_message if object == "EmailMessage" else shape.task
    return [name for name in _COMPARED[object] if described is None or name in described.fields]


def _alike(one: Row, ours: Row | None) -> bool:
    return ours is not None and _without(one, "Id") == _without(ours, "Id")


def _without(row: Row, parent: str) -> Row:
    return {name: value for name, value in row.items() if name not in (parent, "attributes")}


def _same_id(one: object, other: str) -> bool:
    return str(one)[:15] == other[:15]
