"""What the queue store promises to the runner: accepting, claiming, settling, and what a crash leaves."""

import pytest

from relay.address import Address
from relay.delivery_kind import Role, Transport
from relay.envelope import Recipient
from relay.errors import IllegalState, StorageConflict
from relay.ids import QueueId, queue_id_of
from relay.policy.decision import PlannedDelivery
from relay.queue.model import (
    Change,
    ClaimedMessage,
    Closing,
    Delivery,
    Lease,
    NewMessage,
    State,
    StoredContent,
)
from relay.queue.store import QueueStore, Selection
from relay.storage.database import Database
from tests.support.builders import NOW, envelope, lease, log_copy, mailbox, new_message, record, to_recipient
from tests.support.clock import FakeClock

US = lease("us")
SECOND = 1_000_000


async def accept(
    database: Database,
    store: QueueStore,
    *plan: PlannedDelivery,
    message: NewMessage | None = None,
    under: Lease | None = None,
) -> list[Delivery]:
    """Accept a message with this plan, one recipient otherwise."""
    new = message or new_message()
    return await database.write(lambda tx: store.accept(tx, new, plan or (to_recipient(),), lease=under))


async def claim(
    database: Database, store: QueueStore, now: int = NOW, limit: int = 100, under: Lease = US
) -> list[ClaimedMessage]:
    """Claim what is due of transport smtp."""
    return await database.write(lambda tx: store.claim(tx, Transport.SMTP, now, limit, under))


def ended(delivery: Delivery, state: State = State.SENT, due: int | None = None) -> Change:
    """Say what an attempt at the delivery came to."""
    return Change(delivery.id, delivery.fence, state, due, "250 2.0.0 Ok")


async def settle(
    database: Database, store: QueueStore, message: QueueId, *changes: Change
) -> tuple[list[int], Closing | None]:
    """Settle changes of one message."""
    ids, closing = await database.write(lambda tx: store.settle(tx, message, changes))
    return [int(one) for one in ids], closing


async def states(database: Database, store: QueueStore, message: QueueId) -> list[State]:
    """Give the states of all deliveries of a message, in order."""
    found = await database.read(lambda tx: store.message(tx, message))
    assert found is not None
    return [delivery.state for delivery in found.deliveries]


async def test_accept_queues_what_is_planned(database: Database, store: QueueStore) -> None:
    """Without a lease each delivery is QUEUED and due at once, in the plan's order, as it was planned."""
    planned = to_recipient("b@example.org", notify="FAILURE,DELAY", orcpt="rfc822;B@example.org")
    given = await accept(database, store, planned, log_copy())
    assert [(one.role, one.state, one.next_attempt_at, one.fence) for one in given] == [
        (Role.RECIPIENT, State.QUEUED, NOW, 0),
        (Role.LOG_COPY, State.QUEUED, NOW, 0),
    ]
    assert (given[0].target, given[0].notify, given[0].orcpt) == (
        planned.target,
        planned.notify,
        planned.orcpt,
    )
    (claimed,) = await claim(database, store)
    assert [(one.id, one.target, one.rule) for one in claimed.deliveries] == [
        (one.id, one.target, one.rule) for one in given
    ]


async def test_accept_under_a_lease_starts_at_once(database: Database, store: QueueStore) -> None:
    """With a lease the deliveries are ACTIVE under fence 1, and nobody else can claim them."""
    given = await accept(database, store, to_recipient(), log_copy(), under=US)
    assert [(one.state, one.fence) for one in given] == [(State.ACTIVE, 1)] * 2
    assert await claim(database, store) == []
    ids, closing = await settle(database, store, given[0].message, *(ended(one) for one in given))
    assert ids == [one.id for one in given]
    assert closing is not None


async def test_what_is_skipped_has_its_row(database: Database, store: QueueStore) -> None:
    """A skipped target is kept with its reason, is not given to be delivered, and keeps no message open."""
    (given,) = await accept(database, store, to_recipient(), log_copy(skipped="internal mail"), under=US)
    assert given.role is Role.RECIPIENT
    found = await database.read(lambda tx: store.message(tx, given.message))
    assert found is not None
    assert [(one.state, one.reason) for one in found.deliveries] == [
        (State.ACTIVE, ""),
        (State.SKIPPED, "internal mail"),
    ]
    _, closing = await settle(database, store, given.message, ended(given))
    assert closing is not None
    assert (closing.sent, closing.failed, closing.logged) == (1, 0, "skipped")


