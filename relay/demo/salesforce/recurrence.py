"""The occurrences of a recurring Task: a master that says the rule, and a Task for each date.

Pure. Source: Object Reference, "Task", "Recurring Tasks".
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import islice, takewhile

Row = Mapping[str, object]
Fields = dict[str, object]

_DAY = timedelta(days=1)
_MOST = {
    "RecursDaily": 100,
    "RecursEveryWeekday": 100,
    "RecursWeekly": 53,
    "RecursMonthly": 60,
    "RecursMonthlyNth": 60,
    "RecursYearly": 10,
    "RecursYearlyNth": 10,
}
"""How many occurrences a master may have, by RecurrenceType."""
_INSTANCES = {"First": 0, "Second": 1, "Third": 2, "Fourth": 3, "Last": -1}
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_OWN = frozenset({"Id", "IsRecurrence", "CompletedDateTime", "IsClosed", "ActivityDate"})


def is_master(task: Row) -> bool:
    """Tell whether a Task is the master of a series."""
    return bool(task.get("IsRecurrence"))


def occurrences(master: Row) -> list[Fields]:
    """Give the Tasks of a series, ready to be inserted; a series that regenerates has its first one only."""
    common = {name: value for name, value in master.items() if name not in _OWN and "Recurrence" not in name}
    common |= {"RecurrenceActivityId": master.get("Id"), "IsRecurrence": False}
    return [common | {"ActivityDate": day.isoformat()} for day in dates(master)]


def dates(master: Row) -> list[date]:
    """Give the dates of a series, from its first day to its last, at most as many as Salesforce makes."""
    start, end = _day(master.get("RecurrenceStartDateOnly")), _day(master.get("RecurrenceEndDateOnly"))
    if start is None:
        return []
    if master.get("RecurrenceRegeneratedType"):
        return [start]
    kind = str(master.get("RecurrenceType") or "RecursDaily")
    every = takewhile(lambda day: end is None or day <= end, _endless(kind, master, start))
    return list(islice(every, _MOST.get(kind, 1)))


def regenerated(closed: Row, master: Row, today: date) -> Fields | None:
    """Give the Task that follows one of a regenerating series when that is closed; None: none does."""
    kind = master.get("RecurrenceRegeneratedType")
    if not kind or master.get("IsDeleted"):
        return None
    due = _day(closed.get("ActivityDate")) or today
    after = today if kind == "RecurrenceRegenerateAfterToday" else due
    following = after + _number(master, "RecurrenceInterval", 1) * _DAY
    end = _day(master.get("RecurrenceEndDateOnly"))
    if end is not None and following > end:
        return None
    return occurrences(dict(master) | {"RecurrenceStartDateOnly": following.isoformat()})[0]


def _endless(kind: str, master: Row, start: date) -> Iterator[date]:
    interval = _number(master, "RecurrenceInterval", 1)
    mask = _number(master, "RecurrenceDayOfWeekMask", 0)
    match kind:
        case "RecursEveryWeekday":
            return (day for day in _days(start) if day.weekday() < 5)
        case "RecursWeekly":
            first = start - _since_sunday(start) * _DAY
            return (
                day
                for day in _days(start)
                if mask >> _since_sunday(day) & 1 and ((day - first).days // 7) % interval == 0
            )
        case "RecursDaily":
            return (day for day in _days(start) if (day - start).days % interval == 0)
        case _:
            return _of_months(kind, master, start, mask)


def _of_months(kind: str, master: Row, start: date, mask: int) -> Iterator[date]:
    yearly = kind.startswith("RecursYearly")
    interval = 1 if yearly else _number(master, "RecurrenceInterval", 1)
    name = str(master.get("RecurrenceMonthOfYear") or "January")
    month = _MONTHS.index(name) if name in _MONTHS else 0
    for count in range(12 * 100):
        year, index = divmod(start.year * 12 + start.month - 1 + count, 12)
        if (index != month) if yearly else count % interval:
            continue
        day = _in_month(kind, master, date(year, index + 1, 1), mask)
        if day is not None and day >= start:
            yield day


def _in_month(kind: str, master: Row, first: date, mask: int) -> date | None:
    days = [day for day in islice(_days(first), 31) if day.month == first.month]
    if not kind.endswith("Nth"):
        wanted = _number(master, "RecurrenceDayOfMonth", 1)
        return days[wanted - 1] if wanted <= len(days) else None
    fitting = [day for day in days if mask >> _since_sunday(day) & 1]
    return fitting[_INSTANCES.get(str(master.get("RecurrenceInstance")), 0)] if fitting else None


def _days(start: date) -> Iterator[date]:
    day = start
    while day.year < date.max.year:
        yield day
        day += _DAY


def _since_sunday(day: date) -> int:
    return (day.weekday() + 1) % 7


def _day(value: object) -> date | None:
    return date.fromisoformat(str(value)[:10]) if value else None


def _number(row: Row, name: str, default: int) -> int:
    value = row.get(name)
    return value if isinstance(value, int) and value > 0 else default
