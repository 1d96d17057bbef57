"""What metrics are counted in: plain numbers, and how prometheus-client is told of them when somebody asks."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from prometheus_client import Metric


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric as the page shows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


class Number:
    """A counter or a gauge. Changed by one thread."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, count: float = 1) -> None:
        """Add to it."""
        self.value += count

    def dec(self) -> None:
        """Take one away."""
        self.value -= 1

    def set(self, value: float) -> None:
        """Make it this."""
        self.value = value


class Distribution:
    """How often values up to each bound were observed, and their sum. Changed by one thread."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Give how many values were no higher than each bound, as Prometheus has it."""
        names = [*map(str, self.bounds), "+Inf"]
        return list(zip(names, accumulate(self.counts), strict=True))


C = TypeVar("C", Number, Distribution)


class Family(dict[tuple[str, ...], C], Generic[C]):
    """What one metric counts, by the values of its labels; made when they are first met, then one look-up."""

    def __init__(self, declared: Declared, make: Callable[[], C]) -> None:
        super().__init__()
        self.declared = declared
        self._make: Callable[[], C] = make

    def __missing__(self, values: tuple[str, ...]) -> C:
        child = self[values] = self._make()
        return child


def collected(
    declared: Declared, children: Iterable[tuple[Sequence[str], Number | Distribution]]
) -> "Metric":
    """Make of one metric what prometheus-client writes."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    names = declared.labels
    if declared.kind == "histogram":
        found = HistogramMetricFamily(declared.name, declared.help, labels=names)
        for values, child in children:
            if isinstance(child, Distribution):
                found.add_metric(values, child.buckets(), child.sum)
        return found
    make = CounterMetricFamily if declared.kind == "counter" else GaugeMetricFamily
    numbers = make(declared.name, declared.help, labels=names)
    for values, child in children:
        if isinstance(child, Number):
            numbers.add_metric(values, child.value)
    return numbers
