"""docs/standards.md accounts for every line of the standards that we hold ourselves to."""

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = _ROOT / "docs" / "standards.md"

_COUNTS = {
    "5321": 55,
    "6409": 15,
    "4954": 12,
    "3207": 6,
    "8314": 5,
    "7817": 1,
    "1870": 5,
    "2920": 5,
    "6152": 2,
    "3030": 3,
    "6531": 7,
    "6532": 1,
    "2034": 1,
    "3463": 1,
    "9422": 1,
    "8689": 1,
    "3461": 9,
    "3464": 3,
    "6533": 1,
    "3834": 1,
}
"""RFC -> how many lines we draw from it."""
_ATTACKS = [f"S{number}" for number in range(1, 19)]
_LATER = ("S5", "S8", "S9", "S10", "S14", "S16", "S17")
"""Attacks whose tests may still be to come."""

_ROW = re.compile(r"^\| (\d{4}-\d+|S\d+) \|(.*)\|$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/.-]+\.(?:py|txt))(?:::(\w+))?`")


def _rows() -> list[tuple[str, list[str]]]:
    text = _PAGE.read_text("utf-8")
    return [(match[1], [cell.strip() for cell in match[2].split(" | ")]) for match in _ROW.finditer(text)]


def test_every_line_is_there_once() -> None:
    """No line is missing, and none stands twice."""
    wanted = [f"{rfc}-{number}" for rfc, count in _COUNTS.items() for number in range(1, count + 1)]
    assert sorted(name for name, _ in _rows()) == sorted([*wanted, *_ATTACKS])


@pytest.mark.parametrize(("name", "cells"), _rows(), ids=[name for name, _ in _rows()])
def test_each_line_names_a_test_or_a_deviation(name: str, cells: list[str]) -> None:
    """The last cell names tests that exist, or says what we do otherwise."""
    shown = cells[-1]
    tests = _TEST.findall(shown)
    assert tests or shown.startswith("Deviation:") or name in _LATER, name
    for file, function in tests:
        path = _ROOT / file
        assert path.is_file(), f"{name}: there is no {file}"
        assert not function or re.search(rf"\bdef {function}\(", path.read_text("utf-8")), (
            f"{name}: no {function} in {file}"
        )
