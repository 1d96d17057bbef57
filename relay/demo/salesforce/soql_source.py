"""What queries need to know of the simulated organisation: its objects, their fields and their records.

Pure. Records and schema of the simulator keep these protocols; queries know no more of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

Record = Mapping[str, object]
"""One record by the canonical names of its fields; a field that is not set may be missing or None.

A date is an ISO text or a `date`; a date and time is Salesforce's text (2026-11-22T10:00:00.000+0000), an aware
`datetime`, or an integer of UTC microseconds.
"""


class FieldShape(Protocol):
    """One field as describe tells it."""

    @property
    def name(self) -> str:
        """Its canonical name."""

    @property
    def type(self) -> str:
        """Describe's type: id, string, textarea, boolean, date, datetime, int, double, reference, picklist…"""

    @property
    def filterable(self) -> bool:
        """Whether WHERE, ORDER BY and GROUP BY take it; long text areas are not."""

    @property
    def reference_to(self) -> Sequence[str]:
        """The objects that a reference may lead to; several make it polymorphic."""

    @property
    def relationship(self) -> str | None:
        """The relationshipName: Who, Owner, Opportunity, Custom__r."""


class ObjectShape(Protocol):
    """One object."""

    @property
    def name(self) -> str:
        """Its canonical name."""

    def field(self, name: str, /) -> FieldShape | None:
        """Give a field by its name in any letter case; None: there is none that the user can see."""

    def parent(self, relationship: str, /) -> FieldShape | None:
        """Give the reference field of a relationship by that name in any letter case."""


class Schema(Protocol):
    """The objects of the organisation, as its switches have it."""

    def object(self, name: str, /) -> ObjectShape | None:
        """Give an object by its name in any letter case; None: there is none that the user can see."""


class Source(Protocol):
    """The records."""

    def rows(self, name: str, /) -> Iterable[Record]:
        """Give every record of an object, those deleted (IsDeleted) or archived (IsArchived), too."""

    def find(self, record_id: str, /) -> Record | None:
        """Give one record by its 18-character id, whatever its object, deleted or not."""

    def now(self) -> datetime:
        """Give the simulator's time."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """All rows of a query; pages are cut from it."""

    records: tuple[dict[str, object], ...]
    """Rows as the answer shows them, with `attributes`."""
    total: int
    """totalSize; that of COUNT() has no records."""


class QueryError(Exception):
    """A query that Salesforce refuses with 400: `code` is its errorCode, `str()` its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and how."""

    all_rows: bool = False
    """queryAll: deleted and archived records, too."""
    version: str = "67.0"
    """For the addresses in `attributes`."""
    user: str = ""
    prefixes: Mapping[str, str] = field(default_factory=dict)
    """Objects by the first three characters of their ids, for polymorphic references."""
