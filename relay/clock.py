"""Where the time and chance come from: the only file that asks the system for either.

Instants are UTC in integer microseconds since 1970, everywhere in the relay and in its store.
"""

import random
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What tells the time; tests hand in one that they turn by hand."""

    def now(self) -> int:
        """Give the instant: UTC microseconds since 1970."""
        ...

    def monotonic(self) -> float:
        """Give seconds that never run backwards, for spans and leases."""
        ...

    def chance(self) -> float:
        """Give a number in [0, 1), for jitter."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> int:
        """Give the instant: UTC microseconds since 1970."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Give seconds that never run backwards."""
        return time.monotonic()

    def chance(self) -> float:
        """Give a number in [0, 1)."""
        return random.random()  # noqa: S311 - spreads retries; nothing secret depends on it


def rfc3339(instant: int) -> str:
    """Write an instant as RFC 3339 UTC with milliseconds, as all `--json` output does."""
    when = datetime.fromtimestamp(instant // 1_000_000, UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{instant // 1000 % 1000:03d}Z"
