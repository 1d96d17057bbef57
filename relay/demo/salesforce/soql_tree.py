"""A SOQL statement as a tree: what the parser makes and the evaluator reads.

Pure.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Path:
    """A field, perhaps of a parent: Owner.Name."""

    parts: tuple[str, ...]
    at: int
    """Where it stands in the statement, for messages."""

    def __str__(self) -> str:
        """Give it as it was written."""
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Call:
    """A function over a field: COUNT(Id) n."""

    function: str
    """In capitals."""
    path: Path | None
    """None: COUNT()."""
    alias: str
    at: int


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted string, with its escapes as they were written."""

    raw: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number, whole or not."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Flag:
    """TRUE or FALSE."""

    value: bool


@dataclass(frozen=True, slots=True)
class Null:
    """NULL."""


@dataclass(frozen=True, slots=True)
class Day:
    """A date: 2026-11-22."""

    text: str


@dataclass(frozen=True, slots=True)
class Instant:
    """A date and time, as UTC microseconds."""

    at: int


@dataclass(frozen=True, slots=True)
class Period:
    """A date literal: TODAY, LAST_N_DAYS:7."""

    name: str
    """In capitals."""
    count: int | None


Literal = Text | Number | Flag | Null | Day | Instant | Period


@dataclass(frozen=True, slots=True)
class Compare:
    """One field against one value."""

    path: Path
    operator: str
    """= != < <= > >= LIKE"""
    value: Literal


@dataclass(frozen=True, slots=True)
class Among:
    """One field against a list."""

    path: Path
    values: tuple[Literal, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Not:
    """What must not hold."""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class Both:
    """Conditions that must all hold."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Conditions of which one must hold."""

    parts: tuple["Condition", ...]


Condition = Compare | Among | Not | Both | Either


@dataclass(frozen=True, slots=True)
class Order:
    """One item of ORDER BY."""

    by: Path | Call
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """A whole query."""

    text: str
    selected: tuple[Path | Call, ...]
    object: str
    object_at: int
    alias: str
    where: Condition | None
    group_by: tuple[Path, ...]
    order_by: tuple[Order, ...]
    limit: int | None
    offset: int
