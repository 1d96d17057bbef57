"""The queue at work over a real database: whatever happens to an attempt, nothing accepted is lost."""

import asyncio
import gc
import logging
from dataclasses import replace

import pytest

from relay.errors import StorageError, StorageUnavailable
from relay.outcome import Deferred, Held, Skipped
from relay.queue.model import ClaimedMessage, State
from relay.queue.rules import Room
from relay.queue.runner import _HURRIED
from relay.queue.selection import Selection
from relay.queue.together import MOST
from relay.status import Reply
from tests.support.builders import LOG_COPY_ADDRESS, log_copy, new_message, to_recipient
from tests.support.couriers import BUSY, REFUSED, SENT
from tests.support.queue_house import RULES, queue_house, until


@pytest.fixture
async def house(tmp_path):
    """Give a queue over an empty folder, not at work yet."""
    async with queue_house(tmp_path) as built:
        yield built


async def test_a_message_is_attempted_at_once_and_closed(house):
    """What comes in goes out without waiting for the queue to be looked at, content as it came."""
    queue_id = await house.accept(to_recipient(), log_copy())
    await house.wait_for(queue_id, "sent")
    assert house.courier.attempts == [(queue_id, ("customer@example.org", LOG_COPY_ADDRESS))]
    assert house.courier.contents[0].startswith(b"Received: from client")
    assert house.courier.contents[0].endswith(b"Dear customer,\r\n")
    sent, copied, closed = await house.events(queue_id)
    assert sent.data == {
        "role": "recipient",
        "targets": ["customer@example.org"],
        "reply": "250 2.0.0 Ok",
        "hop": "mx.example.org",
        "attempt": 1,
    }
    assert copied.data["role"] == "log_copy"
    assert copied.data["targets"] == ["emailtosalesforce@a1…om"]
    assert closed.name == "message.closed"
    assert (closed.data["sent"], closed.data["failed"], closed.data["logged"]) == (1, 0, "sent")


@pytest.mark.parametrize("key", [lambda _: None, lambda delivery: delivery.target], ids=["together", "apart"])
async def test_what_a_message_is_made_of_goes_by_itself(house, key):
    """No cycle keeps it until the garbage collector comes, which is seldom: that would be a thousand mails in memory."""
    house.courier.key = key
    gc.collect()
    gc.disable()
    try:
        messages = [await house.accept(to_recipient(), log_copy()) for _ in range(3)]
        for message in messages:
            await house.wait_for(message, "sent")
        await until(lambda: not any(isinstance(one, ClaimedMessage) for one in gc.get_objects()))
    finally:
        gc.enable()


async def test_a_caller_who_is_cancelled_changes_nothing(house):
    """A client that hangs up while its message is being stored neither loses it nor leaves it lying active."""
    number = house.runner.next_number()
    message = new_message(number=number, accepted_at=house.clock.now())
    caller = asyncio.create_task(house.runner.accept(message, [to_recipient()], []))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await until(lambda: len(house.courier.attempts) == 1)
    await house.wait_for(house.courier.attempts[0][0], "sent")


async def test_what_cannot_be_stored_is_refused_and_forgotten(house):
    """A fault of the store reaches the caller, takes no room, and leaves nothing behind."""
    message = new_message(number=house.runner.next_number())
    await house.accept(message=message)
    with pytest.raises(StorageError):
        await house.accept(message=message)  # the same number again
    await house.accept()
    await until(lambda: len(house.courier.attempts) == 2)


async def test_nothing_to_do_is_an_outcome_too(house):
    """A message of which everything is skipped is closed at once, each target with its reason in the mail log."""
    plan = [
        to_recipient(skipped="dry run"),
        log_copy(skipped="internal mail"),
        log_copy("", skipped="not a rep"),
    ]
    queue_id = await house.accept(*plan)
    *skips, closed = await house.events(queue_id)
    assert [(event.name, event.data["targets"], event.data["reply"]) for event in skips] == [
        ("delivery.skipped", ["customer@example.org"], "dry run"),
        ("delivery.skipped", ["emailtosalesforce@a1…om"], "internal mail"),
        ("delivery.skipped", [""], "not a rep"),
    ]
    assert closed.name == "message.closed"
    assert closed.data["logged"] == "skipped"
    assert house.courier.attempts == []


