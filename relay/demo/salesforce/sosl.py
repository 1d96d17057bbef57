r"""Answering a SOSL search: FIND {a\@x.test} IN EMAIL FIELDS RETURNING Contact(Id, Email), Lead(Id WHERE …).

Pure. Whole values and words with * and ? are found, in any letter case; the real index finds parts of words, too.
Source: SOQL and SOSL Reference, "SOSL Syntax".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from relay.demo.salesforce.fields import Kind, Schema
from relay.demo.salesforce.soql import run
from relay.demo.salesforce.soql_source import Asking, QueryError, Record, Source
from relay.demo.salesforce.soql_tokens import like_pattern

_STATEMENT = re.compile(
    r"""\s*FIND\s*\{(?P<find>(?:[^{}\\]|\\.)*)\}
        (?:\s*IN\s+(?P<group>ALL|EMAIL|NAME|PHONE)\s+FIELDS)?
        \s+RETURNING\s+(?P<returning>.*?)
        (?:\s+LIMIT\s+(?P<limit>\d+))?\s*""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_RETURNED = re.compile(r"\s*(\w+)\s*(?:\((.*)\))?\s*", re.DOTALL)
_CLAUSE = re.compile(r"\b(WHERE|ORDER\s+BY|LIMIT|OFFSET)\b", re.IGNORECASE)
_RESERVED = re.compile(r"""[&|!{}\[\]()^~:"'+\-]""")
_MOST = 2000
_LONGEST = 10_000
_GROUPS = {
    "EMAIL": frozenset({Kind.EMAIL}),
    "PHONE": frozenset({Kind.PHONE}),
    "ALL": frozenset({Kind.EMAIL, Kind.PHONE, Kind.STRING, Kind.COMBOBOX}),
}


@dataclass(frozen=True, slots=True)
class _Returned:
    """One object of RETURNING, as the SOQL that gives its rows."""

    object: str
    soql: str


def search(text: str, source: Source, schema: Schema, asking: Asking) -> dict[str, object]:
    """Answer a search. Raises QueryError (MALFORMED_SEARCH, and what the queries in it raise)."""
    if len(text) > _LONGEST:
        return {"searchRecords": []}
    found = _STATEMENT.fullmatch(text)
    if found is None:
        raise QueryError("MALFORMED_SEARCH", "line 1: the search cannot be read: FIND {…} IN … RETURNING …")
    patterns = _patterns(found["find"])
    records: list[dict[str, object]] = []
    for returned in _returned(found["returning"]):
        fitting = _Fitting(source, schema, returned.object, (found["group"] or "ALL").upper(), patterns)
        records += run(returned.soql, fitting, schema, asking).records
    return {"searchRecords": records[: int(found["limit"] or _MOST)]}


def _patterns(find: str) -> list[re.Pattern[str]]:
    patterns = []
    for term in re.split(r"\s+OR\s+", find.strip()):
        plain = re.sub(r"\\.", "", term)
        quoted = term.startswith('"') and term.endswith('"') and len(term) > 1
        if not quoted and _RESERVED.search(plain):
            raise QueryError("MALFORMED_SEARCH", "a reserved character in the search needs a backslash")
        bare = term[1:-1] if quoted else term
        if len(re.sub(r"[\\*?]", "", bare)) < 2:
            raise QueryError("MALFORMED_SEARCH", "search term must be longer than one character")
        patterns.append(like_pattern("", _as_like(bare)))
    return patterns


def _as_like(term: str) -> str:
    """Turn a term into a pattern of LIKE: * and ? are wild, everything behind a backslash is itself."""
    parts = []
    for piece in re.finditer(r"\\(.)|(.)", term, re.DOTALL):
        escaped, plain = piece[1], piece[2]
        letter = escaped or plain
        if plain in ("*", "?"):
            parts.append("%" if plain == "*" else "_")
        elif letter in ("%", "_", "\\", "'", '"'):
            parts.append("\\" + letter)
        else:
            parts.append(letter)
    return "".join(parts)


def _returned(text: str) -> Iterator[_Returned]:
    for part in _split(text):
        found = _RETURNED.fullmatch(part)
        if found is None:
            raise QueryError("MALFORMED_SEARCH", f"RETURNING cannot be read: {part.strip()}")
        inside = found[2] or "Id"
        clause = _CLAUSE.search(inside)
        fields = inside[: clause.start()] if clause else inside
        rest = inside[clause.start() :] if clause else ""
        yield _Returned(found[1], " ".join(("SELECT", fields.strip() or "Id", "FROM", found[1], rest)))


def _split(text: str) -> Iterator[str]:
    """Split at commas outside parentheses and quotes."""
    depth, start, quoted = 0, 0, False
    for at, letter in enumerate(text):
        if letter == "'" and text[at - 1 : at] != "\\":
            quoted = not quoted
        elif not quoted and letter in "()":
            depth += 1 if letter == "(" else -1
        elif not quoted and letter == "," and depth == 0:
            yield text[start:at]
            start = at + 1
    yield text[start:]


class _Fitting:
    """The records of one object that the search finds."""

    def __init__(
        self, source: Source, schema: Schema, name: str, group: str, patterns: list[re.Pattern[str]]
    ) -> None:
        self._source, self._patterns = source, patterns
        shape = schema.find(name)
        fields = shape.fields if shape else ()
        if group == "NAME":
            self._fields = [field.name for field in fields if field.name in ("Name", "FirstName", "LastName")]
        else:
            self._fields = [field.name for field in fields if field.kind in _GROUPS[group]]

    def rows(self, name: str, /) -> list[Record]:
        """Give the records of the object in which a term stands in one of the fields."""
        return [row for row in self._source.rows(name) if self._fits(row)]

    def find(self, record_id: str, /) -> tuple[str, Record] | None:
        """Give any record: parents need not fit."""
        return self._source.find(record_id)

    def _fits(self, row: Record) -> bool:
        values = [value for name in self._fields if isinstance(value := row.get(name), str)]
        return any(pattern.fullmatch(value) for value in values for pattern in self._patterns)
