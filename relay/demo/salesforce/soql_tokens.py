"""Cutting a SOQL statement into tokens, and reading its quoted strings.

Pure. Source: SOQL and SOSL Reference, "Quoted String Escape Sequences" and "Date Formats and Date Literals".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from relay.demo.salesforce.soql_source import QueryError

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<instant>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))
      | (?P<day>\d{4}-\d\d-\d\d(?!\d|T))
      | (?P<number>[+-]?\d+(?:\.\d+)?)
      | (?P<word>[A-Za-z][A-Za-z0-9_]*)
      | (?P<string>'(?:[^'\\]|\\.)*')
      | (?P<mark>!=|<>|<=|>=|[=<>(),.:])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_LONGEST_STRING = 4000


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind, its text as written, and where it starts."""

    kind: str
    """word, string, number, day, instant, mark or end."""
    text: str
    at: int


def tokens(statement: str) -> Iterator[Token]:
    """Give the tokens, and one of kind `end`. Raises QueryError where none can be read."""
    at = 0
    while at < len(statement):
        found = _TOKEN.match(statement, at)
        if found is None or found.lastgroup is None:
            raise malformed(statement, at, _complaint(statement, at))
        if found.lastgroup != "space":
            yield Token(found.lastgroup, found[0], at)
        at = found.end()
    yield Token("end", "<EOF>", at)


def _complaint(statement: str, at: int) -> str:
    if statement[at] == "'":
        return "unterminated string literal"
    return f"unexpected token: '{statement[at]}'"


def malformed(statement: str, at: int, message: str) -> QueryError:
    """Make the MALFORMED_QUERY that shows the place, as Salesforce does."""
    return query_error("MALFORMED_QUERY", statement, at, message)


def query_error(code: str, statement: str, at: int, message: str) -> QueryError:
    """Make an error with the line of the statement, a mark under the place, and row and column."""
    row = statement.count("\n", 0, at) + 1
    start = statement.rfind("\n", 0, at) + 1
    around = statement[max(start, at - 40) : at + 40].partition("\n")[0]
    mark = " " * (at - max(start, at - 40)) + "^"
    return QueryError(code, f"\n{around}\n{mark}\nERROR at Row:{row}:Column:{at - start + 1}\n{message}")


def string_value(statement: str, raw: str) -> str:
    r"""Read a quoted string without its quotes; `\_` and `\%` are for LIKE alone. Raises QueryError."""

    def read(found: re.Match[str]) -> str:
        return _unescaped(statement, found[1])

    value = _ESCAPE.sub(read, raw)
    if len(value) > _LONGEST_STRING:
        raise QueryError("MALFORMED_QUERY", "a string in a filter has more than 4,000 characters")
    return value


def like_pattern(statement: str, raw: str) -> re.Pattern[str]:
    """Read a quoted string as LIKE does: % any text, _ one character, both escaped themselves. Raises QueryError."""
    parts = []
    for piece in re.finditer(r"\\(u[0-9A-Fa-f]{4}|.)|(.)", raw, re.DOTALL):
        escape, plain = piece[1], piece[2]
        if escape is not None:
            parts.append(re.escape(escape if escape in "_%" else _unescaped(statement, escape)))
        elif plain in "%_":
            parts.append(".*" if plain == "%" else ".")
        else:
            parts.append(re.escape(plain))
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def _unescaped(statement: str, escape: str) -> str:
    if len(escape) == 5:
        return chr(int(escape[1:], 16))
    if escape not in _ESCAPED:
        at = max(0, statement.find("\\" + escape))
        raise malformed(
            statement,
            at,
            f"Invalid string literal. Illegal character sequence '\\{escape}' in string literal",
        )
    return _ESCAPED[escape]
