"""The settings as far as they could be read: what the cross checks look at, also when some of it is wrong.

Pure. What pydantic refuses is left out - at the deepest mapping that can do without it - and the rest is read again,
so that one mistake hides no other.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from relay.config.explain import Finding, explain
from relay.config.model import ListenerSettings, RelaySettings, UpstreamSettings, UserSettings
from relay.config.tree import Path, Plain
from relay.config.types import Settings

_ROUNDS = 4
_LISTS: dict[str, type[Settings]] = {"listeners": ListenerSettings, "users": UserSettings}


@dataclass(frozen=True, slots=True)
class Draft:
    """Settings that may lack what was wrong with them."""

    settings: RelaySettings
    numbers: Mapping[str, Sequence[int]]
    """For listeners and users: the number in the file of each that is left."""
    route_names: frozenset[str]
    """Also of routes that could not be read."""
    place: Callable[[Path], str]

    def numbered(self, key: str) -> Sequence[int]:
        """Give the numbers in the file of what is left of a list."""
        return self.numbers[key]


def read_settings(
    tree: dict[str, Plain], place: Callable[[Path], str]
) -> tuple[RelaySettings | None, Draft, list[Finding]]:
    """Read the settings; with problems there are none, only the draft."""
    names = _route_names(tree)
    try:
        settings = RelaySettings.model_validate(tree)
    except ValidationError as error:
        findings = [explain(one) for one in _own_errors(error)]
    else:
        return settings, _whole(settings, names, place), []
    return None, _salvaged(tree, names, place), _without_echoes(findings)


def _whole(settings: RelaySettings, names: frozenset[str], place: Callable[[Path], str]) -> Draft:
    numbers = {"listeners": range(len(settings.listeners)), "users": range(len(settings.users))}
    return Draft(settings, numbers, names, place)


def _route_names(tree: dict[str, Plain]) -> frozenset[str]:
    upstream = tree.get("upstream")
    routes = upstream.get("routes") if isinstance(upstream, dict) else None
    return frozenset(routes) if isinstance(routes, dict) else frozenset()


def _own_errors(error: ValidationError) -> list[ErrorDetails]:
    """Leave out that a list is too short when that is only since its items are wrong."""
    errors = error.errors(include_url=False)
    above = {one["loc"][:length] for one in errors for length in range(len(one["loc"]))}
    return [one for one in errors if one["type"] != "too_short" or one["loc"] not in above]


def _without_echoes(findings: list[Finding]) -> list[Finding]:
    """Leave out `is required` for a setting whose name was only mistyped."""
    meant = {finding.meant for finding in findings if finding.meant}
    return [finding for finding in findings if finding.path not in meant]


def _salvaged(tree: dict[str, Plain], names: frozenset[str], place: Callable[[Path], str]) -> Draft:
    values: dict[str, Any] = {}
    numbers: dict[str, list[int]] = {}
    for name, field in RelaySettings.model_fields.items():
        raw = tree.get(name)
        if name in _LISTS:
            inner: TypeAdapter[Any] = TypeAdapter(_LISTS[name])
            items = raw if isinstance(raw, list) else []
            kept = [(number, _left_of(inner, item)) for number, item in enumerate(items)]
            numbers[name] = [number for number, item in kept if item is not None]
            values[name] = tuple(item for _, item in kept if item is not None)
        elif (value := _left_of(_adapter(field.annotation), raw)) is not None:
            values[name] = value
    values.setdefault("upstream", UpstreamSettings(default="", routes={}))
    return Draft(RelaySettings.model_construct(**values), numbers, names, place)


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def _left_of(adapter: TypeAdapter[Any], raw: Plain) -> Any:
    """Read what can be read of a value; None when nothing can."""
    if raw is None:
        return None
    data = copy.deepcopy(raw)
    for _ in range(_ROUNDS):
        try:
            return adapter.validate_python(data)
        except ValidationError as error:
            cuts = [_cut(data, one) for one in error.errors(include_url=False)]
            if not all(cuts):
                return None
    return None


def _cut(data: Plain, error: ErrorDetails) -> bool:
    """Take what is wrong out of the deepest mapping on the way to it; False when it is the value itself."""
    missing = error["type"] == "missing"
    path = error["loc"][:-1] if missing else error["loc"]
    deepest: tuple[dict[str, Plain], str] | None = None
    here: Plain = data
    for step in path:
        if isinstance(here, dict) and isinstance(step, str) and step in here:
            deepest = (here, step)
            here = here[step]
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
        else:
            return True  # taken out already, with something above it
    if deepest is None:
        return False
    del deepest[0][deepest[1]]
    return True
