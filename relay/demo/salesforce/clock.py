"""The time of the simulated Salesforce: another clock's, moved on by whoever wants to see what age does."""

from datetime import UTC, datetime, timedelta

from relay.clock import Clock

_MICROSECONDS = 1_000_000


class SimulatedClock:
    """Tells the time of a clock underneath, plus all that `advance` was told; stamps never repeat."""

    def __init__(self, under: Clock) -> None:
        self._under = under
        self._ahead = timedelta()
        self._last = 0

    def now(self) -> datetime:
        """Give the time, aware, in UTC."""
        return self.unmoved() + self._ahead

    def unmoved(self) -> datetime:
        """Give the time of the clock underneath, which those who sign in have, too."""
        return datetime.fromtimestamp(self._under.now() / _MICROSECONDS, UTC)

    def advance(self, span: timedelta) -> None:
        """Move on."""
        self._ahead += span

    def reset(self) -> None:
        """Come back to the time of the clock underneath."""
        self._ahead = timedelta()

    def stamp(self) -> str:
        """Give the instant as records keep it; each is at least a millisecond after the one before."""
        self._last = max(self._last + 1, int(self.now().timestamp() * 1000))
        return written(datetime.fromtimestamp(self._last / 1000, UTC))


def written(when: datetime) -> str:
    """Write an instant as records keep it: UTC with milliseconds, which sorts as text (2026-11-22T10:00:00.123+0000)."""
    moment = when.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def shown(stamp: str) -> str:
    """Write a kept instant as an answer shows it: whole seconds (2026-11-22T10:00:00.000+0000)."""
    return stamp[:20] + "000+0000"


def read(text: str) -> datetime:
    """Read an instant in any form of ISO 8601 that Salesforce takes. Raises ValueError."""
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return when.astimezone(UTC)
