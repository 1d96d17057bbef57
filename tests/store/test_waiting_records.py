"""When a record that waits for the recipients of its mail is released, skipped, or given up."""

from collections.abc import Sequence

import pytest

from relay.delivery_kind import Role, Transport
from relay.ids import QueueId
from relay.outcome import NOBODY_RECEIVED_IT
from relay.queue.model import ClaimedMessage, State
from relay.queue.releasing import Waits
from relay.queue.selection import ListedDelivery, Selection
from relay.queue.store import QueueStore
from relay.storage.database import Database
from tests.store.test_queue_store import US, accept, ended, settle, states
from tests.support.builders import NOW, log_copy, new_message, record, to_recipient
from tests.support.clock import FakeClock

SECOND = 1_000_000
LATER = NOW + 3600 * SECOND
REST, DELAY = 600 * SECOND, 30 * SECOND


async def claim(database: Database, store: QueueStore, now: int) -> list[ClaimedMessage]:
    """Claim the records that are due."""
    return await database.write(lambda tx: store.claim(tx, Transport.SALESFORCE, now, 100, US))


async def due(database: Database, store: QueueStore) -> int | None:
    """Give when the next record is due."""
    return await database.read(lambda tx: store.next_due(tx, Transport.SALESFORCE))


async def row(database: Database, store: QueueStore, message: QueueId) -> ListedDelivery:
    """Give the record of a message as people see it."""
    found = await database.read(lambda tx: store.message(tx, message))
    assert found is not None
    (one,) = [each for each in found.deliveries if each.role is Role.RECORD]
    return one


async def settled(database: Database, store: QueueStore, *outcomes: State) -> tuple[QueueId, ListedDelivery]:
    """Accept a message to as many recipients, with a record, and settle each; DEFERRED is tried again later."""
    plan = [to_recipient(f"{n}@x.test") for n in range(len(outcomes))]
    *given, _ = await accept(database, store, *plan, record(), under=US)
    changes = [
        ended(one, state, LATER if state is State.DEFERRED else None)
        for one, state in zip(given, outcomes, strict=True)
    ]
    message = given[0].message
    await settle(database, store, message, *changes)
    await database.write(lambda tx: store.skip_copies(tx, message))
    return message, await row(database, store, message)


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ([State.SENT], State.QUEUED),
        ([State.SENT, State.BOUNCED], State.QUEUED),
        ([State.EXPIRED, State.SENT], State.QUEUED),
        ([State.BOUNCED], State.SKIPPED),
        ([State.BOUNCED, State.EXPIRED], State.SKIPPED),
        ([State.DEFERRED], State.WAITING),
        ([State.BOUNCED, State.DEFERRED], State.WAITING),
        ([State.HELD], State.WAITING),
        ([State.SENT, State.DEFERRED], State.WAITING),
        ([State.SENT, State.HELD], State.WAITING),
    ],
)
async def test_what_became_of_the_recipients_decides(
    database: Database, store: QueueStore, outcomes: Sequence[State], state: State
) -> None:
    """All final and one sent: made. All final and none sent: skipped. One open: it waits."""
    message, found = await settled(database, store, *outcomes)
    assert found.state is state
    waits_for_rest = state is State.WAITING and State.SENT in outcomes
    instant = {State.QUEUED: NOW, State.WAITING: NOW + REST if waits_for_rest else None}.get(state)
    assert found.next_attempt_at == instant
    assert await due(database, store) == instant
    if state is State.SKIPPED:
        assert found.reason == NOBODY_RECEIVED_IT
        assert (await database.read(lambda tx: store.closing(tx, message))) is not None


async def test_the_clocks_start_at_the_release(
    database: Database, store: QueueStore, clock: FakeClock
) -> None:
    """Mail that was on its way for a day has its record made after the delay from now, and its retries count from now."""
    store.use(keep_content=False, waits=Waits(DELAY, REST))
    (one, _) = await accept(database, store, to_recipient(), record(), under=US)
    clock.advance(86_400)
    await settle(database, store, one.message, ended(one))
    found = await row(database, store, one.message)
    now = NOW + 86_400 * SECOND
    assert (found.state, found.created_at, found.next_attempt_at) == (State.QUEUED, now, now + DELAY)
    assert await claim(database, store, now + DELAY - 1) == []
    assert len(await claim(database, store, now + DELAY)) == 1


