"""Making the rows of an answer: chosen columns with their parents nested, groups with their counts, in order.

Pure.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Generic, TypeVar

from relay.demo.salesforce.soql_columns import Column, Step, parent
from relay.demo.salesforce.soql_source import Record, Source
from relay.demo.salesforce.soql_values import Key

_Item = TypeVar("_Item")
Row = dict[str, object]


def attributes(object_name: str, record_id: object, version: str) -> Row:
    """Give the `attributes` of a row."""
    return {"type": object_name, "url": f"/services/data/v{version}/sobjects/{object_name}/{record_id}"}


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of one level of a row, and the parents below it."""

    plain: tuple[tuple[str, Column], ...]
    parents: tuple[tuple[Step, "Shape"], ...]


def shape_of(columns: Sequence[Column], depth: int = 0) -> Shape:
    """Sort columns into levels."""
    plain = tuple((one.field.name, one) for one in columns if len(one.steps) == depth)
    below: dict[str, list[Column]] = {}
    for one in columns:
        if len(one.steps) > depth:
            below.setdefault(one.steps[depth].relationship, []).append(one)
    return Shape(
        plain, tuple((group[0].steps[depth], shape_of(group, depth + 1)) for group in below.values())
    )


def row(source: Source, shape: Shape, root: Record, object_name: str, version: str) -> Row:
    """Give a record as a row with `attributes`, its parents nested."""
    return _level(source, shape, root, (object_name, object_name, root), version)


def _level(source: Source, shape: Shape, root: Record, here: tuple[str, str, Record], version: str) -> Row:
    called, object_name, record = here
    made: Row = {"attributes": attributes(object_name, record["Id"], version) | {"type": called}}
    for name, column in shape.plain:
        made[name] = column.shown(source, root)
    for step, below in shape.parents:
        found = parent(source, record, step)
        made[step.relationship] = (
            _level(source, below, root, (step.to or "Name", found[0], found[1]), version) if found else None
        )
    return made


@dataclass(frozen=True, slots=True)
class Measure:
    """One aggregate of a group."""

    name: str
    """Its alias, or expr0, expr1…"""
    function: str
    column: Column | None
    """None: COUNT()."""


def measured(source: Source, measure: Measure, records: Sequence[Record]) -> Key:
    """Compute one aggregate over the records of a group."""
    column = measure.column
    if column is None:
        return len(records)
    keys = [key for record in records if (key := column.key(source, record)) is not None]
    match measure.function:
        case "COUNT":
            return len(keys)
        case "COUNT_DISTINCT":
            return len(set(keys))
        case "SUM" | "AVG":
            numbers = [key for key in keys if isinstance(key, (int, float))]
            total = sum(numbers)
            return total if measure.function == "SUM" or not numbers else total / len(numbers)
        case _:
            pass
    return _extreme(source, measure.function, column, records)


def _extreme(source: Source, function: str, column: Column, records: Sequence[Record]) -> Key:
    valued = [record for record in records if column.key(source, record) is not None]
    if not valued:
        return None
    choose = min if function == "MIN" else max
    best = choose(valued, key=lambda record: comparable(column.key(source, record)))
    value = column.shown(source, best)
    return value if isinstance(value, (str, int, float)) else None


def comparable(key: Key) -> tuple[int, str | float]:
    """Give a key that sorts among its like, nulls first."""
    if key is None:
        return 0, 0
    return (1, key) if isinstance(key, str) else (1, float(key))


def grouped(source: Source, column: Column, records: Iterable[Record]) -> list[list[Record]]:
    """Sort records into groups by one field, in the order in which the groups appear."""
    groups: dict[Key, list[Record]] = {}
    for record in records:
        groups.setdefault(column.key(source, record), []).append(record)
    return list(groups.values())


@dataclass(frozen=True, slots=True)
class SortKey(Generic[_Item]):
    """One item of an order. Nulls come first when nothing else is said, whatever the direction."""

    key: Callable[[_Item], Key]
    descending: bool
    nulls_last: bool


def in_order(items: list[_Item], keys: Sequence[SortKey[_Item]]) -> list[_Item]:
    """Sort by several keys, the first the foremost; what is equal stays as it was."""
    for one in reversed(keys):
        marked = [(one.key(item), item) for item in items]
        nulls = [item for value, item in marked if value is None]
        valued = [(comparable(value), item) for value, item in marked if value is not None]
        valued.sort(key=itemgetter(0), reverse=one.descending)
        there = [item for _, item in valued]
        items = there + nulls if one.nulls_last else nulls + there
    return items
