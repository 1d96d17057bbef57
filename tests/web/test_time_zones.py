"""The page and the digest at midnight, and on days of 23 and 25 hours, by the clock of whoever reads them."""

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from relay.queue.model import State
from tests.support.page import SETTINGS, Page, open_page
from tests.support.page_mail import sent
from tests.web.test_attention import asked_of, given_up
from tests.web.test_digest import digest_of, failed, subjects

STOCKHOLM, KATHMANDU, SAO_PAULO = "Europe/Stockholm", "Asia/Kathmandu", "America/Sao_Paulo"
MINUTE, HOUR = 60.0, 3600.0


def living_in(zone: str) -> str:
    """Give the settings with ana and bea in a time zone."""
    return SETTINGS.replace("    name: Ana Berg\n", f"    name: Ana Berg\n    time_zone: {zone}\n").replace(
        "{login: be", f"{{time_zone: {zone}, login: be"
    )


def to(page: Page, text: str, zone: str, fold: int = 0) -> None:
    """Turn the clock on to a time of day there."""
    wanted = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()
    page.clock.advance(wanted - page.clock.now() / 1_000_000)


@pytest.mark.parametrize("path", ["/today", "/center", "/attention", "/diagnostics"])
@pytest.mark.parametrize(
    ("zone", "evening", "midnight", "shown"),
    [
        (STOCKHOLM, "2026-10-24T23:59:30", "2026-10-25T00:00:00", "24 Oct 23:59"),
        (KATHMANDU, "2026-10-24T23:59:30", "2026-10-25T00:00:00", "24 Oct 23:59"),
        (STOCKHOLM, "2027-03-28T23:59:30", "2027-03-29T00:00:00", "28 Mar 23:59"),
    ],
)
async def test_an_open_list_names_the_day_once_it_is_over(
    tmp_path: Path, path: str, zone: str, evening: str, midnight: str, shown: str
) -> None:
    """What was sent today has the time alone; at midnight there it is of another day, though nothing else has changed."""
    async with open_page(tmp_path, living_in(zone)) as page:
        to(page, evening, zone)
        await sent(page, logging=State.HELD)
        ana = await page.signed_in("ana")
        first = (await ana.get(path)).text
        stamps = re.findall(r"<time [^>]*>([^<]+)</time>", first)
        assert stamps
        assert not re.search("[A-Z]", stamps[0])
        page.clock.advance(20)
        assert (await ana.get(asked_of(first))).status == 204
        to(page, midnight, zone)
        assert shown.split(" ", 1)[0] in (await ana.get(asked_of(first))).text


async def test_a_day_of_25_hours_is_one_day(tmp_path: Path) -> None:
    """Mail of its first hour is of today in its last; the hour that comes twice is told apart, and nothing runs backwards."""
    async with open_page(tmp_path, living_in(STOCKHOLM)) as page:
        for clock, fold in (("00:10", 0), ("02:40", 0), ("02:10", 1), ("03:05", 0)):
            to(page, f"2026-10-25T{clock}", STOCKHOLM, fold)
            await sent(page, subject=clock)
        to(page, "2026-10-25T23:50", STOCKHOLM)
        text = (await (await page.signed_in("ana")).get("/today")).text
        assert re.findall(r"<time [^>]*>([^<]+)</time>", text) == [
            "03:05",
            "02:10 CET",
            "02:40 CEST",
            "00:10",
        ]
        instants = re.findall(r'<time datetime="([^"]+)"', text)
        assert instants == sorted(instants, key=datetime.fromisoformat, reverse=True)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (STOCKHOLM, "2026-10-25", 25),
        (STOCKHOLM, "2027-03-28", 23),
        (SAO_PAULO, "2026-10-25", 24),
        (KATHMANDU, "2026-10-25", 24),
    ],
)
async def test_the_command_center_finds_all_mail_of_a_day_and_no_other(
    tmp_path: Path, zone: str, day: str, hours: int
) -> None:
    """A mail every hour from the evening before: just so many are of the day as it has hours there."""
    async with open_page(tmp_path, living_in(zone)) as page:
        to(page, f"{day}T00:00", zone)
        page.clock.advance(-2.5 * HOUR)
        for number in range(30):
            await sent(page, subject=f"Number {number:02}")
            page.clock.advance(HOUR)
        text = (await (await page.signed_in("ana")).get(f"/center?since={day}&until={day}")).text
        found = sorted(set(re.findall(r"Number (\d\d)", text)))
        assert found == [f"{number:02}" for number in range(3, 3 + hours)]


