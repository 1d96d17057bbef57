"""What the store of intended records promises: a row before every call, and no second record for one key."""

from relay.delivery_kind import Role
from relay.ids import DeliveryId, Login, QueueId
from relay.queue.model import State
from relay.queue.selection import Selection
from relay.queue.store import QueueStore
from relay.salesforce.composed import Intended
from relay.salesforce.model import Category, Fault, FaultKind, Made
from relay.salesforce.record_rows import Intention, RecordRow, RecordState, Told
from relay.salesforce.store import RecordStore
from relay.storage.database import Database, Transaction
from tests.store.test_queue_store import US, accept, ended, settle
from tests.support.builders import NOW, new_message, record, to_recipient

STORE = RecordStore()
FAULT = Fault(FaultKind.RULE, Category.ACCESS, "REQUIRED_FIELD_MISSING", "Say why", ("Reason__c",), 400)


def intended(key: str = "k1", *, related: str = "003A") -> Intended:
    """Give a record that is to be made."""
    find = {"MessageIdentifier": "<1@example.com>"}
    return Intended(key, "EmailMessage", {}, (), (related,), find, f"EmailMessage on contact {related}")


async def waiting(database: Database, store: QueueStore) -> tuple[QueueId, DeliveryId]:
    """Give a message with its record, which is due."""
    one, _ = await accept(database, store, to_recipient(), record(), message=new_message(), under=US)
    await settle(database, store, one.message, ended(one))
    selection = Selection(message=one.message, role=Role.RECORD, states=tuple(State))
    (found,) = await database.read(lambda tx: store.list(tx, selection, 9))
    return one.message, found.id


async def intend(
    database: Database, message: QueueId, delivery: DeliveryId, *records: Intended, start: bool = True
) -> dict[str, RecordRow]:
    """Intend records of a delivery, marked as started; give the rows by key."""

    def unit(tx: Transaction) -> dict[str, RecordRow]:
        one = Intention(delivery, message, Login("ana"), "", records)
        rows = STORE.intend(tx, [one], NOW)
        mine = [
            (row.key, False)
            for (asking, _), row in rows.items()
            if row.delivery == asking and row.state is RecordState.INTENDED
        ]
        if start:
            STORE.start(tx, mine, NOW)
        return {key: row for (_, key), row in rows.items()}

    return await database.write(unit)


async def row(database: Database, key: str = "k1") -> RecordRow:
    """Give the row of a key."""
    return (await database.read(lambda tx: STORE.by_keys(tx, [key])))[key]


async def made(database: Database, key: str = "k1", id: str = "02s1", *, pending: bool = False) -> None:
    """Store that a record was made."""
    result = [(key, Made(id, "EmailMessage"), pending, "")]
    await database.write(lambda tx: STORE.made(tx, result, NOW + 1))


async def test_what_is_asked_for_is_marked_before(database: Database, store: QueueStore) -> None:
    """A row is there, started, with all that finds the record again."""
    message, delivery = await waiting(database, store)
    await intend(database, message, delivery, intended())
    kept = await row(database)
    assert (kept.state, kept.starts, kept.first_started_at) == (RecordState.STARTED, 1, NOW)
    assert kept.find_by == {"MessageIdentifier": "<1@example.com>"}
    assert (kept.message, kept.delivery, kept.related) == (message, delivery, ("003A",))


async def test_made_is_for_good(database: Database, store: QueueStore) -> None:
    """Once made, neither intending nor a late refusal takes it back; it is known by its id."""
    message, delivery = await waiting(database, store)
    await intend(database, message, delivery, intended())
    await made(database)
    rows = await intend(database, message, delivery, intended())
    assert rows["k1"].state is RecordState.MADE
    await database.write(lambda tx: STORE.not_made(tx, [("k1", "late")], NOW))
    kept = await row(database)
    assert (kept.state, kept.salesforce_id, kept.starts) == (RecordState.MADE, "02s1", 1)
    assert await database.read(lambda tx: STORE.known(tx, ["02s1", "02s2"])) == {"02s1": "k1"}


async def test_what_is_started_is_not_intended_anew(database: Database, store: QueueStore) -> None:
    """Of what nobody knows whether it was made nothing is forgotten; refused, it is another try."""
    message, delivery = await waiting(database, store)
    await intend(database, message, delivery, intended())
    rows = await intend(database, message, delivery, intended())
    assert rows["k1"].state is RecordState.STARTED
    await database.write(lambda tx: STORE.not_made(tx, [("k1", "locked")], NOW))
    assert (await row(database)).reason == "locked"
    await intend(database, message, delivery, intended())
    kept = await row(database)
    assert (kept.state, kept.starts) == (RecordState.STARTED, 2)


async def test_matched_otherwise(database: Database, store: QueueStore) -> None:
    """What was intended and is not in Salesforce is forgotten when the mail is matched with somebody else."""
    message, delivery = await waiting(database, store)
    await intend(database, message, delivery, intended("k1"), start=False)
    await intend(database, message, delivery, intended("k2", related="003B"))
    rows = (await database.read(lambda tx: STORE.of_deliveries(tx, [delivery])))[delivery]
    assert [one.key for one in rows] == ["k2"]


