"""Many rows in few statements: each step of one gives Python's lock away and takes it back, so their number counts."""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from relay.storage.database import Row, Transaction, Value

SIZES = (32, 16, 12, 8, 6, 4, 3, 2, 1)
"""How many rows one statement adds: some kinds of statements, each prepared once."""
_LISTS = (64, 32, 16, 8, 4, 2, 1)
"""How many values a list has; the last one stands there again and again where there are fewer."""


def add_rows(tx: Transaction, insert: str, columns: int, values: Sequence[Value]) -> None:
    """Add rows; `insert` ends with VALUES, and the values of all rows come one after the other."""
    start, count = 0, len(values) // columns
    for size in SIZES:
        while count - start >= size:
            end = start + size
            tx.execute(_adding(insert, columns, size), values[start * columns : end * columns])
            start = end


def execute_in(tx: Transaction, sql: str, before: Sequence[Value], these: Sequence[Value]) -> list[Row]:
    """Run a statement in which `{marks}` stands for a list of values; they come behind all others."""
    rows: list[Row] = []
    for some in _lists(these):
        rows += tx.execute(_naming(sql, len(some)), (*before, *some))
    return rows


def look_up_in(tx: Transaction, sql: str, these: Sequence[Value]) -> list[Any]:
    """Run a query as `execute_in` does whose one row is a JSON array (json_group_array); give what all hold.

    A row of its own for each would be a step for each.
    """
    return [found for row in execute_in(tx, sql, (), these) for found in json.loads(str(row[0]))]


def _lists(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """Cut values into lists of few different lengths."""
    most = _LISTS[0]
    for start in range(0, len(values), most):
        some = values[start : start + most]
        size = next(size for size in reversed(_LISTS) if size >= len(some))
        yield some if size == len(some) else (*some, *[some[-1]] * (size - len(some)))


@lru_cache(maxsize=256)
def _adding(insert: str, columns: int, rows: int) -> str:
    return insert + ", ".join(["(" + ", ".join("?" * columns) + ")"] * rows)


@lru_cache(maxsize=128)
def _naming(sql: str, count: int) -> str:
    return sql.format(marks=", ".join("?" * count))
