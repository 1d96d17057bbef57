"""The tables, the picture and the page that a run writes."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.figures import Check, Figure, Spread
from bench.page import BEGIN, END, with_measured
from bench.plot import draw
from bench.sections import Bar, Section, markdown, plain, table
from bench.workloads import WORKLOADS

MISSED = Check(Figure("few: messages/s", 2.0, at_least=True), Spread(1.0, 1.1, 1.2))
REACHED = Check(Figure("few: CPU", 0.5, at_least=False), Spread(0.2, 0.3, 0.4))
SECTION = Section(
    "Rates", "All of them.", ("", "msg/s"), [["few", "10"], ["many", "2000"]], [MISSED, REACHED]
)
SVG = "{http://www.w3.org/2000/svg}"


def test_a_table_aligns_numbers_to_the_right() -> None:
    """The first column is text, the others are numbers."""
    assert table(("", "msg/s"), [["few", "10"]]) == "|  | msg/s |\n| --- | ---: |\n| few | 10 |\n"


def test_a_plain_table_has_columns_of_one_width() -> None:
    """The terminal shows the same table without Markdown."""
    assert (
        plain(("", "msg/s"), [["few", "10"], ["many", "2000"]]) == "      msg/s\nfew      10\nmany   2000\n"
    )


def test_the_page_ends_with_the_figures_of_all_sections() -> None:
    """Each figure is shown with what was measured and whether that is enough."""
    text = markdown([SECTION])
    assert text.startswith("### Rates\n\nAll of them.\n\n|  | msg/s |")
    assert "| few: messages/s | ≥ 2x | 1.10 (1.00-1.20) | MISSED |\n| few: CPU | ≤ 0.5x |" in text


def test_a_section_names_the_figures_it_misses() -> None:
    """The exit code comes from these."""
    assert SECTION.missed == [MISSED]


def test_what_was_written_by_hand_is_kept() -> None:
    """Only what stands between the markers is replaced, and again by the next run."""
    page = f"# Title\n\nby hand\n\n{BEGIN}\nold\n{END}\nalso by hand\n"
    once = with_measured(page, "new\n")
    assert once == f"# Title\n\nby hand\n\n{BEGIN}\nnew\n\n{END}\nalso by hand\n"
    assert with_measured(once, "new") == once


@pytest.mark.parametrize("page", ["", BEGIN, END, f"{END}{BEGIN}"])
def test_a_page_without_markers_is_left_alone(page: str) -> None:
    """Nothing is written where it does not belong."""
    with pytest.raises(ValueError, match="markers"):
        with_measured(page, "new")


def test_the_page_of_the_project_has_its_markers() -> None:
    """`make bench` can write into docs/performance.md."""
    page = Path(__file__).parents[2] / "docs" / "performance.md"
    assert "\nnew\n" in with_measured(page.read_text(), "new")


def test_the_picture_has_a_bar_a_spread_and_a_figure_for_each_ratio() -> None:
    """It is well-formed, and bars are as long as their ratios."""
    picture = ElementTree.fromstring(
        draw("Rates <&>", [Bar("few", 0.9, 1.0, 1.1, 2.0), Bar("many", 3, 4, 5, 0)])
    )
    widths = [float(bar.get("width", "0")) for bar in picture.iter(f"{SVG}rect")]
    assert widths[1] == pytest.approx(widths[0] * 4, abs=1)
    kinds = [line.get("class") for line in picture.iter(f"{SVG}line")]
    assert (kinds.count("spread"), kinds.count("figure"), kinds.count("one")) == (2, 1, 1)
    assert [text.text for text in picture.iter(f"{SVG}text")][:2] == ["Rates <&>", "few"]


def test_a_picture_without_bars_is_still_a_picture() -> None:
    """No workload is no reason to fail."""
    assert ElementTree.fromstring(draw("nothing", [])).tag == f"{SVG}svg"


def test_a_shorter_workload_still_has_a_message_for_each_session() -> None:
    """A quick run loads all sessions."""
    assert all(load.shorter(0.0001).messages == load.sessions for load in WORKLOADS)
