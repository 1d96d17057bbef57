"""sObject collections: up to 200 records in one call, each with its own result.

Source: REST API Developer Guide, "sObject Collections"; Salesforce reference §4.6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from relay.demo.salesforce import ids, refusals
from relay.demo.salesforce.messages import Answer, Request
from relay.demo.salesforce.records import Row
from relay.demo.salesforce.refusals import Refusal
from relay.demo.salesforce.writing import SeveralMatch

if TYPE_CHECKING:
    from relay.demo.salesforce.rest import Rest

_MOST, _MOST_RUNS = 200, 10
_Step = Callable[[], Row]
"""Writes one record and gives its result. Raises Refusal."""


def answer(rest: Rest, request: Request, more: tuple[str, ...]) -> Answer:
    """Answer a call of the collections. Raises Refusal when it is no good as a whole."""
    match request.method, *more:
        case ["POST"]:
            body = request.record()
            return _all(rest, _truth(body.get("allOrNone")), _creates(rest, request, body))
        case ["PATCH"]:
            body = request.record()
            return _all(rest, _truth(body.get("allOrNone")), _updates(rest, request, body))
        case ["PATCH", name, field]:
            body = request.record()
            return _all(rest, _truth(body.get("allOrNone")), _upserts(rest, request, body, name, field))
        case ["DELETE"]:
            given = [one.strip() for one in request.query.get("ids", "").split(",") if one.strip()]
            _check_number(given)
            return _all(rest, _truth(request.query.get("allOrNone")), _deletes(rest, request, given))
        case ["POST" | "GET", name]:
            return _got(rest, request, name)
        case _:
            told = f"HTTP Method '{request.method}' not allowed"
            raise refusals.refused(405, "METHOD_NOT_ALLOWED", told)


def _all(rest: Rest, all_or_none: bool, steps: Sequence[_Step]) -> Answer:
    results: list[Row | Refusal] = []
    with rest.records.transaction() as transaction:
        for step in steps:
            try:
                results.append(step())
            except Refusal as refusal:
                results.append(refusal)
        failed = tuple(one for one in results if isinstance(one, Refusal))
        if all_or_none and failed:
            transaction.roll_back()
    if all_or_none and failed:
        results = [one if isinstance(one, Refusal) else refusals.rolled_back() for one in results]
    return Answer(200, [_item(one) for one in results], errors=failed)


def _item(result: Row | Refusal) -> Row:
    if isinstance(result, Refusal):
        return {"success": False, "errors": [result.item()]}
    return result


def _done(record: str, **more: object) -> Row:
    return {"id": record, "success": True, "errors": [], **more}


def _records(body: Mapping[str, object]) -> list[tuple[str, Row]]:
    """Give type and fields of each record. Raises Refusal."""
    found = body.get("records")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise refusals.bad_json("records is required to be an array of objects")
    _check_number(found)
    pairs = []
    for one in found:
        attributes = one.get("attributes")
        name = attributes.get("type") if isinstance(attributes, dict) else None
        if not isinstance(name, str):
            told = "Each record must have attributes with a type"
            raise refusals.refused(400, "INVALID_TYPE", told)
        pairs.append((name, {key: value for key, value in one.items() if key != "attributes"}))
    if len(list(groupby(name for name, _ in pairs))) > _MOST_RUNS:
        told = f"cannot execute more than {_MOST_RUNS} chunks in one call"
        raise refusals.refused(400, "INVALID_OPERATION", told)
    return pairs


def _check_number(given: Sequence[object]) -> None:
    if not given:
        raise refusals.refused(400, "REQUIRED_FIELD_MISSING", "records: at least one is needed")
    if len(given) > _MOST:
        told = f"record limit reached. cannot submit more than {_MOST} records in this call"
        raise refusals.refused(400, "EXCEEDED_ID_LIMIT", told)


def _creates(rest: Rest, request: Request, body: Row) -> list[_Step]:
    writer = rest.writer(request)

    def create(name: str, fields: Row) -> Row:
        return _done(writer.create(name, fields))

    return [_step(create, name, fields) for name, fields in _records(body)]


def _updates(rest: Rest, request: Request, body: Row) -> list[_Step]:
    writer = rest.writer(request)

    def update(name: str, fields: Row) -> Row:
        given = {key: value for key, value in fields.items() if key.lower() != "id"}
        record = next((value for key, value in fields.items() if key.lower() == "id"), None)
        if not isinstance(record, str):
            told = "Id not specified in an update call"
            raise refusals.refused(400, "MISSING_ARGUMENT", told)
        return _done(writer.update(name, record, given))

    return [_step(update, name, fields) for name, fields in _records(body)]


def _upserts(rest: Rest, request: Request, body: Row, name: str, field: str) -> list[_Step]:
    writer = rest.writer(request)

    def upsert(of: str, fields: Row) -> Row:
        if of.lower() != name.lower():
            told = f"Record type must be {name} in an upsert of {name}"
            raise refusals.refused(400, "INVALID_TYPE", told)
        given = {key: value for key, value in fields.items() if key.lower() != field.lower()}
        value = next((value for key, value in fields.items() if key.lower() == field.lower()), None)
        if value in (None, ""):
            told = f"{field} not specified"
            raise refusals.refused(400, "MISSING_ARGUMENT", told)
        try:
            done = writer.upsert(name, field, str(value), given)
        except SeveralMatch as several:
            told = f"{field}: more than one record found for external id field"
            raise refusals.refused(400, "DUPLICATE_EXTERNAL_ID", f"{told}: {several.records}") from several
        return _done(done.id, created=done.created)

    return [_step(upsert, of, fields) for of, fields in _records(body)]


def _deletes(rest: Rest, request: Request, given: Sequence[str]) -> list[_Step]:
    writer = rest.writer(request)

    def delete(text: str) -> Row:
        record = ids.whole(text)
        shape = rest.records.schema.of_id(record) if record else None
        if shape is None:
            raise refusals.refused(400, "MALFORMED_ID", f"bad id {text}")
        return _done(writer.delete(shape.name, text))

    return [lambda text=text: delete(text) for text in given]  # type: ignore[misc]  # bound now, not later


def _step(write: Callable[[str, Row], Row], name: str, fields: Row) -> _Step:
    return lambda: write(name, fields)


def _got(rest: Rest, request: Request, name: str) -> Answer:
    shape = rest.records.schema.find(name)
    if shape is None:
        raise refusals.not_found(provoked=name.lower() in rest.records.schema.missing)
    asked: Mapping[str, object] = request.record() if request.method == "POST" else {}
    given = asked.get("ids") or request.query.get("ids", "").split(",")
    fields = asked.get("fields") or request.query.get("fields", "Id").split(",")
    assert isinstance(given, list)
    assert isinstance(fields, list)
    rows: list[Row | None] = []
    for text in given:
        try:
            row = rest.writer(request).existing(shape, str(text))
            rows.append(rest.shown(shape, row, ",".join(str(one) for one in fields)))
        except Refusal as refusal:
            if refusal.status != 404:
                raise
            rows.append(None)
    return Answer(200, rows)


def _truth(value: object) -> bool:
    return value is True or str(value).lower() == "true"