async def test_a_record_waits(database: Database, store: QueueStore) -> None:
    """A record is WAITING whether there is a lease or not, and keeps its message open."""
    given = await accept(database, store, to_recipient(), record(), under=US)
    assert [one.state for one in given] == [State.ACTIVE, State.WAITING]
    _, closing = await settle(database, store, given[0].message, ended(given[0]))
    assert closing is None
    assert await database.read(lambda tx: store.content(tx, given[0].message)) is not None


async def test_a_message_with_nothing_to_do_is_closed_at_once(database: Database, store: QueueStore) -> None:
    """When every target is skipped the message is closed by its acceptance, and its content is not kept."""
    message = new_message()
    assert await accept(database, store, to_recipient(skipped="not wanted"), message=message) == []
    queue_id = queue_id_of(message.number)
    assert await database.read(lambda tx: store.content(tx, queue_id)) is None
    closing = await database.read(lambda tx: store.closing(tx, queue_id))
    assert closing == Closing(message.login, NOW, 0, 0, "none")


async def test_the_same_queue_id_is_never_given_twice(database: Database, store: QueueStore) -> None:
    """A number that is taken is refused; the message that has it is untouched."""
    message = new_message()
    await accept(database, store, message=message)
    with pytest.raises(StorageConflict):
        await accept(database, store, message=message)
    assert await states(database, store, queue_id_of(message.number)) == [State.QUEUED]


@pytest.mark.parametrize("kept", ["inline", "spool"])
async def test_content_and_message_come_back_as_they_were(
    database: Database, store: QueueStore, kept: str
) -> None:
    """A claim gives the envelope, the facts and the content that were accepted, byte for byte."""
    message = new_message(
        envelope=envelope(
            "ana@exämple.com",
            ("customer@example.org", '"odd@local"@example.org'),
            smtputf8=True,
            body="8BITMIME",
            ret="HDRS",
            envid="QQ+2B",
        ),
        content=bytes(range(256)) * 4,
        spool_name="f" * 32 if kept == "spool" else None,
        skips=((10, 30), (40, 50)),
        has_8bit=True,
        utf8_header=True,
    )
    plan = (to_recipient("customer@example.org"), to_recipient('"odd@local"@example.org'), log_copy())
    await accept(database, store, *plan, message=message)
    (claimed,) = await claim(database, store)
    assert claimed.content == StoredContent(
        message.prefix, message.skips, message.octets, message.content, message.spool_name
    )
    assert claimed.message.envelope == message.envelope
    for name in ("login", "accepted_at", "octets", "has_8bit", "utf8_header", "message_id"):
        assert getattr(claimed.message, name) == getattr(message, name)
    assert await database.read(lambda tx: store.load(tx, claimed.message.id)) == claimed.message
    assert await database.read(lambda tx: store.content(tx, claimed.message.id)) == claimed.content


async def test_the_null_path_and_a_bare_postmaster_come_back(database: Database, store: QueueStore) -> None:
    """`<>` stays the null path, and Postmaster without a domain stays without one."""
    message = new_message(envelope=envelope(None, ("x@example.org",)), login=None)
    await accept(database, store, to_recipient("Postmaster"), message=message)
    (claimed,) = await claim(database, store)
    assert claimed.message.envelope.reverse_path is None
    assert claimed.message.login is None
    assert claimed.message.envelope.recipients == (Recipient(Address("Postmaster", "")),)


async def test_text_that_no_database_takes_is_taken(database: Database, store: QueueStore) -> None:
    """A lone surrogate in a subject must not make the message unacceptable."""
    await accept(database, store, message=new_message(subject="caf\udce9"))
    (found,) = await database.read(lambda tx: store.find(tx, "caf?", 1))
    assert found.subject == "caf?"


async def test_the_longest_due_is_claimed_first(database: Database, store: QueueStore) -> None:
    """Messages come in the order of their due instants; what is not due does not come."""
    late, early, future = [
        (await accept(database, store, message=new_message(accepted_at=at)))[0]
        for at in (NOW - SECOND, NOW - 2 * SECOND, NOW + 1)
    ]
    claimed = await claim(database, store)
    assert [one.message.id for one in claimed] == [early.message, late.message]
    assert await database.read(lambda tx: store.next_due(tx, Transport.SMTP)) == NOW + 1
    assert [one.message.id for one in await claim(database, store, NOW + 1)] == [future.message]
    assert await database.read(lambda tx: store.next_due(tx, Transport.SMTP)) is None


