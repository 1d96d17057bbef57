"""Selections become SQL conditions that mean exactly what was asked for."""

import re

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.delivery_kind import Role
from relay.ids import DeliveryId, QueueId
from relay.queue.model import FINAL, State
from relay.queue.selection import OPEN, Selection, escaped, like, where

TEXT = st.text(st.sampled_from("aB%_\\*?'."), max_size=8)


def matches(pattern: str, text: str) -> bool:
    """Ask SQLite."""
    connection = apsw.Connection(":memory:")
    found = connection.execute("SELECT lower(?) LIKE lower(?) ESCAPE '\\'", (text, pattern)).fetchall()
    connection.close()
    return bool(found[0][0])


@given(glob=TEXT, text=TEXT)
def test_a_glob_means_what_a_glob_means(glob: str, text: str) -> None:
    """`*` is any text and `?` one character; all else stands for itself, whatever its case."""
    reference = re.escape(glob).replace(r"\*", ".*").replace(r"\?", ".")
    assert matches(like(glob), text) == bool(re.fullmatch(reference, text, re.IGNORECASE | re.DOTALL))


@given(part=TEXT, text=TEXT)
def test_escaped_text_stands_for_itself(part: str, text: str) -> None:
    """Between two `%` it finds exactly the texts that contain it."""
    assert matches(f"%{escaped(part)}%", text) == (part.lower() in text.lower())


def test_open_states_are_those_that_are_not_final() -> None:
    """Together they are all states."""
    assert set(OPEN) == set(State) - FINAL


@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection(ids=(DeliveryId(1), DeliveryId(2)), message=QueueId("0000000000001")),
        Selection(sender="*", recipient="*", older_than=0, reason="", role=Role.RECORD, states=tuple(State)),
    ],
)
def test_every_value_has_its_mark(selection: Selection) -> None:
    """As many values as question marks: nothing that was typed stands in the SQL itself."""
    sql, values = where(selection, tuple(State))
    assert sql.count("?") == len(values)


def test_only_a_queue_of_open_states_walks_the_queue() -> None:
    """Asking for a final state looks at the history, too."""
    assert "closed_at IS NULL" in where(Selection(), OPEN)[0]
    assert "closed_at IS NULL" not in where(Selection(states=(State.SENT,)), tuple(State))[0]
    assert "IN (NULL)" in where(Selection(states=(State.SENT,)), OPEN)[0]