async def test_another_delivery_is_at_it(database: Database, store: QueueStore) -> None:
    """The same key of another open delivery is left alone; of one that was given up in the middle it is taken over."""
    first = await waiting(database, store)
    second = await waiting(database, store)
    await intend(database, *first, intended())
    rows = await intend(database, *second, intended())
    assert (rows["k1"].delivery, rows["k1"].state) == (first[1], RecordState.STARTED)
    await database.write(lambda tx: store.cancel(tx, Selection(ids=(first[1],)), "no"))
    rows = await intend(database, *second, intended())
    assert (rows["k1"].delivery, rows["k1"].state) == (second[1], RecordState.STARTED)


async def test_a_tombstone(database: Database, store: QueueStore) -> None:
    """What was undone is never intended, started or made again, whoever asks."""
    message, delivery = await waiting(database, store)
    await intend(database, message, delivery, intended())
    await made(database)
    await database.write(lambda tx: STORE.undo(tx, ["k1"], NOW, pending=True, reason="by ana"))
    rows = await intend(database, *await waiting(database, store), intended())
    assert rows["k1"].state is RecordState.UNDONE
    await made(database, id="02s2")
    kept = await row(database)
    assert (kept.state, kept.salesforce_id, kept.pending) == (RecordState.UNDONE, "02s1", True)


async def test_what_hangs_on_it(database: Database, store: QueueStore) -> None:
    """What may be missing is known until it was seen to."""
    message, delivery = await waiting(database, store)
    await intend(database, message, delivery, intended())
    await made(database, pending=True)
    assert (await row(database)).pending
    await database.write(lambda tx: STORE.hung(tx, [("k1", False, "a file is missing")], NOW))
    kept = await row(database)
    assert (kept.pending, kept.reason) == (False, "a file is missing")


async def test_mail_as_it_was_sent(database: Database, store: QueueStore) -> None:
    """A message comes with what became of each recipient; log copies and records are no recipients."""
    message, _ = await waiting(database, store)
    mails = await database.read(lambda tx: STORE.mail(tx, [message, QueueId("0000000000000")]))
    assert list(mails) == [message]
    assert mails[message].recipients == (("customer@example.org", State.SENT),)
    assert (mails[message].login, mails[message].message_id) == ("ana", "<1@example.com>")


async def test_what_an_attempt_found_out(database: Database, store: QueueStore) -> None:
    """The match and the fault are kept; a later attempt without words for the match keeps those, and clears the fault."""
    message, delivery = await waiting(database, store)
    told = Told(delivery, message, Login("ana"), "contact 003A, by Email", fault=FAULT)
    await database.write(lambda tx: STORE.tell(tx, [told], NOW))
    kept = (await database.read(lambda tx: STORE.recordings(tx, [delivery])))[delivery]
    assert (kept.code, kept.category, kept.fault) == (FAULT.code, FAULT.category, "Say why")
    await database.write(lambda tx: STORE.tell(tx, [Told(delivery, message, Login("ana"))], NOW))
    kept = (await database.read(lambda tx: STORE.recordings(tx, [delivery])))[delivery]
    assert (kept.code, kept.why) == ("", "contact 003A, by Email")


async def test_unmatched_since(database: Database, store: QueueStore) -> None:
    """The time of mail that matches nobody begins with the first try, and ends when it is matched."""
    message, delivery = await waiting(database, store)
    unmatched = Told(delivery, message, Login("ana"), "nobody", ("x@y.test",), rematch_at=NOW + 10)
    await database.write(lambda tx: STORE.tell(tx, [unmatched], NOW))
    await database.write(lambda tx: STORE.tell(tx, [unmatched], NOW + 5))
    assert await database.read(STORE.next_rematch) == NOW + 10
    assert await database.read(lambda tx: STORE.to_rematch(tx, NOW + 9, 9)) == []
    (found,) = await database.read(lambda tx: STORE.to_rematch(tx, NOW + 10, 9))
    assert (found.unmatched, found.unmatched_since) == (("x@y.test",), NOW)
    await database.write(lambda tx: STORE.tell(tx, [Told(delivery, message, Login("ana"))], NOW + 20))
    assert await database.read(STORE.next_rematch) is None


async def test_late_recipients(database: Database, store: QueueStore) -> None:
    """Messages with recipients who did not have the mail are found, one after the other, until nobody is waited for."""
    both = [await waiting(database, store) for _ in range(2)]
    told = [Told(delivery, message, Login("ana"), late=("b@x.test",)) for message, delivery in both]
    await database.write(lambda tx: STORE.tell(tx, told, NOW))
    first, second = (delivery for _, delivery in both)
    found = await database.read(lambda tx: STORE.with_late(tx, DeliveryId(0), 1))
    assert [one.delivery for one in found] == [first]
    found = await database.read(lambda tx: STORE.with_late(tx, first, 9))
    assert [one.delivery for one in found] == [second]
    await database.write(lambda tx: STORE.set_late(tx, second, ()))
    assert await database.read(lambda tx: STORE.with_late(tx, first, 9)) == []


async def test_a_time_that_is_over(database: Database, store: QueueStore) -> None:
    """Old records are forgotten, tombstones stay."""
    message, delivery = await waiting(database, store)
    await intend(database, message, delivery, intended("k1"), intended("k2", related="003B"))
    await made(database, "k1", "02s1")
    await made(database, "k2", "02s2")
    await database.write(lambda tx: STORE.undo(tx, ["k2"], NOW, pending=False))
    assert await database.write(lambda tx: STORE.forget(tx, NOW + 100, 10)) == 1
    rows = await database.read(lambda tx: STORE.by_keys(tx, ["k1", "k2"]))
    assert [one.state for one in rows.values()] == [RecordState.UNDONE]
