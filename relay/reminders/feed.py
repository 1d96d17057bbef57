"""Write a rep's dated open reminders as a calendar that a calendar program subscribes to (RFC 5545).

Pure. Each is an event of a whole day, since subscribed calendars show no to-dos; it makes nobody busy.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from relay.reminders.model import Priority, Reminder, State

if TYPE_CHECKING:
    from icalendar import Event

CONTENT_TYPE = "text/calendar; charset=utf-8"
_REFRESH = timedelta(hours=1)


def feed(reminders: Iterable[Reminder], *, host: str, name: str = "Reminders") -> bytes:
    """Give the calendar. `host` makes the events' ids the world's; the same reminders give the same octets."""
    from icalendar import Calendar  # loaded when used

    calendar = Calendar()
    calendar.add("prodid", "-//crm-relay//reminders//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})
    for one in reminders:
        if one.values.due is not None and one.values.state is State.OPEN:
            calendar.add_component(_event(one, host))
    written: bytes = calendar.to_ical()
    return written


def _event(one: Reminder, host: str) -> "Event":
    from icalendar import Event

    values = one.values
    assert values.due is not None
    event = Event()
    event.add("uid", f"reminder-{one.id}@{host}")
    event.add("dtstamp", _instant(one.changed_at))
    event.add("created", _instant(one.created_at))
    event.add("last-modified", _instant(one.changed_at))
    event.add("summary", values.title)
    event.add("dtstart", values.due)
    event.add("dtend", values.due + timedelta(days=1))
    event.add("transp", "TRANSPARENT")
    event.add("priority", 1 if values.priority is Priority.HIGH else 5)
    about = "\n".join(text for text in (one.person.name, values.details) if text)
    if about:
        event.add("description", about)
    return event


def _instant(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC)
