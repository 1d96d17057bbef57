"""The one interface to a database: units of work that are committed together, and reads beside them.

A unit is a plain function of a Transaction; it runs whole on the database's own thread. It may run a second time after
what it did was rolled back, so that it changes nothing but through the transaction. `write` returns only when what the
unit did is durable.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")
Value = str | int | float | bytes | None
Row = tuple[Value, ...]


class Transaction(Protocol):
    """What a unit of work sees of the database. SQL is written with `?` for parameters."""

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """Run one statement and give its rows (with RETURNING, too)."""
        ...

    def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """Run one statement for each row of parameters."""
        ...

    def changes(self) -> int:
        """Give how many rows the last statement changed."""
        ...

    def last_id(self, table: str) -> int:
        """Give the highest id of a table, 0 when it is empty, or the one that was noted last."""
        ...

    def note_id(self, table: str, number: int) -> None:
        """Note the highest id that was given out: while the transaction lasts nobody else gives one out."""
        ...

    def gather(self, store: "Callable[[Transaction, list[T]], None]", items: Sequence[T]) -> None:
        """Have `store` called with these and all others gathered for it, at the end, before the commit.

        Units that are committed together share the call; until then their items cannot be read.
        """
        ...

    def on_commit(self, action: Callable[[], None], *, slow: bool = False) -> None:
        """Have `action` called once what this unit did is durable (on the database's thread); never otherwise.

        A `slow` one - it uses the disk - is called when those who wait for the commit have been told.
        """
        ...


class Database(Protocol):
    """A database that keeps what it was told."""

    async def write(self, unit: Callable[[Transaction], T]) -> T:
        """Run the unit and give its result once it is durable.

        Units that wait at the same time share one commit. One that raises spoils no neighbour: all are rolled back,
        and run again with a SAVEPOINT each. A unit whose caller was cancelled is still carried out.
        Raises what the unit raised, StorageFull, or StorageUnavailable; then nothing of the unit has happened.
        """
        ...

    async def read(self, query: Callable[[Transaction], T]) -> T:
        """Run a query that changes nothing, on a connection for reading."""
        ...

    async def close(self) -> None:
        """Finish what waits, then let go of the files."""
        ...
