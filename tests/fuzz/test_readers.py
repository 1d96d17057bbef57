"""Octets at random for what reads other people's octets: header sections, addresses, and a hop's replies."""

import unicodedata

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.address import Address, comparable, comparable_any_case, parse_mailbox, same_mailbox, without_plus
from relay.delivery.replies import MAXIMUM_LINE, MAXIMUM_LINES, MAXIMUM_TEXT, ReplyReader
from relay.encoded_words import decode_words
from relay.errors import AddressError
from relay.mailboxes import read_mailbox_list
from relay.message import (
    automated,
    bcc_ranges,
    from_mailboxes,
    message_id,
    read_header,
    signed_fields,
    subject,
    values,
)
from relay.status import Reply
from relay.submission.parameters import read_mail, read_recipient
from tests.fuzz.amount import examples
from tests.support.wire import cut

_QUICKLY = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
_SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=4)

HEADER_WORDS = [
    b"\r\n", b"\r", b"\n", b"\r\n ", b"\r\n.", b"\r\n.\t", b"\r\n..", b"\r\n\r\n", b":", b" :", b"\0", b"\xff", b"\xc3\xa4",
    b"From:", b"From: Ana <ana@example.com>", b"FROM\t: ", b"Bcc: x@y.z", b"Resent-Bcc:", b"Subject: ", b"=?utf-8?q?=41?=",
    b"=?utf-8?b?", b"=?x?B?AA==?=", b"?=", b"DKIM-Signature: v=1; h=From : Bcc", b"; h=", b"Received: by a with b id ",
    b"Auto-Submitted: ", b"Precedence: bulk", b"Content-Type: text/calendar; method=", b"(", b")", b'"', b"\\", b"<", b">",
    b",", b";", b"@", b"Message-ID: <a@b>", b"x" * 90, b"group: a@b, c@d;",
]  # fmt: skip
ADDRESS_WORDS = [
    "@", ".", "..", '"', "\\", "<", ">", "[", "]", "[IPv6:", "[127.0.0.1]", "::1", ":", ",", ";", "(", ")", "a", "ana",
    "example.com", "EXAMPLE.ORG", "xn--bcher-kva.example", "bücher.example", "ß", "\u200d", "\u202e", "\0", "\r\n", " ", "\t",
    "+tag", "-", "_", "a" * 64, "b" * 63, "用户", "=", "?", "@@", "%", "!", "Postmaster", "@a,@b:",
]  # fmt: skip
REPLY_WORDS = [
    b"\r\n", b"\n", b"\r", b"250", b"250 ", b"250-", b"354", b"421 4.3.2 ", b"550 5.1.1 <a@b>", b"2.0.0", b" ", b"-", b"99",
    b"600 ", b"\0", b"\xff", b"x" * 500, b"Ok: queued as 1", b"5.1.1 ", b"\t", b"250-SIZE\r\n", b"try again in 5 minutes",
]  # fmt: skip


def soup(words: list[bytes], size: int) -> st.SearchStrategy[bytes]:
    """Give words and octets one behind the other."""
    return st.lists(st.one_of(st.sampled_from(words), st.binary(max_size=12)), max_size=size).map(b"".join)


@settings(max_examples=examples(300), **_QUICKLY)
@given(soup(HEADER_WORDS, 40))
def test_header_sections(wire: bytes) -> None:
    """Everything that is asked of a header section has an answer, and what is shown of it is one line."""
    header = read_header(wire)
    ends = [0]
    for field in header.fields:
        assert ends[-1] <= field.start < field.end <= header.body_at
        ends.append(field.end)
    shown = subject(header)
    assert "\n" not in shown
    assert "\r" not in shown
    found = message_id(header)
    assert found is None or (found.startswith("<") and found.isascii() and found.isprintable())
    automated(header), signed_fields(header)
    for name in ("from", "sender", "resent-from"):
        said = from_mailboxes(header, name)
        assert said.fields == len(values(header, name))
        assert all(parse_mailbox(str(one), smtputf8=True) == one for one in said.addresses)
    kept = wire
    for start, end in reversed(bcc_ranges(header)):
        kept = kept[:start] + kept[end:]
    assert not bcc_ranges(read_header(kept)) or b"\r\n.\r\n" in wire
    decode_words(wire.decode("utf-8", "replace"))
    read_mailbox_list(wire)


@settings(max_examples=examples(300), **_QUICKLY)
@given(
    st.lists(st.one_of(st.sampled_from(ADDRESS_WORDS), st.text(max_size=4)), max_size=8).map("".join),
    st.booleans(),
)
def test_addresses(text: str, utf8: bool) -> None:
    """What is taken for an address is written as one that reads the same; nothing else gets through."""
    try:
        address = parse_mailbox(text, smtputf8=utf8)
    except AddressError:
        return
    assert isinstance(address, Address)
    assert parse_mailbox(str(address), smtputf8=utf8) == address
    # Invisible characters beyond ASCII are an address's own affair (RFC 6531 §3.3); what could end a line is not.
    assert len(str(address).splitlines()) == 1
    assert not any(unicodedata.category(letter) == "Cc" for letter in str(address))
    assert same_mailbox(address, address)
    assert comparable(address)
    assert comparable_any_case(address)
    without_plus(address)


@settings(max_examples=examples(300), **_QUICKLY)
@given(
    st.sampled_from([b"FROM:<", b"TO:<", b"from: <", b"TO:", b""]),
    soup([one.encode() for one in ADDRESS_WORDS], 8),
    soup(
        [
            b"> ",
            b">",
            b" SIZE=",
            b" BODY=8BITMIME",
            b" SMTPUTF8",
            b" NOTIFY=",
            b" ORCPT=rfc822;",
            b" RET=HDRS",
            b"+41",
            b" ",
        ],
        8,
    ),
    st.booleans(),
)
def test_paths_and_parameters(head: bytes, path: bytes, tail: bytes, extended: bool) -> None:
    """MAIL and RCPT with anything behind them are taken or refused, and what is taken can stand in a command again."""
    argument = head + path + tail
    mail = read_mail(argument, extended=extended)
    if isinstance(mail, Reply):
        assert mail.code >= 500
    else:
        assert len(str(mail.reverse_path or "").splitlines()) <= 1
    for smtputf8 in (False, True):
        recipient = read_recipient(argument, extended=extended, smtputf8=smtputf8)
        if isinstance(recipient, Reply):
            assert recipient.code >= 500
        else:
            assert len(str(recipient.address).splitlines()) == 1
            assert smtputf8 or str(recipient.address).isascii()


@settings(max_examples=examples(300), **_QUICKLY)
@given(soup(REPLY_WORDS, 60), _SIZES)
def test_replies(octets: bytes, sizes: list[int]) -> None:
    """A hop's octets mean the same however they are cut, and what is kept of them is bounded and can be shown."""
    whole, parts = ReplyReader(), ReplyReader()
    replies = whole.feed(octets)
    told = [reply for piece in cut(octets, sizes) for reply in parts.feed(piece)]
    assert told == replies
    assert bool(whole.malformed) == bool(parts.malformed)
    assert len(whole._rest) <= MAXIMUM_LINE + len(octets)
    assert len(whole._lines) <= MAXIMUM_LINES
    for reply in replies:
        assert 200 <= reply.code < 600
        assert reply.text.isprintable()
        assert len(reply.text) <= MAXIMUM_TEXT
