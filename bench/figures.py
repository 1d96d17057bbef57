"""The statistics of a run: medians with their spread, and whether a stated figure is reached. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with its quartiles."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


class Verdict(StrEnum):
    """How a measured spread stands to a figure."""

    REACHED = "reached"
    WITHIN = "within the spread"
    """The median misses the figure, a quarter of the rounds reach it: the run does not decide."""
    MISSED = "MISSED"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that was promised."""

    name: str
    limit: float
    at_least: bool
    unit: str = "x"

    def judge(self, measured: Spread) -> Verdict:
        """Tell whether the figure is reached by the median, by the better quartile, or not at all."""
        if self._holds(measured.median):
            return Verdict.REACHED
        return (
            Verdict.WITHIN
            if self._holds(measured.high if self.at_least else measured.low)
            else Verdict.MISSED
        )

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}{self.unit}"

    def _holds(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True, slots=True)
class Check:
    """A figure with what was measured."""

    figure: Figure
    measured: Spread

    @property
    def verdict(self) -> Verdict:
        """Tell how the two stand to each other."""
        return self.figure.judge(self.measured)


def quantile(values: Sequence[float], share: float) -> float:
    """Give the value that `share` of the values are not above, between neighbours in proportion.

    Raises ValueError when there are no values.
    """
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def spread(values: Sequence[float]) -> Spread:
    """Give the median and quartiles of some values."""
    return Spread(quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Give the spread of the ratios of what was measured in the same rounds.

    Machines get faster and slower between minutes; two measurements of one round saw the same machine.
    """
    return spread([own / other for own, other in zip(ours, theirs, strict=True)])
