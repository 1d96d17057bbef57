"""What operators do to the queue by hand, and how they select what they mean."""

from functools import partial

import pytest

from relay.delivery_kind import Role, Transport
from relay.ids import DeliveryId, Login, QueueId, queue_id_of
from relay.queue.listing import Standing
from relay.queue.model import FINAL, TRANSITIONS, Change, Delivery, State
from relay.queue.store import QueueStore, Selection
from relay.storage.database import Database
from relay.storage.spool import Spool
from tests.store.test_queue_store import US, accept, claim, ended, settle, states
from tests.support.builders import (
    LOG_COPY_ADDRESS,
    NOW,
    envelope,
    log_copy,
    new_message,
    record,
    to_recipient,
)

LATER = NOW + 3_600_000_000
EVERYTHING = Selection(states=tuple(State))


async def in_state(database: Database, store: QueueStore, state: State) -> Delivery:
    """Give a delivery that was brought into the state as mail gets there."""
    if state is State.WAITING:
        return (await accept(database, store, record()))[0]
    if state is State.QUEUED:
        return (await accept(database, store))[0]
    (given,) = await accept(database, store, under=US)
    match state:
        case State.ACTIVE:
            return given
        case State.CANCELLED:
            await settle(database, store, given.message, ended(given, State.HELD))
            await database.write(lambda tx: store.cancel(tx, Selection(ids=(given.id,)), "no"))
        case _:
            due = LATER if state is State.DEFERRED else None
            await settle(database, store, given.message, ended(given, state, due))
    return given


async def test_every_state_can_be_reached(database: Database, store: QueueStore) -> None:
    """The helper of these tests makes deliveries in each state, and the listing shows them."""
    made = [await in_state(database, store, state) for state in State]
    listed = await database.read(lambda tx: store.list(tx, EVERYTHING, 100))
    assert [(one.id, one.state) for one in listed] == [
        (delivery.id, state) for delivery, state in zip(made, State, strict=True)
    ]


@pytest.mark.parametrize(
    ("verb", "target", "takes"),
    [
        ("retry", State.QUEUED, {State.DEFERRED}),
        ("hold", State.HELD, {State.WAITING, State.QUEUED, State.DEFERRED}),
        ("release", State.QUEUED, {State.HELD}),
        ("cancel", State.CANCELLED, {State.WAITING, State.QUEUED, State.DEFERRED, State.HELD}),
    ],
)
async def test_a_verb_takes_what_the_table_allows(
    database: Database, store: QueueStore, verb: str, target: State, takes: set[State]
) -> None:
    """Deliveries in every state are asked for; only those that may be moved are, and these are given back."""
    made = {state: await in_state(database, store, state) for state in State}
    what = getattr(store, verb)
    argument = NOW if verb in ("retry", "release") else "by hand"
    changed = await database.write(lambda tx: what(tx, EVERYTHING, argument))
    assert {one.id for one in changed} == {made[state].id for state in takes}
    listed = await database.read(lambda tx: store.list(tx, EVERYTHING, 100))
    assert {one for one in listed if one.id in {done.id for done in changed}} == set(changed)
    after = {one.id: one.state for one in listed}
    assert after == {delivery.id: (target if state in takes else state) for state, delivery in made.items()}
    assert all(target in TRANSITIONS[state] for state in takes)
    assert not takes & (FINAL | {State.ACTIVE})
    assert await database.write(lambda tx: what(tx, EVERYTHING, argument)) == []


async def test_what_is_retried_or_released_is_due(database: Database, store: QueueStore) -> None:
    """It is claimed at the instant that was given, and its last reason is still shown."""
    deferred = await in_state(database, store, State.DEFERRED)
    held = await in_state(database, store, State.HELD)
    assert await claim(database, store) == []
    (changed,) = await database.write(lambda tx: store.retry(tx, Selection(), NOW))
    assert (changed.next_attempt_at, changed.reason) == (NOW, "250 2.0.0 Ok")
    await database.write(lambda tx: store.release(tx, Selection(), NOW))
    assert {one.message.id for one in await claim(database, store)} == {deferred.message, held.message}


