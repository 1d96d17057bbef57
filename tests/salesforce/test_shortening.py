"""While the disk is nearly full, mail that waits for a match gives up its text before mail is refused."""

import asyncio
from pathlib import Path

from relay.demo.salesforce.simulator import Simulator
from relay.queue.model import State
from relay.salesforce.background import rematch
from relay.salesforce.shortening import shorten, without_text
from tests.support.couriers import BUSY
from tests.support.queue_house import until
from tests.support.recording import NOON
from tests.support.recording_house import OUT, RecordingHouse, recording_house
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce

STRANGER = "stranger@new.example"


def files(folder: Path) -> list[str]:
    """Give the files in the spool."""
    return sorted(one.name for one in (folder / "spool").iterdir())


async def shortened(house: RecordingHouse) -> bool:
    """Do once what is done in the background."""
    assert house.recording._tools is not None
    return await shorten(house.recording._tools, house.spool)


async def test_its_content_goes_first(tmp_path: Path, salesforce: Simulator) -> None:
    """The file goes, what is known of the mail stays; when somebody has the address it is recorded, and says so."""
    async with recording_house(tmp_path, salesforce) as house:
        message = await house.accept(STRANGER, spooled=True)
        await house.held(message)
        assert len(files(tmp_path)) == 1
        assert await shortened(house)
        await until(lambda: not files(tmp_path))  # it goes when those who wait for the commit have been told
        assert not await shortened(house)
        (event,) = await house.events(message, "delivery.changed")
        assert "its text was given up" in str(event.data["reason"])
        person = salesforce.add("Contact", LastName="Stranger", Email=STRANGER)
        house.later(900)
        assert house.recording._tools is not None
        await rematch(house.recording._tools)
        await house.recorded(message)
        (made,) = salesforce.rows("EmailMessage")
        assert list(made["ToIds"]) == [person]  # type: ignore[call-overload]
        assert made["Subject"] == "The offer"
        assert "gave up the text" in str(made["TextBody"])
        assert "here is the offer" not in str(made["TextBody"])


async def test_what_somebody_still_needs_stays(tmp_path: Path, salesforce: Simulator) -> None:
    """Mail that a recipient waits for, or that is small, or held for another reason, keeps its text."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, "  wait_for_rest: 0s") as house:
        house.courier.answers[OUT] = BUSY
        waits = await house.accept(STRANGER, OUT, spooled=True)
        small = await house.accept(STRANGER)
        await house.held(small)
        await house.wait_for(waits, State.HELD)
        assert not await shortened(house)
        assert len(files(tmp_path)) == 1


async def test_a_disk_that_is_nearly_full(tmp_path: Path, salesforce: Simulator) -> None:
    """The background sees to it by itself."""
    async with recording_house(tmp_path, salesforce) as house:
        message = await house.accept(STRANGER, spooled=True)
        await house.held(message)
        running = asyncio.create_task(house.recording.run())
        try:
            house.scarce = True
            house.recording.wake()
            await until(lambda: not files(tmp_path))
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def test_what_is_kept() -> None:
    """All of the header but what says how the text was written; one that is too long is cut between lines."""
    wire = b"From: a@b.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary=x\r\nTo: c@d.test\r\n\r\n--x\r\n"
    assert without_text(wire, NOON) == (
        b"From: a@b.test\r\nTo: c@d.test\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        b"(The relay gave up the text of this mail on 2026-11-22: its disk was nearly full.)\r\n"
    )
    assert without_text(b"From: a@b.test\r\nTo: c@d.t", NOON).startswith(b"From: a@b.test\r\nMIME-Version")
