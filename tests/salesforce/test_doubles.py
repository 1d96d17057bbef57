"""A call that Salesforce carries out long after it was given up: what is there twice by it is found, and taken back."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from relay.delivery_kind import Role
from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from relay.ids import QueueId
from relay.queue.model import State
from relay.queue.selection import Selection
from relay.salesforce.amending import Amending
from relay.salesforce.background import step
from relay.salesforce.doubles import next_due
from relay.salesforce.record_rows import RecordState
from tests.support.recording_house import RecordingHouse, recording_house
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce

TIMEOUT = "  timeout: 2s\n"
LATE = 6.0
"""Three times the limit of a call."""
SOON = 90.0
"""Seconds after which the look is due."""
FILE = (
    b"From: ana@example.com\r\nTo: person1@buyer.example\r\nSubject: Plans\r\nMessage-ID: <plans@example.com>\r\n"
    b"Date: Mon, 21 Sep 2026 14:13:20 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nThe plans.\r\n--b\r\nContent-Type: text/plain; name=plan.txt\r\n"
    b"Content-Disposition: attachment; filename=plan.txt\r\n\r\nleft, then right\r\n--b--\r\n"
)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - it is in another thread
            await asyncio.sleep(0.01)


async def made_twice(house: RecordingHouse, object: str = "EmailMessage", **mail: bytes) -> QueueId:
    """Have a mail recorded by a second call, after which Salesforce carries the first one out; give its queue id."""
    salesforce = house.salesforce
    path, nth = (r"/composite/?$", 2) if object == "EmailMessage" else (r"/sobjects/Task/?$", 1)
    salesforce.inject(Injected(Action.LATE, path=path, nth=nth, seconds=LATE))
    house.start()
    message = await house.accept(**mail)
    await house.tried(message)
    house.clock.ahead += 60.0  # the relay has waited, Salesforce is still at it
    house.runner.wake()
    await house.recorded(message)
    assert len(salesforce.rows(object)) == 1
    salesforce.advance(timedelta(seconds=LATE))
    await until(lambda: len(salesforce.rows(object)) == 2)
    return message


async def look(house: RecordingHouse, seconds: float = SOON) -> None:
    """Do in the background what is due after some time."""
    house.later(seconds)
    assert house.recording._tools is not None
    await step(house.recording._tools)


def without_enhanced_email(salesforce: Simulator) -> None:
    """Have sent mail be Tasks."""
    salesforce.toggles.enhanced_email = False


@pytest.mark.parametrize("object", ["EmailMessage", "Task"])
async def test_the_later_one_is_taken_back(tmp_path: Path, salesforce: Simulator, object: str) -> None:
    """The one that a call of ours answered is deleted, the other counts from now on; the mail log says so."""
    people(salesforce, 1)
    if object == "Task":
        without_enhanced_email(salesforce)
    async with recording_house(tmp_path, salesforce, start=False, more=TIMEOUT) as house:
        message = await made_twice(house, object)
        ours = (await house.row(message)).salesforce_id
        await look(house)
        (left,) = salesforce.rows(object)
        assert left["Id"] != ours
        row = await house.row(message)
        assert (row.state, row.salesforce_id) == (RecordState.MADE, left["Id"])
        (told,) = await house.events(message, "log.doubled")
        assert (told.data["record"], told.data["deleted"]) == (left["Id"], ours)
        assert house.recording._tools is not None
        assert await next_due(house.recording._tools) is None


async def test_it_is_not_looked_for_too_early(tmp_path: Path, salesforce: Simulator) -> None:
    """What was lost gets five times as long as any call should take."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False, more=TIMEOUT) as house:
        message = await made_twice(house)
        await look(house, 1.0)
        assert len(salesforce.rows("EmailMessage")) == 2
        assert await house.events(message, "log.doubled") == []


