"""A bounded memory of what was looked up, in which everything grows old."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class Kept(Generic[V]):
    """Values by name, each until its time is over; beyond the limit the one that was used longest ago goes."""

    def __init__(self, now: Callable[[], float], maximum: int) -> None:
        self._now = now
        self._maximum = maximum
        self._values: OrderedDict[str, tuple[V, float]] = OrderedDict()

    def __len__(self) -> int:
        """Give how many values are kept, old ones included."""
        return len(self._values)

    def get(self, name: str) -> V | None:
        """Give the value; None when there is none, or its time is over."""
        found = self._values.get(name)
        if found is None:
            return None
        if found[1] <= self._now():
            del self._values[name]
            return None
        self._values.move_to_end(name)
        return found[0]

    def put(self, name: str, value: V, seconds: float) -> None:
        """Keep a value for so long."""
        self._values[name] = (value, self._now() + seconds)
        self._values.move_to_end(name)
        while len(self._values) > self._maximum:
            self._values.popitem(last=False)

    def forget(self, name: str) -> None:
        """Keep it no longer."""
        self._values.pop(name, None)

    def clear(self) -> None:
        """Keep nothing."""
        self._values.clear()