async def test_it_waits_no_longer_than_it_should(
    database: Database, store: QueueStore, clock: FakeClock
) -> None:
    """One recipient has the mail, another waits: after wait_for_rest the record is claimed with what there is."""
    message, _ = await settled(database, store, State.SENT, State.DEFERRED)
    assert await claim(database, store, NOW + REST - 1) == []
    (claimed,) = await claim(database, store, NOW + REST)
    assert [one.role for one in claimed.deliveries] == [Role.RECORD]
    assert claimed.deliveries[0].created_at == NOW + REST
    assert (await states(database, store, message))[1] is State.DEFERRED


async def test_a_second_recipient_does_not_make_it_wait_longer(
    database: Database, store: QueueStore, clock: FakeClock
) -> None:
    """The wait begins with the first who has the mail."""
    plan = [to_recipient(f"{n}@x.test") for n in range(3)]
    a, b, _, _ = await accept(database, store, *plan, record(), under=US)
    await settle(database, store, a.message, ended(a))
    clock.advance(60)
    await settle(database, store, a.message, ended(b))
    assert await due(database, store) == NOW + REST


async def test_cancelling_the_rest_releases_it(database: Database, store: QueueStore) -> None:
    """An operator gives the last open recipient up: the others have the mail, and the record is made."""
    message, _ = await settled(database, store, State.SENT, State.DEFERRED)
    rest = Selection(message=message, states=(State.DEFERRED,))
    await database.write(lambda tx: store.cancel(tx, rest, "no"))
    assert (await row(database, store, message)).state is State.QUEUED


async def test_cancelling_all_of_them_skips_it(database: Database, store: QueueStore) -> None:
    """When the only recipient is given up nobody received the mail."""
    message, _ = await settled(database, store, State.DEFERRED)
    await database.write(lambda tx: store.cancel(tx, Selection(role=Role.RECIPIENT), "no"))
    skipped, closing = await database.write(lambda tx: store.skip_copies(tx, message))
    assert skipped == [(Role.RECORD, "ana")]
    assert closing is not None
    assert closing.logged == "skipped"


async def test_held_and_released_before_anybody_has_the_mail(database: Database, store: QueueStore) -> None:
    """Releasing by hand what was held while it waited lets it wait on; once somebody has the mail it is due."""
    message, _ = await settled(database, store, State.DEFERRED)
    whole = Selection(message=message, role=Role.RECORD)
    await database.write(lambda tx: store.hold(tx, whole, "by hand"))
    (released,) = await database.write(lambda tx: store.release(tx, whole, NOW))
    assert (released.state, released.next_attempt_at) == (State.WAITING, None)
    assert (await row(database, store, message)) == released
    assert await due(database, store) is None


async def test_held_while_the_recipients_end(database: Database, store: QueueStore) -> None:
    """A record that somebody holds stays held when the mail arrives, and is due when it is released."""
    (one, _) = await accept(database, store, to_recipient(), record(), under=US)
    whole = Selection(role=Role.RECORD)
    await database.write(lambda tx: store.hold(tx, whole, "by hand"))
    await settle(database, store, one.message, ended(one))
    assert (await row(database, store, one.message)).state is State.HELD
    (released,) = await database.write(lambda tx: store.release(tx, whole, NOW))
    assert (released.state, released.next_attempt_at) == (State.QUEUED, NOW)


async def test_a_restored_queue(database: Database, store: QueueStore) -> None:
    """After a restore everything is held; released together, the record waits for its recipient again."""
    await settled(database, store, State.DEFERRED)
    await database.write(lambda tx: store.hold_everything(tx, "restored"))
    released = await database.write(lambda tx: store.release(tx, Selection(), NOW))
    assert [(one.role, one.state) for one in released] == [
        (Role.RECIPIENT, State.QUEUED),
        (Role.RECORD, State.WAITING),
    ]


