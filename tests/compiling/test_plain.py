"""Values are written out for mypyc without becoming others."""

import pytest

from compiling.plain import plain

SOURCE = '''"""Values."""

from dataclasses import dataclass, field

from relay.values import quick

ONE = 1


@quick
@dataclass(frozen=True, slots=True)
class Point:
    """A place."""

    x: int
    y: int = ONE
    near: tuple[int, ...] = field(default=(), repr=False)
    """Those beside it."""

    def moved(self) -> "Point":
        """Give the place beside it."""
        return Point(self.x + 1)


LAST = 9
'''


def test_it_is_the_same_value() -> None:
    """The class written out takes the same arguments and defaults, and no line has moved."""
    scope: dict[str, object] = {"__name__": "points"}
    exec(plain(SOURCE.replace("frozen=True, ", "")), scope)  # only compiled code may set what is frozen
    point = eval("Point(3).moved()", scope)
    assert repr(point) == "Point(x=4, y=1)"
    assert point == eval("Point(x=4, y=1, near=())", scope)
    before, after = SOURCE.splitlines(), plain(SOURCE).splitlines()
    changed = [n for n, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert [before[n] for n in changed] == ["@quick", ""]


def test_what_it_cannot_write_is_refused() -> None:
    """A value with base classes is refused, instead of being compiled without their fields."""
    with pytest.raises(ValueError, match="base"):
        plain(SOURCE.replace("class Point:", "class Point(Base):"))


@pytest.mark.parametrize("waits", ["await close()", "async with lock: pass", "yield 1"])
def test_what_mypyc_gets_wrong_is_refused(waits: str) -> None:
    """A coroutine that waits in a `finally` is refused: compiled, it would raise the error of an earlier call."""
    source = f"async def read():\n    try:\n        pass\n    finally:\n        {waits}\n"
    with pytest.raises(ValueError, match="line 5 waits in a finally"):
        plain(source)
    assert plain(source.replace("finally", "except OSError"))
