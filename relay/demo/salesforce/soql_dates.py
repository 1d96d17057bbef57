"""What the date literals of SOQL mean today: TODAY, LAST_N_DAYS:7, THIS_MONTH and the like.

Pure. Days are those of UTC. Source: SOQL and SOSL Reference, "Date Formats and Date Literals".
"""

from datetime import date, timedelta

from relay.demo.salesforce.soql_tree import Period

_DAY = timedelta(days=1)
_WEEK = 7 * _DAY
_LONG = 90


def days_of(period: Period, today: date) -> tuple[date, date]:
    """Give the first day of a period and the first one behind it."""
    count = period.count or 0
    match period.name:
        case "TODAY" | "YESTERDAY" | "TOMORROW":
            first = today + {"TODAY": 0, "YESTERDAY": -1, "TOMORROW": 1}[period.name] * _DAY
            return first, first + _DAY
        case "N_DAYS_AGO":
            return today - count * _DAY, today - count * _DAY + _DAY
        case "LAST_N_DAYS" | "LAST_90_DAYS":
            return today - (count if period.count is not None else _LONG) * _DAY, today + _DAY
        case "NEXT_N_DAYS" | "NEXT_90_DAYS":
            return today + _DAY, today + _DAY + (count if period.count is not None else _LONG) * _DAY
        case _:
            pass
    which, _, unit = period.name.partition("_")
    return _calendar(unit, {"LAST": -1, "THIS": 0, "NEXT": 1}[which], today)


def _calendar(unit: str, shift: int, today: date) -> tuple[date, date]:
    match unit:
        case "WEEK":  # it begins on Sunday, as in an organisation of the United States
            first = today - (today.weekday() + 1) % 7 * _DAY + shift * _WEEK
            return first, first + _WEEK
        case "MONTH":
            return _month(today, shift), _month(today, shift + 1)
        case _:
            return date(today.year + shift, 1, 1), date(today.year + shift + 1, 1, 1)


def _month(today: date, shift: int) -> date:
    months = today.year * 12 + today.month - 1 + shift
    return date(months // 12, months % 12 + 1, 1)
