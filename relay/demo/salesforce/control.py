"""The control API of the simulated Salesforce: what a test does in the same process, over HTTP under /__control__.

POST reset, seed, edit, remove, undelete, toggles, sink, expire, inject, advance; GET dump, calls, refused, toggles, sink.
Bodies and answers are JSON. It belongs to the simulator alone and asks for no token.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from relay.demo.salesforce.clock import written
from relay.demo.salesforce.faults import Injected
from relay.demo.salesforce.messages import Answer, Call, Request, Value
from relay.demo.salesforce.refusals import Refusal
from relay.demo.salesforce.sink_rules import Action, SinkSettings
from relay.demo.salesforce.toggles import Toggles

if TYPE_CHECKING:
    from relay.demo.salesforce.simulator import Simulator

PREFIX = "__control__"


def answer(simulator: Simulator, request: Request) -> Answer:
    """Answer a request to the control API: 400 with `error` for one that makes no sense."""
    try:
        return Answer(200, _answer(simulator, request))
    except (KeyError, TypeError, ValueError, Refusal) as error:
        return Answer(400, {"error": f"{type(error).__name__}: {error}"})


def _answer(simulator: Simulator, request: Request) -> Value:
    match request.method, request.segments[1:]:
        case "GET", ("dump", *names):
            deleted = request.query.get("deleted") == "true"
            wanted = names or [one.name for one in simulator.records.schema.objects.values()]
            return {name: simulator.rows(name, deleted=deleted) for name in wanted}
        case "GET", ("calls",):
            return [_shown(call) for call in simulator.calls]
        case "GET", ("refused",):
            return [_shown(call) for call in simulator.refused]
        case "GET", ("toggles",):
            return _plain(dataclasses.asdict(simulator.toggles))
        case "GET", ("sink",):
            return [_plain(dataclasses.asdict(receipt)) for receipt in simulator.sink.receipts]
        case "POST", (verb,):
            body = request.record() if request.body else {}
            return _do(simulator, verb, body)
        case _:
            raise ValueError(f"no such control: {request.method} {request.path}")


def _do(simulator: Simulator, verb: str, body: dict[str, object]) -> Value:
    name, record = str(body.get("object", "")), str(body.get("id", ""))
    match verb:
        case "reset":
            simulator.reset()
        case "expire":
            simulator.expire_tokens()
        case "seed":
            return {"id": simulator.add(name, **_fields(body))}
        case "edit":
            simulator.edit(name, record, **_fields(body))  # type: ignore[arg-type]  # fields of the record, by name
        case "remove":
            simulator.remove(name, record)
        case "undelete":
            simulator.undelete(name, record)
        case "inject":
            simulator.inject(Injected(**body))  # type: ignore[arg-type]  # fields of Injected, by name
        case "advance":
            simulator.advance(timedelta(seconds=float(str(body["seconds"]))))
        case "toggles":
            _set(simulator.toggles, body)
        case "sink":
            _set(simulator.sink.settings, body)
        case _:
            raise ValueError(f"no such control: {verb}")
    return {"now": written(simulator.now())}


def _fields(body: Mapping[str, object]) -> dict[str, object]:
    fields = body.get("fields")
    if not isinstance(fields, dict):
        raise TypeError("fields is required to be an object")
    return fields


def _set(target: Toggles | SinkSettings, body: Mapping[str, object]) -> None:
    known = {field.name for field in dataclasses.fields(target)}
    for name, value in body.items():
        if name not in known:
            raise KeyError(f"no such toggle: {name}")
        setattr(target, name, _like(getattr(target, name), value))


def _like(old: object, new: object) -> object:
    """Give a JSON value in the type that a toggle has: lists as tuples or sets, numbers as seconds."""
    if isinstance(old, timedelta):
        return timedelta(seconds=float(str(new)))
    if isinstance(old, Action):
        return Action(str(new))
    if isinstance(new, list):
        items = [tuple(one) if isinstance(one, list) else one for one in new]
        return frozenset(items) if isinstance(old, frozenset) else tuple(items)
    return new


def _shown(call: Call) -> Value:
    shown = {name: getattr(call, name) for name in Call.__slots__ if name != "headers"}
    return _plain({**shown, "at": written(call.at)})


def _plain(value: Value) -> Value:
    match value:
        case dict():
            return {str(name): _plain(one) for name, one in value.items()}
        case list() | tuple() | frozenset():
            return [_plain(one) for one in value]
        case timedelta():
            return value.total_seconds()
        case datetime():
            return written(value)
        case _:
            return value
