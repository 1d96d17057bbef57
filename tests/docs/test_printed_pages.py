"""The pages that are printed from the code are as the code prints them now."""

from pathlib import Path

import pytest

from relay import metrics
from relay.maillog import reference

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize(
    ("name", "printed"), [("metrics.md", metrics.page()), ("events.md", reference.page())]
)
def test_the_page_is_current(name: str, printed: str) -> None:
    """`make docs` was run after the last change of a metric or an event."""
    assert (DOCS / name).read_text() == printed


def test_every_event_is_described() -> None:
    """Each event says in a sentence what happened."""
    for kind in reference.all_events():
        assert kind.__doc__
        assert kind.__doc__.strip().endswith("."), kind
