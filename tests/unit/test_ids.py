"""Queue ids: read back as they were written, and nothing else taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import RelayError
from relay.ids import LARGEST, number_of, queue_id_of


@given(st.integers(0, LARGEST))
def test_a_queue_id_is_read_back(number: int) -> None:
    """In any case, since people type it."""
    queue_id = queue_id_of(number)
    assert number_of(queue_id) == number_of(queue_id.lower()) == number


def test_look_alikes_are_read_as_what_they_look_like() -> None:
    """Crockford: i and l are 1, o is 0."""
    assert number_of("3ol0000000i00") == number_of("3010000000100")


@pytest.mark.parametrize("word", ["presentations", "8000000000000", "ZZZZZZZZZZZZZ", "3000000000000u", "300000u000000", "300000U000000", "offer"])  # fmt: skip
def test_what_is_no_queue_id_is_told(word: str) -> None:
    """A word of 13 letters is one only when its number can be a message's."""
    with pytest.raises(RelayError, match="is not a queue id"):
        number_of(word)