async def test_what_is_deferred_is_tried_again_by_the_schedule(house):
    """A 4yz is tried again when the schedule says, not before, until it is sent."""
    house.courier.answers["customer@example.org"] = [BUSY, BUSY, SENT]
    house.start()
    queue_id = await house.accept()
    first = (await house.wait_for_event(queue_id, "delivery.deferred"))[0]
    assert first.data["next_attempt_at"] == house.clock.now() + 60_000_000
    house.pass_time(59)
    await house.let_it_look()
    assert len(house.courier.attempts) == 1
    house.pass_time(1)
    second = (await house.wait_for_event(queue_id, "delivery.deferred", 2))[1]
    assert second.data["attempt"] == 2
    house.pass_time(300)
    await house.wait_for(queue_id, "sent")
    assert house.courier.contents[0] == house.courier.contents[1] == house.courier.contents[2]


async def test_a_log_copy_has_a_schedule_of_its_own(house):
    """The log copy follows retry.logging, and its refusal is nobody's bounce."""
    house.courier.answers[LOG_COPY_ADDRESS] = [BUSY, REFUSED]
    house.start()
    queue_id = await house.accept(to_recipient(), log_copy())
    deferred = (await house.wait_for_event(queue_id, "delivery.deferred"))[0]
    assert deferred.data["next_attempt_at"] == house.clock.now() + 30_000_000
    house.pass_time(30)
    await house.wait_for(queue_id, "sent", "bounced")
    closed = (await house.wait_for_event(queue_id, "message.closed"))[0]
    assert (closed.data["sent"], closed.data["failed"], closed.data["logged"]) == (1, 0, "failed")
    assert await house.reports(queue_id) == []


async def test_a_hop_that_asks_for_patience_gets_it(house):
    """retry_after is a floor for the next attempt."""
    house.courier.answers["customer@example.org"] = Deferred(Reply(451, "4.7.1", "Slow"), "mx", 1800.0)
    queue_id = await house.accept()
    deferred = (await house.wait_for_event(queue_id, "delivery.deferred"))[0]
    assert deferred.data["next_attempt_at"] == house.clock.now() + 1_800_000_000


@pytest.mark.parametrize(
    ("outcome", "state", "event"),
    [
        (Held("nobody matches"), "held", "delivery.held"),
        (Skipped("logged already"), "skipped", "delivery.skipped"),
    ],
)
async def test_held_and_skipped_are_outcomes(house, outcome, state, event):
    """A courier may hold or skip; both are told, and neither is reported to the sender."""
    house.courier.answers["customer@example.org"] = outcome
    queue_id = await house.accept()
    found = (await house.wait_for_event(queue_id, event))[0]
    assert found.data["reply"] == outcome.reason
    assert await house.states(queue_id) == {"customer@example.org": state}
    assert await house.reports(queue_id) == []


async def test_a_courier_that_fails_loses_nothing(house, caplog):
    """An unknown fault is a deferral for all it was handed, and its traceback is logged once."""
    house.courier.error = ValueError("what is this")
    ids = [await house.accept(to_recipient(), log_copy()) for _ in range(3)]
    for queue_id in ids:
        await house.wait_for(queue_id, "deferred")
        deferred = (await house.wait_for_event(queue_id, "delivery.deferred"))[0]
        assert deferred.data["reply"].startswith("451 4.0.0 ")
    loud = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(loud) == 3
    assert sum(record.exc_info is not None for record in loud) == 1


