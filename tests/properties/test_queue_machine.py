"""Whatever services, crashes and operators do in whatever order, the queue stays what its model says.

Nothing accepted is lost, nothing final is ever claimed again, no delivery has two owners, and what was settled under
an overtaken claim is dropped.
"""

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from relay.delivery_kind import Role, Transport
from relay.ids import DeliveryId, QueueId, queue_id_of
from relay.policy.decision import PlannedDelivery
from relay.queue.model import FINAL, TRANSITIONS, Change, Closing, Delivery, State
from relay.queue.releasing import Waits
from relay.queue.store import QueueStore, Selection
from relay.storage.sqlite import SqliteDatabase
from tests.support.builders import NOW, lease, log_copy, new_message, record, to_recipient
from tests.support.clock import FakeClock

T = TypeVar("T")
SECOND = 1_000_000
PLANS: list[PlannedDelivery] = [
    to_recipient(),
    to_recipient(skipped="no"),
    log_copy(),
    log_copy(skipped="internal mail"),
    record(),
]
DELAY, REST = SECOND, 2 * SECOND
LATEST = 3 * SECOND
"""Nothing is put off for longer in this machine."""
AFTER_EVERY_LEASE = 2**62
BY_HAND = {State.WAITING, State.QUEUED, State.DEFERRED, State.HELD}


@dataclass(slots=True)
class Expected:
    """What the model knows of one delivery."""

    message: QueueId
    role: Role
    transport: Transport
    state: State
    due: int | None
    fence: int
    owner: str | None


def sent_before(plan: list[PlannedDelivery]) -> bool:
    """Whether the recipients of a plan have the mail by other means."""
    people = [one.skipped for one in plan if one.role is Role.RECIPIENT]
    return bool(people) and all(people)


