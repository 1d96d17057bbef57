"""From matched messages to records in Salesforce: intended and marked as started in one commit, made, and stored as made.

Whatever happens between two of these steps, the next attempt knows from the rows what to look for.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from relay.ids import DeliveryId
from relay.maillog.events import Event, LogSucceeded
from relay.outcome import Deferred, Held, Skipped
from relay.salesforce.activity import compose
from relay.salesforce.composed import Intended
from relay.salesforce.concluding import conclude, fail, settings_of
from relay.salesforce.doubles import doubt
from relay.salesforce.exchange import SalesforceError
from relay.salesforce.looking import Wanted, assign, find
from relay.salesforce.model import Fault, FaultKind, Made
from relay.salesforce.org_shape import KEY_FIELD, OrgShape
from relay.salesforce.outcomes import HOP, TRIES, sent
from relay.salesforce.record_rows import Intention, RecordRow, RecordState
from relay.salesforce.uncertain import unsure_for
from relay.salesforce.work import Tools, Work
from relay.salesforce.writing import Making, hang, make, making, see_what_hangs, upload
from relay.status import Reply
from relay.storage.database import Transaction

BUSY = Deferred(
    Reply(451, "4.3.0", "the same mail is being recorded with another message"), HOP, 60.0, attempted=False
)
_STALE = frozenset(
    {"INVALID_CROSS_REFERENCE_KEY", "ENTITY_IS_DELETED", "NOT_FOUND", "CANNOT_UPDATE_CONVERTED_LEAD"}
)
"""What Salesforce says when somebody was deleted, merged or converted since they were looked up."""


@dataclass(slots=True)
class _Item:
    """One record of one message."""

    work: Work
    making: Making
    row: RecordRow
    look: bool = False
    """Whether it must be looked for, since nobody knows whether it was made."""
    asked: bool = False
    """Whether this attempt has asked for it."""
    kept: tuple[bool, str] | None = None
    """What the store has of it once it is made: whether something is missing, and the remarks."""

    def standing(self) -> tuple[bool, str]:
        """Give what the store should have of it."""
        return bool(self.making.missing), "; ".join(self.making.remarks)


class Maker:
    """Makes the records of matched messages. `ended` is told of each message as soon as its outcome is known."""

    def __init__(
        self, tools: Tools, shape: OrgShape, works: Sequence[Work], ended: Callable[[Work], None]
    ) -> None:
        self._tools = tools
        self._shape = shape
        self._works = works
        self._ended = ended
        self._items: list[_Item] = []

    @property
    def has_files(self) -> bool:
        """Tell whether files are still to be sent."""
        return any(one.making.files for one in self._items if one.work.outcome is None)

    async def make(self) -> None:
        """Make the records and their relations; messages with files are left without an outcome. Raises StorageError."""
        await self._intend()
        await self._each_identity(self._look)
        await self._each_identity(self._create)
        await self._store_made()
        await self._each_identity(self._complete)
        await self._store_hung()
        await self._finish([one for one in self._of_works() if not any(item.making.files for item in one[1])])

    async def send_files(self) -> None:
        """Send the files that are left, and end their messages. Raises StorageError."""
        for item in self._items:
            if item.making.files and item.work.outcome is None:
                await upload(self._tools.client, item.work.identity, item.making)
        await self._store_hung()
        await self._finish([one for one in self._of_works() if one[0].outcome is None])

    # Intending

    async def _intend(self) -> None:
        """Store what is to be made, marked as asked for, in one commit: from now on it must be looked for first."""
        tools = self._tools
        for one in self._works:
            self._compose(one)
        intentions = [
            Intention(one.id, one.facts.message, one.facts.login, one.identity, one.intended)
            for one in self._works
            if one.intended and one.facts is not None
        ]

        def keep(tx: Transaction) -> dict[tuple[DeliveryId, str], RecordRow]:
            now = tools.clock.now()
            rows = tools.store.intend(tx, intentions, now)
            tools.store.start(tx, self._to_start(rows), now)
            return dict(rows)

        rows = await tools.database.write(keep) if intentions else {}
        for one in self._works:
            self._take_rows(one, rows)
        await self._finish([(one, []) for one in self._works if one.outcome is not None])

    def _compose(self, one: Work) -> None:
        assert one.facts is not None
        assert one.match is not None
        settings = settings_of(self._tools.settings, one)
        shape = self._tools.organization.of(one.identity, self._shape)
        one.intended = compose(one.parts, one.facts, one.match, shape, settings)
        if any(row.state is RecordState.MADE and _is_main(row) for row in one.rows):
            # It is there, on whomever it was matched with then: another main record would be the mail once more.
            known = {row.key for row in one.rows}
            one.intended = tuple(each for each in one.intended if each.key in known or not _is_main(each))
        if not one.intended and not one.rows:
            one.outcome = Skipped(one.match.why.partition("\n")[0] or "there is nothing to record")

    def _to_start(self, rows: dict[tuple[DeliveryId, str], RecordRow]) -> list[tuple[str, bool]]:
        """Give what this attempt may ask for: also what a delivery that was given up has asked for, and is over."""
        hangs = {each.key: bool(each.follow_ups) for one in self._works for each in one.intended}
        now, client = self._tools.clock.now(), self._tools.client
        return [
            (key, hangs[key])
            for (delivery, key), row in rows.items()
            if row.delivery == delivery
            and row.state in (RecordState.INTENDED, RecordState.STARTED)
            and not unsure_for(row, client, now)
        ]

    def _take_rows(self, one: Work, rows: dict[tuple[DeliveryId, str], RecordRow]) -> None:
        now = self._tools.clock.now()
        for each in one.intended:
            row = rows[one.id, each.key]
            if row.delivery != one.id and row.state in (RecordState.INTENDED, RecordState.STARTED):
                one.outcome = BUSY
            if unsure_for(row, self._tools.client, now):  # of a delivery that was given up in the middle
                one.outcome = BUSY
            if row.state is RecordState.UNDONE:
                continue
            item = _Item(one, making(each, one.parts.attachments), row)
            if row.state is RecordState.MADE and row.salesforce_id is not None:
                item.making.written = Made(row.salesforce_id, row.object, row.found)
                if not row.pending or row.delivery != one.id:
                    item.making.missing = []
            item.look = row.state is RecordState.STARTED
            self._items.append(item)

    # Looking, creating

    async def _each_identity(self, do: Callable[[str, list[_Item]], Awaitable[None]]) -> None:
        groups: defaultdict[str, list[_Item]] = defaultdict(list)
        for item in self._items:
            if item.work.outcome is None:
                groups[item.work.identity].append(item)
        await asyncio.gather(*(do(identity, items) for identity, items in groups.items()))

    async def _look(self, identity: str, items: list[_Item]) -> None:
        """Look for what may be there: what nobody knows of, and with `already_logged: check` everything.

        A delivery that was claimed before is looked for, too: a restored backup does not know what was made after it.
        """
        check = self._tools.settings.already_logged == "check"
        looked = [
            one
            for one in items
            if one.making.written is None and (check or one.look or one.work.delivery.fence > 1)
        ]
        if not looked:
            return
        tools = self._tools
        wanted = [self._wanted(one) for one in looked]
        try:
            found = await find(tools.client, identity, wanted, self._shape)
        except SalesforceError as exc:
            await self._not_asked(looked, exc.fault)
            return
        ids = [each.id for some in found.values() for each in some]
        known = await tools.database.read(lambda tx: tools.store.known(tx, ids))
        there = assign(wanted, found, known)
        for one in looked:
            if one.row.key in there:
                one.making.written = Made(there[one.row.key], one.row.object, found=not one.look)
                if not one.look:  # something else has made it, with all that it wanted to hang on it
                    one.making.missing = []

    def _wanted(self, one: _Item) -> Wanted:
        assert one.work.facts is not None
        ahead = self._tools.client.server_now() - self._tools.clock.now()
        since = one.row.first_started_at if one.look else one.work.facts.sent_at
        return Wanted(
            one.row.key, one.row.object, one.row.find_by, (since or one.row.created_at) + ahead, not one.look
        )

    async def _not_asked(self, items: Sequence[_Item], fault: Fault) -> None:
        """Give up for now what could not be looked for; what was never asked for need not be looked for again."""
        for one in items:
            fail(one.work, fault)
        fresh = [(one.row.key, fault.code) for one in items if not one.look]
        store, now = self._tools.store, self._tools.clock.now()
        await self._tools.database.write(lambda tx: store.not_made(tx, fresh, now))
        await self._finish([(one.work, []) for one in items])

    async def _create(self, identity: str, items: list[_Item]) -> None:
        missing = [one for one in items if one.making.written is None and one.work.outcome is None]
        for one in missing:
            one.asked = True
        if missing:
            await make(self._tools.client, identity, [one.making for one in missing])

    async def _complete(self, identity: str, items: list[_Item]) -> None:
        """Add what hangs on records that were made before this attempt, as far as it is not there."""
        before = [
            one.making
            for one in items
            if one.making.missing and one.making.written is not None and self._was_there(one)
        ]
        if not before:
            return
        try:
            await see_what_hangs(self._tools.client, identity, before)
        except SalesforceError as exc:
            for each in before:
                each.again = exc.fault
            return
        await hang(self._tools.client, identity, before)

    def _was_there(self, one: _Item) -> bool:
        return one.row.state is RecordState.MADE or (one.look and isinstance(one.making.written, Made))

    # Storing

    async def _store_made(self) -> None:
        """Store what was made and what was not; what nobody knows of stays marked as started."""
        tools, now = self._tools, self._tools.clock.now()
        items = [one for one in self._items if one.work.outcome is None]
        made = [
            (one.row.key, written, *one.standing())
            for one in items
            if isinstance(written := one.making.written, Made) and one.row.delivery == one.work.id
        ]
        refused = [
            (one.row.key, f"{written.code}: {written.message}")
            for one in items
            if isinstance(written := one.making.written, Fault) and _surely_not(written)
        ]
        events = [event for one in items if (event := _made_event(one, now)) is not None]
        doubtful = [key for one in items if (key := self._doubtful(one)) is not None]

        def keep(tx: Transaction) -> None:
            tools.store.made(tx, made, now)
            doubt(tx, tools.client, doubtful, now)
            tools.store.not_made(tx, refused, now)
            tools.mail_log.append(tx, events)

        if items:
            await tools.database.write(keep)
        for one in items:
            one.kept = one.standing()

    def _doubtful(self, one: _Item) -> tuple[str, str] | None:
        """Give key and id of a record that an earlier call may yet make once more: nothing but our key would refuse it."""
        made, row = one.making.written, one.row
        if not (one.asked and row.starts and isinstance(made, Made) and row.delivery == one.work.id):
            return None
        keyed = self._tools.organization.of(one.work.identity, self._shape).has_key(made.object)
        return None if keyed or made.found else (row.key, made.id)

    async def _store_hung(self) -> None:
        """Store what became of what hangs on records, where that changed anything."""
        tools, now = self._tools, self._tools.clock.now()
        changed = [
            one
            for one in self._items
            if one.work.outcome is None
            and isinstance(one.making.written, Made)
            and one.row.delivery == one.work.id
            and one.standing() != one.kept
        ]
        rows = [(one.row.key, *one.standing()) for one in changed]
        if rows:
            await tools.database.write(lambda tx: tools.store.hung(tx, rows, now))
        for one in changed:
            one.kept = one.standing()

    def _of_works(self) -> list[tuple[Work, list[_Item]]]:
        of: dict[int, list[_Item]] = {one.id: [] for one in self._works if one.outcome is None}
        for item in self._items:
            if item.work.id in of:
                of[item.work.id].append(item)
        return [(one, of[one.id]) for one in self._works if one.id in of]

    # Ending

    async def _finish(self, works: Sequence[tuple[Work, list[_Item]]]) -> None:
        """Give each message its outcome, and tell of it once it is kept."""
        for one, items in works:
            if one.outcome is None:
                self._conclude(one, items)
        await conclude(self._tools, [one for one, _ in works])
        for one, _ in works:
            self._ended(one)

    def _conclude(self, one: Work, items: Sequence[_Item]) -> None:
        fault = next((each.making.written for each in items if isinstance(each.making.written, Fault)), None)
        if fault is not None:
            self._failed(one, fault)
            return
        again = next((each.making.again for each in items if each.making.again is not None), None)
        if again is not None and one.delivery.attempts + 1 < TRIES:
            fail(one, again)
            return
        made = [f"{each.making.intended.summary} ({_id(each)})" for each in items]
        if not made:
            one.outcome = Skipped("it was undone")
            return
        remarks = [remark for each in items for remark in each.making.remarks]
        if any(isinstance(each.making.written, Made) and each.making.written.found for each in items):
            remarks.append("it was there already")
        one.outcome = sent(made, remarks)

    def _failed(self, one: Work, fault: Fault) -> None:
        """Give a message the outcome of its fault, once what helps by itself was tried."""
        fail(one, fault)
        is_mail = any(each.object == "EmailMessage" for each in one.intended)
        text = f"Salesforce: {fault.code}: {fault.message}"
        held, organization = isinstance(one.outcome, Held), self._tools.organization
        if is_mail and held and organization.email_message_failed(fault, one.identity):
            one.outcome = Deferred(
                Reply(451, "4.3.0", f"{text}; a Task is made instead"), HOP, 1.0, attempted=False
            )
        elif fault.code in _STALE and one.delivery.attempts == 0 and one.match is not None:
            self._tools.lookup.forget([each.recipient.address for each in one.match.people])
            one.outcome = Deferred(Reply(451, "4.3.0", f"{text}; it is matched anew"), HOP)
        elif fault.kind is FaultKind.DUPLICATE and KEY_FIELD in str(fault.fields) + fault.message:
            one.outcome = Deferred(Reply(451, "4.3.0", f"{text}; it is looked for"), HOP)


def _is_main(record: RecordRow | Intended) -> bool:
    return record.object == "EmailMessage" and "RelatedToId" not in record.find_by


def _id(item: _Item) -> str:
    return item.making.written.id if isinstance(item.making.written, Made) else "?"


def _surely_not(fault: Fault) -> bool:
    """Tell whether Salesforce has said that it made nothing, or was not asked."""
    return not fault.maybe_done and fault.kind is not FaultKind.DUPLICATE


def _made_event(one: _Item, now: int) -> Event | None:
    made = one.making.written
    if not isinstance(made, Made) or one.row.state is RecordState.MADE:
        return None
    return LogSucceeded(
        at=now,
        message=one.work.batch.message.id,
        object=made.object,
        record=made.id,
        related=one.making.intended.related,
        found=made.found,
        identity=one.work.identity,
        summary=one.making.intended.summary,
        reason="; ".join(one.making.remarks),
    )
