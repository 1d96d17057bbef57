"""Many rows in few statements: each step of one gives Python's lock away and takes it back, so their number counts."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from relay.storage.database import Row, Transaction, Value

SIZES = (64, 32, 16, 8, 4, 2, 1)
"""How many rows one statement takes: a few kinds of statements, each prepared once."""


def add_rows(tx: Transaction, insert: str, columns: int, values: Sequence[Value]) -> None:
    """Add rows; `insert` ends with VALUES, and the values of all rows come one after the other."""
    for start, end in _portions(len(values) // columns):
        tx.execute(_adding(insert, columns, end - start), values[start * columns : end * columns])


def execute_in(tx: Transaction, sql: str, before: Sequence[Value], these: Sequence[Value]) -> list[Row]:
    """Run a statement in which `{marks}` stands for a list of values; they come behind all others."""
    rows: list[Row] = []
    for start, end in _portions(len(these)):
        rows += tx.execute(_naming(sql, end - start), (*before, *these[start:end]))
    return rows


def _portions(count: int) -> Iterator[tuple[int, int]]:
    start = 0
    for size in SIZES:
        while count - start >= size:
            yield start, start + size
            start += size


@lru_cache(maxsize=128)
def _adding(insert: str, columns: int, rows: int) -> str:
    return insert + ", ".join(["(" + ", ".join("?" * columns) + ")"] * rows)


@lru_cache(maxsize=128)
def _naming(sql: str, count: int) -> str:
    return sql.format(marks=", ".join("?" * count))
