"""Tests for relay.cli.table: how a table is laid out, wide, narrow, and where there is no terminal."""

import pytest

from relay.cli.table import table_lines

COLUMNS = ("MESSAGE", "STATE", "SUBJECT", "REASON")
LONG = "Nobody in Salesforce has any of the addresses; it is matched again in an hour"
ROWS = [
    ["01HQ8Z5W6K3RT", "held", "The offer for the new turbine hall", LONG],
    ["01HQ8Z5W6K3RV", "sent", "Hello", ""],
]


def lines(terminal: int) -> list[str]:
    """Give the table as it is laid out for a terminal."""
    return table_lines(COLUMNS, ROWS, terminal)


def test_without_a_terminal_each_row_is_one_line():
    """So that grep and awk find what belongs together."""
    header, first, second = lines(0)
    assert header.split() == list(COLUMNS)
    assert first == f"01HQ8Z5W6K3RT  held   The offer for the new turbine hall  {LONG}"
    assert second == "01HQ8Z5W6K3RV  sent   Hello"


def test_a_wide_terminal_shows_the_same():
    """There is room for all of it."""
    assert lines(200) == lines(0)


def test_the_last_column_is_folded_where_that_is_enough():
    """It keeps its place, and goes on below itself."""
    shown = lines(100)
    assert [line[:20].strip() for line in shown] == [
        "MESSAGE        STATE",
        "01HQ8Z5W6K3RT  held",
        *[""] * (len(shown) - 3),
        "01HQ8Z5W6K3RV  sent",
    ]
    assert len(shown) > 3


@pytest.mark.parametrize("width", [80, 60, 40, 20, 5])
def test_what_has_no_room_stands_below_its_row(width):
    """No line is longer than the terminal, unless it is one that nothing can shorten; every word is there."""
    shown = lines(width)
    assert all(len(line) <= max(width, 41) for line in shown)
    words = " ".join(" ".join(line.split()) for line in shown)
    assert " ".join(LONG.split()) in words.replace("reason ", "")
    assert any(line.startswith("  reason  ") for line in shown)


def test_a_cell_that_says_nothing_takes_no_line():
    """A row without a reason has none below it."""
    assert lines(60)[-1].startswith("01HQ8Z5W6K3RV")


def test_a_table_without_rows_is_its_header():
    """Nothing waits."""
    assert table_lines(COLUMNS, [], 80) == ["MESSAGE  STATE  SUBJECT  REASON"]


def test_an_address_is_not_broken():
    """A word that is longer than the terminal stays one, to be copied."""
    address = "a-very-long-name-indeed@and-a-domain-that-goes-on-and-on.example"
    assert any(address in line for line in table_lines(("ID", "TO", "WHY"), [["1", address, LONG]], 40))
