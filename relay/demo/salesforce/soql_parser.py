"""Reading a SOQL statement: a recursive descent over its tokens.

Pure. Strict as Salesforce is: AND and OR do not stand side by side without parentheses, NOT stands first or in
parentheses of its own. What the simulator does not know is refused as malformed and never passed over.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import TypeVar

from relay.demo.salesforce.soql_source import QueryError
from relay.demo.salesforce.soql_tokens import Token, malformed, tokens
from relay.demo.salesforce.soql_tree import (
    Among,
    Both,
    Call,
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
    Order,
    Path,
    Period,
    Statement,
    Text,
)
from relay.demo.salesforce.soql_values import microseconds

_T = TypeVar("_T")

LONGEST_STATEMENT = 100_000
LARGEST_OFFSET = 2000
_FUNCTIONS = frozenset({"COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG"})
_CLAUSES = frozenset(
    {"FROM", "WHERE", "GROUP", "ORDER", "LIMIT", "OFFSET", "HAVING", "FOR", "WITH", "USING", "ALL"}
)
_COMPARISONS = frozenset({"=", "!=", "<>", "<", "<=", ">", ">="})
_WITHOUT_COUNT = frozenset(
    [
        "TODAY",
        "YESTERDAY",
        "TOMORROW",
        "THIS_WEEK",
        "LAST_WEEK",
        "NEXT_WEEK",
        "THIS_MONTH",
        "LAST_MONTH",
        "NEXT_MONTH",
        "THIS_YEAR",
        "LAST_YEAR",
        "NEXT_YEAR",
        "LAST_90_DAYS",
        "NEXT_90_DAYS",
    ]
)
_WITH_COUNT = frozenset(["LAST_N_DAYS", "NEXT_N_DAYS", "N_DAYS_AGO"])


def parse(text: str) -> Statement:
    """Read a statement. Raises QueryError (MALFORMED_QUERY, NUMBER_OUTSIDE_VALID_RANGE)."""
    if len(text) > LONGEST_STATEMENT:
        raise QueryError("MALFORMED_QUERY", "SOQL statements cannot be longer than 100000 characters.")
    return _Parser(text).statement()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(tokens(text))
        self._next = 0

    # -- the statement -------------------------------------------------------------------------------------------

    def statement(self) -> Statement:
        self._expect_word("SELECT")
        selected = self._listed(self._selected)
        self._expect_word("FROM")
        named = self._word("an object")
        alias = self._alias()
        where = self._condition() if self._took_word("WHERE") else None
        group_by = self._group_by()
        order_by = self._order_by()
        limit = self._count() if self._took_word("LIMIT") else None
        offset = self._count() if self._took_word("OFFSET") else 0
        if offset > LARGEST_OFFSET:
            raise QueryError("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
        if self._token.kind != "end":
            raise self._unexpected()
        return Statement(
            self._text, selected, named.text, named.at, alias, where, group_by, order_by, limit, offset
        )

    def _selected(self) -> Path | Call:
        item = self._field_or_call()
        if isinstance(item, Call):
            return Call(item.function, item.path, self._alias(), item.at)
        return item

    def _field_or_call(self) -> Path | Call:
        path = self._path()
        if not self._took("("):
            return path
        function = str(path).upper()
        if function not in _FUNCTIONS:
            raise malformed(self._text, path.at, f"unexpected token: '{path}'")
        of = None if self._token.text == ")" and function == "COUNT" else self._path()
        self._expect(")")
        return Call(function, of, "", path.at)

    def _alias(self) -> str:
        if self._token.kind == "word" and self._token.text.upper() not in _CLAUSES:
            return self._advance().text
        return ""

    def _group_by(self) -> tuple[Path, ...]:
        if not self._took_word("GROUP"):
            return ()
        self._expect_word("BY")
        return self._listed(self._path)

    def _order_by(self) -> tuple[Order, ...]:
        if not self._took_word("ORDER"):
            return ()
        self._expect_word("BY")
        return self._listed(self._ordered)

    def _ordered(self) -> Order:
        by = self._field_or_call()
        descending = self._took_word("DESC")
        if not descending:
            self._took_word("ASC")
        nulls_last = False
        if self._took_word("NULLS"):
            nulls_last = self._took_word("LAST")
            if not nulls_last:
                self._expect_word("FIRST")
        return Order(by, descending, nulls_last)

    def _count(self) -> int:
        token = self._advance()
        if token.kind != "number" or not token.text.isdigit():
            raise malformed(self._text, token.at, f"unexpected token: '{token.text}'")
        return int(token.text)

    # -- conditions ----------------------------------------------------------------------------------------------

    def _condition(self) -> Condition:
        if self._took_word("NOT"):
            return Not(self._simple())
        first = self._simple()
        for word, kind in (("AND", Both), ("OR", Either)):
            if self._is_word(word):
                parts = [first]
                while self._took_word(word):
                    parts.append(self._simple())
                return kind(tuple(parts))
        return first

    def _simple(self) -> Condition:
        if self._took("("):
            inside = self._condition()
            self._expect(")")
            return inside
        return self._comparison()

    def _comparison(self) -> Condition:
        path = self._path()
        if self._token.text in _COMPARISONS:
            operator = self._advance().text
            return Compare(path, "!=" if operator == "<>" else operator, self._literal())
        if self._took_word("LIKE"):
            return Compare(path, "LIKE", self._literal())
        negated = self._took_word("NOT")
        self._expect_word("IN")
        self._expect("(")
        values = self._listed(self._literal)
        self._expect(")")
        return Among(path, values, negated)

    def _literal(self) -> Literal:
        token = self._advance()
        match token.kind:
            case "string":
                return Text(token.text[1:-1])
            case "number":
                return Number(float(token.text) if "." in token.text else int(token.text))
            case "day":
                return Day(self._valid(token, lambda text: date.fromisoformat(text).isoformat()))
            case "instant":
                return Instant(self._valid(token, lambda text: microseconds(datetime.fromisoformat(text))))
            case "word":
                return self._named(token)
            case _:
                pass
        raise malformed(self._text, token.at, f"unexpected token: '{token.text}'")

    def _named(self, token: Token) -> Literal:
        name = token.text.upper()
        match name:
            case "NULL":
                return Null()
            case "TRUE" | "FALSE":
                return Flag(name == "TRUE")
            case _:
                pass
        if name in _WITHOUT_COUNT:
            return Period(name, None)
        if name in _WITH_COUNT:
            self._expect(":")
            return Period(name, self._count())
        raise malformed(self._text, token.at, f"unexpected token: '{token.text}'")

    def _valid(self, token: Token, read: Callable[[str], _T]) -> _T:
        try:
            return read(token.text)
        except ValueError:
            raise malformed(self._text, token.at, f"line: invalid date: {token.text}") from None

    # -- tokens --------------------------------------------------------------------------------------------------

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _advance(self) -> Token:
        token = self._token
        if token.kind == "end":
            raise self._unexpected()
        self._next += 1
        return token

    def _unexpected(self) -> QueryError:
        text = self._token.text
        return malformed(
            self._text, self._token.at, f"unexpected token: {text if text == '<EOF>' else repr(text)}"
        )

    def _took(self, mark: str) -> bool:
        if self._token.kind == "mark" and self._token.text == mark:
            self._next += 1
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._took(mark):
            raise self._unexpected()

    def _is_word(self, word: str) -> bool:
        return self._token.kind == "word" and self._token.text.upper() == word

    def _took_word(self, word: str) -> bool:
        found = self._is_word(word)
        self._next += found
        return found

    def _expect_word(self, word: str) -> None:
        if not self._took_word(word):
            raise self._unexpected()

    def _word(self, wanted: str) -> Token:
        if self._token.kind != "word" or self._token.text.upper() in _CLAUSES:
            raise malformed(
                self._text, self._token.at, f"unexpected token: '{self._token.text}', expected {wanted}"
            )
        return self._advance()

    def _path(self) -> Path:
        first = self._word("a field")
        parts = [first.text]
        while self._took("."):
            parts.append(self._word("a field").text)
        return Path(tuple(parts), first.at)

    def _listed(self, read: Callable[[], _T]) -> tuple[_T, ...]:
        items = [read()]
        while self._took(","):
            items.append(read())
        return tuple(items)
