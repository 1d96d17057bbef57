"""The resources below /services/data/v67.0 of the simulated Salesforce, each for one signed-in user.

Source: Salesforce reference §4.2; REST API Developer Guide.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import parsedate_to_datetime

from relay.demo.salesforce import clock, collections, composite, refusals
from relay.demo.salesforce.describing import all_described, described, summary
from relay.demo.salesforce.faults import Faults
from relay.demo.salesforce.fields import Kind, Schema, SObject
from relay.demo.salesforce.files import Files
from relay.demo.salesforce.messages import Answer, Request, http_date
from relay.demo.salesforce.multipart import parts
from relay.demo.salesforce.query import Cursors, page_size_of
from relay.demo.salesforce.records import Records, Row
from relay.demo.salesforce.replication import Coverage, deleted, updated
from relay.demo.salesforce.soql import Asking, QueryError, run
from relay.demo.salesforce.soql_values import shown
from relay.demo.salesforce.sosl import search
from relay.demo.salesforce.validation import find_object
from relay.demo.salesforce.writing import SeveralMatch, Writer

_MULTIPART = "multipart/form-data"
_WRITES = ("POST", "PATCH", "PUT")


@dataclass(slots=True)
class Organisation:
    """What all users share."""

    records: Records
    files: Files
    faults: Faults
    cursors: Cursors
    used: Callable[[], int]
    """How many of the day's calls are used."""
    schemas: dict[Schema, datetime] = field(default_factory=dict)
    """When each state of the schema was first seen, for Last-Modified."""