async def test_a_missing_answer_is_a_deferral(house, caplog):
    """A courier that forgets a delivery is at fault, not the delivery."""
    house.courier.answers["customer@example.org"] = None
    queue_id = await house.accept(to_recipient(), to_recipient("other@example.org"))
    await house.wait_for(queue_id, "deferred", "sent")
    assert "gave no answer" in caplog.text


async def test_a_courier_that_never_ends_is_broken_off(tmp_path):
    """Every attempt has a limit."""
    async with queue_house(tmp_path, replace(RULES, attempt_limit=0.01)) as house:
        house.courier.gate.clear()
        queue_id = await house.accept()
        deferred = (await house.wait_for_event(queue_id, "delivery.deferred"))[0]
        assert "took too long" in deferred.data["reply"]


async def test_hops_are_attempted_side_by_side(house):
    """Deliveries that share no hop are attempted apart, and one that hangs keeps no other back."""
    house.courier.key = lambda delivery: delivery.target
    house.courier.gate.clear()
    queue_id = await house.accept(to_recipient(), to_recipient("other@example.net"))
    await until(lambda: len(house.courier.attempts) == 2)
    house.courier.gate.set()
    await house.wait_for(queue_id, "sent")
    assert len(await house.wait_for_event(queue_id, "message.closed")) == 1


@pytest.mark.parametrize("fault", ["lost", "raised"])
async def test_a_split_that_loses_deliveries_is_not_followed(house, caplog, fault):
    """A courier's split that is wrong is logged, and the deliveries are attempted together."""

    def split(message, deliveries):
        if fault == "raised":
            raise ValueError("cannot split")
        return [deliveries[:1]]

    house.courier.split = split
    queue_id = await house.accept(to_recipient(), to_recipient("other@example.net"))
    await house.wait_for(queue_id, "sent")
    assert "split a message" in caplog.text


async def test_large_content_is_read_from_the_spool(house):
    """Content in the spool goes out as it came in, less what must not be sent on."""
    spooled = house.spool.create()
    body = b"".join(b"line %d\r\n" % n for n in range(60_000))
    spooled.write(b"Bcc: boss@example.com\r\nSubject: big\r\n\r\n" + body)
    await spooled.sync()
    message = new_message(number=house.runner.next_number(), spool_name=spooled.name, skips=((0, 23),))
    queue_id = await house.accept(message=message)
    await house.wait_for(queue_id, "sent")
    assert house.courier.contents == [message.prefix + b"Subject: big\r\n\r\n" + body]
    assert await house.database.read(house.store.spool_names) == set()


async def test_content_that_is_gone_is_a_loud_deferral(house, caplog):
    """A spool file that is not there is not the end of the message: an admin may bring it back."""
    message = new_message(number=house.runner.next_number(), spool_name="0" * 32)
    queue_id = await house.accept(message=message)
    deferred = (await house.wait_for_event(queue_id, "delivery.deferred"))[0]
    assert deferred.data["reply"].startswith("451 4.3.0")
    assert queue_id in caplog.text


async def test_no_more_is_under_way_than_there_is_room_for(tmp_path):
    """The budget holds for fresh mail and for claims; what found no room goes out as soon as there is some."""
    room = Room(active=6, fresh=4, claim=3)
    async with queue_house(tmp_path, replace(RULES, room=room)) as house:
        house.courier.gate.clear()
        house.start()
        ids = [await house.accept(to_recipient(), to_recipient("b@example.org")) for _ in range(20)]
        await until(lambda: house.courier.under_way >= 6)
        house.courier.gate.set()
        for queue_id in ids:
            await house.wait_for(queue_id, "sent")
        assert house.courier.most_under_way <= 7  # the last message claimed may go beyond by one
        assert sorted(attempted for attempted, _ in house.courier.attempts) == sorted(ids)


