"""Where days begin and end for the page and the digest, where clocks are set forward and back, and off whole hours."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from relay.directory.model import Rep
from relay.ids import Login, instant_of
from relay.texts import words
from relay.web.center import Search, span
from relay.web.digest import due_day

NOW = 1_790_000_000_000_000
ZONES = (
    "Europe/Stockholm",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Africa/Cairo",  # set forward at midnight: a day begins at 01:00
    "America/Santiago",  # set back at midnight: 23:00 comes twice
    "America/Havana",  # set back at 01:00: midnight comes twice
    "Australia/Lord_Howe",  # by half an hour
)


def instant(text: str, zone: str = "UTC") -> int:
    """Give the instant of a wall clock, as microseconds."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000


def bounds(day: date, zone: str) -> tuple[int, int]:
    """Give where the search for a day begins and ends, as instants."""
    since, below = span(Search(since=day, until=day), NOW, ZoneInfo(zone))
    return since, instant_of(below)


@pytest.mark.parametrize(
    ("zone", "day", "begins", "hours"),
    [
        ("Europe/Stockholm", "2026-03-28", "2026-03-27T23:00", 24),
        ("Europe/Stockholm", "2026-03-29", "2026-03-28T23:00", 23),
        ("Europe/Stockholm", "2026-10-25", "2026-10-24T22:00", 25),
        ("America/Sao_Paulo", "2026-10-25", "2026-10-25T03:00", 24),
        ("Asia/Kathmandu", "2026-03-29", "2026-03-28T18:15", 24),
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00", 23),
        ("America/Santiago", "2026-04-04", "2026-04-04T03:00", 25),
        ("America/Havana", "2026-11-01", "2026-11-01T04:00", 25),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00", 24.5),
    ],
)
def test_a_day_that_is_searched_is_as_long_as_it_is_there(
    zone: str, day: str, begins: str, hours: float
) -> None:
    """23, 24 or 25 hours, from its first instant to that of the next day."""
    since, until = bounds(date.fromisoformat(day), zone)
    assert (since, until - since) == (instant(begins), hours * 3_600_000_000)


@pytest.mark.parametrize("zone", ZONES)
def test_no_instant_is_in_two_days_or_in_none(zone: str) -> None:
    """Through a year each day begins where the one before ends, and both ends are on it by the clock there."""
    day, end = date(2026, 1, 1), None
    while day.year == 2026:
        since, until = bounds(day, zone)
        assert end in (None, since), day
        for at in (since, until - 1_000_000):
            assert datetime.fromtimestamp(at // 1_000_000, ZoneInfo(zone)).date() == day
        day, end = day + timedelta(days=1), until


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("at", [time(0, 0), time(0, 30), time(2, 30), time(17, 30), time(23, 45)])
@pytest.mark.parametrize("month", [3, 4, 10, 11])
def test_each_day_has_its_digest(zone: str, at: time, month: int) -> None:
    """At that time by the clock there or, on a day that lacks it, right after; never on another day."""
    rep = Rep(Login("ana"), (), time_zone=zone)
    begun, step = datetime(2026, month, 1, tzinfo=UTC), timedelta(minutes=15)
    first: dict[date, datetime] = {}
    for number in range(30 * 24 * 4):
        when = begun + number * step
        day = due_day(rep, round(when.timestamp()) * 1_000_000, at)
        if day is not None:
            first.setdefault(day, when)
    days = sorted(first)[1:]  # when the first began is not known
    assert days == [days[0] + timedelta(days=number) for number in range(len(days))]
    for day in days:
        local, before = (when.astimezone(ZoneInfo(zone)) for when in (first[day], first[day] - step))
        assert local.date() == day
        assert local.time() == at or before.utcoffset() != local.utcoffset(), local


@pytest.mark.parametrize("language", ["en", "sv", "es"])
def test_an_hour_that_comes_twice_is_told_apart(language: str) -> None:
    """By the zone's name, so that a timeline does not seem to run backwards; any other time is written without it."""
    text, zone = words(language), ZoneInfo("Europe/Stockholm")
    first, second = [datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=zone) for fold in (0, 1)]
    for write in (
        text.moment,
        lambda when: text.brief(when, second),
        lambda when: text.brief(when, second + timedelta(3)),
    ):
        assert write(first).endswith("02:30 CEST")
        assert write(second).endswith("02:30 CET")
        for hour in (1, 3):
            assert write(first.replace(hour=hour)).endswith(f"{hour:02}:30")
