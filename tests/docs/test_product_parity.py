"""docs/product-parity.md has a line for each documented row, with a test that exists."""

import re
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = _ROOT / "docs" / "product-parity.md"
_ROW = re.compile(r"^\| (\d+) \|(.*)\|$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/.-]+\.py)::(\w+)`")


def test_rows_1_to_41_are_there_once() -> None:
    """No row of logging, reminders, the command center and diagnostics is missing, and none stands twice."""
    numbers = [int(match[1]) for match in _ROW.finditer(_PAGE.read_text("utf-8"))]
    assert len(numbers) == len(set(numbers))
    assert set(range(1, 42)) <= set(numbers)


def test_each_row_names_tests_that_exist() -> None:
    """Every row names a test or states a deviation, and every named test is there."""
    for match in _ROW.finditer(_PAGE.read_text("utf-8")):
        tests = _TEST.findall(match[2])
        assert tests or "Deviation:" in match[2], match[0]
        for file, function in tests:
            assert f"def {function}(" in (_ROOT / file).read_text("utf-8"), (file, function)