@pytest.mark.parametrize("verb", ["next_due", "claim"])
async def test_mail_from_the_door_does_not_start_in_room_that_is_being_claimed(tmp_path, verb):
    """What comes in while the store is asked or claims is counted: no more than there is room for is under way."""
    room = Room(active=6, fresh=4, claim=3)
    two = (to_recipient(), to_recipient("b@example.org"))
    async with queue_house(tmp_path, replace(RULES, room=room)) as house:
        house.courier.gate.clear()
        ids = [await house.accept(*two) for _ in range(6)]
        house.courier.gate.set()
        for queue_id in ids[:2]:
            await house.wait_for(queue_id, "sent")
        house.courier.gate.clear()
        house.store.slow = verb
        house.start()
        await until(lambda: house.store.waiting)
        fresh = [asyncio.create_task(house.accept(*two)) for _ in range(2)]
        await asyncio.sleep(0)
        house.store.go_on.set()
        ids += await asyncio.gather(*fresh)
        await until(lambda: house.courier.under_way >= 6)
        house.courier.gate.set()
        for queue_id in ids:
            await house.wait_for(queue_id, "sent")
        assert house.courier.most_under_way <= 7


async def test_content_kept_in_memory_is_bounded(tmp_path):
    """Fresh mail whose content finds no room in memory waits in the store."""
    async with queue_house(tmp_path, replace(RULES, room=Room(memory=100_000))) as house:
        house.courier.gate.clear()
        for _ in range(5):
            number = house.runner.next_number()
            await house.accept(message=new_message(number=number, content=b"x" * 40_000 + b"\r\n"))
        await until(lambda: house.courier.under_way == 2)
        waiting = await house.listed(Selection(states=(State.QUEUED,)))
        assert len(waiting) == 3


async def test_a_stop_lets_attempts_end(house):
    """Within the grace, what is under way ends and is settled."""
    house.start()
    house.courier.gate.clear()
    queue_id = await house.accept()
    await until(lambda: house.courier.under_way == 1)
    stopping = asyncio.create_task(house.stop(grace=10))
    await asyncio.sleep(0)
    house.courier.gate.set()
    await stopping
    assert await house.states(queue_id) == {"customer@example.org": "sent"}


async def test_a_stop_gives_back_what_does_not_end(house):
    """Past the grace, attempts are broken off and their deliveries queued again, for the next service."""
    house.start()
    house.courier.gate.clear()
    queue_id = await house.accept()
    await until(lambda: house.courier.under_way == 1)
    await house.stop(grace=0.01)
    assert await house.states(queue_id) == {"customer@example.org": "queued"}
    assert house.courier.under_way == 0
    listed = await house.listed(Selection(message=queue_id))
    assert listed[0].attempts == 0


async def test_what_comes_in_during_a_stop_is_kept(house):
    """A message that is accepted while the runner stops is durable, and not attempted any more."""
    await house.runner.stop(0.1)
    queue_id = await house.accept()
    assert await house.states(queue_id) == {"customer@example.org": "queued"}
    assert house.courier.attempts == []


async def test_a_crash_is_recovered_at_the_next_start(house):
    """What a service that died left active is queued again by the next one and sent."""
    house.courier.gate.clear()
    queue_id = await house.accept()
    await until(lambda: house.courier.under_way == 1)
    # The first runner is left hanging, as a dead process leaves its deliveries.
    second = house.another_runner()
    house.courier.gate = asyncio.Event()
    house.courier.gate.set()
    running = asyncio.create_task(second.run())
    await house.wait_for(queue_id, "sent")
    await second.stop(1)
    await running
    assert len(house.courier.attempts) == 2


async def test_a_settlement_that_came_too_late_is_dropped(house, caplog):
    """When a delivery was claimed anew meanwhile, what the first attempt came to is not stored, nor told twice."""
    house.courier.gate.clear()
    first_gate = house.courier.gate
    queue_id = await house.accept()
    await until(lambda: house.courier.under_way == 1)
    second = house.another_runner()
    house.courier.gate = asyncio.Event()
    house.courier.gate.set()
    running = asyncio.create_task(second.run())
    await house.wait_for(queue_id, "sent")
    first_gate.set()
    await until(lambda: "claimed anew" in caplog.text)
    await second.stop(1)
    await running
    assert (await house.names(queue_id)).count("delivery.sent") == 1


