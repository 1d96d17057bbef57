"""Lay a table out as lines: in columns, and on a terminal that is too narrow the last of them below each row."""

import textwrap
from collections.abc import Sequence

_LEAST_FOLDED = 30
"""The room in which a column can be folded and still be read."""
_BETWEEN = 2
"""Blanks between two columns."""
_WIDEST = 4000
_NOTHING = ("", "-")


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[str]], terminal: int) -> list[str]:
    """Give the lines. Nothing is ever cut. `terminal`: its width; 0 when it is none, and each row is one line."""
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    whole = _together(widths) <= (terminal or _WIDEST)
    if whole or _together([*widths[:-1], _LEAST_FOLDED]) <= terminal:
        return _lines(columns, rows, _WIDEST if whole else terminal)
    beside = max([1, *(count for count in range(1, len(widths)) if _together(widths[:count]) <= terminal)])
    header, *first = _lines(columns[:beside], [row[:beside] for row in rows], _WIDEST)
    lines = [header]
    for line, row in zip(first, rows, strict=True):
        lines += [line, *_below(columns[beside:], row[beside:], terminal)]
    return lines


def _together(widths: Sequence[int]) -> int:
    return sum(widths) + (len(widths) - 1) * _BETWEEN


def _lines(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    from rich.console import Console  # loaded when used: it takes longer than most commands
    from rich.table import Table
    from rich.text import Text

    console = Console(width=width, highlight=False, soft_wrap=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, no_wrap=name != columns[-1] or width == _WIDEST, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]


def _below(columns: Sequence[str], cells: Sequence[str], terminal: int) -> list[str]:
    """Give the rest of a row, each cell behind its column's name."""
    indent = max(map(len, columns)) + 4
    return [
        line
        for name, cell in zip(columns, cells, strict=True)
        if cell not in _NOTHING
        for line in textwrap.wrap(
            cell,
            max(terminal, indent + _LEAST_FOLDED),
            initial_indent=f"  {name.lower()}".ljust(indent),
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]
