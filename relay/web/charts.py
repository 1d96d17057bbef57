"""Small charts as inline SVG, drawn on the server.

Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar in a field of 100 times 30."""

    x: float
    y: float
    width: float
    height: float
    value: int


def bars(values: Sequence[int]) -> tuple[Bar, ...]:
    """Lay out one bar for each value, the largest as high as the field; a value above nothing is never invisible."""
    most, step = max(values, default=0), 100 / max(len(values), 1)
    laid = []
    for number, value in enumerate(values):
        height = max(30 * value / most, 0.8) if value and most else 0.0
        laid.append(
            Bar(
                round(number * step + step * 0.1, 2),
                round(30 - height, 2),
                round(step * 0.8, 2),
                round(height, 2),
                value,
            )
        )
    return tuple(laid)
