"""Cutting what a query found into pages, and keeping the rest for who comes with the locator.

A page's rows are those of the moment of the query. Source: REST API Developer Guide, "Query" and "Query More Results".
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from relay.demo.salesforce import ids
from relay.demo.salesforce.soql_rows import Row
from relay.demo.salesforce.soql_source import QueryError, QueryResult

SMALLEST_PAGE, LARGEST_PAGE = 200, 2000
"""What a caller's batchSize may ask for; the organisation's own page size may be anything."""
_PREFIX = "01g"
_MOST_CURSORS = 1000


@dataclass(frozen=True, slots=True)
class _Cursor:
    result: QueryResult
    page_size: int
    version: str
    user: str
    opened: datetime


class Cursors:
    """The open queries of the organisation."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, _Cursor] = OrderedDict()
        self._made = 0

    def first(self, result: QueryResult, *, page_size: int, version: str, user: str, now: datetime) -> Row:
        """Give the first page; what does not fit stays behind a locator."""
        if len(result.records) <= page_size:
            return {"totalSize": result.total, "done": True, "records": list(result.records)}
        self._made += 1
        locator = ids.made(_PREFIX, self._made)
        self._open[locator] = _Cursor(result, page_size, version, user, now)
        if len(self._open) > _MOST_CURSORS:
            self._open.popitem(last=False)
        return self._page(locator, 0)

    def more(self, address: str, *, user: str, now: datetime, life: timedelta) -> Row:
        """Give the page of a locator (01g…-2000, the end of nextRecordsUrl). Raises QueryError INVALID_QUERY_LOCATOR."""
        locator, _, start = address.partition("-")
        cursor = self._open.get(locator)
        if cursor is None or cursor.user != user or not start.isdigit() or now - cursor.opened > life:
            raise QueryError("INVALID_QUERY_LOCATOR", "invalid query locator")
        if int(start) > len(cursor.result.records):
            raise QueryError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(locator, int(start))

    def reset(self) -> None:
        """Forget all open queries."""
        self._open.clear()

    def _page(self, locator: str, start: int) -> Row:
        cursor = self._open[locator]
        records = cursor.result.records
        behind = start + cursor.page_size
        page: Row = {"totalSize": cursor.result.total, "done": behind >= len(records)}
        if behind < len(records):
            page["nextRecordsUrl"] = f"/services/data/v{cursor.version}/query/{locator}-{behind}"
        return page | {"records": list(records[start:behind])}


def page_size_of(query_options: str | None, default: int) -> int:
    """Read the batchSize of a Sforce-Query-Options header; one out of bounds is drawn to the nearest."""
    for option in (query_options or "").split(","):
        name, _, value = option.strip().partition("=")
        if name.strip().lower() == "batchsize" and value.strip().isdigit():
            return min(LARGEST_PAGE, max(SMALLEST_PAGE, int(value)))
    return default
