"""A queue for commands to work on, as a service would have left it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from relay.ids import QueueId, queue_id_of
from relay.maillog.events import MessageAccepted, SignInFailed
from relay.maillog.store import MailLog
from relay.policy.decision import PlannedDelivery
from relay.queue.model import Change, NewMessage, State
from relay.queue.selection import Selection
from relay.queue.store import QueueStore
from relay.storage.database import Transaction
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase
from tests.support.builders import NOW, envelope, lease, log_copy, new_message, to_recipient
from tests.support.settings import written

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """A settings file with its store, and the messages in it."""

    config: Path
    offer: QueueId
    """From ana to two customers, one of them deferred, with a log copy."""
    hello: QueueId
    """From bo, queued, due now."""

    def ask(self, work: Callable[[SqliteDatabase], Awaitable[T]]) -> T:
        """Do something with the store, as the service would."""
        return asyncio.run(_with_store(self.config.parent / "state", work))

    def states(self, message: QueueId) -> list[str]:
        """Give the states of a message's deliveries."""
        selection = Selection(message=message, states=tuple(State))
        listed = self.ask(lambda database: database.read(lambda tx: QueueStore().list(tx, selection, 100)))
        return [delivery.state.value for delivery in listed]

    def events(self, message: QueueId) -> list[str]:
        """Give the names of what happened to a message."""
        kept = self.ask(lambda database: database.read(lambda tx: MailLog().of_message(tx, message)))
        return [event.name for event in kept]


async def _with_store(folder: Path, work: Callable[[SqliteDatabase], Awaitable[T]]) -> T:
    database = await SqliteDatabase.open(folder / DATABASE_NAME, create=True)
    try:
        return await work(database)
    finally:
        await database.close()


def _accept(tx: Transaction, message: NewMessage, plan: list[PlannedDelivery]) -> QueueId:
    QueueStore().accept(tx, message, plan, lease=None)
    queue_id = queue_id_of(message.number)
    event = MessageAccepted(
        at=message.accepted_at,
        message=queue_id,
        login=message.login,
        sender=str(message.envelope.reverse_path),
        recipients=tuple(str(one.address) for one in message.envelope.recipients),
        message_id=message.message_id,
        subject=message.subject,
        octets=message.octets,
        client=message.client,
        listener=message.listener,
        tls="TLSv1.3",
        mode=message.mode,
        decision=message.why,
        rule=message.rule,
    )
    MailLog().append(tx, [event])
    return queue_id


def _fill(tx: Transaction) -> tuple[QueueId, QueueId]:
    store = QueueStore()
    people = ["kim@customer.example", "lee@customer.example"]
    message = new_message(envelope=envelope("ana@example.com", people), subject="The offer \x1b[31mred")
    offer = _accept(tx, message, [to_recipient(people[0]), to_recipient(people[1]), log_copy()])
    claimed = store.claim(tx, to_recipient().transport, NOW, 10, lease())
    first, second, _ = claimed[0].deliveries
    store.settle(
        tx,
        offer,
        [
            Change(first.id, first.fence, State.SENT, None, "250 2.0.0 Ok"),
            Change(
                second.id, second.fence, State.DEFERRED, NOW + 900_000_000, "451 4.7.1 Greylisted, try later"
            ),
        ],
    )
    store.give_back(tx, lease().owner)
    other = new_message(
        envelope=envelope("bo@example.com", ["max@partner.example"]),
        login="bo",
        subject="Hello",
        message_id="<2@example.com>",
    )
    hello = _accept(tx, other, [to_recipient("max@partner.example")])
    MailLog().append(
        tx,
        [
            SignInFailed(
                at=NOW + 5,
                login="eve",
                client="192.0.2.66",
                listener="submission",
                mechanism="PLAIN",
                reason="wrong password",
            )
        ],
    )
    return offer, hello


def unsent_with_copy(tx: Transaction) -> QueueId:
    """Add a message to one recipient, with a log copy; nothing of it is sent yet."""
    message = new_message(envelope=envelope("ana@example.com", ["zoe@customer.example"]))
    return _accept(tx, message, [to_recipient("zoe@customer.example"), log_copy()])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Give a settings file whose store holds two messages."""
    config = written(tmp_path)
    offer, hello = asyncio.run(_with_store(tmp_path / "state", lambda database: database.write(_fill)))
    return Desk(config, offer, hello)