async def test_a_claim_takes_whole_messages_up_to_its_limit(database: Database, store: QueueStore) -> None:
    """The limit counts deliveries; the last message comes whole even where that goes beyond."""
    for _ in range(3):
        await accept(database, store, to_recipient("a@x.example"), to_recipient("b@x.example"))
    claimed = await claim(database, store, limit=3)
    assert [len(one.deliveries) for one in claimed] == [2, 2]
    assert [len(one.deliveries) for one in await claim(database, store)] == [2]


async def test_only_the_due_deliveries_of_a_message_are_claimed(
    database: Database, store: QueueStore
) -> None:
    """One recipient was put off: until it is due its neighbours are claimed without it."""
    given = await accept(database, store, to_recipient("a@x.example"), to_recipient("b@x.example"), under=US)
    await settle(
        database,
        store,
        given[0].message,
        ended(given[0], State.DEFERRED, NOW + SECOND),
        ended(given[1], State.DEFERRED, NOW + 2 * SECOND),
    )
    (first,) = await claim(database, store, NOW + SECOND)
    assert [one.target for one in first.deliveries] == ["a@x.example"]
    (second,) = await claim(database, store, NOW + 2 * SECOND)
    assert [one.target for one in second.deliveries] == ["b@x.example"]


async def test_each_transport_is_claimed_by_itself(database: Database, store: QueueStore) -> None:
    """Claiming for smtp leaves what goes to Salesforce alone."""
    await accept(database, store, record())
    await database.write(lambda tx: store.hold(tx, Selection(), "later"))
    await database.write(lambda tx: store.release(tx, Selection(), NOW))
    assert await claim(database, store) == []
    claimed = await database.write(lambda tx: store.claim(tx, Transport.SALESFORCE, NOW, 10, US))
    assert len(claimed) == 1


async def test_settling_keeps_what_the_attempt_came_to(database: Database, store: QueueStore) -> None:
    """State, next attempt, reason, attempts and the delay warning are as the change said."""
    (given,) = await accept(database, store, under=US)
    change = Change(given.id, 1, State.DEFERRED, NOW + SECOND, "451 4.3.0 later", delay_warned=True)
    await settle(database, store, given.message, change)
    (claimed,) = await claim(database, store, NOW + SECOND)
    again = claimed.deliveries[0]
    assert (again.attempts, again.reason, again.delay_warned, again.fence) == (1, "451 4.3.0 later", True, 2)
    await settle(database, store, given.message, ended(again, State.DEFERRED, NOW + SECOND))
    (claimed,) = await claim(database, store, NOW + SECOND)
    assert claimed.deliveries[0].delay_warned  # once warned, always warned
    back = Change(given.id, 3, State.QUEUED, NOW, "stopped", attempted=False)
    await settle(database, store, given.message, back)
    (claimed,) = await claim(database, store, NOW)
    assert (claimed.deliveries[0].attempts, claimed.deliveries[0].fence) == (2, 4)


async def test_a_stale_claim_changes_nothing(database: Database, store: QueueStore) -> None:
    """A settlement under an older fence, or of what is no longer active, is dropped and not given back."""
    (given,) = await accept(database, store, under=US)
    await database.write(lambda tx: store.recover(tx, lease("next"), NOW))
    assert await settle(database, store, given.message, ended(given)) == ([], None)  # not active
    (claimed,) = await claim(database, store)
    assert await settle(database, store, given.message, ended(given)) == ([], None)  # fence 1, now 2
    assert await states(database, store, given.message) == [State.ACTIVE]
    ids, _ = await settle(database, store, given.message, ended(claimed.deliveries[0]))
    assert ids == [given.id]
    assert await settle(database, store, given.message, ended(claimed.deliveries[0])) == ([], None)