async def test_a_settlement_that_cannot_be_stored_is_kept(house, caplog):
    """A store that is away delays the settlement; the hop is not bothered again."""
    database, failing = house.database, [StorageUnavailable("away")] * 2
    write = database.write

    async def flaky(unit):
        if house.courier.attempts and failing:
            raise failing.pop()
        return await write(unit)

    house.runner._settler.database = replace_write(database, flaky)
    queue_id = await house.accept()
    await house.wait_for(queue_id, "sent")
    assert len(house.courier.attempts) == 1
    assert "not stored yet: away" in caplog.text


def replace_write(database, write):
    """Give the database with another `write`."""

    class Flaky:
        def __init__(self):
            self.write = write
            self.read = database.read
            self.close = database.close

    return Flaky()


async def test_a_settlement_is_let_go_of_when_the_relay_stops(house):
    """A stop does not wait for a store that stays away: the next start sends again, and that is told in the logs."""

    async def away(unit):
        raise StorageUnavailable("away")

    house.runner._settler.database = replace_write(house.database, away)
    queue_id = await house.accept()
    await until(lambda: len(house.courier.attempts) == 1)
    await house.runner.stop(0.01)
    assert await house.states(queue_id) == {"customer@example.org": "queued"}


async def test_commands_of_another_process_are_noticed(house):
    """The queue is looked at regularly: what a command made due goes out without any word from it."""
    house.courier.answers["customer@example.org"] = [BUSY, SENT]
    house.start()
    queue_id = await house.accept()
    await house.wait_for(queue_id, "deferred")
    now = house.clock.now()
    await house.database.write(lambda tx: house.store.retry(tx, Selection(message=queue_id), now))
    await house.wait_for(queue_id, "sent")


async def test_what_is_held_is_left_alone(house):
    """A held delivery is not attempted, whatever its time; released it is."""
    house.courier.answers["customer@example.org"] = [BUSY, SENT]
    house.start()
    queue_id = await house.accept()
    await house.wait_for(queue_id, "deferred")
    await house.database.write(lambda tx: house.store.hold(tx, Selection(message=queue_id), "asked to"))
    house.pass_time(3600)
    await house.let_it_look()
    assert len(house.courier.attempts) == 1
    now = house.clock.now()
    await house.database.write(lambda tx: house.store.release(tx, Selection(message=queue_id), now))
    await house.wait_for(queue_id, "sent")


async def test_a_clock_that_was_set_back_does_not_strand_mail(house):
    """What would be due later than any wait is long is made due when the runner starts."""
    house.courier.answers["customer@example.org"] = [BUSY, SENT]
    queue_id = await house.accept()
    await house.wait_for(queue_id, "deferred")
    house.clock.instant -= 400 * 24 * 3600 * 1_000_000
    house.start()
    await house.wait_for(queue_id, "sent")


async def test_numbers_grow_whatever_the_clock_does(house):
    """Queue ids stay unique and in order when the clock is set back."""
    first = house.runner.next_number()
    house.clock.instant -= 10**12
    assert house.runner.next_number() > first


async def test_new_rules_are_followed_at_once(house):
    """A reload swaps the rules: the next settlement follows them."""
    house.courier.answers["customer@example.org"] = BUSY
    retry = replace(RULES.retry, delivery=replace(RULES.retry.delivery, schedule=(7_000_000,)))
    house.runner.use(replace(RULES, retry=retry))
    queue_id = await house.accept()
    deferred = (await house.wait_for_event(queue_id, "delivery.deferred"))[0]
    assert deferred.data["next_attempt_at"] == house.clock.now() + 7_000_000