async def test_one_that_somebody_else_made_is_left(tmp_path: Path, salesforce: Simulator) -> None:
    """Another record with the same Message-ID that is not like ours in all that we write stays, and so does ours."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False, more=TIMEOUT) as house:
        message = await made_twice(house)
        ours = (await house.row(message)).salesforce_id
        (other,) = [row for row in salesforce.rows("EmailMessage") if row["Id"] != ours]
        salesforce.edit("EmailMessage", str(other["Id"]), TextBody="As an add-in has it")
        await look(house)
        assert len(salesforce.rows("EmailMessage")) == 2
        assert await house.events(message, "log.doubled") == []


async def test_one_that_more_hangs_on_is_left_and_told(tmp_path: Path, salesforce: Simulator) -> None:
    """Files hang on the later one alone, since nobody heard the id of the other: both stay, and the mail log tells."""
    people(salesforce, 1)
    logging = "  capture: {attachments: files}\n"
    async with recording_house(tmp_path, salesforce, logging, start=False, more=TIMEOUT) as house:
        message = await made_twice(house, content=FILE)
        ours = (await house.row(message)).salesforce_id
        await look(house)
        assert len(salesforce.rows("EmailMessage")) == 2
        (told,) = await house.events(message, "log.doubled")
        assert (told.data["record"], told.data["deleted"]) == (ours, "")
        assert "more hangs on it" in told.data["reason"]


async def test_a_deletion_that_failed_is_made_later(tmp_path: Path, salesforce: Simulator) -> None:
    """Which counts was stored before: however often the rest is tried, no other is deleted."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False, more=TIMEOUT) as house:
        message = await made_twice(house)
        ours = (await house.row(message)).salesforce_id
        salesforce.inject(Injected(Action.ANSWER, method="DELETE", status=503))
        await look(house)
        assert len(salesforce.rows("EmailMessage")) == 2
        house.try_now()
        await look(house)
        (left,) = salesforce.rows("EmailMessage")
        assert left["Id"] != ours
        assert (await house.row(message)).salesforce_id == left["Id"]


async def test_one_that_was_taken_back_is_not_looked_for(tmp_path: Path, salesforce: Simulator) -> None:
    """Ours was deleted by somebody: nothing is deleted beside it."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False, more=TIMEOUT) as house:
        message = await made_twice(house)
        ours = str((await house.row(message)).salesforce_id)
        salesforce.remove("EmailMessage", ours)
        await look(house)
        assert len(salesforce.rows("EmailMessage")) == 1
        assert await house.events(message, "log.doubled") == []


async def test_what_was_asked_for_once_is_not_looked_for(tmp_path: Path, salesforce: Simulator) -> None:
    """Nearly all mail is: it costs no call."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce) as house:
        await house.recorded(await house.accept())
        assert house.recording._tools is not None
        assert await next_due(house.recording._tools) is None


async def test_salesforce_that_cannot_be_asked_for_hours(tmp_path: Path, salesforce: Simulator) -> None:
    """It is looked for until Salesforce answers again: a maintenance, or a day's calls, may last that long."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False, more=TIMEOUT) as house:
        message = await made_twice(house)
        ours = (await house.row(message)).salesforce_id
        salesforce.inject(Injected(Action.ANSWER, method="GET", path="/query", status=503, times=None))
        for _ in range(20):
            house.try_now()
            await look(house)
        salesforce.clear_faults()
        house.try_now()
        await look(house, 3 * 3600.0)
        (left,) = salesforce.rows("EmailMessage")
        assert left["Id"] != ours


async def test_salesforce_that_cannot_be_asked_for_days(tmp_path: Path, salesforce: Simulator) -> None:
    """It is given up, and the mail log says so: nobody is to believe that it is there once."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False, more=TIMEOUT) as house:
        message = await made_twice(house)
        salesforce.inject(Injected(Action.ANSWER, method="GET", path="/query", status=503, times=None))
        for tries in range(11):
            house.try_now()
            await look(house, SOON * 2**tries)
        (told,) = await house.events(message, "log.doubled")
        assert "may be there twice" in told.data["reason"]
        assert house.recording._tools is not None
        assert await next_due(house.recording._tools) is None


