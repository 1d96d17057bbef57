"""Turning the WHERE of a statement into a predicate over records, with the values checked against the fields.

Pure. A value of the wrong type is refused with the code and nearly the words that Salesforce has for it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import assert_never

from relay.demo.salesforce import ids
from relay.demo.salesforce.fields import Kind
from relay.demo.salesforce.soql_columns import Column, Columns
from relay.demo.salesforce.soql_dates import days_of
from relay.demo.salesforce.soql_source import QueryError, Record, Source
from relay.demo.salesforce.soql_tokens import like_pattern, query_error, string_value
from relay.demo.salesforce.soql_tree import (
    Among,
    Both,
    Compare,
    Condition,
    Day,
    Either,
    Flag,
    Instant,
    Literal,
    Not,
    Null,
    Number,
    Path,
    Period,
    Text,
)
from relay.demo.salesforce.soql_values import IDS, NUMBERS, Key, less, microseconds

Predicate = Callable[[Record], bool]
_ORDERINGS: dict[str, Callable[[Key, Key], bool]] = {
    "<": less,
    "<=": lambda value, wanted: not less(wanted, value),
    ">": lambda value, wanted: less(wanted, value),
    ">=": lambda value, wanted: not less(value, wanted),
}
_UNORDERED = frozenset({Kind.BOOLEAN, *IDS})
_UNLIKE = frozenset({Kind.BOOLEAN, Kind.DATE, Kind.DATETIME, *IDS, *NUMBERS})


@dataclass(frozen=True, slots=True)
class Filter:
    """Makes predicates for one statement."""

    text: str
    columns: Columns
    source: Source
    now: datetime

    def predicate(self, condition: Condition | None) -> Predicate:
        """Give what tells whether a record fits. Raises QueryError."""
        match condition:
            case None:
                return lambda _: True
            case Both(parts):
                every = [self.predicate(part) for part in parts]
                return lambda record: all(fits(record) for fits in every)
            case Either(parts):
                some = [self.predicate(part) for part in parts]
                return lambda record: any(fits(record) for fits in some)
            case Not(part):
                inside = self.predicate(part)
                return lambda record: not inside(record)
            case Compare():
                return self._compare(condition)
            case Among():
                return self._among(condition)
        assert_never(condition)

    def _compare(self, one: Compare) -> Predicate:
        column = self.columns.filtered(one.path)
        if one.operator == "LIKE":
            return self._like(one, column)
        if isinstance(one.value, Period):
            return self._period(one, column, one.value)
        wanted = self._wanted(one.path, column, one.value)
        return self._against(one, column, wanted)

    def _against(self, one: Compare, column: Column, wanted: Key) -> Predicate:
        key, source = column.key, self.source
        match one.operator:
            case "=":
                return lambda record: key(source, record) == wanted
            case "!=":
                return lambda record: key(source, record) != wanted
            case _:
                pass
        if wanted is None or column.field.kind in _UNORDERED:
            raise self._wrong_operator(one.path, column)
        ordered = _ORDERINGS[one.operator]

        def fits(record: Record) -> bool:
            value = key(source, record)
            return value is not None and ordered(value, wanted)

        return fits

    def _like(self, one: Compare, column: Column) -> Predicate:
        if column.field.kind in _UNLIKE:
            raise self._wrong_operator(one.path, column)
        if not isinstance(one.value, Text):
            raise self._wrong_type(one.path, "string and should be enclosed in quotes")
        matches = like_pattern(self.text, one.value.raw).fullmatch

        def fits(record: Record) -> bool:
            value = column.value(self.source, record)
            return isinstance(value, str) and matches(value) is not None

        return fits

    def _period(self, one: Compare, column: Column, period: Period) -> Predicate:
        first, behind = (self._day_key(column, one.path, day) for day in days_of(period, self.now.date()))
        key, source = column.key, self.source
        tests: dict[str, Callable[[Key], bool]] = {
            "=": lambda value: not less(value, first) and less(value, behind),
            "!=": lambda value: less(value, first) or not less(value, behind),
            "<": lambda value: less(value, first),
            "<=": lambda value: less(value, behind),
            ">": lambda value: not less(value, behind),
            ">=": lambda value: not less(value, first),
        }
        holds = tests[one.operator]

        def fits(record: Record) -> bool:
            value = key(source, record)
            return one.operator == "!=" if value is None else holds(value)

        return fits

    def _day_key(self, column: Column, path: Path, day: date) -> Key:
        match column.field.kind:
            case Kind.DATE:
                return day.isoformat()
            case Kind.DATETIME:
                return microseconds(datetime.combine(day, time(), UTC))
            case _:
                pass
        raise self._wrong_type(path, column.field.kind)

    def _among(self, one: Among) -> Predicate:
        column = self.columns.filtered(one.path)
        if any(isinstance(value, Period) for value in one.values):
            raise self._wrong_type(one.path, column.field.kind)
        wanted = frozenset(self._wanted(one.path, column, value) for value in one.values)
        key, source, negated = column.key, self.source, one.negated
        return lambda record: (key(source, record) in wanted) is not negated

    def _wanted(self, path: Path, column: Column, value: Literal) -> Key:
        """Give a literal in the form of the field's values. Raises QueryError when it is of another type."""
        kind = column.field.kind
        match value:
            case Null():
                return False if kind is Kind.BOOLEAN else None
            case Text(raw):
                return self._text(path, kind, string_value(self.text, raw))
            case Flag(flag) if kind is Kind.BOOLEAN:
                return flag
            case Number(number) if kind in NUMBERS:
                return number
            case Day(day) if kind is Kind.DATE:
                return day
            case Instant(at) if kind is Kind.DATETIME:
                return at
        raise self._wrong_type(path, _asked_for(kind))

    def _text(self, path: Path, kind: Kind, text: str) -> Key:
        if kind in (Kind.BOOLEAN, Kind.DATE, Kind.DATETIME) or kind in NUMBERS:
            raise self._wrong_type(path, _asked_for(kind))
        if kind not in IDS:
            return text.casefold() or None
        whole = ids.whole(text)
        if whole is None and text:
            raise query_error(
                "INVALID_QUERY_FILTER_OPERATOR", self.text, path.at, f"invalid ID field: {text}"
            )
        return whole

    def _wrong_type(self, path: Path, wanted: str) -> QueryError:
        message = f"value of filter criterion for field '{path}' must be of type {wanted}"
        return query_error("INVALID_FIELD", self.text, path.at, message)

    def _wrong_operator(self, path: Path, column: Column) -> QueryError:
        message = f"invalid operator on {column.field.kind} field"
        return query_error("INVALID_QUERY_FILTER_OPERATOR", self.text, path.at, message)


