"""How times, spans and what a client sent are worded in replies and events.

Pure.
"""

from datetime import UTC, datetime

_LONGEST = 320
_SPANS = {1.0: "a second", 60.0: "a minute", 3600.0: "an hour", 86400.0: "a day"}


def shown(octets: bytes) -> str:
    """Give what a client sent as one short printable line, for a log: anything else is escaped."""
    text = octets[:_LONGEST].decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def clock_time(instant: int) -> str:
    """Give hours and minutes (UTC) of an instant, rounded up to the minute."""
    minutes = -(-instant // 60_000_000)
    return f"{datetime.fromtimestamp(minutes * 60, UTC):%H:%M}"


def span_text(seconds: float) -> str:
    """Give a span as people say it: `an hour`."""
    return _SPANS.get(seconds, f"{seconds:.0f} seconds")


def wait_text(seconds: float) -> str:
    """Give how long to wait, rounded up: `15 minutes`."""
    if seconds <= 60:
        return f"{max(1, round(seconds))} seconds"
    minutes = -(-int(seconds) // 60)
    return "1 minute" if minutes == 1 else f"{minutes} minutes"