async def test_a_state_that_cannot_follow_is_refused(database: Database, store: QueueStore) -> None:
    """An attempt cannot end in WAITING or CANCELLED: IllegalState, and nothing of the settlement is kept."""
    given = await accept(database, store, to_recipient("a@x.example"), to_recipient("b@x.example"), under=US)
    with pytest.raises(IllegalState):
        await settle(database, store, given[0].message, ended(given[0]), ended(given[1], State.CANCELLED))
    assert await states(database, store, given[0].message) == [State.ACTIVE] * 2


async def test_a_delivery_of_another_message_is_not_settled(database: Database, store: QueueStore) -> None:
    """A settlement reaches only the message it names: anything else is refused, and nothing of it is kept."""
    (one,) = await accept(database, store, under=US)
    (other,) = await accept(database, store, under=US)
    with pytest.raises(IllegalState):
        await settle(database, store, one.message, ended(other))
    assert await states(database, store, other.message) == [State.ACTIVE]


async def test_attempts_at_several_messages_are_settled_together(
    database: Database, store: QueueStore
) -> None:
    """Each settlement gets what it changed, and the last one of a message its closing."""
    first, second = await accept(
        database, store, to_recipient("a@x.example"), to_recipient("b@x.example"), under=US
    )
    (other,) = await accept(database, store, under=US)
    settlements = [(one.message, [ended(one)]) for one in (first, other, second)]
    settled = await database.write(lambda tx: store.settle_all(tx, settlements))
    assert [ids for ids, _ in settled] == [[first.id], [other.id], [second.id]]
    assert [closing and closing.sent for _, closing in settled] == [None, 1, 2]


@pytest.mark.parametrize(
    ("recipients", "copies", "expected"),
    [
        ([State.SENT, State.SENT], [State.SENT], (2, 0, "sent")),
        ([State.SENT, State.BOUNCED], [State.EXPIRED], (1, 1, "failed")),
        ([State.EXPIRED], [], (0, 1, "none")),
        ([State.SENT], [State.SKIPPED, State.SENT], (1, 0, "sent")),
        ([State.SENT], [State.SKIPPED], (1, 0, "skipped")),
    ],
)
async def test_the_last_settlement_closes_the_message(
    database: Database,
    store: QueueStore,
    recipients: list[State],
    copies: list[State],
    expected: tuple[int, int, str],
) -> None:
    """The closing counts the recipients and says what became of the log copy; it is given once."""
    plan = [to_recipient() for _ in recipients] + [log_copy() for _ in copies]
    given = await accept(database, store, *plan, under=US)
    message = given[0].message
    changes = [ended(one, state) for one, state in zip(given, recipients + copies, strict=True)]
    for change in changes[:-1]:
        assert (await settle(database, store, message, change))[1] is None
    assert await database.read(lambda tx: store.closing(tx, message)) is None
    _, closing = await settle(database, store, message, changes[-1])
    assert closing is not None
    assert (closing.sent, closing.failed, closing.logged) == expected
    assert closing.accepted_at == NOW
    assert await database.read(lambda tx: store.closing(tx, message)) == closing
    assert await database.read(lambda tx: store.content(tx, message)) is None
    assert await settle(database, store, message, changes[-1]) == ([], None)


async def test_what_is_held_keeps_the_message_open(database: Database, store: QueueStore) -> None:
    """HELD is not final: content stays for the day it is released."""
    (given,) = await accept(database, store, under=US)
    _, closing = await settle(database, store, given.message, ended(given, State.HELD))
    assert closing is None
    assert await database.read(lambda tx: store.content(tx, given.message)) is not None


async def test_an_orderly_stop_gives_back_its_own(database: Database, store: QueueStore) -> None:
    """What an owner holds is queued and due as before; another owner's is not touched."""
    (mine,) = await accept(database, store, under=US)
    (theirs,) = await accept(database, store, under=lease("they"))
    assert await database.write(lambda tx: store.give_back(tx, "us")) == 1
    assert await states(database, store, mine.message) == [State.QUEUED]
    assert await states(database, store, theirs.message) == [State.ACTIVE]
    (claimed,) = await claim(database, store)
    assert (claimed.message.id, claimed.deliveries[0].attempts) == (mine.message, 0)


