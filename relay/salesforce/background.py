"""What recording does beside its rounds: matching again what nobody was matched with, and adding late recipients."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from relay.delivery_kind import Transport
from relay.ids import DeliveryId
from relay.maillog.events import LogRelated
from relay.queue.by_hand import Act, carry_out, release, retry
from relay.queue.model import FINAL, State
from relay.queue.operations import SLICE, UNMATCHED
from relay.queue.releasing import earliest
from relay.queue.selection import ListedDelivery, Selection
from relay.salesforce.doubles import look_again, next_due
from relay.salesforce.exchange import NewRecord, SalesforceError
from relay.salesforce.model import Fault, Person, PersonKind
from relay.salesforce.recipients import address_key
from relay.salesforce.record_rows import RecordingRow, RecordRow, RecordState
from relay.salesforce.rematch_times import wait_until_next
from relay.salesforce.soql import literal
from relay.salesforce.work import Tools
from relay.storage.database import Transaction

logger = logging.getLogger(__name__)

BY = "relay"
_PORTION = 500
_SECOND = 1_000_000
_EVERY = 60.0
_TRIED_AGAIN = 600 * _SECOND


async def step(tools: Tools) -> float:
    """Do what is due; give for how many seconds nothing may be. Raises StorageError."""
    await look_again(tools)
    try:
        await rematch(tools)
        await add_late_recipients(tools)
    except SalesforceError as exc:
        logger.info("nobody is matched again just now: %s", exc)
        return _EVERY
    due = earliest((await tools.database.read(tools.store.next_rematch), await next_due(tools)))
    return _EVERY if due is None else (due - tools.clock.now()) / _SECOND


async def forget(tools: Tools, keep: timedelta) -> None:
    """Forget records and what is known of them when their time is over (retention.events). Raises StorageError."""
    before = tools.clock.now() - keep // timedelta(microseconds=1)
    while await tools.database.write(partial(tools.store.forget, before=before, limit=_PORTION)) >= _PORTION:
        pass


async def make_due(tools: Tools, because: str) -> None:
    """Make due what was put off. Raises StorageError."""
    put_off = Selection(states=(State.DEFERRED,), transport=Transport.SALESFORCE)

    def unit(tx: Transaction) -> int:
        now = tools.clock.now()
        return len(carry_out(tx, tools.queue, tools.mail_log, put_off, retry(because), BY, now))

    while await tools.database.write(unit) >= SLICE:
        pass
    tools.now_due()


# Matching again


async def rematch(tools: Tools) -> None:
    """Have messages recorded of whom somebody is known now; one question for all. Raises SalesforceError."""
    now = tools.clock.now()
    rows = await tools.database.read(lambda tx: tools.store.to_rematch(tx, now, _PORTION))
    if not rows:
        return
    held = await tools.database.read(lambda tx: _held(tools, tx, rows))
    asked = [row for row in rows if row.delivery in held]
    addresses = {each for row in asked for each in row.unmatched}
    found = await tools.lookup.people(addresses, background=True) if addresses else {}
    known = {key for key, people in found.items() if any(one.kind is not PersonKind.USER for one in people)}
    await tools.database.write(lambda tx: _rematched(tools, tx, rows, held, known))
    tools.now_due()


def _held(tools: Tools, tx: Transaction, rows: Sequence[RecordingRow]) -> set[DeliveryId]:
    """Give the deliveries that still are held for want of a match, and not by somebody."""
    ids = tuple(row.delivery for row in rows)
    listed = tools.queue.list(tx, Selection(ids=ids, states=(State.HELD,)), len(ids))
    return {one.id for one in listed if one.reason.startswith(UNMATCHED)}


def _rematched(
    tools: Tools,
    tx: Transaction,
    rows: Sequence[RecordingRow],
    held: set[DeliveryId],
    known: set[str],
) -> None:
    now = tools.clock.now()
    span = round(tools.settings.match.rematch.total_seconds() * _SECOND)
    for row in rows:
        since = row.unmatched_since or now
        if row.delivery not in held:
            tools.store.rematch_at(tx, row.delivery, None)
        elif any(address_key(each) in known for each in row.unmatched):
            _act(tools, tx, row, release("somebody in Salesforce has an address of it now"))
            tools.store.rematch_at(tx, row.delivery, now + _TRIED_AGAIN)
        elif now - since >= span:
            _act(
                tools,
                tx,
                row,
                _give_up(f"nobody in Salesforce had any of the addresses: {', '.join(row.unmatched)}"),
            )
            tools.store.rematch_at(tx, row.delivery, None)
        else:
            again = min(now + wait_until_next(now - since), since + span)
            tools.store.rematch_at(tx, row.delivery, again)


def _act(tools: Tools, tx: Transaction, row: RecordingRow, act: Act) -> list[ListedDelivery]:
    one = Selection(ids=(row.delivery,))
    return carry_out(tx, tools.queue, tools.mail_log, one, act, BY, tools.clock.now())


def _give_up(reason: str) -> Act:
    return Act("skipped", lambda store, tx, some, now: store.skip(tx, some, reason), reason, ends=True)


# Recipients who got the mail after it was recorded


async def add_late_recipients(tools: Tools) -> None:
    """Add to records whoever has got the mail since. Raises SalesforceError."""
    after = DeliveryId(0)
    while True:
        rows = await tools.database.read(partial(tools.store.with_late, after=after, limit=_PORTION))
        for row in rows:
            await _add_late(tools, row)
            after = row.delivery
        if len(rows) < _PORTION:
            return


async def _add_late(tools: Tools, row: RecordingRow) -> None:
    mails, records = await tools.database.read(
        lambda tx: (
            tools.store.mail(tx, [row.message]),
            tools.store.of_deliveries(tx, [row.delivery])[row.delivery],
        )
    )
    states = dict(mails[row.message].recipients) if row.message in mails else {}
    waited_for = [one for one in row.late if states.get(one, State.CANCELLED) not in FINAL]
    arrived = [one for one in row.late if states.get(one) is State.SENT]
    main = next((one for one in records if one.state is RecordState.MADE and one.salesforce_id), None)
    related, remark = await _relate(tools, main, arrived) if main is not None and arrived else ((), "")

    def keep(tx: Transaction) -> None:
        now = tools.clock.now()
        tools.store.set_late(tx, row.delivery, waited_for)
        if main is not None and arrived:
            tools.store.relate(tx, main.key, [*main.related, *related], now)
            tools.store.hung(tx, [(main.key, main.pending, remark)], now)
            event = LogRelated(
                at=now,
                message=row.message,
                record=main.salesforce_id or "",
                related=tuple(related),
                by=BY,
                reason=remark,
            )
            tools.mail_log.append(tx, [event])

    if len(waited_for) < len(row.late):
        await tools.database.write(keep)


async def _relate(tools: Tools, record: RecordRow, addresses: Sequence[str]) -> tuple[Sequence[str], str]:
    """Add people to a record; give their ids, and what is to be said of it. Raises SalesforceError."""
    found = await tools.lookup.people(addresses, background=True)
    people: dict[str, Person] = {}
    for address in addresses:
        people.update({one.id: one for one in list(found.get(address_key(address), ()))[:1]})
    names = ", ".join(addresses)
    if not people:
        return (), f"{names} got the mail later; nobody in Salesforce has the address"
    if record.object != "EmailMessage":
        return (), f"{names} got the mail later; a Task cannot be added to"
    soql = f"SELECT RelationId FROM EmailMessageRelation WHERE EmailMessageId = {literal(record.salesforce_id or '')}"  # noqa: S608
    rows = await tools.client.query(soql, identity=record.identity)
    there = {str(row.get("RelationId"))[:15] for row in rows}
    missing = [one for one in people.values() if one.id[:15] not in there]
    relations = [_relation(record, one) for one in missing]
    results = await tools.client.create(record.identity, relations) if relations else []
    fault = next((one for one in results if isinstance(one, Fault)), None)
    said = f"; {fault.code}: {fault.message}" if fault is not None else ""
    return [one.id for one in people.values()] if fault is None else (), f"{names} got the mail later{said}"


def _relation(record: RecordRow, person: Person) -> NewRecord:
    return NewRecord(
        "EmailMessageRelation",
        {
            "EmailMessageId": record.salesforce_id,
            "RelationId": person.id,
            "RelationType": "OtherAddress",
            "RelationAddress": person.email,
        },
    )
