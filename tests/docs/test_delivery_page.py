"""docs/delivery.md shows what answers mean as the code decides it."""

from pathlib import Path

from relay.config.model import RouteTimeouts
from relay.config.types import write_duration
from relay.delivery.classify import ANSWERS, LACKS, TROUBLES
from relay.delivery.happening import Kind, Lack
from relay.delivery.hop import Hop
from relay.delivery.reference import outcomes, page_with_outcomes

PAGE = Path(__file__).resolve().parents[2] / "docs" / "delivery.md"


def test_the_table_is_current() -> None:
    """`make docs` was run after the last change of the table."""
    page = PAGE.read_text("utf-8")
    assert page == page_with_outcomes(page)
    assert outcomes() in page


def test_every_rule_and_every_trouble_is_in_the_table() -> None:
    """No rule is hidden, and no kind of trouble is without a meaning."""
    assert set(TROUBLES) == set(Kind)
    assert set(LACKS) == set(Lack)
    assert outcomes().count("\n") == 2 + len(ANSWERS) + len(TROUBLES) + len(LACKS) + 2


def test_the_figures_are_those_of_the_code() -> None:
    """Time limits and the limits of a connection stand on the page as they are."""
    page = PAGE.read_text("utf-8")
    for name, span in RouteTimeouts():
        row = next(line for line in page.splitlines() if line.startswith(f"| `timeouts.{name}`"))
        assert row.endswith(f"| {write_duration(span)} |")
    hop = Hop("main", "smtp.example.com", 587, "starttls")
    assert f"{hop.timeouts.idle:.0f} seconds idle, or {hop.messages} messages" in page
