"""Composite requests: up to 25 subrequests in one call, which may refer to each other's answers.

Source: REST API Developer Guide, "Composite"; Salesforce reference §4.5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from relay.demo.salesforce import refusals
from relay.demo.salesforce.messages import Answer, Request
from relay.demo.salesforce.operations import operation_of
from relay.demo.salesforce.records import Row
from relay.demo.salesforce.refusals import Refusal

if TYPE_CHECKING:
    from relay.demo.salesforce.rest import Rest

_MOST, _MOST_QUERIES = 25, 5
_NAME = re.compile(r"[A-Za-z0-9_]+")
_REFERENCE = re.compile(r"@\{([A-Za-z0-9_]+)((?:\.[A-Za-z0-9_]+|\[\d+\])*)\}")
_STEP = re.compile(r"\.([A-Za-z0-9_]+)|\[(\d+)\]")
_BARRED_HEADERS = {"accept", "authorization", "content-type"}
_QUERIES = re.compile(r"query|queryAll|query_more|search|collection_.*")
_BASE = re.compile(r"^/services/data/v\d+\.\d+/?")


class _Broken(Exception):
    """A reference that leads nowhere, since what it refers to failed or has no such value."""


@dataclass(frozen=True, slots=True)
class _Sub:
    reference: str
    method: str
    url: str
    body: object
    headers: Mapping[str, str]

    @property
    def named(self) -> set[str]:
        """Give the subrequests that it refers to."""
        return {found[1] for text in _texts([self.url, self.body]) for found in _REFERENCE.finditer(text)}

    @property
    def operation(self) -> tuple[str, str]:
        """Give its operation and object."""
        plain = Request(self.method, self.url, {})
        return operation_of(self.method, plain.segments[3:])


def answer(rest: Rest, request: Request) -> Answer:
    """Answer a composite request: 200 whatever became of its parts. Raises Refusal when it is no good as a whole."""
    body = request.record()
    subs = _read(body, request)
    all_or_none = body.get("allOrNone") is True
    collate = body.get("collateSubrequests", True) is not False
    chaos = rest.records.toggles.chaos and collate
    order = _shuffled(subs) if chaos else subs
    answers: dict[str, Answer] = {}
    with rest.records.transaction() as transaction:
        for sub in order:
            answers[sub.reference] = _run(rest, sub, answers)
        failed = [one for one in answers.values() if one.status >= 400]
        if all_or_none and failed:
            transaction.roll_back()
    if all_or_none and failed:
        answers = {name: one if one.status >= 400 else _halted() for name, one in answers.items()}
    errors = tuple(
        error for one in answers.values() for error in one.errors if error.code != "PROCESSING_HALTED"
    )
    return Answer(
        200, {"compositeResponse": [_shown(sub, answers[sub.reference]) for sub in subs]}, errors=errors
    )


def _read(body: Row, request: Request) -> list[_Sub]:
    given = body.get("compositeRequest")
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
        raise refusals.bad_json("compositeRequest is required to be an array of objects")
    if len(given) > _MOST:
        told = f"Composite request limit exceeded: {len(given)}. Limit is {_MOST}"
        raise refusals.refused(400, "BATCH_PROCESSING_HALTED", told)
    subs = [_sub(one, request) for one in given]
    queries = [sub for sub in subs if _QUERIES.fullmatch(sub.operation[0])]
    if len(queries) > _MOST_QUERIES:
        told = f"Composite request limit exceeded: {len(queries)} queries and collections. Limit is {_MOST_QUERIES}"
        raise refusals.refused(400, "BATCH_PROCESSING_HALTED", told)
    names = [sub.reference for sub in subs]
    if len(set(names)) < len(names):
        raise refusals.refused(400, "INVALID_INPUT", "Duplicate reference ids")
    return subs


def _sub(given: Row, request: Request) -> _Sub:
    reference, method, url = (given.get(name) for name in ("referenceId", "method", "url"))
    if not (isinstance(reference, str) and isinstance(method, str) and isinstance(url, str)):
        raise refusals.bad_json("method, url and referenceId are required")
    if not _NAME.fullmatch(reference):
        told = f"Invalid character in reference id {reference}: letters, digits and underscores are allowed"
        raise refusals.refused(400, "INVALID_INPUT", told)
    if not _BASE.match(url):
        raise refusals.refused(
            400, "INVALID_INPUT", f"url must be an absolute path with a version: {url[:80]}"
        )
    headers = given.get("httpHeaders") or {}
    assert isinstance(headers, dict)
    barred = _BARRED_HEADERS & {str(name).lower() for name in headers}
    if barred:
        raise refusals.refused(400, "INVALID_INPUT", f"headers not allowed in a subrequest: {sorted(barred)}")
    own = {str(name).lower(): str(value) for name, value in headers.items()}
    outer = {"content-type": "application/json", "authorization": request.headers.get("authorization", "")}
    return _Sub(reference, method, url, given.get("body"), {**outer, **own})


def _shuffled(subs: Sequence[_Sub]) -> list[_Sub]:
    """Collate as Salesforce may since v49, only worse: in reverse order, unless one refers to another."""
    left, done, order = list(subs), set[str](), list[_Sub]()
    while left:
        ready = [sub for sub in left if sub.named <= done] or left[:1]
        for sub in reversed(ready):
            order.append(sub)
            done.add(sub.reference)
            left.remove(sub)
    return order


def _run(rest: Rest, sub: _Sub, answers: Mapping[str, Answer]) -> Answer:
    try:
        url, body = _resolved(sub.url, answers), _resolved(sub.body, answers)
    except _Broken as broken:
        refusal = refusals.halted(f"Invalid reference specified. No value for {broken} found.")
        return Answer(400, [refusal.body()], errors=(refusal,))
    octets = b"" if body is None else Answer(200, body).octets()
    request = Request(sub.method, str(url).replace(" ", "%20"), sub.headers, octets)
    try:
        with rest.records.transaction():
            return rest.answer(request, request.segments[3:])
    except Refusal as refusal:
        return Answer(refusal.status, [refusal.body()], errors=(refusal,))


def _resolved(value: object, answers: Mapping[str, Answer]) -> object:
    """Put the values that are referred to in their places. Raises _Broken."""
    match value:
        case str():
            return _REFERENCE.sub(lambda found: str(_looked_up(found, answers)), value)
        case list():
            return [_resolved(one, answers) for one in value]
        case dict():
            return {name: _resolved(one, answers) for name, one in value.items()}
        case _:
            return value


def _looked_up(found: re.Match[str], answers: Mapping[str, Answer]) -> object:
    given = answers.get(found[1])
    if given is None or given.status >= 400:
        raise _Broken(found[0][2:-1])
    value: object = given.body
    for step in _STEP.finditer(found[2]):
        try:
            value = value[step[1]] if step[1] else value[int(step[2])]  # type: ignore[index]  # whatever JSON it is
        except (KeyError, IndexError, TypeError) as error:
            raise _Broken(found[0][2:-1]) from error
    return value


def _texts(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [text for one in value for text in _texts(one)]
        case dict():
            return [text for one in value.values() for text in _texts(one)]
        case _:
            return []


def _halted() -> Answer:
    return Answer(400, [refusals.halted().body()])


def _shown(sub: _Sub, given: Answer) -> Row:
    kept = {name: value for name, value in given.headers.items() if name == "Location"}
    return {
        "body": given.body,
        "httpHeaders": kept,
        "httpStatusCode": given.status,
        "referenceId": sub.reference,
    }


def answer_batch(rest: Rest, request: Request) -> Answer:
    """Answer a batch: up to 25 independent subrequests."""
    body = request.record()
    given = body.get("batchRequests")
    if not isinstance(given, list) or len(given) > _MOST:
        raise refusals.bad_json(f"batchRequests is required to be an array of at most {_MOST}")
    results: list[Row] = []
    errors: list[Refusal] = []
    for number, one in enumerate(given):
        url = "/services/data/" + str(one.get("url", "")).removeprefix("/services/data/").lstrip("/")
        sub = replace(
            _sub({"referenceId": f"n{number}", "method": one.get("method"), "url": url}, request),
            body=one.get("richInput"),
        )
        found = _run(rest, sub, {})
        errors += found.errors
        results.append({"statusCode": found.status, "result": found.body})
    failed = any(one.status >= 400 for one in errors)
    return Answer(200, {"hasErrors": failed, "results": results}, errors=tuple(errors))
