"""What the settings are made of: which group a path leads to, and what kind of value a setting holds.

Pure. The loader, the printed pages and the masks of `relay config show` all read the model through this.
"""

import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from annotated_types import Ge, Le
from pydantic import PlainSerializer

from relay.config.types import (
    Later,
    Rate,
    SecretReference,
    Settings,
    SocketAddress,
    write_duration,
    write_size,
)

_KINDS: dict[object, str] = {bool: "true or false", Rate: "rate", SocketAddress: "host:port"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a group."""

    name: str
    """As it is written in the file."""
    field: str
    """As the model calls it."""
    sentence: str
    """What it is for."""
    required: bool
    default: object
    group: type[Settings] | None
    """The group it holds, when it holds groups."""
    shape: str
    """"one", "list" or "map": how many it holds."""
    options: tuple[str, ...]
    """The words it may be, when they are a closed set."""
    later: bool
    """Whether this version does not act on it."""
    kind: str
    """What its value is, in a word or two: text, duration, "one of a, b"."""
    write: Callable[[Any], object]
    """Writes one such value as it stands in the file."""


@cache
def settings_of(group: type[Settings]) -> tuple[Setting, ...]:
    """Give the settings of a group, in their order."""
    found = []
    for name, field in group.model_fields.items():
        shape, inner, marks = _unwrap(field.annotation)
        marks = (*field.metadata, *marks)
        found.append(
            Setting(
                name=field.alias or name,
                field=name,
                sentence=field.description or "",
                required=field.is_required(),
                default=None if field.is_required() else field.get_default(call_default_factory=True),
                group=inner if isinstance(inner, type) and issubclass(inner, Settings) else None,
                shape=shape,
                options=_options(inner),
                later=any(isinstance(mark, Later) for mark in marks),
                kind=_kind(inner, marks),
                write=_writer(marks),
            )
        )
    return tuple(found)


def _unwrap(annotation: object) -> tuple[str, object, tuple[object, ...]]:
    """Look through Annotated, `| None`, tuple[X, ...] and dict[str, X]: how many, of what, and how that is marked."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        shape, inner, marks = _unwrap(arguments[0])
        return shape, inner, (*arguments[1:], *marks)
    if origin in (typing.Union, types.UnionType):
        return _unwrap(next(kind for kind in arguments if kind is not type(None)))
    if origin is tuple:
        return "list", *_unwrap(arguments[0])[1:]
    if origin is dict:
        return "map", *_unwrap(arguments[1])[1:]
    return "one", annotation, ()


def _kind(annotation: object, marks: tuple[object, ...]) -> str:
    if options := _options(annotation):
        return f"one of {', '.join(options)}"
    writers = [mark.func for mark in marks if isinstance(mark, PlainSerializer)]
    for writer, kind in ((write_duration, "duration"), (write_size, "size")):
        if writer in writers:
            return kind
    if annotation is int:
        return f"number{_range(marks)}"
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return "secret" if annotation is SecretReference else "group"
    return _KINDS.get(annotation, "text")


def _writer(marks: tuple[object, ...]) -> Callable[[Any], object]:
    for mark in marks:
        if isinstance(mark, PlainSerializer):
            return mark.func  # type: ignore[return-value]  # ours take the value alone
    return lambda value: getattr(value, "value", value)


def _range(marks: tuple[object, ...]) -> str:
    least = next((mark.ge for mark in marks if isinstance(mark, Ge)), None)
    most = next((mark.le for mark in marks if isinstance(mark, Le)), None)
    if least is not None and most is not None:
        return f" from {least} to {most}"
    return f" from {least} up" if least is not None else ""


def _options(annotation: object) -> tuple[str, ...]:
    if typing.get_origin(annotation) is typing.Literal:
        return tuple(str(word) for word in typing.get_args(annotation))
    members = getattr(annotation, "__members__", None)
    return tuple(str(member.value) for member in members.values()) if members else ()


def setting_named(group: type[Settings], name: str) -> Setting | None:
    """Find a setting of a group by the name it has in the file."""
    return next((setting for setting in settings_of(group) if setting.name == name), None)


def _descend(
    root: type[Settings], path: tuple[str | int, ...]
) -> tuple[Setting | None, type[Settings] | None]:
    found: Setting | None = None
    group: type[Settings] | None = root
    inside = False
    for step in path:
        if inside:  # an item of a list or map: its group is the setting's
            inside = False
            continue
        found = setting_named(group, str(step)) if group else None
        if found is None:
            return None, None
        group, inside = found.group, found.shape != "one"
    return found, None if inside else group


def setting_at(root: type[Settings], path: tuple[str | int, ...]) -> Setting | None:
    """Find the setting that a path leads to or into, such as upstream.routes.main.port or users.3.addresses.0."""
    return _descend(root, path)[0]


def group_at(root: type[Settings], path: tuple[str | int, ...]) -> type[Settings] | None:
    """Find the group that a path leads to: users.3, upstream.routes.main, logging; the root for ()."""
    return _descend(root, path)[1]


def walk(root: type[Settings], above: str = "") -> Iterator[tuple[str, Setting]]:
    """Give every setting with its path; a list's or map's items stand as `*`."""
    for setting in settings_of(root):
        path = f"{above}.{setting.name}" if above else setting.name
        yield path, setting
        if setting.group is not None:
            yield from walk(setting.group, path if setting.shape == "one" else f"{path}.*")