async def test_mail_sent_by_other_means_is_due_at_once(database: Database, store: QueueStore) -> None:
    """With recipients that the relay does not send to there is nobody to wait for."""
    given = await accept(database, store, to_recipient(skipped="sent before"), record(), under=US)
    assert [(one.role, one.state, one.next_attempt_at) for one in given] == [(Role.RECORD, State.QUEUED, NOW)]


async def test_it_tells_of_a_release(database: Database, store: QueueStore) -> None:
    """Whoever makes records hears of each release once it is durable, and of nothing else."""
    told: list[str] = []
    store.on_release(lambda: told.append("released"))
    await settled(database, store, State.DEFERRED)
    await settled(database, store, State.BOUNCED)
    assert told == []
    await settled(database, store, State.SENT)
    assert told == ["released"]


async def test_what_salesforce_does_not_take_expires(
    database: Database, store: QueueStore, clock: FakeClock
) -> None:
    """A record that an attempt held is given up after its time; one that somebody holds by hand is not."""
    for_long, by_hand = [(await settled(database, store, State.SENT))[0] for _ in range(2)]
    for message in await claim(database, store, NOW):
        await settle(database, store, message.message.id, ended(message.deliveries[0], State.HELD))
    again = Selection(message=by_hand)
    await database.write(lambda tx: store.release(tx, again, NOW))
    await database.write(lambda tx: store.hold(tx, again, "by hand"))
    assert await database.write(lambda tx: store.expire_held(tx, NOW)) == []
    (expired,) = await database.write(lambda tx: store.expire_held(tx, NOW + 1))
    assert (expired.message, expired.state) == (for_long, State.EXPIRED)
    assert await database.read(lambda tx: store.closing(tx, for_long)) is not None
    assert (await row(database, store, by_hand)).state is State.HELD


async def test_skipping_by_hand(database: Database, store: QueueStore) -> None:
    """A record that nobody wants is skipped with a reason, and the message is closed when nothing else is open."""
    message, _ = await settled(database, store, State.SENT)
    (skipped,) = await database.write(lambda tx: store.skip(tx, Selection(message=message), "private"))
    assert (skipped.state, skipped.reason) == (State.SKIPPED, "private")
    assert await database.read(lambda tx: store.closing(tx, message)) is not None


async def test_adding_a_delivery(database: Database, store: QueueStore) -> None:
    """A log copy can be added to an open message, under an id of its own, and is claimed like any other."""
    message, found = await settled(database, store, State.SENT)
    await database.write(lambda tx: store.add(tx, message, log_copy(), NOW))
    (claimed,) = await database.write(lambda tx: store.claim(tx, Transport.SMTP, NOW, 9, US))
    assert [(one.role, one.fence) for one in claimed.deliveries] == [(Role.LOG_COPY, 1)]
    assert claimed.deliveries[0].id > found.id
    (another,) = await accept(database, store, message=new_message())
    assert another.id > claimed.deliveries[0].id


async def test_a_clock_that_was_set_back(database: Database, store: QueueStore) -> None:
    """A wait that would end too far ahead ends now."""
    await settled(database, store, State.SENT, State.DEFERRED)
    await database.write(lambda tx: store.pull_in(tx, NOW + 1, NOW))
    assert await due(database, store) == NOW


async def test_mail_without_a_record_is_asked_nothing(database: Database, store: QueueStore) -> None:
    """Settling mail without a record runs not one statement of those that release records."""
    (one, _) = await accept(database, store, to_recipient(), log_copy(), under=US)
    seen: list[str] = []

    def settle_watched(tx: object) -> None:
        class Watched:
            def __getattr__(self, name: str) -> object:
                return getattr(tx, name)

            def execute(self, sql: str, parameters: Sequence[object] = ()) -> object:
                seen.append(sql)
                return tx.execute(sql, parameters)  # type: ignore[attr-defined]

        store.settle(Watched(), one.message, [ended(one)])  # type: ignore[arg-type]

    await database.write(settle_watched)
    assert not [sql for sql in seen if "record" in sql]
