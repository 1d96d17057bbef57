"""What the check of the settings says of reminders."""

from pathlib import Path

from tests.support.settings import GOOD, told


def test_two_way_needs_salesforce(tmp_path: Path) -> None:
    """A switch that does nothing is warned of, where it stands."""
    lines = told(tmp_path, GOOD + "reminders: {sync: two_way}\n")
    assert any("reminders.sync: two_way does nothing without salesforce:" in line for line in lines), lines


def test_a_reps_own_switch_is_warned_of_too(tmp_path: Path) -> None:
    """The rep's own setting is named by its own place; off is never warned of."""
    lines = told(tmp_path, GOOD + "    reminders: {sync: two_way}\n")
    assert any("users.0.reminders.sync" in line for line in lines), lines
    assert not [line for line in told(tmp_path, GOOD + "reminders: {sync: off}\n") if "reminders" in line]