async def test_a_store_that_is_away_does_not_end_the_runner(house, caplog):
    """Faults of the store while claiming are logged; the runner goes on as soon as it answers."""
    reads = [StorageUnavailable("away")] * 3
    read = house.database.read

    class Flaky:
        write = house.database.write
        close = house.database.close

        async def read(self, query):
            if reads:
                raise reads.pop()
            return await read(query)

    house.runner._database = Flaky()
    house.courier.answers["customer@example.org"] = [BUSY, SENT]
    queue_id = await house.accept()
    await house.wait_for(queue_id, "deferred")
    house.clock.advance(60)
    house.start()
    await house.wait_for(queue_id, "sent")
    assert "cannot be read now: away" in caplog.text


async def test_every_accepted_message_costs_one_task(house):
    """The way from the door to the settlement of a plain message is one asyncio task."""
    before = asyncio.all_tasks()
    house.courier.gate.clear()
    caller = asyncio.create_task(house.accept())
    await caller
    await until(lambda: house.courier.under_way == 1)
    assert len(asyncio.all_tasks() - before) == 1


async def test_attempts_are_counted(tmp_path):
    """The meter hears of each attempt by its route, of the log copy, and of the closing."""
    counted = Counted()
    async with queue_house(tmp_path) as house:
        runner = house.another_runner(meter=counted)
        message = new_message(number=house.runner.next_number())
        await runner.accept(message, [to_recipient(), log_copy()], [])
        await until(lambda: len(counted.told) == 4)
        await runner.stop(1)
    assert counted.told == ["took main", "main sent 1", "bcc sent", "closed"]


class Counted:
    """A meter that notes what it hears."""

    def __init__(self):
        self.told = []

    def attempted(self, route, outcome, count=1):
        self.told.append(f"{route} {outcome} {count}")

    def attempt_took(self, route, seconds):
        self.told.append(f"took {route}")

    def logged(self, target, outcome):
        self.told.append(f"{target} {outcome}")

    def closed(self, seconds):
        self.told.append("closed")


async def test_a_route_without_a_name_costs_no_mail(house, caplog):
    """A courier that cannot name a route for metrics still delivers."""
    house.courier.route = None
    queue_id = await house.accept()
    await house.wait_for(queue_id, "sent")
    assert "cannot name a route" in caplog.text


async def test_a_stop_without_a_store_still_stops(house, caplog):
    """Leases that cannot be given back are left to the next start."""

    async def away(unit):
        raise StorageUnavailable("away")

    house.runner._database = replace_write(house.database, away)
    await house.runner.stop(0.01)
    assert "were not given back" in caplog.text


async def test_a_stop_that_cannot_wait_answers_who_waits(house):
    """When the store hangs at a stop, whoever waits for a message to be stored hears that it was not."""
    stuck = asyncio.Event()

    async def never(unit):
        await stuck.wait()

    house.runner._intake.database = replace_write(house.database, never)
    callers = [asyncio.create_task(house.accept()) for _ in range(MOST + 1)]
    await until(lambda: bool(house.runner._intake._together._under_way))
    await house.runner._intake.finish(0.01)  # as stop does
    for caller in callers:
        with pytest.raises(StorageUnavailable):
            await caller


async def test_a_hurried_stop_does_not_wait_for_a_store_that_never_answers(house):
    """Accepts, settlements and leases together: the stop ends within the patience of a test, and tells of it."""
    stuck = asyncio.Event()

    async def never(unit):
        await stuck.wait()

    house.courier.gate.clear()
    house.start()
    await house.accept()
    await until(lambda: bool(house.runner._attempts._running))
    flaky = replace_write(house.database, never)
    house.runner._intake.database = house.runner._settler.database = house.runner._database = flaky
    caller = asyncio.create_task(house.accept())
    await until(lambda: bool(house.runner._intake._together._under_way))
    async with asyncio.timeout(10 * _HURRIED):
        await house.runner.stop(0.0)
    with pytest.raises(StorageUnavailable):
        await caller
    house.runner._database = house.database
