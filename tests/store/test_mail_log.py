"""What the mail log promises: events in the transaction that makes them true, and lines once they are durable."""

import logging

import pytest

from relay.ids import Login, QueueId, number_of, queue_id_of
from relay.maillog.events import DeliveryDeferred, DeliverySent, Event, MessageClosed, SignInFailed
from relay.maillog.store import EventFilter, LoggedEvent, MailLog
from relay.queue.store import QueueStore
from relay.storage.database import Database, Transaction
from tests.store.test_queue_store import accept
from tests.support.builders import NOW, new_message, to_recipient

ONE = QueueId("0000000000001")
TWO = QueueId("0000000000002")
ALL = EventFilter()


def closed(message: QueueId = ONE, at: int = NOW, login: str | None = "ana") -> MessageClosed:
    """Give an event that names a rep."""
    return MessageClosed(at=at, message=message, login=login, sent=1, failed=0, logged="sent", seconds=1.5)


def sent(message: QueueId = ONE, at: int = NOW, reply: str = "250 2.0.0 Ok") -> DeliverySent:
    """Give an event that names no rep."""
    return DeliverySent(
        at=at, message=message, role="recipient", targets=("a@x.example",), reply=reply, hop="mx.x.example", attempt=1
    )  # fmt: skip


def deferred(message: QueueId = ONE, at: int = NOW) -> DeliveryDeferred:
    """Give a warning."""
    return DeliveryDeferred(
        at=at, message=message, role="recipient", targets=("a@x.example",), reply="451 4.3.0 later",
        hop="mx.x.example", attempt=1, next_attempt_at=at + 1,
    )  # fmt: skip


def sign_in_failed(at: int = NOW, login: str = "ana") -> SignInFailed:
    """Give an event about no message."""
    return SignInFailed(
        at=at, login=login, client="192.0.2.7", listener="submission", mechanism="PLAIN", reason="wrong password"
    )  # fmt: skip


async def append(database: Database, mail_log: MailLog, *events: Event) -> None:
    """Append events in one unit."""
    await database.write(lambda tx: mail_log.append(tx, events))


async def select(
    database: Database, mail_log: MailLog, chosen: EventFilter = ALL, after: int = 0, limit: int = 100
) -> list[LoggedEvent]:
    """Select events."""
    return await database.read(lambda tx: mail_log.select(tx, chosen, after, limit))


async def test_events_come_back_as_they_were(database: Database, mail_log: MailLog) -> None:
    """Name, instant, message and every field of its own, tuples as lists; in the order appended."""
    await append(database, mail_log, sent(reply="250 välkommen"), sign_in_failed(NOW + 1))
    first, second = await select(database, mail_log)
    assert (first.at, first.message, first.name) == (NOW, ONE, "delivery.sent")
    assert first.data == {
        "role": "recipient", "targets": ["a@x.example"], "reply": "250 välkommen", "hop": "mx.x.example", "attempt": 1,
    }  # fmt: skip
    assert (second.message, second.data["login"]) == (None, "ana")


