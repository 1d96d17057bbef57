"""Ids of the simulator are made and read as Salesforce's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.demo.salesforce.ids import made, suffix, whole


def test_the_suffix_is_salesforces() -> None:
    """A known pair of a short and a long id."""
    assert suffix("0015000000Gv7qJ") == "AAR"


@given(st.integers(min_value=0, max_value=62**11))
def test_an_id_survives_losing_its_case(number: int) -> None:
    """The suffix brings the case back; the short form becomes the long one."""
    record = made("00T", number)
    assert len(record) == 18
    assert whole(record) == record
    assert whole(record[:15]) == record
    assert whole(record.lower()) == record
    assert whole(record.upper()) == record


@pytest.mark.parametrize(
    "text", ["", "Kim", "00T00000000001", "00T000000000001A", "00T00000000000é", "00T00000000000-AAA"]
)
def test_what_cannot_be_an_id_is_none(text: str) -> None:
    """Of another length, or with other characters."""
    assert whole(text) is None
