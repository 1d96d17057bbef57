"""What is read back from a row is what was written."""

from hypothesis import given
from hypothesis import strategies as st

from relay.address import Address
from relay.queue.rows import address, content_row, stored_content, text
from tests.support.builders import new_message

LOCAL = st.text(st.sampled_from('ab.@"\\ '), min_size=1, max_size=8)
DOMAIN = st.text(st.sampled_from("ab.-[]:å"), max_size=8)


@given(local=LOCAL, domain=DOMAIN)
def test_an_address_is_read_as_it_was(local: str, domain: str) -> None:
    """Also with an @ in a quoted local part; without a domain it is the bare Postmaster."""
    written = Address(local, domain)
    if domain or "@" not in local:
        assert address(str(written)) == written


@given(st.text(st.characters(codec=None)))
def test_text_can_always_be_stored(value: str) -> None:
    """Every string becomes one that UTF-8 can hold; what UTF-8 holds already stays as it is."""
    stored = text(value)
    stored.encode("utf-8")
    assert len(stored) == len(value)
    assert all(new == old or new == "?" for new, old in zip(stored, value, strict=True))


@given(st.lists(st.tuples(st.integers(0), st.integers(0)), max_size=3))
def test_ranges_left_out_are_read_as_they_were(ranges: list[tuple[int, int]]) -> None:
    """In their order, as tuples."""
    _, prefix, skips, name, wire = content_row(new_message(skips=tuple(ranges)))
    assert stored_content((prefix, skips, 1, wire, name)).skips == tuple(ranges)
