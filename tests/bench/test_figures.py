"""The statistics of a run, and the judgement of figures."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figures import Check, Figure, Spread, Verdict, quantile, ratios, spread

RATE = Figure("rate", 2.0, at_least=True)
CPU = Figure("CPU", 0.25, at_least=False)


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.25, 2.0), (0.5, 3.0), (0.9, 4.6), (1.0, 5.0)])
def test_quantiles_lie_between_neighbours(share: float, value: float) -> None:
    """A quantile is in proportion between the two values around it, whatever their order."""
    assert quantile([5, 3, 1, 2, 4], share) == pytest.approx(value)


def test_no_values_have_no_quantile() -> None:
    """Nothing measured is an error, not a zero."""
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


@given(st.lists(st.floats(0.001, 1e6), min_size=1))
def test_a_spread_is_in_order_and_within_the_values(values: list[float]) -> None:
    """Quartiles surround the median and none is outside of what was measured."""
    found = spread(values)
    bounds = [min(values), found.low, found.median, found.high, max(values)]
    assert all(before <= after * (1 + 1e-9) for before, after in pairwise(bounds))


def test_ratios_are_taken_within_a_round() -> None:
    """A machine that gets slower for both changes no ratio."""
    assert ratios([200, 20], [100, 10]) == Spread(2, 2, 2)


def test_ratios_need_as_many_rounds_of_both() -> None:
    """A round that one peer has not is an error."""
    with pytest.raises(ValueError):
        ratios([1, 2], [1])


@pytest.mark.parametrize(
    ("figure", "measured", "verdict"),
    [
        (RATE, Spread(1.9, 2.0, 2.1), Verdict.REACHED),
        (RATE, Spread(1.7, 1.9, 2.0), Verdict.WITHIN),
        (RATE, Spread(1.7, 1.8, 1.9), Verdict.MISSED),
        (CPU, Spread(0.2, 0.25, 0.3), Verdict.REACHED),
        (CPU, Spread(0.24, 0.26, 0.3), Verdict.WITHIN),
        (CPU, Spread(0.26, 0.27, 0.3), Verdict.MISSED),
    ],
)
def test_a_figure_is_missed_only_beyond_the_spread(
    figure: Figure, measured: Spread, verdict: Verdict
) -> None:
    """The median decides; where only the better quartile reaches the figure, the run does not decide."""
    assert Check(figure, measured).verdict is verdict


def test_figures_and_spreads_are_written_shortly() -> None:
    """A table has room for little."""
    assert (str(RATE), str(CPU), str(Figure("ready", 1, False, " s"))) == ("≥ 2x", "≤ 0.25x", "≤ 1 s")
    assert str(Spread(1, 2.5, 10)) == "2.50 (1.00-10.00)"