class Rest:
    """The resources, as one user has them through one request."""

    def __init__(self, organisation: Organisation, user: str, version: str) -> None:
        self.organisation, self.user, self.version = organisation, user, version
        self.records = organisation.records

    def answer(self, request: Request, resource: tuple[str, ...]) -> Answer:
        """Answer a request. Raises Refusal."""
        _check_content_type(request)
        try:
            return self._answer(request, resource)
        except QueryError as error:
            hidden = error.code in ("INVALID_FIELD", "INVALID_TYPE") and self._is_hidden(str(error))
            raise refusals.refused(400, error.code, str(error), provoked=hidden) from error
        except SeveralMatch as several:
            base = f"/services/data/v{self.version}/sobjects/{several.name}"
            return Answer(300, [f"{base}/{record}" for record in several.records])

    def _answer(self, request: Request, resource: tuple[str, ...]) -> Answer:
        match request.method, *resource:
            case ["GET"]:
                base = f"/services/data/v{self.version}"
                return Answer(
                    200, {name: f"{base}/{name}" for name in ("sobjects", "query", "search", "limits")}
                )
            case ["GET", "limits"]:
                most = self.records.toggles.daily_limit
                left = {"Max": most, "Remaining": max(0, most - self.organisation.used())}
                return Answer(
                    200, {"DailyApiRequests": left, "DataStorageMB": {"Max": 1024, "Remaining": 1000}}
                )
            case ["GET", "sobjects"]:
                return self._if_modified(request, lambda: all_described(self.records.schema, self.version))
            case ["GET", "query" | "queryAll" as kind]:
                return self._query(request, all_rows=kind == "queryAll")
            case ["GET", "query" | "queryAll", locator]:
                return self._more(locator)
            case ["GET", "search"]:
                soql = request.query.get("q", "")
                return Answer(
                    200, search(soql, self.records.seen_by(self.user), self.records.schema, self._asking())
                )
            case ["POST", "composite"]:
                return composite.answer(self, request)
            case ["POST", "composite", "batch"]:
                return composite.answer_batch(self, request)
            case [_, "composite", "sobjects", *more]:
                return collections.answer(self, request, tuple(more))
            case [_, "sobjects", name, *more]:
                return self._object(request, find_object(self.records.schema, name), tuple(more))
            case [_, "query" | "queryAll" | "search" | "limits" | "composite", *_]:
                raise _method(request.method)
            case _:
                raise refusals.not_found()

    def _object(self, request: Request, shape: SObject, more: tuple[str, ...]) -> Answer:
        match request.method, *more:
            case ["GET"]:
                return Answer(200, {"objectDescribe": summary(shape, self.version), "recentItems": []})
            case ["GET", "describe"]:
                return self._if_modified(request, lambda: described(shape, self.version))
            case ["GET", "updated" | "deleted" as kind]:
                return self._replicated(request, shape, kind)
            case ["POST"]:
                return self._create(request, shape)
            case ["GET", record]:
                return self._get(request, shape, record)
            case ["PATCH", record]:
                self._check_unmodified(request, shape, record)
                self.writer(request).update(shape.name, record, request.record())
                return Answer(204)
            case ["DELETE", record]:
                self.writer(request).delete(shape.name, record)
                return Answer(204)
            case ["GET", record, "VersionData"] if shape.name == "ContentVersion":
                row = self.writer(request).existing(shape, record)
                data = self.organisation.files.read(str(row["Id"])) or b""
                return Answer(200, data, {"Content-Type": "application/octet-stream"})
            case [_, name, value]:
                return self._by_key(request, shape, name, value)
            case _:
                raise _method(request.method)

    def writer(self, request: Request) -> Writer:
        """Give what writes for this user."""
        shared = self.organisation
        return Writer(self.records, shared.files, shared.faults, self.user, request.headers)

    def _create(self, request: Request, shape: SObject) -> Answer:
        kind = request.headers.get("content-type", "")
        body, data = parts(kind, request.body) if kind.startswith(_MULTIPART) else (request.record(), None)
        record = self.writer(request).create(shape.name, body, data=data)
        location = f"/services/data/v{self.version}/sobjects/{shape.name}/{record}"
        return Answer(201, {"id": record, "success": True, "errors": []}, {"Location": location})

    def _by_key(self, request: Request, shape: SObject, name: str, value: str) -> Answer:
        writer = self.writer(request)
        if request.method == "PATCH":
            only = request.query.get("updateOnly", "").lower() == "true"
            done = writer.upsert(shape.name, name, value, request.record(), update_only=only)
            body = {"id": done.id, "success": True, "errors": [], "created": done.created}
            return Answer(201 if done.created else 200, body)
        found = writer.having(shape, writer.key_field(shape, name), value)
        if len(found) > 1:
            raise SeveralMatch(shape.name, [str(row["Id"]) for row in found])
        if not found:
            raise refusals.not_found()
        return self._object(request, shape, (str(found[0]["Id"]),))

    def _get(self, request: Request, shape: SObject, record: str) -> Answer:
        row = self.writer(request).existing(shape, record)
        changed = clock.read(str(row["SystemModstamp"]))
        headers = {"Last-Modified": http_date(changed)}
        since = _date(request, "if-modified-since")
        if since is not None and changed.replace(microsecond=0) <= since:
            return Answer(304, headers=headers)
        return Answer(200, self.shown(shape, row, request.query.get("fields")), headers)

    def shown(self, shape: SObject, row: Row, names: str | None) -> Row:
        """Give a record as an answer shows it: all fields, or those that are named. Raises Refusal INVALID_FIELD."""
        fields = list(shape.fields)
        if names:
            fields = []
            for name in names.split(","):
                found = shape.find(name.strip())
                if found is None:
                    hidden = (shape.name.lower(), name.strip().lower()) in self.records.schema.hidden
                    raise refusals.no_column(name.strip(), shape.name, provoked=hidden)
                fields.append(found)
        url = f"/services/data/v{self.version}/sobjects/{shape.name}/{row['Id']}"
        values = {one.name: shown(row.get(one.name), one.kind) for one in fields if one.kind is not Kind.IDS}
        ids = {one.name: row.get(one.name) or [] for one in fields if one.kind is Kind.IDS}
        return {"attributes": {"type": shape.name, "url": url}, **values, **ids, "Id": row["Id"]}

    def _check_unmodified(self, request: Request, shape: SObject, record: str) -> None:
        since = _date(request, "if-unmodified-since")
        if since is None:
            return
        row = self.writer(request).existing(shape, record)
        if clock.read(str(row["LastModifiedDate"])).replace(microsecond=0) > since:
            raise refusals.refused(412, "PRECONDITION_FAILED", "The record was modified since", provoked=True)

    def _query(self, request: Request, *, all_rows: bool) -> Answer:
        asking = replace(self._asking(), all_rows=all_rows)
        result = run(request.query.get("q", ""), self.records.seen_by(self.user), self.records.schema, asking)
        size = page_size_of(request.headers.get("sforce-query-options"), self.records.toggles.page_size)
        page = self.organisation.cursors.first(
            result, page_size=size, version=self.version, user=self.user, now=asking.now
        )
        return Answer(200, page)

    def _more(self, locator: str) -> Answer:
        now, life = self.records.clock.now(), self.records.toggles.query_locator_life
        return Answer(200, self.organisation.cursors.more(locator, user=self.user, now=now, life=life))

    def _asking(self) -> Asking:
        return Asking(self.records.clock.now(), version=self.version)

    def _replicated(self, request: Request, shape: SObject, kind: str) -> Answer:
        toggles, query = self.records.toggles, request.query
        known = Coverage(
            self.records.clock.now(),
            toggles.replication_lag,
            toggles.replication_cap,
            toggles.deletion_log_reach,
        )
        start, end = query.get("start", ""), query.get("end", "")
        if kind == "updated":
            rows = self.records.seen_by(self.user).rows(shape.name)
            return Answer(200, updated(rows, start, end, known))
        log = [
            {"Id": one.id, "SystemModstamp": one.at}
            for one in self.records.deletions
            if one.object == shape.name
        ]
        return Answer(200, deleted(log, start, end, known))

    def _if_modified(self, request: Request, made: Callable[[], Row]) -> Answer:
        schema, now = self.records.schema, self.records.clock.now()
        changed = self.organisation.schemas.setdefault(schema, now.replace(microsecond=0))
        headers = {"Last-Modified": http_date(changed)}
        since = _date(request, "if-modified-since")
        if since is not None and changed <= since:
            return Answer(304, headers=headers)
        return Answer(200, made(), headers)

    def _is_hidden(self, told: str) -> bool:
        """Say whether a query failed over something that a toggle took away."""
        low, schema = told.lower(), self.records.schema
        return any(f"'{one}'" in low for one in schema.missing) or any(
            f"'{name}'" in low and owner in low for owner, name in schema.hidden
        )


def _check_content_type(request: Request) -> None:
    if request.method not in _WRITES:
        return
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", _MULTIPART):
        told = f"Content-Type header specified in HTTP request is not supported: {kind}"
        raise refusals.refused(415, "UNSUPPORTED_MEDIA_TYPE", told)


def _method(method: str) -> refusals.Refusal:
    return refusals.refused(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed")


def _date(request: Request, name: str) -> datetime | None:
    value = request.headers.get(name)
    try:
        return parsedate_to_datetime(value) if value else None
    except ValueError:
        return None