class QueueMachine(RuleBasedStateMachine):
    """One service at a time over one database, and a model beside it."""

    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = FakeClock()
        self.store = QueueStore(clock=self.clock)
        self.store.use(keep_content=False, waits=Waits(DELAY, REST))
        self.database = self.open()
        self.service = 1
        self.expected: dict[DeliveryId, Expected] = {}
        self.closings: dict[QueueId, Closing | None] = {}

    def open(self) -> SqliteDatabase:
        """Open the database of this run."""
        return self.runner.run(SqliteDatabase.open(self.folder / "relay.db", create=True))

    def write(self, unit: "object") -> object:
        """Carry out a unit."""
        return self.runner.run(self.database.write(unit))  # type: ignore[arg-type]

    @property
    def owner(self) -> str:
        """Name the service that runs."""
        return f"service-{self.service}"

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.runner.run(self.database.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    # What services do -----------------------------------------------------------------------------

    @rule(target=claims, plan=st.lists(st.sampled_from(PLANS), min_size=1, max_size=4), leased=st.booleans())
    def accept(self, plan: list[PlannedDelivery], leased: bool) -> "object":
        """A message comes in; under a lease it is attempted at once."""
        message = new_message(accepted_at=self.clock.now())
        under = lease(self.owner) if leased else None
        given = self.write(lambda tx: self.store.accept(tx, message, plan, lease=under))
        assert isinstance(given, list)
        queue_id = queue_id_of(message.number)
        found = self.runner.run(self.database.read(lambda tx: self.store.message(tx, queue_id)))
        assert found is not None
        assert [one.role for one in found.deliveries] == [planned.role for planned in plan]
        fences = {one.id: one.fence for one in given}
        for one, planned in zip(found.deliveries, plan, strict=True):
            active = leased and not planned.skipped and planned.role is not Role.RECORD
            state = State.SKIPPED if planned.skipped else State.ACTIVE if leased else State.QUEUED
            if planned.role is Role.RECORD:
                state = State.QUEUED if sent_before(plan) else State.WAITING
            due = None if state is State.WAITING else self.clock.now()
            self.expected[one.id] = Expected(
                queue_id, planned.role, planned.transport, state, due, fences.get(one.id, 0),
                self.owner if active else None,
            )  # fmt: skip
        self.closings[queue_id] = None
        if not given:
            self.see_closing(queue_id, None)
        return multiple(*[one for one in given if one.state is State.ACTIVE])

    @rule(target=claims, limit=st.integers(1, 5), transport=st.sampled_from(Transport))
    def claim(self, limit: int, transport: Transport) -> "object":
        """The service takes what is due: exactly what the model says may be taken, until the limit is reached."""
        now = self.clock.now()
        if transport is Transport.SALESFORCE:
            waited = [one for one in self.expected.values() if one.state is State.WAITING]
            for record_ in waited:
                if record_.due is not None and record_.due <= now:
                    record_.state, record_.due = State.QUEUED, now + DELAY
        claimed = self.write(lambda tx: self.store.claim(tx, transport, now, limit, lease(self.owner)))
        assert isinstance(claimed, list)
        taken: list[Delivery] = [one for message in claimed for one in message.deliveries]
        due = {number for number, one in self.expected.items() if self.may_claim(one, transport)}
        assert {one.id for one in taken} <= due
        assert len(taken) >= min(limit, len(due))
        for message in claimed:
            assert message.content.inline is not None
            of_message = {number for number in due if self.expected[number].message == message.message.id}
            assert {one.id for one in message.deliveries} == of_message
        for one in taken:
            known = self.expected[one.id]
            assert one.fence == known.fence + 1
            known.state, known.fence, known.owner = State.ACTIVE, one.fence, self.owner
        return multiple(*taken)

    def may_claim(self, one: Expected, transport: Transport) -> bool:
        """Whether the model would give this delivery to a claim now."""
        ready = one.state in (State.QUEUED, State.DEFERRED) and one.transport is transport
        return ready and one.due is not None and one.due <= self.clock.now()

    @rule(
        delivery=claims,
        state=st.sampled_from(sorted(TRANSITIONS[State.ACTIVE])),
        wait=st.integers(0, 3),
    )
    def settle(self, delivery: Delivery, state: State, wait: int) -> None:
        """An attempt ends, maybe long after its claim was overtaken: then it changes nothing."""
        due = self.clock.now() + wait * SECOND if state in (State.DEFERRED, State.QUEUED) else None
        change = Change(delivery.id, delivery.fence, state, due, "because")
        result = self.write(lambda tx: self.store.settle(tx, delivery.message, [change]))
        assert isinstance(result, tuple)
        ids, closing = result
        known = self.expected[delivery.id]
        valid = known.state is State.ACTIVE and known.fence == delivery.fence
        assert ids == ([delivery.id] if valid else [])
        if valid:
            known.state, known.due, known.owner = state, due, None
            self.release_records(delivery.message)
        self.see_closing(delivery.message, closing)

    def release_records(self, message: QueueId) -> None:
        """A record is due when its mail has arrived with somebody and nobody is waited for, or soon after the first."""
        parts = [one for one in self.expected.values() if one.message == message]
        recipients = {one.state for one in parts if one.role is Role.RECIPIENT}
        for one in parts:
            if one.role is Role.RECORD and one.state is State.WAITING and State.SENT in recipients:
                if recipients <= FINAL:
                    one.state, one.due = State.QUEUED, self.clock.now() + DELAY
                elif one.due is None:
                    one.due = self.clock.now() + REST

    @rule()
    def crash(self) -> None:
        """The service is gone without a word; the next one queues again whatever it was at."""
        self.runner.run(self.database.close())
        self.database = self.open()
        self.service += 1
        self.clock.advance(1)
        now = self.clock.now()
        active = [one for one in self.expected.values() if one.state is State.ACTIVE]
        assert self.write(lambda tx: self.store.recover(tx, lease(self.owner), now)) == len(active)
        for one in active:
            one.state, one.owner = State.QUEUED, None

    @rule()
    def stop(self) -> None:
        """The service stops in order and gives back what it holds."""
        held = [one for one in self.expected.values() if one.owner == self.owner]
        assert self.write(lambda tx: self.store.give_back(tx, self.owner)) == len(held)
        for one in held:
            one.state, one.owner = State.QUEUED, None

    @rule(seconds=st.integers(1, 3))
    def time_passes(self, seconds: int) -> None:
        """What was put off becomes due."""
        self.clock.advance(seconds)

    @rule()
    def leases_end(self) -> None:
        """What was claimed and not settled within its lease is queued again; a late settlement finds it overtaken."""
        active = [one for one in self.expected.values() if one.state is State.ACTIVE]
        back = self.write(lambda tx: self.store.give_back_overdue(tx, "this-boot", AFTER_EVERY_LEASE))
        assert back == len(active)
        for one in active:
            one.state, one.owner = State.QUEUED, None

    @rule(seconds=st.integers(1, 10_000))
    def the_clock_is_set_back(self, seconds: int) -> None:
        """What would now be due too late is due at once; nothing else changes."""
        self.clock.instant -= seconds * SECOND
        now = self.clock.now()
        late = [
            one
            for one in self.expected.values()
            if one.state in (State.QUEUED, State.DEFERRED, State.WAITING)
            and one.due is not None
            and one.due > now + LATEST
        ]
        assert self.write(lambda tx: self.store.pull_in(tx, now + LATEST, now)) == len(late)
        for one in late:
            one.due = now

    # What operators do ----------------------------------------------------------------------------

    @rule(verb=st.sampled_from(["retry", "hold", "release", "cancel"]), data=st.data())
    def operate(self, verb: str, data: st.DataObject) -> None:
        """An operator picks some deliveries, whatever their state."""
        if not self.expected:
            return
        picked = data.draw(
            st.lists(st.sampled_from(sorted(self.expected)), min_size=1, max_size=6, unique=True)
        )
        selection = Selection(ids=tuple(picked), states=tuple(State))
        now = self.clock.now()
        argument = now if verb in ("retry", "release") else "by hand"
        changed = self.write(lambda tx: getattr(self.store, verb)(tx, selection, argument))
        assert isinstance(changed, list)
        target, takes = {
            "retry": (State.QUEUED, {State.DEFERRED}),
            "hold": (State.HELD, BY_HAND - {State.HELD}),
            "release": (State.QUEUED, {State.HELD}),
            "cancel": (State.CANCELLED, BY_HAND),
        }[verb]
        moved = {number for number in picked if self.expected[number].state in takes}
        assert {one.id for one in changed} == moved
        for number in moved:
            known = self.expected[number]
            known.state, known.due = target, now if target is State.QUEUED else None
        for number in moved:
            if verb == "release" and self.expected[number].role is Role.RECORD:
                self.wait_again(self.expected[number])
        for message in {self.expected[number].message for number in moved}:
            if verb == "cancel":
                self.release_records(message)
        for message in {self.expected[number].message for number in moved}:
            closing = self.runner.run(
                self.database.read(lambda tx, message=message: self.store.closing(tx, message))  # type: ignore[misc]
            )
            self.see_closing(message, closing)

    def wait_again(self, record: Expected) -> None:
        """A record released by hand before anybody has its mail waits on."""
        parts = [one for one in self.expected.values() if one.message == record.message]
        recipients = {one.state for one in parts if one.role is Role.RECIPIENT}
        if State.SENT not in recipients and not recipients <= FINAL:
            record.state, record.due = State.WAITING, None

    # What must hold -------------------------------------------------------------------------------

    def see_closing(self, message: QueueId, closing: Closing | None) -> None:
        """A message is closed once, exactly when the model has nothing open of it, with the model's counts."""
        parts = [one for one in self.expected.values() if one.message == message]
        done = all(one.state in FINAL for one in parts)
        if self.closings[message] is not None:
            assert closing is None
            return
        if not done:
            assert closing is None
            return
        self.closings[message] = stored = self.runner.run(
            self.database.read(lambda tx: self.store.closing(tx, message))
        )
        assert stored is not None
        assert closing in (None, stored)
        recipients = [one.state for one in parts if one.role is Role.RECIPIENT]
        assert stored.sent == recipients.count(State.SENT)
        assert stored.failed == recipients.count(State.BOUNCED) + recipients.count(State.EXPIRED)

    @invariant()
    def the_store_is_as_the_model_says(self) -> None:
        """Every delivery that was ever accepted is there, in the state and under the fence that is expected."""
        rows = self.runner.run(
            self.database.read(lambda tx: tx.execute("SELECT id, state, fence, lease_owner FROM delivery"))
        )
        expected = {(number, one.state.value, one.fence, one.owner) for number, one in self.expected.items()}
        assert set(rows) == expected

    @invariant()
    def content_lives_as_long_as_its_message(self) -> None:
        """Content is there for every message with an open delivery, and for no other."""
        rows = self.runner.run(self.database.read(lambda tx: tx.execute("SELECT message FROM content")))
        still_open = {one.message for one in self.expected.values() if one.state not in FINAL}
        assert {queue_id_of(int(str(row[0]))) for row in rows} == still_open


QueueMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestQueueMachine = pytest.mark.timeout(900)(QueueMachine.TestCase)  # thousands of commits


def test_the_builders_start_where_the_clock_does() -> None:
    """The machine's clock and the builders agree on what time it is."""
    assert FakeClock().now() == NOW