def _asked_for(kind: Kind) -> str:
    if kind in (Kind.BOOLEAN, Kind.DATE, Kind.DATETIME) or kind in NUMBERS:
        name = "dateTime" if kind is Kind.DATETIME else kind
        return f"{name} and should not be enclosed in quotes"
    return "string and should be enclosed in quotes"


def named_ids(condition: Condition | None, text: str) -> Sequence[str] | None:
    """Give the ids that a record must have one of, when the statement names them, so that nobody need search."""
    for part in _conjuncts(condition):
        match part:
            case Compare(Path((name,)), "=", Text(raw)) if name.lower() == "id":
                values: Iterable[str] = (string_value(text, raw),)
            case Among(Path((name,)), literals, False) if name.lower() == "id":
                values = (string_value(text, one.raw) for one in literals if isinstance(one, Text))
            case _:
                continue
        return list(dict.fromkeys(whole for value in values if (whole := ids.whole(value))))
    return None


def named_fields(condition: Condition | None) -> frozenset[str]:
    """Give the fields that a statement asks to equal a value or one of several."""
    named = set()
    for part in _conjuncts(condition):
        match part:
            case Compare(Path((name,)), "=", Text()) | Among(Path((name,)), _, False):
                named.add(name.lower())
            case _:
                pass
    return frozenset(named)


def _conjuncts(condition: Condition | None) -> Sequence[Condition]:
    if isinstance(condition, Both):
        return condition.parts
    return () if condition is None else (condition,)
