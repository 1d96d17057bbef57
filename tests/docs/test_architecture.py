"""ARCHITECTURE.md shows the house as it is."""

import re
from pathlib import Path

import pytest

from tests.support.house import PAGE, ROOT, first_sentence, page_with_house

SOURCES = sorted((ROOT / "relay").rglob("*.py"))


def test_the_map_is_current() -> None:
    """The tables of files in ARCHITECTURE.md are what `make docs` prints."""
    assert PAGE.read_text() == page_with_house(PAGE.read_text())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_each_file_opens_with_a_sentence_and_stays_short(path: Path) -> None:
    """Every file says what it is for, and none is over 400 lines."""
    assert first_sentence(path)
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize(
    "page", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")], ids=lambda path: path.name
)
def test_relative_links_resolve(page: Path) -> None:
    """Every relative link on a page leads to a file that is there."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