async def test_held_and_cancelled_say_why(database: Database, store: QueueStore) -> None:
    """The operator's reason takes the place of the last reply, and nothing is due."""
    await in_state(database, store, State.DEFERRED)
    (held,) = await database.write(lambda tx: store.hold(tx, Selection(), "asked by Ana"))
    assert (held.state, held.reason, held.next_attempt_at) == (State.HELD, "asked by Ana", None)
    (cancelled,) = await database.write(lambda tx: store.cancel(tx, Selection(), "asked by Bo"))
    assert (cancelled.state, cancelled.reason) == (State.CANCELLED, "asked by Bo")


async def test_cancelling_the_last_delivery_closes_the_message(database: Database, store: QueueStore) -> None:
    """Its content goes, and `closing` tells how it ended; with one delivery left it stays open."""
    given = await accept(database, store, to_recipient(), log_copy())
    message = given[0].message
    await database.write(lambda tx: store.cancel(tx, Selection(ids=(given[0].id,)), "no"))
    assert await database.read(lambda tx: store.closing(tx, message)) is None
    await database.write(lambda tx: store.cancel(tx, Selection(ids=(given[1].id,)), "no"))
    closing = await database.read(lambda tx: store.closing(tx, message))
    assert closing is not None
    assert (closing.sent, closing.failed, closing.logged) == (0, 0, "cancelled")
    assert await database.read(lambda tx: store.content(tx, message)) is None


async def test_what_is_attempted_is_not_cancelled_under_its_hands(
    database: Database, store: QueueStore
) -> None:
    """Of a message with one ACTIVE and one deferred recipient only the deferred one is cancelled."""
    given = await accept(database, store, to_recipient("a@x.example"), to_recipient("b@x.example"), under=US)
    message = given[0].message
    await settle(database, store, message, ended(given[1], State.DEFERRED, LATER))
    await database.write(lambda tx: store.cancel(tx, Selection(message=message), "no"))
    assert await states(database, store, message) == [State.ACTIVE, State.CANCELLED]
    _, closing = await settle(database, store, message, ended(given[0]))
    assert closing is not None


async def test_a_verb_works_in_slices(database: Database, store: QueueStore) -> None:
    """With a limit it takes that many, the oldest first, and the next call goes on behind them."""
    made = [await in_state(database, store, State.DEFERRED) for _ in range(5)]
    taken = []
    while changed := await database.write(lambda tx: store.retry(tx, Selection(), NOW, 2)):
        taken.append([one.id for one in changed])
    ids = [one.id for one in made]
    assert taken == [ids[:2], ids[2:4], ids[4:]]


