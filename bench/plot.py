"""Draws the ratios of a run as a picture in SVG, readable on light and dark pages. Pure."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from bench.sections import Bar

_ROW, _LEFT, _WIDTH, _TOP, _RIGHT = 34, 330, 440, 52, 70
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 15px }
  .bar { fill: #2f6fb5 }
  .spread { stroke: #24292f; stroke-width: 1.5 }
  .figure { stroke: #c4302b; stroke-width: 2; stroke-dasharray: 4 3 }
  .one { stroke: #8c959f; stroke-width: 1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .bar { fill: #4c8fd6 } .spread { stroke: #e6edf3 } .figure { stroke: #ff7b72 }
  }
"""


def draw(title: str, bars: Sequence[Bar]) -> str:
    """Draw one bar for each ratio; a line shows 1x, a dashed one the figure, a thin one the quartiles."""
    most = max([1.0, *(max(bar.high, bar.figure) for bar in bars)]) * 1.05
    height = _TOP + _ROW * len(bars) + 30
    width = _LEFT + _WIDTH + _RIGHT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{_attribute(title)}">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="12" y="24">{escape(title)}</text>',
    ]
    for number, bar in enumerate(bars):
        lines += _bar(bar, _TOP + _ROW * number, most)
    one, bottom = _x(1.0, most), height - 24
    lines.append(f'<line class="one" x1="{one}" x2="{one}" y1="{_TOP - 8}" y2="{bottom}"/>')
    lines.append(f'<text x="{one}" y="{bottom + 16}" text-anchor="middle">Postfix = 1</text>')
    lines.append("</svg>\n")
    return "\n".join(lines)


def _bar(bar: Bar, top: int, most: float) -> list[str]:
    middle = top + 10
    end = _x(bar.median, most)
    lines = [
        f'<text x="{_LEFT - 10}" y="{middle + 4}" text-anchor="end">{escape(bar.label)}</text>',
        f'<rect class="bar" x="{_LEFT}" y="{top}" width="{round(end - _LEFT, 1)}" height="20"/>',
        f'<line class="spread" x1="{_x(bar.low, most)}" x2="{_x(bar.high, most)}" y1="{middle}" y2="{middle}"/>',
    ]
    if bar.figure:
        at = _x(bar.figure, most)
        lines.append(f'<line class="figure" x1="{at}" x2="{at}" y1="{top - 4}" y2="{top + 24}"/>')
    behind = max(end, _x(bar.high, most), _x(bar.figure, most)) + 8
    lines.append(f'<text x="{behind}" y="{middle + 4}">{bar.median:.2f}x</text>')
    return lines


def _x(value: float, most: float) -> float:
    return round(_LEFT + _WIDTH * value / most, 1)


def _attribute(text: str) -> str:
    return escape(text, {'"': "&quot;"})
