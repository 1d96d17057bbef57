"""Frozen values that cost a third to make: for the classes of which every message needs several.

A frozen dataclass sets each field through `object.__setattr__`, by name. Here an instance is, for the length of its
`__init__`, of a twin class with the same slots that is not frozen, whose fields the interpreter sets directly.
"""

from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

T = TypeVar("T")


def quick(kind: type[T]) -> type[T]:
    """Give a frozen dataclass with slots a faster `__init__`; nothing else about it changes.

    Written above `@dataclass(frozen=True, slots=True)`. Raises TypeError for a class with default factories, or with
    work to do after `__init__`.
    """
    if not is_dataclass(kind) or hasattr(kind, "__post_init__") or "__slots__" not in vars(kind):
        raise TypeError(f"{kind.__name__} is no dataclass with slots, or has a __post_init__")
    own = fields(kind)
    if any(field.default_factory is not MISSING or not field.init for field in own):
        raise TypeError(f"{kind.__name__} has fields that are not plain arguments")
    twin = type(
        kind.__name__,
        kind.__bases__,
        {"__slots__": vars(kind)["__slots__"], "__setattr__": object.__setattr__},
    )
    # Names that no field has: a field named `kind` would hide one of that name.
    scope: dict[str, Any] = {"kind_": kind, "twin_": twin, "put_": object.__setattr__}
    scope.update({f"default_{field.name}": field.default for field in own})
    ordered = [field for field in own if not field.kw_only]
    named = [field for field in own if field.kw_only]
    parameters = ["self", *map(_parameter, ordered), *(["*"] if named else []), *map(_parameter, named)]
    lines = [f"def __init__({', '.join(parameters)}):", " put_(self, '__class__', twin_)"]
    lines += [f" self.{field.name} = {field.name}" for field in own]
    exec("\n".join([*lines, " self.__class__ = kind_"]), scope)  # noqa: S102 - of field names alone, as dataclass does it
    made = scope["__init__"]
    made.__qualname__ = f"{kind.__qualname__}.__init__"
    made.__annotations__ = {field.name: field.type for field in own} | {"return": None}
    type.__setattr__(kind, "__init__", made)
    return kind


def _parameter(field: Any) -> str:  # dataclasses.Field, whose own type is of no use here
    return field.name if field.default is MISSING else f"{field.name}=default_{field.name}"
