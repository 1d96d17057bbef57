"""Clearing away: what nobody needs goes, what somebody needs stays."""

import os
from dataclasses import replace

import pytest

from relay.errors import StorageUnavailable
from relay.ids import queue_id_of
from relay.queue.housekeeping import ORPHAN_AGE, Housekeeping
from relay.queue.retry import SECOND
from relay.storage.lease import boot_id
from relay.storage.spool import Spool
from tests.support.builders import lease, new_message, to_recipient
from tests.support.couriers import BUSY
from tests.support.queue_house import RULES, queue_house

DAY = 24 * 3600


@pytest.fixture
async def house(tmp_path):
    """Give a queue over an empty folder, not at work."""
    async with queue_house(tmp_path) as built:
        yield built


def housekeeping(house, **options: int) -> Housekeeping:
    """Give the housekeeping of a house."""
    return Housekeeping(house.database, house.store, house.mail_log, house.spool, house.clock, **options)


async def spooled(house, tmp_path, age: float) -> str:
    """Put a file of this age into the spool, as an earlier service would have left it; give its name."""
    file = Spool(tmp_path / "spool").create()
    file.write(b"Subject: x\r\n\r\n")
    await file.sync()
    when = house.clock.now() / 1_000_000 - age
    os.utime(tmp_path / "spool" / file.name, (when, when))
    return file.name


async def test_only_old_spool_files_without_a_message_go(house, tmp_path):
    """An orphan goes when it is old; a young one may still be arriving; a message's own stays whatever its age."""
    house.courier.answers["customer@example.org"] = BUSY
    orphan = await spooled(house, tmp_path, ORPHAN_AGE + 1)
    young = await spooled(house, tmp_path, ORPHAN_AGE - 60)
    owned = await spooled(house, tmp_path, 10 * DAY)
    queue_id = await house.accept(message=new_message(number=house.runner.next_number(), spool_name=owned))
    await house.wait_for(queue_id, "deferred")
    await housekeeping(house).run(RULES)
    assert {entry.name for entry in (tmp_path / "spool").iterdir()} == {young, owned}
    assert orphan not in (young, owned)


async def test_a_clock_set_forward_costs_no_file_that_is_being_written(house, tmp_path):
    """It looks old and is not: the message that it belongs to is about to be accepted."""
    file = house.spool.create()
    file.write(b"Subject: x\r\n\r\n")
    when = house.clock.now() / 1_000_000
    os.utime(tmp_path / "spool" / file.name, (when, when))
    house.clock.advance(2 * DAY)
    await housekeeping(house).run(RULES)
    await file.sync()
    house.spool.open(file.name).close()


async def test_mail_that_nobody_is_at_work_on_any_more_goes_out(house, caplog):
    """What is active although its lease is over is queued again without a restart, loudly, and delivered."""
    message = new_message(number=house.runner.next_number(), accepted_at=house.clock.now())
    forgotten = lease(
        house.runner._owner, until=round(house.clock.monotonic() * SECOND) - 1, boot_id=boot_id()
    )
    await house.database.write(lambda tx: house.store.accept(tx, message, [to_recipient()], lease=forgotten))
    await housekeeping(house).run(RULES)
    house.start()
    await house.wait_for(queue_id_of(message.number), "sent")
    assert "longer than any attempt" in caplog.text


async def test_closed_messages_and_their_events_go_by_retention(house):
    """Past retention.events nothing is left of a message that ended; what is open stays however old it is."""
    house.courier.answers["waits@example.org"] = BUSY
    closed = await house.accept()
    waiting = await house.accept(to_recipient("waits@example.org"))
    await house.wait_for(closed, "sent")
    await house.wait_for(waiting, "deferred")
    house.clock.advance(399 * DAY)
    await housekeeping(house).run(RULES)
    assert await house.states(closed)
    assert await house.events(closed)
    house.clock.advance(2 * DAY)
    await housekeeping(house).run(RULES)
    assert await house.states(closed) == {}
    assert await house.events(closed) == []
    assert await house.states(waiting)


async def test_content_is_kept_as_long_as_asked(house):
    """With retention.content: 3d the content of a closed message goes three days later."""
    house.store._ending = replace(house.store._ending, keep_content=True)
    rules = replace(RULES, keep_content=3 * DAY * 1_000_000)
    queue_id = await house.accept()
    await house.wait_for(queue_id, "sent")
    house.clock.advance(2 * DAY)
    await housekeeping(house).run(rules)
    assert await house.database.read(lambda tx: house.store.content(tx, queue_id)) is not None
    house.clock.advance(2 * DAY)
    await housekeeping(house).run(rules)
    assert await house.database.read(lambda tx: house.store.content(tx, queue_id)) is None
    assert await house.states(queue_id)


async def test_much_is_cleared_in_portions(house):
    """A transaction clears a portion only; all that is old goes in the end."""
    ids = [await house.accept() for _ in range(10)]
    for queue_id in ids:
        await house.wait_for(queue_id, "sent")
    house.clock.advance(401 * DAY)
    await housekeeping(house, portion=3).run(RULES)
    for queue_id in ids:
        assert await house.states(queue_id) == {}
        assert await house.events(queue_id) == []


async def test_a_store_that_is_away_is_no_end(house, caplog):
    """Clearing away that fails is logged, and left to the next time."""

    class Away:
        read = house.database.read
        close = house.database.close

        async def write(self, unit):
            raise StorageUnavailable("away")

    cleaner = housekeeping(house)
    cleaner._database = Away()
    await cleaner.run(RULES)
    assert "was not finished: away" in caplog.text


async def test_content_that_earlier_settings_kept_goes_when_it_is_kept_no_more(house):
    """From 3d to until_done by a reload: what was kept goes at the next run; what is open stays."""
    house.courier.answers["waits@example.org"] = BUSY
    house.store.use(keep_content=True)
    closed = await house.accept()
    waiting = await house.accept(to_recipient("waits@example.org"))
    await house.wait_for(closed, "sent")
    await house.wait_for(waiting, "deferred")
    clearing = housekeeping(house)
    await clearing.run(replace(RULES, keep_content=3 * DAY * 1_000_000))
    assert await house.database.read(lambda tx: house.store.content(tx, closed)) is not None
    house.store.use(keep_content=False)
    house.clock.advance(60)
    await clearing.run(RULES)
    assert await house.database.read(lambda tx: house.store.content(tx, closed)) is None
    assert await house.database.read(lambda tx: house.store.content(tx, waiting)) is not None
