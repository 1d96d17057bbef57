"""docs/queue.md shows the states as the store enforces them."""

from pathlib import Path

from relay.queue.model import TRANSITIONS, State
from relay.queue.reference import MEANINGS, page_with_tables, plays, states

PAGE = Path(__file__).resolve().parents[2] / "docs" / "queue.md"


def test_the_states_are_current() -> None:
    """`make docs` was run after the last change of the table of states."""
    assert PAGE.read_text("utf-8") == page_with_tables(PAGE.read_text("utf-8"))
    assert states() in PAGE.read_text("utf-8")
    assert plays() in PAGE.read_text("utf-8")


def test_every_state_and_every_step_is_drawn() -> None:
    """No state is without a meaning, no allowed step without an arrow."""
    assert set(MEANINGS) == set(State)
    for state, following in TRANSITIONS.items():
        assert f"| `{state}` |" in states()
        for after in following:
            assert f"    {state} --> {after}\n" in states()