async def test_what_was_taken_over_is_waited_for_anew(tmp_path: Path, salesforce: Simulator) -> None:
    """A client sends a mail again whose record was given up unanswered: the call for the second one counts from its own start."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False, more=TIMEOUT) as house:
        composite = r"/composite/?$"
        salesforce.inject(Injected(Action.LATE, path=composite, nth=2, seconds=3600.0))
        house.start()
        first = await house.accept(message_id="<same@example.com>")
        await house.tried(first)
        chosen = Selection(message=first, role=Role.RECORD)
        await house.database.write(lambda tx: house.queue.cancel(tx, chosen, "don't log"))
        house.clock.ahead += 60.0
        salesforce.inject(Injected(Action.LATE, path=composite, seconds=3600.0))
        second = await house.accept(message_id="<same@example.com>")
        await house.tried(second)
        again = Selection(message=second)
        await house.database.write(lambda tx: house.queue.retry(tx, again, house.clock.now()))
        house.try_now()
        async with asyncio.timeout(30):
            while "not known yet" not in (found := await house.delivery(second)).reason:
                assert found.state is not State.SENT
                await asyncio.sleep(0.01)
        assert salesforce.rows("EmailMessage") == []


async def test_what_is_undone_is_what_counts_then(tmp_path: Path, salesforce: Simulator) -> None:
    """Between a command's look at its rows and its undoing another one has taken the place of what was there twice."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False, more=TIMEOUT) as house:
        rows = await house.rows(await made_twice(house))
        await look(house)
        assert len(salesforce.rows("EmailMessage")) == 1
        assert house.recording.client is not None
        amending = Amending(house.database, house.recording.client, house.clock, "ana")
        (amended,) = await amending.undo(rows)
        assert amended.fault is None
        assert salesforce.rows("EmailMessage") == []


async def test_one_that_somebody_has_worked_with_is_left(tmp_path: Path, salesforce: Simulator) -> None:
    """Also where it is a field that the relay does not write: what a person entered since is not deleted."""
    people(salesforce, 1)
    without_enhanced_email(salesforce)
    async with recording_house(tmp_path, salesforce, start=False, more=TIMEOUT) as house:
        message = await made_twice(house, "Task")
        ours = str((await house.row(message)).salesforce_id)
        (person,) = [row["Id"] for row in salesforce.rows("User") if row["Username"] == "bo@example.com.crm"]
        at = "2026-12-01T09:00:00.000Z"
        salesforce.edit("Task", ours, by=str(person), IsReminderSet=True, ReminderDateTime=at)
        await look(house)
        assert ours in [row["Id"] for row in salesforce.rows("Task")]
        assert len(salesforce.rows("Task")) == 2


async def test_the_last_one_is_not_deleted(tmp_path: Path, salesforce: Simulator) -> None:
    """The deletion failed, and somebody deleted the other one by hand since: ours stays, and counts again."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False, more=TIMEOUT) as house:
        message = await made_twice(house)
        ours = (await house.row(message)).salesforce_id
        salesforce.inject(Injected(Action.ANSWER, method="DELETE", status=503))
        await look(house)
        other = str((await house.row(message)).salesforce_id)
        assert other != ours
        salesforce.remove("EmailMessage", other)
        house.try_now()
        await look(house)
        assert [row["Id"] for row in salesforce.rows("EmailMessage")] == [ours]
        row = await house.row(message)
        assert (row.state, row.salesforce_id) == (RecordState.MADE, ours)
        assert house.recording._tools is not None
        assert await next_due(house.recording._tools) is None


async def test_one_that_was_changed_before_its_deletion_is_left(
    tmp_path: Path, salesforce: Simulator
) -> None:
    """The deletion failed, and somebody has worked with the one that was to be deleted since: both stay, which is told."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False, more=TIMEOUT) as house:
        message = await made_twice(house)
        ours = str((await house.row(message)).salesforce_id)
        salesforce.inject(Injected(Action.ANSWER, method="DELETE", status=503))
        await look(house)
        (person,) = [row["Id"] for row in salesforce.rows("User") if row["Username"] == "bo@example.com.crm"]
        salesforce.edit("EmailMessage", ours, by=str(person), IsExternallyVisible=True)
        house.try_now()
        await look(house)
        assert len(salesforce.rows("EmailMessage")) == 2
        (told,) = await house.events(message, "log.doubled")
        assert told.data["deleted"] == ""


async def test_one_that_was_undone_before_its_deletion_is_deleted(
    tmp_path: Path, salesforce: Simulator
) -> None:
    """The deletion failed, and the record was undone since: nothing of it is left."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False, more=TIMEOUT) as house:
        message = await made_twice(house)
        salesforce.inject(Injected(Action.ANSWER, method="DELETE", status=503))
        await look(house)
        house.try_now()
        assert house.recording.client is not None
        amending = Amending(house.database, house.recording.client, house.clock, "ana")
        await amending.undo(await house.rows(message))
        await look(house)
        assert salesforce.rows("EmailMessage") == []
