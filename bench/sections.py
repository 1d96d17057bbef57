"""What a part of the run has to tell: a table, the figures it checks, and bars for the plot. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.figures import Check, Verdict


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the plot: a ratio with its spread, and the figure it should reach."""

    label: str
    low: float
    median: float
    high: float
    figure: float


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the page."""

    title: str
    text: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    checks: Sequence[Check] = ()
    bars: Sequence[Bar] = ()

    @property
    def missed(self) -> list[Check]:
        """Give the figures that are missed by more than the spread."""
        return [check for check in self.checks if check.verdict is Verdict.MISSED]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table; the first column is text, the others are numbers."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def plain(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table for the terminal."""
    lines = [list(columns), *map(list, rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(columns))]
    return "".join(
        "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        + "\n"
        for line in lines
    )


def markdown(sections: Sequence[Section]) -> str:
    """Write the tables of a run, and at the end the figures."""
    parts = [f"### {one.title}\n\n{one.text}\n\n{table(one.columns, one.rows)}" for one in sections]
    checks = [check for one in sections for check in one.checks]
    if checks:
        parts.append(f"### Figures\n\n{table(FIGURE_COLUMNS, figure_rows(checks))}")
    return "\n".join(parts)


FIGURE_COLUMNS = ("figure", "stated", "measured: median (quartiles)", "")


def figure_rows(checks: Sequence[Check]) -> list[list[str]]:
    """Give one row for each figure."""
    return [
        [check.figure.name, str(check.figure), str(check.measured), check.verdict.value] for check in checks
    ]
