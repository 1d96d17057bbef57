"""Properties of addresses: what is printed reads back, and nothing dangerous ever gets in."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from relay.address import Address, comparable, comparable_any_case, parse_mailbox, same_mailbox
from relay.errors import AddressError

_ATEXT = "abcxyzABCXYZ0189!#$%&'*+-/=?^_`{|}~"
_LETTERS = "abcxyzABCXYZ0189"
_dot_strings = st.lists(st.text(_ATEXT, min_size=1, max_size=10), min_size=1, max_size=4).map(".".join)
_quoted = st.lists(
    st.sampled_from([" ", "@", "a", ".", "<", ">", ",", '\\"', "\\\\", "\\a", "!"]), max_size=20
).map(lambda parts: f'"{"".join(parts)}"')
_labels = st.text(_LETTERS, min_size=1, max_size=20)
_domains = st.lists(_labels, min_size=1, max_size=5).map(".".join)
_literals = st.one_of(
    st.ip_addresses(v=4).map(lambda ip: f"[{ip}]"), st.ip_addresses(v=6).map(lambda ip: f"[IPv6:{ip}]")
)
addresses = st.builds(Address, st.one_of(_dot_strings, _quoted), st.one_of(_domains, _literals))


@given(addresses)
def test_what_is_printed_reads_back(address: Address) -> None:
    """parse(print(address)) is the address, with SMTPUTF8 and without."""
    assert parse_mailbox(str(address)) == address
    assert parse_mailbox(str(address), smtputf8=True) == address


@given(addresses)
def test_an_address_is_itself(address: Address) -> None:
    """Equality of mailboxes ignores the domain's case, and case at all when people are compared."""
    shouted = Address(address.local, address.domain.upper())
    assert same_mailbox(address, shouted)
    louder = Address(address.local.upper(), shouted.domain)
    assert comparable_any_case(louder) == comparable_any_case(address)


@given(st.one_of(st.text(max_size=40), st.text('ab@."\\[]:<>% \r\n\x00é\u202eKß', max_size=20)))
def test_whatever_is_accepted_is_safe(text: str) -> None:
    """Any text is read or refused with AddressError; what is read has no control, and compares with itself."""
    try:
        address = parse_mailbox(text, smtputf8=True)
    except AddressError:
        return
    assert str(address) == text
    assert all(unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") for c in text)
    assert comparable(address) == comparable(parse_mailbox(text, smtputf8=True))
    assert text.isascii() or not _reads_plain(text)


def _reads_plain(text: str) -> bool:
    try:
        parse_mailbox(text)
    except AddressError:
        return False
    return True
