"""relay.mailboxes: whom a From field names, and which tricks it must not fall for (smtp.md S12)."""

import pytest

from relay.mailboxes import GROUP, HIDDEN, NO_ADDRESS, ROUTE, UNREADABLE, read_mailbox_list

READABLE = [
    (b"ana@ours.example", ["ana@ours.example"]),
    (b"<ana@ours.example>", ["ana@ours.example"]),
    (b"Ana Andersson <ana@ours.example>", ["ana@ours.example"]),
    (b"Ana Andersson<ana@ours.example>", ["ana@ours.example"]),
    (b'"Andersson, Ana" <ana@ours.example>', ["ana@ours.example"]),
    (b'"Ana \\"the \\\\ seller\\"" <ana@ours.example>', ["ana@ours.example"]),
    (b"Ana Q. Andersson <ana@ours.example>", ["ana@ours.example"]),
    (b"ana@ours.example (Ana Andersson)", ["ana@ours.example"]),
    (b"(sales) Ana (the (best) one \\)) <ana@ours.example> (x)", ["ana@ours.example"]),
    (b"=?utf-8?q?J=C3=B6rg?= <ana@ours.example>", ["ana@ours.example"]),
    (b"=?utf-8?q?Smith=2C_John?= <ana@ours.example>", ["ana@ours.example"]),
    (b"=?utf-8?q?ana=40ours.example?= <ana@ours.example>", ["ana@ours.example"]),
    ("Jörg <ana@ours.example>".encode(), ["ana@ours.example"]),
    ("jörg@bücher.example".encode(), ["jörg@bücher.example"]),
    (b"J\xf6rg <ana@ours.example>", ["ana@ours.example"]),
    (b'"J\xf6rg" <ana@ours.example>', ["ana@ours.example"]),
    (b'"a b"@ours.example', ['"a b"@ours.example']),
    (b"Ana <ana@[192.0.2.1]>", ["ana@[192.0.2.1]"]),
    (b"ana@ours.example, Bo <bo@ours.example>", ["ana@ours.example", "bo@ours.example"]),
    (b"ana@ours.example\t,\tbo@ours.example", ["ana@ours.example", "bo@ours.example"]),
    # The address is the one in angle brackets, whatever the name says.
    (b'"ceo@ours.example" <x@evil.example>', ["x@evil.example"]),
    (b'"ceo@ours.example, <ceo@ours.example>" <x@evil.example>', ["x@evil.example"]),
    (b'"\\" <ceo@ours.example>" <x@evil.example>', ["x@evil.example"]),
    (b"(<ceo@ours.example>) x@evil.example", ["x@evil.example"]),
    (b"(\\) ceo@ours.example) x@evil.example", ["x@evil.example"]),
    # An address where a display name should be counts as well.
    (b"ceo@ours.example <x@evil.example>", ["ceo@ours.example", "x@evil.example"]),
]

UNCLEAR = [
    (b"", NO_ADDRESS),
    (b" ", NO_ADDRESS),
    (b"<>", NO_ADDRESS),
    (b"Ana <>", NO_ADDRESS),
    (b"(ana@ours.example)", NO_ADDRESS),
    (b"ana@ours.example,", NO_ADDRESS),
    (b",ana@ours.example", NO_ADDRESS),
    (b"ana@ours.example,,bo@ours.example", NO_ADDRESS),
    (b"undisclosed-recipients:;", GROUP),
    (b"Team: ana@ours.example, x@evil.example;", GROUP),
    (b"Team: ana@ours.example", GROUP),
    (b"ana@ours.example; x@evil.example", GROUP),
    (b"<@evil.example:ana@ours.example>", ROUTE),
    (b"<@a.example,@b.example:ana@ours.example>", ROUTE),
    (b"Ana", UNREADABLE),
    (b"Ana Andersson", UNREADABLE),
    (b"ana@", UNREADABLE),
    (b"ana@ours.example.", UNREADABLE),
    (b"ana @ours.example", UNREADABLE),
    (b"ana@ ours.example", UNREADABLE),
    (b"ana(x)@ours.example", UNREADABLE),
    (b"<ana@ours.example(x)>", UNREADABLE),
    (b"< ana@ours.example>", UNREADABLE),
    (b"ana@ours.example x@evil.example", UNREADABLE),
    (b"ana@ours.example <x@evil.example> y", UNREADABLE),
    (b"<ana@ours.example><x@evil.example>", UNREADABLE),
    (b"<<ana@ours.example>>", UNREADABLE),
    (b"<ana@ours.example", UNREADABLE),
    (b"ana@ours.example>", UNREADABLE),
    (b'"Ana <ana@ours.example>', UNREADABLE),
    (b"(Ana <ana@ours.example>", UNREADABLE),
    (b"Ana) <ana@ours.example>", UNREADABLE),
    (b"[x] <ana@ours.example>", UNREADABLE),
    (b"Ana [x] <ana@ours.example>", UNREADABLE),
    (b"x@evil.example Ana <ana@ours.example>", UNREADABLE),
    (b"ana@ours.example@evil.example", UNREADABLE),
    (b"ana@ours.example\\@evil.example", UNREADABLE),
    (b"\xff\xfe", UNREADABLE),
    (b"j\xf6rg@ours.example", UNREADABLE),
    (b"\x01 <ana@ours.example>", UNREADABLE),
    (b'"\x00" <ana@ours.example>', UNREADABLE),
    ("ana\u202e@ours.example".encode(), UNREADABLE),
    (b"=?utf-8?q?ceo=40ours.example=3E?= <ana@ours.example>", HIDDEN),
    (b"=?utf-8?q?=3Cceo=40ours.example=3E?= <ana@ours.example>", HIDDEN),
    (b"=?utf-8?q?ceo=40ours.example=2C?= <ana@ours.example>", HIDDEN),
    (b"=?utf-8?b?PGNlb0BvdXJzLmV4YW1wbGU+?= <ana@ours.example>", HIDDEN),
    (b'"=?utf-8?q?=3Cceo=40ours.example=3E?=" <ana@ours.example>', HIDDEN),
    (b"=?utf-8?q?ana=40evil.example=3E?=@ours.example", HIDDEN),
    (b"<=?utf-8?q?x?=@ours.example>", HIDDEN),
]


@pytest.mark.parametrize(("value", "addresses"), READABLE)
def test_reads(value: bytes, addresses: list[str]) -> None:
    """Every address is found, and no other text is taken for one."""
    found = read_mailbox_list(value)
    assert ([str(one) for one in found.addresses], found.problem) == (addresses, "")


@pytest.mark.parametrize(("value", "problem"), UNCLEAR)
def test_names_the_problem(value: bytes, problem: str) -> None:
    """What could be read in two ways, or names nobody, is a problem with a name."""
    assert read_mailbox_list(value).problem == problem


def test_looking_for_hidden_addresses_is_linear() -> None:
    """A long word beside an encoded word is read once, not once for each of its letters: that would take minutes here."""
    for letter in range(200):
        name = b"=?utf-8?q?=3C?= " + b"a" * (15_000 + letter)
        assert read_mailbox_list(name + b" <ana@ours.example>").problem == ""


def test_gives_up_on_a_huge_field() -> None:
    """A field of megabytes is refused unread, and one of nested comments does not recurse."""
    assert read_mailbox_list(b"a@b.example," * 10_000).problem == UNREADABLE
    assert read_mailbox_list(b"(" * 60_000).problem == UNREADABLE
    assert read_mailbox_list(b"(" * 30_000 + b")" * 30_000 + b" a@b.example").problem == ""
