"""One mail in several transactions: what was sent is settled at once, what was not together, in one report."""

import asyncio
from dataclasses import replace

import pytest

from relay.outcome import Bounced, Deferred
from relay.queue.selection import Selection
from relay.status import Reply
from tests.queue.test_reports import the_report
from tests.support.builders import LOG_COPY_ADDRESS, log_copy, to_recipient
from tests.support.couriers import BUSY, REFUSED, SENT
from tests.support.queue_house import RULES, queue_house, until

FOUR = tuple(f"{name}@example.org" for name in ("bob", "carl", "dora", "eve"))


@pytest.fixture
async def house(tmp_path):
    """Give a queue at work whose courier makes a transaction for each recipient; it waits for the others for ever."""
    async with queue_house(tmp_path, replace(RULES, gather=3600.0)) as built:
        built.courier.key = lambda delivery: delivery.target
        built.start()
        yield built


def silent_for(house, target: str) -> asyncio.Event:
    """Have the attempt at one target wait for the event that is given."""
    answered, speaks = house.courier.attempt, asyncio.Event()

    async def attempt(batches):
        if batches[0].deliveries[0].target == target:
            await speaks.wait()
        return await answered(batches)

    house.courier.attempt = attempt
    return speaks


async def test_all_that_was_refused_stands_in_one_report(house):
    """Three recipients, refused in three transactions: one report names them."""
    house.courier.answers = dict.fromkeys(FOUR[:3], REFUSED)
    queue_id = await house.accept(*map(to_recipient, FOUR))
    await house.wait_for(queue_id, "sent", "bounced")
    [told] = await house.wait_for_event(queue_id, "report.queued")
    assert sorted(told.data["recipients"]) == sorted(FOUR[:3])
    _, report, _ = await the_report(house, queue_id)
    finals = [group["Final-Recipient"] for group in list(report.iter_parts())[1].get_payload()[1:]]
    assert sorted(finals) == [f"rfc822; {one}" for one in sorted(FOUR[:3])]


async def test_what_was_sent_is_settled_while_another_transaction_lasts(house):
    """It must not be sent again whatever happens; what was refused waits for the rest, and is asked for again after a crash."""
    house.courier.answers = {FOUR[0]: REFUSED, FOUR[1]: REFUSED}
    speaks = silent_for(house, FOUR[1])
    queue_id = await house.accept(*map(to_recipient, FOUR[:3]))
    await house.wait_for(queue_id, "sent", "active")
    assert (await house.states(queue_id))[FOUR[0]] == "active"
    assert await house.reports(queue_id) == []
    speaks.set()
    [told] = await house.wait_for_event(queue_id, "report.queued")
    assert set(told.data["recipients"]) == set(FOUR[:2])


async def test_a_report_does_not_wait_long(tmp_path):
    """A transaction that lasts is left to a report of its own."""
    async with queue_house(tmp_path, replace(RULES, gather=0.01)) as house:
        house.courier.key = lambda delivery: delivery.target
        house.courier.answers = dict.fromkeys(FOUR[:2], REFUSED)
        speaks = silent_for(house, FOUR[1])
        house.start()
        queue_id = await house.accept(*map(to_recipient, FOUR[:2]))
        [told] = await house.wait_for_event(queue_id, "report.queued")
        assert told.data["recipients"] == [FOUR[0]]
        speaks.set()
        _, told = await house.wait_for_event(queue_id, "report.queued", 2)
        assert told.data["recipients"] == [FOUR[1]]


async def test_what_was_deferred_goes_again_together(house):
    """One next attempt for all, so that one report tells of the delay as well."""
    house.courier.answers = dict.fromkeys(FOUR, BUSY)
    queue_id = await house.accept(*map(to_recipient, FOUR))
    await house.wait_for(queue_id, "deferred")
    listed = await house.listed(Selection(message=queue_id))
    assert len({one.next_attempt_at for one in listed}) == 1
    house.pass_time(5 * 3600)
    [told] = await house.wait_for_event(queue_id, "report.queued")
    assert (told.data["action"], sorted(told.data["recipients"])) == ("delayed", sorted(FOUR))


async def test_a_log_copy_that_went_apart_goes_again_by_its_own_schedule(house):
    """A hop that wants one recipient's mail much later does not keep it from the CRM: another one has it."""
    much_later = Deferred(Reply(451, "4.7.1", "Try again in a day"), "mx", 24 * 3600.0)
    house.courier.answers = {FOUR[1]: much_later, LOG_COPY_ADDRESS: BUSY}
    queue_id = await house.accept(*map(to_recipient, FOUR[:2]), log_copy())
    await house.wait_for(queue_id, "sent", "deferred")
    [recipient, copy] = await house.listed(Selection(message=queue_id))
    assert recipient.next_attempt_at == house.clock.now() + RULES.retry.delivery.lifetime
    assert copy.next_attempt_at <= house.clock.now() + 2 * RULES.retry.logging.schedule[0]


async def test_a_log_copy_does_not_wait_for_recipients_of_another_transaction(house):
    """Its own transaction was taken for all but itself: it goes again soon, whatever another one's hop wants."""
    much_later = Deferred(Reply(451, "4.7.1", "Try again in a day"), "mx", 24 * 3600.0)
    house.courier.key = lambda delivery: delivery.target == FOUR[1]
    house.courier.answers = {FOUR[1]: much_later, LOG_COPY_ADDRESS: BUSY}
    queue_id = await house.accept(*map(to_recipient, FOUR[:2]), log_copy())
    await house.wait_for(queue_id, "sent", "deferred")
    [_, copy] = await house.listed(Selection(message=queue_id))
    assert copy.next_attempt_at <= house.clock.now() + 2 * RULES.retry.logging.schedule[0]


async def test_a_log_copy_waits_with_another_transaction_while_nobody_has_the_mail(house):
    """Its own transaction was refused for all but itself: it must not come to the CRM before anybody has the mail."""
    house.courier.key = lambda delivery: delivery.target == FOUR[1]
    house.courier.answers = {FOUR[0]: REFUSED, FOUR[1]: BUSY, LOG_COPY_ADDRESS: BUSY}
    queue_id = await house.accept(*map(to_recipient, FOUR[:2]), log_copy())
    await house.wait_for(queue_id, "bounced", "deferred")
    [recipient, copy] = await house.listed(Selection(message=queue_id))
    assert copy.next_attempt_at == recipient.next_attempt_at


async def test_a_stop_settles_what_was_refused(house):
    """What breaks the last transaction off does not lose what the others said."""
    house.courier.answers = {FOUR[0]: REFUSED}
    silent_for(house, FOUR[1])
    queue_id = await house.accept(*map(to_recipient, FOUR[:2]))
    await until(lambda: len(house.courier.attempts) == 1)
    await house.stop(grace=0.0)
    assert await house.states(queue_id) == {FOUR[0]: "bounced", FOUR[1]: "queued"}
    assert len(await house.reports(queue_id)) == 1


async def test_the_log_copy_that_went_by_itself_is_masked(house):
    """Its address is a secret in what another transaction's hop says as well."""
    said = Bounced(Reply(550, "5.7.1", f"Refused beside {LOG_COPY_ADDRESS}"), "mx")
    house.courier.answers = {FOUR[0]: said, LOG_COPY_ADDRESS: SENT}
    queue_id = await house.accept(to_recipient(FOUR[0]), to_recipient(FOUR[1]), log_copy())
    _, _, wire = await the_report(house, queue_id)
    assert LOG_COPY_ADDRESS.encode() not in wire
    for event in await house.events(queue_id):
        assert LOG_COPY_ADDRESS not in str(event.data)
