"""The calendar of a rep's reminders."""

from datetime import date, timedelta

import pytest
from icalendar import Calendar

from relay.reminders.feed import feed
from relay.reminders.model import (
    Link,
    Origin,
    Priority,
    Reminder,
    ReminderId,
    RepKey,
    State,
    Values,
    WithPerson,
)

REP = RepKey("ana")
AT = 1_790_000_000_000_000


def _one(number: int, values: Values) -> Reminder:
    return Reminder(
        ReminderId(number),
        REP,
        values,
        Origin.LOCAL,
        Link.OFF,
        REP,
        AT,
        AT,
        "",
        person=WithPerson(name="Anna"),
    )


def test_open_dated_reminders_are_whole_days() -> None:
    """What is open and has a day is an event of that day; what is done or has no day is not in it."""
    written = feed(
        [
            _one(1, Values("Call; with, signs\\", "line 1\nline 2", date(2026, 11, 30), Priority.HIGH)),
            _one(2, Values("No day")),
            _one(3, Values("Done", due=date(2026, 11, 30), state=State.DONE)),
        ],
        host="relay.example.com",
    )
    calendar = Calendar.from_ical(written)
    (event,) = calendar.walk("VEVENT")
    assert event["SUMMARY"] == "Call; with, signs\\"
    assert event["DESCRIPTION"] == "Anna\nline 1\nline 2"
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (date(2026, 11, 30), date(2026, 12, 1))
    assert (event["UID"], event["PRIORITY"], event["TRANSP"]) == (
        "reminder-1@relay.example.com",
        1,
        "TRANSPARENT",
    )
    assert b"\r\n" in written


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_a_day_on_which_clocks_are_changed_is_one_day(day: date) -> None:
    """It is written as a date (RFC 5545 §3.3.4): the day is the same, and as long, wherever the calendar is read."""
    written = feed([_one(1, Values("Call", due=day))], host="h").decode()
    assert f"\r\nDTSTART;VALUE=DATE:{day:%Y%m%d}\r\n" in written
    assert f"\r\nDTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}\r\n" in written


def test_nobody_writes_lines_into_it() -> None:
    """A title cannot add a line of its own to the calendar."""
    written = feed([_one(1, Values("x\r\nATTENDEE:mailto:a@b", due=date(2026, 1, 1)))], host="h")
    assert b"\r\nATTENDEE" not in written


def test_the_same_reminders_give_the_same_octets() -> None:
    """Nothing in it comes from the moment at which it is asked for."""
    one = _one(1, Values("Call", due=date(2026, 1, 1)))
    assert feed([one], host="h") == feed([one], host="h")
