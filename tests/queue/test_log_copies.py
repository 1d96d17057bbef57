"""What becomes of a log copy that is tried apart from the recipients, and of mail that was kept back by a limit."""

import asyncio

import pytest

from relay.delivery_kind import Role
from relay.outcome import Deferred
from relay.queue.retry import SECOND
from relay.queue.selection import Selection
from relay.status import Reply
from tests.queue.test_several_transactions import silent_for
from tests.support.builders import LOG_COPY_ADDRESS, log_copy, to_recipient
from tests.support.couriers import BUSY, REFUSED, SENT
from tests.support.queue_house import HOUR, MINUTE, queue_house, until


@pytest.fixture
async def house(tmp_path):
    """Give a queue over an empty folder, not at work yet."""
    async with queue_house(tmp_path) as built:
        yield built


async def test_a_log_copy_of_mail_that_nobody_received_is_skipped(house):
    """All recipients refused, and the log copy deferred meanwhile: it is not sent later, and the message is closed."""
    house.start()
    house.courier.answers |= {"a@x.test": REFUSED, "b@x.test": REFUSED, LOG_COPY_ADDRESS: BUSY}
    house.courier.key = lambda delivery: delivery.target
    message = await house.accept(to_recipient("a@x.test"), to_recipient("b@x.test"), log_copy())
    await house.wait_for(message, "bounced", "skipped")
    (skipped,) = await house.wait_for_event(message, "delivery.skipped")
    assert skipped.data["reply"] == "nobody received it"
    assert LOG_COPY_ADDRESS not in str(skipped.data)
    await house.wait_for_event(message, "message.closed")
    house.pass_time(HOUR / SECOND)
    await house.let_it_look()
    assert sum(LOG_COPY_ADDRESS in targets for _, targets in house.courier.attempts) == 1


async def test_a_log_copy_waits_while_a_recipient_may_still_get_the_mail(house):
    """One recipient refused, the other deferred and sent later: the log copy is sent, too."""
    house.start()
    house.courier.answers |= {"a@x.test": REFUSED, "b@x.test": [BUSY, SENT], LOG_COPY_ADDRESS: [BUSY, SENT]}
    message = await house.accept(to_recipient("a@x.test"), to_recipient("b@x.test"), log_copy())
    await house.wait_for(message, "bounced", "deferred")
    house.pass_time(MINUTE / SECOND)
    await house.wait_for(message, "bounced", "sent")


async def test_a_recipient_that_expires_takes_the_log_copy_with_it(house):
    """The last recipient expires while the log copy waits for its next try: there is nothing to log."""
    house.start()
    house.courier.answers |= {"a@x.test": BUSY, LOG_COPY_ADDRESS: BUSY}
    house.courier.key = lambda delivery: delivery.target
    message = await house.accept(to_recipient("a@x.test"), log_copy())
    await house.wait_for(message, "deferred")
    house.pass_time(12 * HOUR / SECOND + 1)
    await house.wait_for(message, "expired", "skipped")


async def test_a_stop_that_breaks_a_log_copy_off_sends_none_of_mail_that_nobody_received(house):
    """The recipient was refused while the log copy's hop was silent: the next start skips it."""
    house.start()
    house.courier.answers["a@x.test"] = REFUSED
    house.courier.key = lambda delivery: delivery.target
    speaks = silent_for(house, LOG_COPY_ADDRESS)
    message = await house.accept(to_recipient("a@x.test"), log_copy())
    await until(lambda: len(house.courier.attempts) == 1)
    await house.stop(grace=0.0)
    assert set((await house.states(message)).values()) == {"bounced", "queued"}
    speaks.set()
    second = house.another_runner()
    running = asyncio.create_task(second.run())
    await house.wait_for(message, "bounced", "skipped")
    await house.wait_for_event(message, "message.closed")
    await second.stop(1)
    await running
    (skipped,) = await house.wait_for_event(message, "delivery.skipped")
    assert skipped.data["reply"] == "nobody received it"
    assert LOG_COPY_ADDRESS not in str(skipped.data)


async def test_mail_for_the_log_address_alone_is_delivered(house):
    """A rep who wrote to the CRM alone has no other recipient: that copy is tried until it is sent."""
    house.start()
    house.courier.answers |= {LOG_COPY_ADDRESS: [BUSY, SENT]}
    message = await house.accept(log_copy())
    await house.wait_for(message, "deferred")
    house.pass_time(MINUTE / SECOND)
    await house.wait_for(message, "sent")


async def test_paced_mail_is_no_attempt(house):
    """Mail that a limit of ours keeps back goes as soon as there is room, with no attempt counted."""
    house.start()
    paced = Deferred(Reply(451, "4.4.5", "paced"), "mx", 3.0, attempted=False)
    house.courier.answers["customer@example.org"] = [paced, SENT]
    message = await house.accept()
    await house.wait_for(message, "deferred")
    (listed,) = await house.listed(Selection(message=message))
    assert listed.attempts == 0
    house.pass_time(3)
    await house.wait_for(message, "sent")


async def test_a_log_copy_that_is_held_is_skipped_too(house):
    """An operator held it, and then the last recipient was refused: nothing is left to decide."""
    house.start()
    house.courier.answers |= {"a@x.test": [BUSY, REFUSED], LOG_COPY_ADDRESS: BUSY}
    message = await house.accept(to_recipient("a@x.test"), log_copy())
    await house.wait_for(message, "deferred")
    copies = Selection(message=message, role=Role.LOG_COPY)
    await house.database.write(lambda tx: house.store.hold(tx, copies, "for a look"))
    house.pass_time(MINUTE / SECOND)
    await house.wait_for(message, "bounced", "skipped")
    await house.wait_for_event(message, "message.closed")
