"""What a query needs to know of the records, and what it comes to.

Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

Record = Mapping[str, object]
"""One record by the canonical names of its fields; a field that is not set may be missing or None."""


class Source(Protocol):
    """The records of the organisation."""

    def rows(self, name: str, /) -> Iterable[Record]:
        """Give every record of an object that the asking user may see, those deleted or archived, too."""

    def find(self, record_id: str, /) -> tuple[str, Record] | None:
        """Give the object's name and the record of an 18-character id, deleted or not; None: there is none."""


@dataclass(frozen=True, slots=True)
class Asking:
    """How is asked, and when."""

    now: datetime
    all_rows: bool = False
    """queryAll: deleted and archived records, too."""
    version: str = "67.0"
    """For the addresses in `attributes`."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """All rows of a query; pages are cut from it."""

    records: tuple[dict[str, object], ...]
    """Rows as the answer shows them, with `attributes`."""
    total: int
    """totalSize; a plain COUNT() has no records."""


class QueryError(Exception):
    """A query that Salesforce refuses with 400: `code` is its errorCode, `str()` its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