async def test_recovery_queues_what_the_dead_were_at(database: Database, store: QueueStore) -> None:
    """After a crash everything active under another owner is due again, everything else is as it was."""
    (given,) = await accept(database, store, under=lease("dead"))
    (mine,) = await accept(database, store, under=US)
    (done,) = await accept(database, store, under=lease("dead"))
    await settle(database, store, done.message, ended(done))
    assert await database.write(lambda tx: store.recover(tx, US, NOW)) == 1
    assert await states(database, store, given.message) == [State.QUEUED]
    assert await states(database, store, mine.message) == [State.ACTIVE]
    assert await states(database, store, done.message) == [State.SENT]
    assert await database.write(lambda tx: store.recover(tx, US, NOW)) == 0


async def test_what_outlives_its_lease_is_queued_again(database: Database, store: QueueStore) -> None:
    """Active under a lease that is over, or of an earlier boot, it is due again; a lease that lasts is left alone."""
    (over,) = await accept(database, store, under=lease(until=5 * SECOND))
    (before,) = await accept(database, store, under=lease(until=9 * SECOND, boot_id="earlier-boot"))
    (lasting,) = await accept(database, store, under=lease(until=9 * SECOND))
    given_back = await database.write(lambda tx: store.give_back_overdue(tx, "this-boot", 6 * SECOND))
    assert given_back == 2
    for one, state in ((over, State.QUEUED), (before, State.QUEUED), (lasting, State.ACTIVE)):
        assert await states(database, store, one.message) == [state]
    assert await settle(database, store, over.message, ended(over)) == ([], None)  # too late


async def test_a_clock_set_back_does_not_strand_mail(database: Database, store: QueueStore) -> None:
    """What is due later than any schedule allows is pulled in; the rest keeps its instant."""
    far, near = [
        (await accept(database, store, message=new_message(accepted_at=at)))[0]
        for at in (NOW + 10**15, NOW + SECOND)
    ]
    assert await database.write(lambda tx: store.pull_in(tx, NOW + 10**12, NOW)) == 1
    assert [one.message.id for one in await claim(database, store)] == [far.message]
    assert [one.message.id for one in await claim(database, store, NOW + SECOND)] == [near.message]


async def test_content_can_be_kept_for_days(database: Database, clock: FakeClock) -> None:
    """With retention.content in days it outlives its message, until `purge` comes past its time."""
    store = QueueStore(keep_content=True, clock=clock)
    closed, still_open = [
        (await accept(database, store, under=US))[0],
        (await accept(database, store, under=US))[0],
    ]
    await settle(database, store, closed.message, ended(closed))
    assert await database.write(lambda tx: store.purge(tx, clock.now())) == 0
    clock.advance(1)
    assert await database.write(lambda tx: store.purge(tx, clock.now())) == 1
    assert await database.read(lambda tx: store.content(tx, closed.message)) is None
    assert await database.read(lambda tx: store.content(tx, still_open.message)) is not None


async def test_old_messages_are_forgotten_a_slice_at_a_time(
    database: Database, store: QueueStore, clock: FakeClock
) -> None:
    """Closed messages go with their deliveries, the oldest first; open ones stay however old."""
    (still_open,) = await accept(database, store, under=US)
    gone = []
    for _ in range(3):
        (given,) = await accept(database, store, under=US)
        await settle(database, store, given.message, ended(given))
        gone.append(given.message)
    clock.advance(1)
    assert await database.write(lambda tx: store.forget(tx, clock.now(), 2)) == 2
    assert await database.read(lambda tx: store.message(tx, gone[1])) is None
    assert await database.read(lambda tx: store.message(tx, gone[2])) is not None
    assert await database.write(lambda tx: store.forget(tx, clock.now(), 2)) == 1
    assert await database.write(lambda tx: store.forget(tx, clock.now(), 2)) == 0
    assert await states(database, store, still_open.message) == [State.ACTIVE]
    assert await database.read(lambda tx: tx.execute("SELECT count(*) FROM delivery")) == [(1,)]


async def test_addresses_are_read_back(database: Database, store: QueueStore) -> None:
    """The reverse-path that is loaded equals the one accepted, its case kept."""
    (given,) = await accept(database, store, message=new_message(envelope=envelope("Ana@Example.COM")))
    loaded = await database.read(lambda tx: store.load(tx, given.message))
    assert loaded is not None
    assert loaded.envelope.reverse_path == mailbox("Ana@Example.COM")
    assert await database.read(lambda tx: store.load(tx, QueueId("0" * 13))) is None
