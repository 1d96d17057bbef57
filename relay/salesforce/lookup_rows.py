"""Ask Salesforce the same of many addresses or ids at once: composite requests of queries, every page, hidden columns."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import quote

from relay.salesforce.exchange import LOOK_UP, SalesforceError, SubAnswer, SubRequest
from relay.salesforce.model import Fault, FaultKind, Json, Row
from relay.salesforce.people_queries import Query, may_hide
from relay.salesforce.soql import MAXIMUM_ENCODED, encoded_length, portions

_MAXIMUM_PAGES = 10
_ATTEMPTS = 4
_BRACKETS = 10
_DISPENSABLE = frozenset({"User", "OpportunityContactRole"})
"""What matching does without where this identity may not see it."""


_log = logging.getLogger(__name__)


class Asking(Protocol):
    """What of relay.salesforce.client.SalesforceClient is needed here."""

    async def composite(
        self, identity: str, requests: Sequence[SubRequest], *, background: bool = False
    ) -> list[SubAnswer]:
        """Make several requests in one call; a fault of the whole call is each one's."""
        ...

    async def get(self, path: str, *, identity: str = LOOK_UP, background: bool = False) -> Json:
        """Give the answer of a GET. Raises SalesforceError."""
        ...


class Rows:
    """Gives rows by object for queries that are made together, one composite request for each portion of values."""

    def __init__(self, client: Asking) -> None:
        self._client = client
        self.hidden: frozenset[str] = frozenset()
        """Columns that this identity does not see."""
        self._told: set[str] = set()

    async def of(
        self, queries: Sequence[Query], values: Sequence[str], *, after: str = "", background: bool
    ) -> dict[str, Sequence[Row]]:
        """Make the queries for these addresses or ids, and give the rows by object. Raises SalesforceError."""
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        for portion in portions(values, room_of(queries, after)):
            for object, found in (
                await self._portion(queries, portion, after, background=background)
            ).items():
                rows[object] += found
        return {query.object: rows[query.object] for query in queries}

    async def _portion(
        self, queries: Sequence[Query], values: Sequence[str], after: str, *, background: bool
    ) -> dict[str, list[Row]]:
        """Make one request; columns that are hidden are left out, and what is still missing is asked for again."""
        found: dict[str, list[Row]] = {}
        for _ in range(_ATTEMPTS):
            missing = [query for query in queries if query.object not in found]
            requests = [_request(query, query.of(values) + after) for query in missing]
            answers = await self._client.composite(LOOK_UP, requests, background=background)
            for query, answer in zip(missing, answers, strict=True):
                if answer.fault is None:
                    found[query.object] = await self._all_pages(answer.body, background=background)
                elif self._dispensable(query, answer.fault):
                    found[query.object] = []
            if len(found) == len(queries):
                return found
            faults = [
                (query, answer.fault) for query, answer in zip(missing, answers, strict=True) if answer.fault
            ]
            queries = [self._without_hidden(query, faults) for query in queries]
        raise SalesforceError(faults[0][1])

    def _dispensable(self, query: Query, fault: Fault) -> bool:
        if query.object not in _DISPENSABLE or fault.kind is not FaultKind.PERMISSION:
            return False
        if query.object not in self._told:
            self._told.add(query.object)
            _log.warning(
                "%s cannot be read in Salesforce (%s): matching goes on without", query.object, fault.code
            )
        return True

    def _without_hidden(self, query: Query, faults: Sequence[tuple[Query, Fault]]) -> Query:
        """Give the query without the column that its fault names. Raises SalesforceError for every other fault."""
        fault = next((fault for one, fault in faults if one.object == query.object), None)
        if fault is None:
            return query
        names = frozenset(name for name in fault.fields if may_hide(query, name))
        if fault.kind is not FaultKind.FIELD or not names:
            raise SalesforceError(fault)
        self.hidden |= names
        return query.without(names)

    async def _all_pages(self, body: Json, *, background: bool) -> list[Row]:
        rows: list[Row] = []
        for _ in range(_MAXIMUM_PAGES):
            if not isinstance(body, Mapping):
                break
            records = body.get("records")
            if isinstance(records, Sequence) and not isinstance(records, str):
                rows += [row for row in records if isinstance(row, Mapping)]
            further = body.get("nextRecordsUrl")
            if not isinstance(further, str) or body.get("done") is True:
                break
            body = await self._client.get(
                f"query/{further.rpartition('/')[2]}", identity=LOOK_UP, background=background
            )
        return rows


def _request(query: Query, soql: str) -> SubRequest:
    return SubRequest("GET", f"query?q={quote(soql, safe='')}", query.object)


def room_of(queries: Sequence[Query], after: str = "") -> int:
    """Give how many bytes the values may take so that each of the queries can be sent."""
    return MAXIMUM_ENCODED - max(encoded_length(one.text + after) for one in queries) - _BRACKETS
