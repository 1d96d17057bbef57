"""The requests that write records, alone or many in one call, and what became of each.

Pure. REST guide: sObject Basic Information, sObject Rows, sObject Collections, Composite.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote

from relay.salesforce.answers import gone_is_done, made_many, made_one
from relay.salesforce.exchange import MAXIMUM_COLLECTION, Changed, NewRecord, SubRequest
from relay.salesforce.model import Json, Made, Written
from relay.salesforce.request import Request, Result

_MAXIMUM_RUNS = 10
"""A collection may go from one type to another so many times (REST guide, sObject Collections, limits)."""


def portions(records: Sequence[NewRecord]) -> Iterator[Sequence[NewRecord]]:
    """Share records out over calls: 200 in one, ten runs of one type, and all with the same headers."""
    portion: list[NewRecord] = []
    runs = 0
    for record in records:
        new_run = not portion or portion[-1].object != record.object
        full = len(portion) >= MAXIMUM_COLLECTION or (new_run and runs >= _MAXIMUM_RUNS)
        if portion and (full or portion[-1].headers != record.headers):
            yield portion
            portion, runs, new_run = [], 0, True
        runs += new_run
        portion.append(record)
    if portion:
        yield portion


def creation(records: Sequence[NewRecord]) -> Request:
    """Make the call that makes these records."""
    first = records[0]
    if len(records) == 1:
        path = f"sobjects/{first.object}/"
        return Request("create", "POST", path, headers=first.headers, json=first.fields)
    body: Json = {"allOrNone": False, "records": [_item(record.object, record.fields) for record in records]}
    return Request("create_many", "POST", "composite/sobjects/", headers=first.headers, json=body)


def upsertion(key_field: str, records: Sequence[NewRecord]) -> Request:
    """Make the call that makes these records, all of one object, or changes those that have the same key."""
    first = records[0]
    if len(records) > 1:
        body: Json = {
            "allOrNone": False,
            "records": [_item(record.object, record.fields) for record in records],
        }
        path = f"composite/sobjects/{first.object}/{key_field}"
        return Request("upsert_many", "PATCH", path, headers=first.headers, json=body)
    key = quote(str(first.fields[key_field]), safe="")
    # The key is in the path, and must not be in the body as well (REST guide, sObject Rows by External ID).
    rest = {name: value for name, value in first.fields.items() if name != key_field}
    path = f"sobjects/{first.object}/{key_field}/{key}"
    return Request("upsert", "PATCH", path, headers=first.headers, json=rest)


def created(records: Sequence[NewRecord], result: Result) -> list[Written]:
    """Tell what became of each record of a creation or upsertion."""
    if result.fault is not None:
        return [result.fault for _ in records]
    if len(records) == 1:
        return [made_one(records[0].object, result.body)]
    return made_many([record.object for record in records], result.body)


def changes(records: Sequence[Changed]) -> Iterator[Sequence[Changed]]:
    """Share changes out over calls; one that has a condition goes alone, since its header holds for the whole call."""
    portion: list[Changed] = []
    runs = 0
    for record in records:
        new_run = not portion or portion[-1].object != record.object
        alone = record.unmodified_since is not None
        if portion and (alone or len(portion) >= MAXIMUM_COLLECTION or (new_run and runs >= _MAXIMUM_RUNS)):
            yield portion
            portion, runs, new_run = [], 0, True
        if alone:
            yield [record]
            continue
        runs += new_run
        portion.append(record)
    if portion:
        yield portion


def change(records: Sequence[Changed]) -> Request:
    """Make the call that changes these records."""
    first = records[0]
    if len(records) > 1:
        items = [_item(record.object, {"Id": record.id, **record.fields}) for record in records]
        body: Json = {"allOrNone": False, "records": items}
        return Request("update_many", "PATCH", "composite/sobjects/", json=body)
    headers: Mapping[str, str] = {}
    if first.unmodified_since is not None:
        headers = {"If-Unmodified-Since": http_date(first.unmodified_since)}
    path = f"sobjects/{first.object}/{first.id}"
    return Request("update", "PATCH", path, headers=headers, json=first.fields)


def changed(records: Sequence[Changed], result: Result) -> list[Written]:
    """Tell what became of each change."""
    if result.fault is not None:
        return [result.fault for _ in records]
    if len(records) == 1:  # 204: no content
        return [Made(records[0].id, records[0].object)]
    return made_many([record.object for record in records], result.body)


def deletion(ids: Sequence[tuple[str, str]]) -> Request:
    """Make the call that deletes these records."""
    if len(ids) == 1:
        return Request("delete", "DELETE", f"sobjects/{ids[0][0]}/{ids[0][1]}")
    params = {"ids": ",".join(id for _, id in ids), "allOrNone": "false"}
    return Request("delete_many", "DELETE", "composite/sobjects", params=params)


def deleted(ids: Sequence[tuple[str, str]], result: Result) -> list[Written]:
    """Tell what became of each deletion."""
    if result.fault is not None:
        found: list[Written] = [result.fault for _ in ids]
    elif len(ids) == 1:
        found = [Made(ids[0][1], ids[0][0])]
    else:
        found = made_many([object for object, _ in ids], result.body)
    return [gone_is_done(one, object, id) for one, (object, id) in zip(found, ids, strict=True)]


def composition(requests: Sequence[SubRequest], version: str, *, all_or_none: bool) -> Request:
    """Make the call of a composite; its parts stay in their order, which collating would change (from v49)."""
    parts: list[Json] = [_part(one, version) for one in requests]
    body: Json = {"allOrNone": all_or_none, "collateSubrequests": False, "compositeRequest": parts}
    return Request("composite", "POST", "composite/", json=body)


def _part(one: SubRequest, version: str) -> Json:
    part: dict[str, Json] = {
        "method": one.method,
        "url": f"/services/data/v{version}/{one.path}",
        "referenceId": one.reference,
    }
    if one.body is not None:
        part["body"] = one.body
    if one.headers:
        part["httpHeaders"] = one.headers
    return part


def _item(object: str, fields: Mapping[str, Json]) -> Json:
    return {"attributes": {"type": object}, **fields}


def http_date(instant: int) -> str:
    """Write an instant as an HTTP date (RFC 9110 §5.6.7), to the second."""
    return format_datetime(datetime.fromtimestamp(instant // 1_000_000, UTC), usegmt=True)
