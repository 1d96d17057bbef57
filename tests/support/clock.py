"""A clock that tests turn by hand."""


class FakeClock:
    """Tells the time it was set to; `advance` moves both the instant and the monotonic clock."""

    def __init__(self, now: int = 1_790_000_000_000_000, chance: float = 0.5) -> None:
        self.instant = now
        self.seconds = 1000.0
        self.chances = chance

    def now(self) -> int:
        """Give the instant it was set to."""
        return self.instant

    def monotonic(self) -> float:
        """Give the seconds it was set to."""
        return self.seconds

    def chance(self) -> float:
        """Give the chance it was set to."""
        return self.chances

    def advance(self, seconds: float) -> None:
        """Move both clocks on."""
        self.instant += round(seconds * 1_000_000)
        self.seconds += seconds
