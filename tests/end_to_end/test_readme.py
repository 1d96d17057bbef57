"""The README's tour and its demonstration print what the README says."""

import difflib

import pytest

from tests.support.tour import PAGE, blocks_of, normal, played


@pytest.mark.timeout(600)  # on a starved machine both take minutes
@pytest.mark.peer("swaks", "curl")
def test_the_readme_shows_what_really_happens() -> None:
    """Every block of output is what the commands above it print today, numbers and names of the day apart."""
    shown, real = blocks_of(PAGE.read_text("utf-8")), played()
    assert shown.keys() == real.keys()
    for name, text in real.items():
        wanted, given = normal(shown[name]).splitlines(), normal(text).splitlines()
        assert wanted == given, f"{name}:\n" + "\n".join(difflib.unified_diff(wanted, given, lineterm=""))
