"""When a waiting log copy is skipped: once every recipient has failed, and not before."""

import pytest

from relay.delivery_kind import Role
from relay.queue.model import State
from relay.queue.store import QueueStore, Selection
from relay.storage.database import Database
from tests.store.test_queue_store import US, accept, ended, settle, states
from tests.support.builders import LOG_COPY_ADDRESS, NOW, log_copy, to_recipient

LATER = NOW + 60_000_000


@pytest.mark.parametrize(
    ("first", "second", "skipped"),
    [
        (State.BOUNCED, State.BOUNCED, True),
        (State.BOUNCED, State.EXPIRED, True),
        (State.BOUNCED, State.SENT, False),
        (State.BOUNCED, State.DEFERRED, False),
        (State.BOUNCED, State.HELD, False),
        (State.BOUNCED, State.SKIPPED, True),
        (State.SKIPPED, State.SKIPPED, False),
        (State.SENT, State.SENT, False),
    ],
)
async def test_what_became_of_the_recipients_decides(
    database: Database, store: QueueStore, first: State, second: State, skipped: bool
) -> None:
    """All failed, none sent and none open: then there is nothing to log, and the message is closed."""
    plan = to_recipient("a@x.test"), to_recipient("b@x.test"), log_copy()
    a, b, copy = await accept(database, store, *plan, under=US)
    waits = {state: LATER if state is State.DEFERRED else None for state in State}
    changes = [
        ended(a, first, waits[first]),
        ended(b, second, waits[second]),
        ended(copy, State.DEFERRED, LATER),
    ]
    await settle(database, store, a.message, *changes)
    targets, closing = await database.write(lambda tx: store.skip_copies(tx, a.message))
    assert targets == ([(Role.LOG_COPY, LOG_COPY_ADDRESS)] if skipped else [])
    assert (closing is not None) is skipped
    assert (await states(database, store, a.message))[2] is (State.SKIPPED if skipped else State.DEFERRED)


async def test_a_log_copy_under_way_is_left_alone(database: Database, store: QueueStore) -> None:
    """What is being attempted just now is settled by its attempt."""
    a, _ = await accept(database, store, to_recipient("a@x.test"), log_copy(), under=US)
    await settle(database, store, a.message, ended(a, State.BOUNCED))
    assert await database.write(lambda tx: store.skip_copies(tx, a.message)) == ([], None)
    assert (await states(database, store, a.message))[1] is State.ACTIVE


async def test_mail_to_the_log_address_alone(database: Database, store: QueueStore) -> None:
    """A log copy that is all there is of a message is mail like any other."""
    (copy,) = await accept(database, store, log_copy(), under=US)
    await settle(database, store, copy.message, ended(copy, State.DEFERRED, LATER))
    assert await database.write(lambda tx: store.skip_copies(tx, copy.message)) == ([], None)


async def test_skipping_twice_is_harmless(database: Database, store: QueueStore) -> None:
    """A second look finds nothing to do."""
    a, copy = await accept(database, store, to_recipient("a@x.test"), log_copy(), under=US)
    await settle(database, store, a.message, ended(a, State.BOUNCED), ended(copy, State.DEFERRED, LATER))
    assert (await database.write(lambda tx: store.skip_copies(tx, a.message)))[0]
    assert await database.write(lambda tx: store.skip_copies(tx, a.message)) == ([], None)
    found = await database.read(
        lambda tx: store.list(tx, Selection(message=a.message, states=tuple(State)), 9)
    )
    assert found[1].reason == "nobody received it"
