"""Answering a SOQL statement from the simulator's records, as Salesforce does.

Pure. Source: SOQL and SOSL Reference; what is not known here is refused as malformed, never passed over.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from relay.demo.salesforce.fields import Schema
from relay.demo.salesforce.soql_columns import Column, Columns
from relay.demo.salesforce.soql_filter import Filter, named_fields, named_ids
from relay.demo.salesforce.soql_parser import parse
from relay.demo.salesforce.soql_rows import Measure, Row, SortKey, grouped, in_order, measured, row, shape_of
from relay.demo.salesforce.soql_source import Asking, QueryError, QueryResult, Record, Source
from relay.demo.salesforce.soql_tokens import malformed
from relay.demo.salesforce.soql_tree import Call, Order, Path, Statement
from relay.demo.salesforce.soql_values import Key

__all__ = ["Asking", "QueryError", "QueryResult", "run"]

_T = TypeVar("_T")
_MOST_GROUPS = 2000
_RESTRICTED = {"ContentDocumentLink": ("ContentDocumentId", "LinkedEntityId")}
"""Objects that are only given by one of these fields (Object Reference, ContentDocumentLink)."""


def run(soql: str, source: Source, schema: Schema, asking: Asking) -> QueryResult:
    """Answer a statement. Raises QueryError with the code that Salesforce has for what is wrong with it."""
    statement = parse(soql)
    query = _Query(statement, source, Columns(schema, statement), asking)
    if statement.group_by or any(isinstance(one, Call) for one in statement.selected):
        return query.aggregates()
    return query.plain()


class _Query:
    def __init__(self, statement: Statement, source: Source, columns: Columns, asking: Asking) -> None:
        self._statement, self._source, self._columns, self._asking = statement, source, columns, asking

    def plain(self) -> QueryResult:
        """Answer a statement that selects fields."""
        statement, source = self._statement, self._source
        columns = self._selected()
        found = self._cut(in_order(self._found(), [self._sort_key(order) for order in statement.order_by]))
        shape, name = shape_of(columns), self._columns.object.name
        version = self._asking.version
        rows = tuple(row(source, shape, record, name, version) for record in found)
        return QueryResult(rows, len(rows))

    def _selected(self) -> list[Column]:
        columns: dict[tuple[str, ...], Column] = {}
        for path in self._statement.selected:
            assert isinstance(path, Path)
            column = self._columns.column(path)
            name = (*(step.relationship for step in column.steps), column.field.name)
            if name in columns:
                raise QueryError("INVALID_FIELD", f"duplicate field selected: {'.'.join(name)}")
            columns[name] = column
        return list(columns.values())

    def _sort_key(self, order: Order) -> SortKey[Record]:
        if isinstance(order.by, Call):
            raise malformed(self._statement.text, order.by.at, "Ordering by an aggregate needs GROUP BY")
        column = self._columns.filtered(order.by, "sorted")
        return SortKey(lambda record: column.key(self._source, record), order.descending, order.nulls_last)

    def aggregates(self) -> QueryResult:
        """Answer a statement that counts: COUNT() alone, or aggregates of groups."""
        statement = self._statement
        match statement.selected:
            case (Call("COUNT", None),) if not statement.group_by:
                return QueryResult((), len(self._cut(self._found())))
        if len(statement.group_by) > 1:
            raise malformed(
                statement.text, statement.group_by[1].at, "this simulator groups by one field only"
            )
        by = self._columns.filtered(statement.group_by[0], "grouped") if statement.group_by else None
        self._only_grouped(by)
        groups = self._cut(in_order(self._groups(by), self._group_keys(by)))
        if len(groups) > _MOST_GROUPS:
            raise QueryError("EXCEEDED_ID_LIMIT", "Aggregate query does not support queryMore(), use LIMIT")
        return QueryResult(tuple(self._aggregate(by, group) for group in groups), len(groups))

    def _groups(self, by: Column | None) -> list[list[Record]]:
        found = self._found()
        return [found] if by is None else grouped(self._source, by, found)

    def _measures(self) -> list[Measure]:
        calls = [one for one in self._statement.selected if isinstance(one, Call)]
        return [self._measure(call, call.alias or f"expr{number}") for number, call in enumerate(calls)]

    def _measure(self, call: Call, name: str) -> Measure:
        if call.path is None:
            raise malformed(self._statement.text, call.at, "COUNT() stands alone; count a field: COUNT(Id)")
        return Measure(name, call.function, self._columns.filtered(call.path, "aggregated"))

    def _only_grouped(self, by: Column | None) -> None:
        for path in self._statement.selected:
            if isinstance(path, Path) and self._columns.column(path) != by:
                message = f"Field must be grouped or aggregated: {path}"
                raise malformed(self._statement.text, path.at, message)

    def _aggregate(self, by: Column | None, group: list[Record]) -> Row:
        made: Row = {"attributes": {"type": "AggregateResult"}}
        if by is not None and any(isinstance(one, Path) for one in self._statement.selected):
            made[by.field.name] = by.shown(self._source, group[0])
        return made | {one.name: measured(self._source, one, group) for one in self._measures()}

    def _group_keys(self, by: Column | None) -> list[SortKey[list[Record]]]:
        return [
            SortKey(self._group_key(by, order.by), order.descending, order.nulls_last)
            for order in self._statement.order_by
        ]

    def _group_key(self, by: Column | None, named: Path | Call) -> Callable[[list[Record]], Key]:
        measure = self._ordered_measure(named)
        if measure is not None:
            return lambda group: measured(self._source, measure, group)
        assert isinstance(named, Path)
        if by is None or self._columns.column(named) != by:
            raise malformed(
                self._statement.text, named.at, f"Ordered field must be grouped or aggregated: {named}"
            )
        return lambda group: by.key(self._source, group[0])

    def _ordered_measure(self, named: Path | Call) -> Measure | None:
        if isinstance(named, Call):
            return self._measure(named, "")
        return next((one for one in self._measures() if one.name.lower() == str(named).lower()), None)

    # -- records -------------------------------------------------------------------------------------------------

    def _found(self) -> list[Record]:
        """Give the records that WHERE leaves, hiding those that only queryAll shows."""
        statement, asking = self._statement, self._asking
        fits = Filter(statement.text, self._columns, self._source, asking.now).predicate(statement.where)
        self._check_restriction()
        return [
            record
            for record in self._candidates()
            if (asking.all_rows or not (record.get("IsDeleted") or record.get("IsArchived"))) and fits(record)
        ]

    def _candidates(self) -> Iterable[Record]:
        """Give the records that may fit: those with the ids that the statement names, or all."""
        wanted = named_ids(self._statement.where, self._statement.text)
        rows = self._source.rows(self._columns.object.name)
        if wanted is None:
            return rows
        chosen = frozenset(wanted)
        return [record for record in rows if record["Id"] in chosen]

    def _check_restriction(self) -> None:
        needed = _RESTRICTED.get(self._columns.object.name, ())
        if needed and not named_fields(self._statement.where) & {name.lower() for name in needed}:
            raise QueryError(
                "MALFORMED_QUERY",
                f"Implementation restriction: {self._columns.object.name} requires a filter by a single Id on"
                f" {' or '.join(needed)} using the equals operator or multiple Id's using the IN operator.",
            )

    def _cut(self, items: list[_T]) -> list[_T]:
        first, limit = self._statement.offset, self._statement.limit
        return items[first:] if limit is None else items[first : first + limit]
