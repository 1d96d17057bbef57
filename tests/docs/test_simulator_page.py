"""docs/simulator.md names everything that can be set about the simulated Salesforce."""

import dataclasses
from pathlib import Path

import pytest

from relay.demo.salesforce.faults import Action
from relay.demo.salesforce.schema import schema_of
from relay.demo.salesforce.toggles import Toggles

_PAGE = (Path(__file__).resolve().parents[2] / "docs" / "simulator.md").read_text()
_NAMES = [*(field.name for field in dataclasses.fields(Toggles)), *(action.value for action in Action)]


@pytest.mark.parametrize("name", _NAMES)
def test_every_toggle_and_fault_is_on_the_page(name: str) -> None:
    """Who reads the page knows all of them."""
    assert f"`{name}`" in _PAGE


def test_every_object_is_on_the_page() -> None:
    """What can be queried and written is listed."""
    toggles = Toggles(shared_activities=True)
    assert [one.name for one in schema_of(toggles).objects.values() if one.name not in _PAGE] == []
