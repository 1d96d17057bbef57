"""Turning the values of records into what can be compared and into what answers show.

Pure. Dates and times are compared as UTC microseconds, dates as ISO text, strings without regard to letter case.
"""

from datetime import UTC, date, datetime, timedelta

from relay.demo.salesforce import ids
from relay.demo.salesforce.fields import Kind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Key = str | int | float | bool | None
"""A value in the form in which two values of one field are compared."""

IDS = frozenset({Kind.ID, Kind.REFERENCE})
NUMBERS = frozenset({Kind.INT, Kind.DOUBLE, Kind.CURRENCY})


def microseconds(moment: datetime) -> int:
    """Give UTC microseconds of an aware date and time. Raises ValueError for one without a zone."""
    if moment.tzinfo is None:
        raise ValueError("a date and time without a zone")
    return (moment - _EPOCH) // _MICROSECOND


def key_of(value: object, kind: Kind) -> Key:
    """Give the form of a field's value in which it is compared; an empty string is null."""
    if value is None or value == "":
        return False if kind is Kind.BOOLEAN else None
    match kind:
        case Kind.DATETIME:
            return microseconds(value if isinstance(value, datetime) else datetime.fromisoformat(str(value)))
        case Kind.DATE:
            return value.isoformat()[:10] if isinstance(value, date) else str(value)[:10]
        case Kind.BOOLEAN:
            return bool(value)
        case Kind.ID | Kind.REFERENCE:
            return ids.whole(str(value)) or str(value)
        case _:
            pass
    return value if kind in NUMBERS and isinstance(value, (int, float)) else str(value).casefold()


def less(one: Key, other: Key) -> bool:
    """Tell whether a value sorts before another of its kind; false when either is null."""
    if isinstance(one, str) and isinstance(other, str):
        return one < other
    return isinstance(one, (int, float)) and isinstance(other, (int, float)) and one < other


def shown(value: object, kind: Kind) -> object:
    """Give a field's value as answers show it: nulls for empty text, instants in whole seconds."""
    if value is None or value == "":
        return False if kind is Kind.BOOLEAN else None
    match kind:
        case Kind.DATETIME:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
            return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000+0000"
        case Kind.DATE:
            return value.isoformat()[:10] if isinstance(value, date) else str(value)
        case _:
            return list(value) if isinstance(value, tuple) else value