@pytest.mark.parametrize("begins", ["2026-10-25T02:50", "2027-03-28T01:50"])
async def test_a_countdown_goes_by_what_passes_not_by_the_clock(tmp_path: Path, begins: str) -> None:
    """Ten minutes before the clocks are changed, what is due in half an hour is due in half an hour."""
    async with open_page(tmp_path, living_in(STOCKHOLM)) as page:
        to(page, begins, STOCKHOLM)
        await given_up(page, State.DEFERRED, "451 later", page.clock.now() + 30 * 60 * 1_000_000)
        ana = await page.signed_in("ana")
        assert "in 30 min" in (await ana.get("/today")).text
        page.clock.advance(20 * MINUTE)
        assert "in 10 min" in (await ana.get("/today")).text


@pytest.mark.parametrize(
    ("day", "begins"),
    [("2026-10-25", "00:30"), ("2027-03-28", "27 Mar 22:30"), ("2026-11-20", "19 Nov 23:30")],
)
async def test_the_charts_count_24_hours_whatever_the_clock_does(
    tmp_path: Path, day: str, begins: str
) -> None:
    """Of one refusal an hour each bar has one, and at their beginning stands the time of day there, 24 hours ago."""
    async with open_page(tmp_path, living_in(STOCKHOLM)) as page:
        to(page, f"{day}T23:30", STOCKHOLM)
        instants = [page.clock.now() - round((hours + 0.5) * HOUR) * 1_000_000 for hours in range(30)]
        add = "INSERT INTO event (id, at, name, data) VALUES (?, ?, 'message.refused', '{}')"
        rows = [(at * 2048, at) for at in instants]
        await page.house.database.write(lambda tx: tx.execute_many(add, rows))
        text = (await (await page.signed_in("bea")).get("/admin")).text
        chart = text.split('<div class="plot">')[2]
        assert re.findall(r"<title>(\d+)</title>", chart) == ["1"] * 24
        assert re.findall(r"<time [^>]*>([^<]+)</time>", chart)[:2] == [begins, "23:30"]


async def test_a_digest_is_sent_once_on_the_day_on_which_its_hour_comes_twice(tmp_path: Path) -> None:
    """At the first; not again at the second, nor by a service that is started in between, whatever fails meanwhile."""
    async with open_page(tmp_path, living_in(STOCKHOLM) + 'web: {digest: "02:30"}\n') as page:
        to(page, "2026-10-25T00:00", STOCKHOLM)
        sent_at = []
        for _ in range(6 * 26):
            await failed(page)
            if await digest_of(page).step():
                sent_at.append(datetime.fromtimestamp(page.clock.now() // 1_000_000, ZoneInfo(STOCKHOLM)))
            page.clock.advance(10 * MINUTE)
    assert [f"{when:%d %H:%M %Z}" for when in sent_at] == ["25 02:30 CEST"]


async def test_a_digest_is_sent_on_the_day_that_lacks_its_hour(tmp_path: Path) -> None:
    """Right after it would have come."""
    async with open_page(tmp_path, living_in(STOCKHOLM) + 'web: {digest: "02:30"}\n') as page:
        to(page, "2027-03-28T01:50", STOCKHOLM)
        await failed(page)
        digest = digest_of(page)
        assert await digest.step() == 0
        page.clock.advance(10 * MINUTE)
        assert await digest.step() == 1


async def test_a_standstill_in_the_evening_is_not_told_again_after_midnight(tmp_path: Path) -> None:
    """Admins are told once in 24 hours, whatever the date, and again when it goes on after that."""
    async with open_page(tmp_path) as page:
        to(page, "2026-10-25T22:00", "UTC")
        await failed(page, state=State.DEFERRED)
        told = []
        for hour in range(50):
            if await digest_of(page).step():
                told.append(hour)
            page.clock.advance(HOUR)
        assert told == [1, 25, 49]
        assert len(set(await subjects(page))) == 1
