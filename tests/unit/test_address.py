"""relay.address: the strict grammar, and when two addresses are one."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from relay.address import (
    Address,
    ascii_domain,
    comparable,
    comparable_any_case,
    is_plain_ascii,
    is_qualified,
    parse_literal,
    parse_mailbox,
    same_mailbox,
    without_plus,
)
from relay.errors import AddressError, NonAsciiAddress

GOOD = [
    "a@b",
    "ana@example.com",
    "Ana.Andersson@Example.COM",
    "!#$%&'*+-/=?^_`{|}~@example.com",
    "v%ext@ours.example",
    "ext!v@ours.example",
    "v@localhost",
    "a@1.example",
    "a@x--y.example",
    "a@xn--bcher-kva.example",
    "v@[192.0.2.1]",
    "v%ext@[192.0.2.1]",
    "v@[IPv6:2001:db8::1]",
    "v@[ipv6:::ffff:192.0.2.1]",
    '"v@ext"@ours.example',
    '"v%ext"@ours.example',
    '"a b"@example.com',
    r'"a\"b\\c"@example.com',
    '""@example.com',
    f"{'l' * 64}@example.com",
    f"a@{'d' * 63}.example",
    f"{'l' * 64}@{'d' * 61}.{'e' * 63}.{'f' * 63}",
]

# smtp.md S1 and S7: forms that open relays and injections are made of.
BAD = [
    "",
    "@",
    "spam",
    "v%ext",
    "ext!v",
    '"v@ext"',
    '"v%ext"',
    "v@",
    "@ext.example",
    "v@ext@ours.example",
    "v@ext@[192.0.2.1]",
    "@ours.example:v@ext.example",
    "@ours.example,@x.example:v@ext.example",
    "v@ext.",
    "v@.ext",
    "v@a..b",
    ".v@ext",
    "v.@ext",
    "a..b@ext",
    "a b@ext",
    "a@b c",
    "a@-b.example",
    "a@b-.example",
    "a@b_c.example",
    "a@b/c",
    "a,b@ext",
    "a(b)@ext",
    "a<b@ext",
    "<a@ext>",
    "a@ext>",
    "a@ext SIZE=1",
    "a\\b@ext",
    '"a"b@ext',
    'a"b"@ext',
    '"a@ext',
    '"a\\"@ext',
    'a"@ext',
    '"a""b"@ext',
    "a@[192.0.2.256]",
    "a@[192.0.2]",
    "a@[192.0.2.01]",
    "a@[1.2.3.4",
    "a@1.2.3.4]",
    "a@[]",
    "a@[x:y]",
    "a@[IPv6:1.2.3.4]",
    "a@[IPv6:fe80::1%eth0]",
    "a@[2001:db8::1]",
    f"{'l' * 65}@example.com",
    f"a@{'d' * 64}.example",
    f"{'l' * 64}@{'d' * 62}.{'e' * 63}.{'f' * 63}",
    f"a@{'d.' * 150}example",
]
CONTROLS = [*(chr(octet) for octet in range(32)), "\x7f"]


@pytest.mark.parametrize("text", GOOD)
def test_takes_every_form_of_the_grammar(text: str) -> None:
    """Each form of RFC 5321 §4.1.2 is read, and printed as it was written."""
    assert str(parse_mailbox(text)) == text


@pytest.mark.parametrize("smtputf8", [False, True])
@pytest.mark.parametrize("text", BAD)
def test_refuses_everything_else(text: str, smtputf8: bool) -> None:
    """What the grammar does not have is refused, with SMTPUTF8 and without."""
    with pytest.raises(AddressError):
        parse_mailbox(text, smtputf8=smtputf8)


@pytest.mark.parametrize("control", CONTROLS, ids=repr)
@pytest.mark.parametrize(
    "form", ["a{}b@ext.example", "a@ext{}.example", '"a{}b"@ext.example', "a@ext.example{}", "{}a@ext"]
)
def test_no_control_octet_anywhere(form: str, control: str) -> None:
    """No control character stands in an address, quoted or not: CR and LF would inject a command."""
    with pytest.raises(AddressError):
        parse_mailbox(form.format(control), smtputf8=True)


@pytest.mark.parametrize(
    "text", ["jörg@example.com", "ana@bücher.example", '"jörg b"@example.com', "δ@παράδειγμα.example"]
)
def test_utf8_only_under_smtputf8(text: str) -> None:
    """UTF-8 is read under SMTPUTF8, and told apart from nonsense without it (550 or 553 5.6.7)."""
    assert str(parse_mailbox(text, smtputf8=True)) == text
    with pytest.raises(NonAsciiAddress):
        parse_mailbox(text)


@pytest.mark.parametrize(
    "text",
    [
        "j\udcf6rg@example.com",  # octets that were no UTF-8
        "j\x85rg@example.com",
        "j\u202erg@example.com",
        "j\u2028@example.com",
        "j\u00a0@example.com",
        "\u212aim@example.com",  # the Kelvin sign, whose normal form is K
        "ana@\uff45xample.com",  # full-width letters are no U-label
        "ana@a\u3002example",
        "ana@☃.example",
        "ana@-ü.example",
        f"ana@{'ü' * 64}.example",
        f"{'ü' * 33}@example.com",  # 66 octets
        f"a@{'.'.join(['ü' * 20] * 6)}.example",
    ],
)
def test_refuses_under_smtputf8(text: str) -> None:
    """Undecodable octets, separators, marks of direction and domains outside IDNA2008 are refused."""
    with pytest.raises(AddressError) as caught:
        parse_mailbox(text, smtputf8=True)
    assert not isinstance(caught.value, NonAsciiAddress)


def test_a_domain_too_long_as_a_labels() -> None:
    """A domain that only grows too long as A-labels is refused."""
    with pytest.raises(AddressError):
        ascii_domain(".".join(["ü" * 30] * 7))
    with pytest.raises(AddressError):
        ascii_domain("d." * 128 + "example")


def test_reads_literals() -> None:
    """Address literals give the address they name."""
    assert parse_literal("[192.0.2.1]") == IPv4Address("192.0.2.1")
    assert parse_literal("[IPv6:2001:DB8::1]") == IPv6Address("2001:db8::1")
    with pytest.raises(AddressError):
        parse_literal("192.0.2.1")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ana@example.com", "ana@EXAMPLE.com", True),
        ("ana@example.com", "Ana@example.com", False),
        ('"ana"@example.com', "ana@example.com", True),
        (r'"a\na"@example.com', "ana@example.com", True),
        ('"a b"@example.com', r'"a\ b"@example.com', True),
        ('"a\\"b"@example.com', '"ab"@example.com', False),
        ("ana@bücher.example", "ana@XN--bcher-KVA.example", True),
        ("ana@BÜCHER.example", "ana@bücher.example", True),
        ("ana@bu\u0308cher.example", "ana@bücher.example", True),
        ("jo\u0308rg@example.com", "jörg@example.com", True),
        ("ana@example.com", "\u0430na@example.com", False),  # Cyrillic
        ("ana@example.com", "ana@ex\u0430mple.com", False),
        ("a@[IPv6:2001:db8::1]", "a@[ipv6:2001:DB8:0::1]", True),
        ("a@[192.0.2.1]", "a@[192.0.2.2]", False),
        ("ana+x@example.com", "ana@example.com", False),
    ],
)
def test_same_mailbox(one: str, other: str, same: bool) -> None:
    """Domains compare without case and as A-labels, local parts in their exact case, whatever their quoting."""
    first, second = parse_mailbox(one, smtputf8=True), parse_mailbox(other, smtputf8=True)
    assert same_mailbox(first, second) is same
    assert (comparable(first) == comparable(second)) is same


def test_comparing_people_ignores_ascii_case_alone() -> None:
    """For rules about people Ana@ is ana@, but Ö is no ö."""

    def form(text: str) -> str:
        return comparable_any_case(parse_mailbox(text, smtputf8=True))

    assert form("Ana.A@Example.com") == "ana.a@example.com"
    assert form("Ö@example.com") != form("ö@example.com")
    assert form("AÖ@example.com") == form("aÖ@example.com")


def test_without_plus() -> None:
    """Only an unquoted name before a plus is cut."""
    assert without_plus(Address("ana+crm+x", "e.example")) == Address("ana", "e.example")
    for local in ("ana", "+ana", '"a+b"'):
        assert without_plus(Address(local, "e.example")) == Address(local, "e.example")


def test_says_what_an_address_needs() -> None:
    """Whether SMTPUTF8 is needed and whether the domain is qualified can be asked."""
    assert is_plain_ascii(Address("ana", "example.com"))
    assert not is_plain_ascii(Address("ana", "bücher.example"))
    assert is_qualified(Address("ana", "example.com"))
    assert is_qualified(Address("ana", "[192.0.2.1]"))
    assert not is_qualified(Address("ana", "localhost"))
    assert str(Address("Postmaster", "")) == "Postmaster"
    assert comparable_any_case(Address("Postmaster", "")) == "postmaster@"