async def test_spooled_content_is_removed_after_the_commit(
    database: Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A message whose last delivery is cancelled takes its spool file along; an undone unit does not."""
    spool = Spool(tmp_path_factory.mktemp("spool"))
    store = QueueStore(spool)
    file = spool.create()
    file.write(b"content")
    await file.sync()
    (given,) = await accept(database, store, message=new_message(spool_name=file.name))
    assert await database.read(store.spool_names) == {file.name}

    def undone(tx: object) -> None:
        store.cancel(tx, Selection(), "no")  # type: ignore[arg-type]
        raise ValueError

    with pytest.raises(ValueError):
        await database.write(undone)
    spool.open(file.name).close()
    await database.write(lambda tx: store.cancel(tx, Selection(), "no"))
    await database.write(lambda tx: None)  # the writer comes to this only after what follows the commit
    assert await database.read(store.spool_names) == set()
    assert await database.read(lambda tx: store.content(tx, given.message)) is None
    assert spool.sweep(set(), float("inf")) == 0
    spool.close()


async def fill(database: Database, store: QueueStore) -> dict[str, Delivery]:
    """Give a small queue: three messages of two reps, one of them bounced, with log copies."""
    first = await accept(
        database, store, to_recipient("cy@Customer.example"), log_copy(),
        message=new_message(envelope=envelope("Ana@example.com"), subject="The Offer", message_id="<a@example.com>"),
    )  # fmt: skip
    second = await accept(
        database, store, to_recipient("dee_1@other.example"),
        message=new_message(
            envelope=envelope("bo@example.com"), login="bo", accepted_at=NOW + 10, subject="100% välkommen",
            message_id="<b@example.com>",
        ),
    )  # fmt: skip
    third = await accept(
        database, store, to_recipient("eve@customer.example"), message=new_message(accepted_at=NOW + 20), under=US
    )  # fmt: skip
    bounce = Change(third[0].id, 1, State.BOUNCED, None, "550 5.1.1 User unknown")
    await settle(database, store, third[0].message, bounce)
    return {"cy": first[0], "copy": first[1], "dee": second[0], "eve": third[0]}


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), {"cy", "copy", "dee"}),
        (Selection(states=tuple(State)), {"cy", "copy", "dee", "eve"}),
        (Selection(states=(State.BOUNCED, State.HELD)), {"eve"}),
        (Selection(sender="ANA@*"), {"cy", "copy"}),
        (Selection(recipient="*@customer.EXAMPLE"), {"cy"}),
        (Selection(recipient="dee_?@*"), {"dee"}),
        (Selection(recipient="c_@*"), set()),
        (Selection(recipient="%"), set()),
        (Selection(older_than=NOW + 10), {"cy", "copy"}),
        (Selection(role=Role.LOG_COPY), {"copy"}),
        (Selection(transport=Transport.SALESFORCE), set()),
        (Selection(states=tuple(State), reason="user UNKNOWN"), {"eve"}),
        (Selection(sender="bo@*", recipient="dee*", states=(State.QUEUED,)), {"dee"}),
        (Selection(sender="x' OR '1'='1"), set()),
        (Selection(states=(State.EXPIRED,)), set()),
    ],
)
async def test_a_selection_means_what_it_says(
    database: Database, store: QueueStore, selection: Selection, expected: set[str]
) -> None:
    """Every condition named must hold; globs are blind to case, and `%`, `_` and quotes stand for themselves."""
    made = await fill(database, store)
    listed = await database.read(lambda tx: store.list(tx, selection, 100))
    names = {made[name].id: name for name in made}
    assert {names[one.id] for one in listed} == expected
    assert await database.read(lambda tx: store.count(tx, selection)) == len(expected)


async def test_a_selection_by_ids_or_message(database: Database, store: QueueStore) -> None:
    """Ids and a queue id select exactly these; unknown ones select nothing."""
    made = await fill(database, store)
    for selection, expected in (
        (Selection(ids=(made["dee"].id, DeliveryId(999))), [made["dee"].id]),
        (Selection(message=made["cy"].message), [made["cy"].id, made["copy"].id]),
        (Selection(message=QueueId("0000000000001")), []),
    ):
        listed = await database.read(lambda tx, chosen=selection: store.list(tx, chosen, 100))  # type: ignore[misc]
        assert [one.id for one in listed] == expected


async def test_a_list_comes_in_pages(database: Database, store: QueueStore) -> None:
    """Limit and offset walk the queue in one order, oldest message first."""
    made = await fill(database, store)
    pages = [
        [one.id for one in await database.read(lambda tx, at=at: store.list(tx, EVERYTHING, 2, at))]  # type: ignore[misc]
        for at in (0, 2, 4)
    ]
    assert pages == [[made["cy"].id, made["copy"].id], [made["dee"].id, made["eve"].id], []]


async def test_a_log_copys_address_is_masked(database: Database, store: QueueStore) -> None:
    """Neither list nor find nor a verb shows it, not even in a hop's reply that quotes it."""
    (copy,) = await accept(database, store, log_copy(), under=US)
    quoted = Change(copy.id, 1, State.DEFERRED, LATER, f"451 4.3.0 <{LOG_COPY_ADDRESS}> later")
    await settle(database, store, copy.message, quoted)
    listed = await database.read(lambda tx: store.list(tx, Selection(), 10))
    found = await database.read(lambda tx: store.message(tx, copy.message))
    held = await database.write(lambda tx: store.hold(tx, Selection(), "no"))
    shown = repr((listed, found, held))
    assert "emailtosalesforce@a1…om" in shown
    assert LOG_COPY_ADDRESS not in shown
    assert found is not None
    assert found.recipients == ()


async def test_a_tally_counts_what_is_open(database: Database, store: QueueStore) -> None:
    """By transport and state; what is final counts as long as its message is open."""
    await fill(database, store)
    await accept(database, store, record())
    assert await database.read(store.tally) == {
        (Transport.SMTP, State.QUEUED): 3,
        (Transport.SALESFORCE, State.WAITING): 1,
    }


async def test_the_standing_has_the_oldest_of_each_state(database: Database, store: QueueStore) -> None:
    """Counted by state, what is final left out, with the instant the oldest came in."""
    assert await database.read(store.standing) == Standing()
    for number in (1, 2, 3):
        message = new_message(number=number, accepted_at=NOW + number)
        await database.write(partial(store.accept, message=message, plan=[to_recipient()], lease=None))
    newest = Selection(message=queue_id_of(3))
    await database.write(lambda tx: store.hold(tx, newest, "look at it"))
    gone = new_message(number=4, accepted_at=NOW - 1)
    plan = [to_recipient(skipped="a dry run")]
    await database.write(partial(store.accept, message=gone, plan=plan, lease=None))
    standing = await database.read(store.standing)
    assert standing.counts == {"queued": 2, "held": 1}
    assert standing.oldest == {"queued": NOW + 1, "held": NOW + 3}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("<a@example.com>", ["cy"]),
        ("b@example.com", ["dee"]),
        ("ana@EXAMPLE.com", ["eve", "cy"]),
        ("@customer.example", ["eve", "cy"]),
        ("offer the", ["eve", "cy"]),
        ("100%", ["dee"]),
        ("välkommen", ["dee"]),
        ("VÄLKOMMEN", ["dee"]),
        ("Välk 100", ["dee"]),
        ("bo", ["dee"]),
        ("nothing like it", []),
        ("  ", []),
        (LOG_COPY_ADDRESS, []),
    ],
)
async def test_messages_are_found_by_what_people_know(
    database: Database, store: QueueStore, query: str, expected: list[str]
) -> None:
    """Message-ID, address or domain, rep, words of the subject in any order; the newest comes first."""
    made = await fill(database, store)
    found = await database.read(lambda tx: store.find(tx, query, 10))
    assert [one.id for one in found] == [made[name].message for name in expected]
    assert len(await database.read(lambda tx: store.find(tx, query, 1))) == min(1, len(expected))


async def test_a_message_is_found_by_its_queue_id(database: Database, store: QueueStore) -> None:
    """Whole, in any case and with Crockford's look-alikes; or by an end that only one message has."""
    made = await fill(database, store)
    message = made["dee"].message
    for query in (message, message.lower(), message.replace("0", "o"), f" {message} ", message[-8:]):
        found = await database.read(lambda tx, text=query: store.find(tx, text, 10))  # type: ignore[misc]
        assert [one.id for one in found] == [message], query
    assert found[0].login == Login("bo")
    assert found[0].recipients == ("dee_1@other.example",)
    assert await database.read(lambda tx: store.find(tx, "0000000000001", 10)) == []
    twin = new_message(number=(1 << 55) + 7)
    await accept(database, store, message=twin)
    await accept(database, store, message=new_message(number=(1 << 56) + 7))
    assert await database.read(lambda tx: store.find(tx, "00000007", 10)) == []  # ambiguous


async def test_a_verb_on_states_it_never_moves_changes_nothing(database: Database, store: QueueStore) -> None:
    """Releasing what is bounced is not an error: there is nothing to do."""
    await fill(database, store)
    final = Selection(states=tuple(FINAL))
    assert await database.write(lambda tx: store.release(tx, final, NOW)) == []