async def test_an_undone_unit_tells_nothing(
    database: Database, mail_log: MailLog, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither row nor line is left of an event whose unit raised."""

    def unit(tx: Transaction) -> None:
        mail_log.append(tx, [sent()])
        raise ValueError

    with caplog.at_level(logging.INFO, "relay.maillog"):
        with pytest.raises(ValueError):
            await database.write(unit)
        await append(database, mail_log)
    assert await select(database, mail_log) == []
    assert caplog.records == []


async def test_each_event_is_one_line_with_the_event_itself(
    database: Database, mail_log: MailLog, caplog: pytest.LogCaptureFixture
) -> None:
    """After the commit each event is one record of the logger relay.maillog, at the event's own level."""
    events = [sent(), deferred()]
    with caplog.at_level(logging.INFO, "relay.maillog"):
        await append(database, mail_log, *events)
        await append(database, mail_log)  # the writer comes to this only after the lines
    assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == [
        ("relay.maillog", logging.INFO, "delivery.sent"),
        ("relay.maillog", logging.WARNING, "delivery.deferred"),
    ]
    assert [record.__dict__["event"] for record in caplog.records] == events


def test_a_level_keeps_lines_out(mail_log: MailLog, caplog: pytest.LogCaptureFixture) -> None:
    """With the logger at WARNING only what somebody should look at is written."""
    with caplog.at_level(logging.WARNING, "relay.maillog"):
        mail_log.write([sent(), deferred()])
    assert [record.getMessage() for record in caplog.records] == ["delivery.deferred"]


async def test_text_that_no_database_takes_is_taken(database: Database, mail_log: MailLog) -> None:
    """A lone surrogate becomes a question mark."""
    await append(database, mail_log, sent(reply="250 caf\udce9"))
    assert (await select(database, mail_log))[0].data["reply"] == "250 caf?"


async def test_a_messages_events_in_order(database: Database, mail_log: MailLog) -> None:
    """Only its own, oldest first."""
    await append(database, mail_log, deferred(ONE), sent(TWO), sent(ONE), closed(ONE))
    found = await database.read(lambda tx: mail_log.of_message(tx, ONE))
    assert [one.name for one in found] == ["delivery.deferred", "delivery.sent", "message.closed"]


async def test_following_goes_on_behind_the_last_id(database: Database, mail_log: MailLog) -> None:
    """Reading page by page with the last id gives every event once, also what came after a clock was set back."""
    await append(database, mail_log, *(sent(at=NOW + n) for n in range(3)))
    await append(database, mail_log, *(sent(at=NOW - 10**9 + n) for n in range(3)))
    seen: list[int] = []
    last = 0
    while page := await select(database, mail_log, after=last, limit=2):
        seen += [one.at for one in page]
        last = page[-1].id
    assert seen == [NOW, NOW + 1, NOW + 2, NOW - 10**9, NOW - 10**9 + 1, NOW - 10**9 + 2]


async def test_the_latest_in_order(database: Database, mail_log: MailLog) -> None:
    """The last ones that fit the filter, oldest of them first."""
    await append(database, mail_log, sent(at=NOW), deferred(at=NOW + 1), sent(at=NOW + 2), sent(at=NOW + 3))
    chosen = EventFilter(names=("delivery.sent",))
    found = await database.read(lambda tx: mail_log.latest(tx, chosen, 2))
    assert [one.at for one in found] == [NOW + 2, NOW + 3]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (EventFilter(), [0, 1, 2, 3, 4]),
        (EventFilter(since=NOW + 3), [3, 4]),
        (EventFilter(until=NOW + 1), [0]),
        (EventFilter(since=NOW + 1, until=NOW + 3), [1, 2]),
        (EventFilter(names=("delivery.sent", "auth.failed")), [0, 4]),
        (EventFilter(names=("delivery.",)), [0, 1]),
        (EventFilter(names=("delivery%",)), []),
        (EventFilter(message=ONE), [0, 1, 2]),
        (EventFilter(login=Login("ana")), [2]),
        (EventFilter(login=Login("bo")), [3, 4]),
        (EventFilter(login=Login("b_")), []),
        (EventFilter(text="MX.x.example"), [0, 1]),
        (EventFilter(text="m_.x"), []),
        (EventFilter(text="' OR 1=1 --"), []),
    ],
)
async def test_a_filter_means_what_it_says(
    database: Database, mail_log: MailLog, chosen: EventFilter, expected: list[int]
) -> None:
    """Every condition named must hold; instants are from, inclusive, to, exclusive."""
    await append(
        database, mail_log,
        sent(at=NOW), deferred(at=NOW + 1), closed(at=NOW + 2), closed(TWO, NOW + 3, "bo"), sign_in_failed(NOW + 4, "bo"),
    )  # fmt: skip
    assert [one.at - NOW for one in await select(database, mail_log, chosen)] == expected


async def test_a_reps_events_are_those_of_their_messages(
    database: Database, mail_log: MailLog, store: QueueStore
) -> None:
    """An event that does not name the rep counts when its message is the rep's."""
    message = new_message(login="ana")
    await accept(database, store, to_recipient(), message=message)
    await append(database, mail_log, sent(queue_id_of(message.number)), sent(TWO))
    (found,) = await select(database, mail_log, EventFilter(login=Login("ana")))
    assert found.message == queue_id_of(message.number)


async def test_old_events_are_forgotten_a_slice_at_a_time(database: Database, mail_log: MailLog) -> None:
    """Those from before the instant go, oldest first, at most so many at once."""
    await append(database, mail_log, *(sent(at=NOW + n) for n in range(5)))
    assert await database.write(lambda tx: mail_log.purge(tx, NOW + 3, 2)) == 2
    assert await database.write(lambda tx: mail_log.purge(tx, NOW + 3, 2)) == 1
    assert await database.write(lambda tx: mail_log.purge(tx, NOW + 3, 2)) == 0
    assert [one.at for one in await select(database, mail_log)] == [NOW + 3, NOW + 4]
    assert number_of(ONE) == 1
