"""Values that are quick to make are frozen dataclasses all the same."""

from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from relay.values import quick


@quick
@dataclass(frozen=True, slots=True)
class Point:
    """A value with a default."""

    x: int
    y: int = 2


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Named(Point):
    """A value that inherits fields and adds one that must be named."""

    name: str


def test_fields_and_defaults() -> None:
    """Arguments by place and by name, and defaults, arrive as with any dataclass."""
    assert (Point(1).x, Point(1).y) == (1, 2)
    assert Point(y=3, x=1) == Point(1, 3)
    assert repr(Named(5, name="n")) == "Named(x=5, y=2, name='n')"


def test_it_is_frozen_and_of_its_own_class() -> None:
    """Nothing can be set once it is made, it has no dictionary, and its class is the one that was written."""
    point, named = Point(1), Named(1, name="n")
    assert type(point) is Point
    assert type(named) is Named
    assert isinstance(named, Point)
    for value in (point, named):
        with pytest.raises(FrozenInstanceError):
            value.x = 2  # type: ignore[misc]
        assert not hasattr(value, "__dict__")


def test_equality_hash_and_replace() -> None:
    """Equal values are equal and hash alike; a changed copy can be made."""
    assert {Point(1, 2), Point(1)} == {Point(1)}
    assert replace(Named(1, name="n"), x=7) == Named(7, name="n")
    assert Point(1) != Named(1, name="n")


def test_wrong_arguments_are_told() -> None:
    """A missing or unknown argument is a TypeError that names the class, and leaves nothing half made."""
    with pytest.raises(TypeError, match=r"Point\.__init__"):
        Point()  # type: ignore[call-arg]


def test_what_it_cannot_do_is_refused() -> None:
    """A class with a default factory, or without slots, is refused where it is written."""

    @dataclass(frozen=True, slots=True)
    class WithFactory:
        items: list[int] = field(default_factory=list)

    @dataclass(frozen=True)
    class WithoutSlots:
        x: int

    for kind in (WithFactory, WithoutSlots):
        with pytest.raises(TypeError):
            quick(kind)


def test_any_field_name_will_do() -> None:
    """A field may be called what the making itself deals with."""

    @quick
    @dataclass(frozen=True, slots=True)
    class Odd:
        kind: str
        twin: int = 1
        put: str = "p"

    assert Odd("k") == Odd("k", 1, "p")
    assert Odd("k").kind == "k"
