"""Waiting for something outside this process to become true, with a limit."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE = 0.05


def eventually(look: Callable[[], T], enough: Callable[[T], bool] = bool, limit: float = 30.0) -> T:
    """Look until what is seen is enough, and give it. Raises TimeoutError with what was seen last."""
    ends = time.monotonic() + limit
    while True:
        seen = look()
        if enough(seen):
            return seen
        if time.monotonic() > ends:
            raise TimeoutError(f"after {limit:.0f} s still: {seen!r}")
        time.sleep(_PAUSE)
