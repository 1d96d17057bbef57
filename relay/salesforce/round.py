"""One round of recording: messages that are due together are read, matched with shared look-ups, and handed on.

What each comes to is a value in its Work; a fault of Salesforce is that of the messages it concerns, and nobody else's.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from relay.config.model import Mode
from relay.errors import StorageError
from relay.maillog.events import LogUnmatched
from relay.outcome import NOBODY_RECEIVED_IT, Held, Outcome, Skipped
from relay.queue.model import FINAL, State
from relay.queue.operations import UNMATCHED
from relay.queue.settlement import BROKEN, UNREADABLE
from relay.salesforce.asked import with_controls
from relay.salesforce.concluding import conclude, fail, settings_of
from relay.salesforce.exchange import LOOK_UP, SalesforceError
from relay.salesforce.making import Maker
from relay.salesforce.matching import NOTHING_NAMED, Explicit, match, to_look_up
from relay.salesforce.model import (
    NO_CONTROLS,
    Fault,
    Match,
    MessageFacts,
    Opportunity,
    Person,
    PersonKind,
    ToldRecipient,
    Verdict,
)
from relay.salesforce.newcomers import make_newcomers
from relay.salesforce.org_shape import OrgShape
from relay.salesforce.outcomes import paused, sent
from relay.salesforce.reading import Wants, wants_of
from relay.salesforce.recipients import with_header
from relay.salesforce.record_rows import RecordRow, RecordState, Told
from relay.salesforce.rematch_times import wait_until_next
from relay.salesforce.uncertain import not_known_yet, settle_rows, unsure_for
from relay.salesforce.work import IMPORTED, Tools, Work

logger = logging.getLogger(__name__)

ONLY_BLIND = (
    "nobody of its recipients is recorded: they are blind copies (logging.capture.bcc_recipients) or excluded"
)
NO_REP = "the rep whose mail it is is not known any more"
UNDONE = "it was undone"
_SECOND = 1_000_000
_HEADERS = Wants(body=False, html=False)


class Round:
    """The messages of one round. `ended` is told of each as soon as its outcome is known."""

    def __init__(self, tools: Tools, works: Sequence[Work], ended: Callable[[Work], None]) -> None:
        self._tools = tools
        self._works = works
        self._ended = ended
        self._told: set[int] = set()

    async def run(self) -> "Maker | None":
        """Record the messages; give what still has files to send, if anything. Raises StorageError."""
        await self._load()
        self._not_now()
        await self._keep()
        shape = await self._shape()
        if shape is not None:
            await self._settle_uncertain(self._left(), shape)
            await self._read(self._left())
            await self._match(self._left())
            await self._decide(self._left())
        await self._keep()
        if shape is None or not (left := self._left()):
            return None
        maker = Maker(self._tools, shape, left, self._end)
        await maker.make()
        return maker if maker.has_files else None

    def _left(self) -> list[Work]:
        return [one for one in self._works if one.outcome is None]

    async def _shape(self) -> OrgShape | None:
        """Give how records are written; None: there is nothing to write, or it cannot be asked for now."""
        if not (left := self._left()):
            return None
        try:
            return await self._tools.organization.shape()
        except SalesforceError as exc:
            self._all_failed(left, exc.fault)
            return None

    def _end(self, one: Work) -> None:
        if one.id not in self._told:
            self._told.add(one.id)
            self._ended(one)

    # What is known

    async def _load(self) -> None:
        store, ids = self._tools.store, [one.id for one in self._works]
        messages = [one.batch.message.id for one in self._works]
        mails, rows, recordings = await self._tools.database.read(
            lambda tx: (store.mail(tx, messages), store.of_deliveries(tx, ids), store.recordings(tx, ids))
        )
        for one in self._works:
            one.mail = mails.get(one.batch.message.id)
            one.rows, one.recording = rows[one.id], recordings.get(one.id)
            self._take_facts(one)

    def _take_facts(self, one: Work) -> None:
        mail = one.mail
        rep = None if mail is None or mail.login is None else self._tools.directory().by_login(mail.login)
        if mail is None or mail.login is None or rep is None:
            one.outcome = Held(NO_REP)
            return
        one.identity = self._tools.client.identity_of(rep)
        named = one.recording.related_to if one.recording is not None else ()
        one.facts = MessageFacts(
            message=mail.message,
            login=mail.login,
            rep=rep,
            accepted_at=mail.accepted_at,
            sent_at=mail.accepted_at,
            message_id=mail.message_id,
            subject=mail.subject,
            recipients=_recipients(mail.recipients, imported=mail.listener == IMPORTED),
            mode=mail.mode,
            controls=replace(NO_CONTROLS, related_to=named),
        )
        one.facts = with_controls(one.facts, self._tools.settings)
        if done := _done(one.rows):
            one.outcome = done
        elif not any(each.state is State.SENT for each in one.facts.recipients):
            one.outcome = Skipped(NOBODY_RECEIVED_IT)

    def _not_now(self) -> None:
        """Leave alone what belongs to an identity that may not call, without asking it again."""
        now = self._tools.clock.now()
        for one in self._works:
            if one.outcome is None:
                pauses = (self._tools.client.paused(one.identity), self._tools.client.paused(LOOK_UP))
                pause = next((each for each in pauses if each is not None and each.until > now), None)
                if pause is not None:
                    one.outcome = paused(pause, now)

    def _all_failed(self, works: Iterable[Work], fault: Fault) -> None:
        for one in works:
            fail(one, fault)

    # What was asked for before, and whose answer nobody knows

    async def _settle_uncertain(self, works: Sequence[Work], shape: OrgShape) -> None:
        by_identity: defaultdict[str, list[RecordRow]] = defaultdict(list)
        for row in (row for one in works for row in one.rows):
            if row.state is RecordState.STARTED:
                by_identity[row.identity].append(row)
        client, clock = self._tools.client, self._tools.clock
        for identity, rows in by_identity.items():
            of = {row.delivery for row in rows}
            try:
                await settle_rows(
                    self._tools.database, self._tools.store, client, clock, identity, rows, shape
                )
            except SalesforceError as exc:
                self._all_failed([one for one in works if one.id in of], exc.fault)
        if by_identity:
            after = await self._tools.database.read(
                lambda tx: self._tools.store.of_deliveries(tx, [one.id for one in works])
            )
            for one in works:
                one.rows = after[one.id]
                one.outcome = one.outcome or _done(one.rows) or self._unsure(one)

    def _unsure(self, one: Work) -> Outcome | None:
        """Wait with a message of which Salesforce may still be making a record."""
        now = self._tools.clock.now()
        left = max((unsure_for(row, self._tools.client, now) for row in one.rows), default=0.0)
        return not_known_yet(left) if left > 0 else None

    # Reading and matching

    async def _read(self, works: Sequence[Work]) -> None:
        await asyncio.gather(*(self._read_one(one) for one in works))

    async def _read_one(self, one: Work) -> None:
        assert one.facts is not None
        capture = settings_of(self._tools.settings, one).capture
        wants = _HEADERS if one.facts.mode is Mode.OBSERVE else wants_of(capture)
        try:
            one.parts = await self._tools.reader.read(one.batch.content, wants)
        except StorageError as exc:
            logger.error("%s: %s", one.batch.message.id, exc)  # noqa: TRY400 - the store is at fault
            one.outcome = UNREADABLE
            return
        except Exception:
            logger.exception("%s: the mail cannot be read for its record", one.batch.message.id)
            one.outcome = BROKEN
            return
        one.facts = with_header(one.facts, one.parts)
        if one.mail is not None and one.mail.listener == IMPORTED and one.parts.date is not None:
            one.facts = replace(one.facts, sent_at=one.parts.date)

    async def _match(self, works: Sequence[Work]) -> None:
        """Match all messages with the same few look-ups."""
        try:
            await self._match_all(works)
        except SalesforceError as exc:
            self._all_failed([one for one in works if one.outcome is None], exc.fault)

    async def _match_all(self, works: Sequence[Work]) -> None:
        tools, rules = self._tools, self._tools.settings.match
        wanted = {one.id: self._to_look_up(one) for one in works}
        addresses = [each.address for some in wanted.values() for each in some]
        found: Mapping[str, Sequence[Person]] = await tools.lookup.people(addresses) if addresses else {}
        contacts = [one.id for some in found.values() for one in some if one.kind is PersonKind.CONTACT]
        roles: Mapping[str, Sequence[Opportunity]] = (
            await tools.lookup.opportunities(contacts) if contacts else {}
        )
        for one in works:
            if one.outcome is None and one.facts is not None:
                named = await self._named(one.facts)
                user = one.facts.rep.salesforce_user_id
                one.match = match(wanted[one.id], found, roles, rules, user, named)

    def _to_look_up(self, one: Work) -> Sequence[ToldRecipient]:
        assert one.facts is not None
        capture = settings_of(self._tools.settings, one).capture
        rep, told = one.facts.rep, one.facts.recipients
        people = to_look_up(
            told,
            self._tools.settings.match,
            bcc=capture.bcc_recipients,
            left_out=lambda address: self._tools.left_out(rep, address),
        )
        if not people and not one.facts.controls.related_to:
            one.outcome = Skipped(ONLY_BLIND)
        return people

    async def _named(self, facts: MessageFacts) -> Explicit:
        named = facts.controls.related_to
        return await self._tools.lookup.by_ids(named) if named else NOTHING_NAMED

    # Deciding

    async def _decide(self, works: Sequence[Work]) -> None:
        newcomers = []
        for one in works:
            assert one.facts is not None
            assert one.match is not None
            one.told = self._tell(one, one.match)
            if one.match.decision is Verdict.HOLD:
                self._hold(one, one.match)
            elif one.match.decision is Verdict.SKIP:
                one.outcome = Skipped(one.match.why.partition("\n")[0])
            elif one.facts.mode is Mode.OBSERVE:
                one.outcome = Skipped(_observed(one.match))
            elif one.match.newcomers:
                newcomers.append(one)
        if newcomers:
            await make_newcomers(self._tools, newcomers)

    def _tell(self, one: Work, found: Match) -> Told:
        assert one.facts is not None
        late = [each.address for each in one.facts.recipients if each.state not in FINAL]
        return Told(one.id, one.facts.message, one.facts.login, found.why, found.unmatched, late=tuple(late))

    def _hold(self, one: Work, found: Match) -> None:
        """Have a message that nobody was matched with wait, until its time is over."""
        assert one.facts is not None
        assert one.told is not None
        now, span = self._tools.clock.now(), self._tools.settings.match.rematch
        since = one.recording.unmatched_since if one.recording is not None else None
        since = now if since is None else since
        if now - since >= span.total_seconds() * _SECOND:
            one.outcome = Skipped(
                f"nobody in Salesforce had any of the addresses in {span.days or span} days"
            )
            return
        again = now + wait_until_next(now - since)
        one.told = replace(one.told, rematch_at=again)
        people = ", ".join(found.unmatched)
        one.outcome = Held(f"{UNMATCHED}nobody in Salesforce has {people}; it is matched again")
        one.events.append(
            LogUnmatched(at=now, message=one.facts.message, recipients=found.unmatched, again_at=again)
        )

    async def _keep(self) -> None:
        """Keep what was found out about messages that end here, in one commit."""
        ended = [one for one in self._works if one.outcome is not None and one.id not in self._told]
        await conclude(self._tools, ended)
        for one in ended:
            self._end(one)


def _recipients(rows: Iterable[tuple[str, State]], *, imported: bool) -> tuple[ToldRecipient, ...]:
    """Give the recipients; of mail that is imported all have it: it was sent by other means."""
    return tuple(ToldRecipient(address, State.SENT if imported else state) for address, state in rows)


def _done(rows: Sequence[RecordRow]) -> Outcome | None:
    """Give the outcome of a message whose records are all there already, with all that hangs on them."""
    if not rows or any(row.pending or row.state not in _SETTLED for row in rows):
        return None
    made = [row for row in rows if row.state is RecordState.MADE]
    if not made:
        return Skipped(UNDONE)
    return sent([f"{row.summary} ({row.salesforce_id})" for row in made])


_SETTLED = frozenset({RecordState.MADE, RecordState.UNDONE})


def _observed(found: Match) -> str:
    on = ", ".join(f"{one.person.kind.lower()} {one.person.id}" for one in found.people)
    things = ", ".join((*found.opportunity_ids, *([found.related_to] if found.related_to else [])))
    what = " and ".join(part for part in (on, things) if part)
    return f"observed only: it would have been logged{f' on {what}' if what else ' without a relation'}"
