"""Properties of header sections: nothing makes the reader fail, and removing Bcc fields removes nothing else."""

from hypothesis import example, given
from hypothesis import strategies as st

from relay.encoded_words import decode_words
from relay.mailboxes import read_mailbox_list
from relay.message import (
    automated,
    bcc_ranges,
    from_mailboxes,
    header_ends,
    message_id,
    read_header,
    received_count,
    received_tokens,
    signed_fields,
    subject,
    unstuff,
    values,
)

_pieces = st.sampled_from(
    [
        b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b".", b"..", b"Bcc", b"bcc:", b"Resent-Bcc : x@y\r\n z", b"From: a@b",
        b"From", b"To: c", b"Subject: =?utf-8?q?x=00?=", b"DKIM-Signature: h=bcc:from", b"Received: x", b"\x00", b"\xff",
        b"Content-Type: text/calendar; method=REPLY", b"text", b"(", b"<", b'"', b"=?",
    ]
)  # fmt: skip
wires = st.one_of(st.binary(max_size=200), st.lists(_pieces, max_size=30).map(b"".join))


@given(wires)
@example(b"Bcc: x")
@example(b"\r\n")
def test_every_octet_sequence_is_read(wire: bytes) -> None:
    """Reading never fails, and fields lie one after another within the header section."""
    header = read_header(wire)
    at = 0
    for field in header.fields:
        assert at <= field.start < field.end <= header.body_at
        at = field.end
    assert header.body_at == (header_ends(wire) or len(wire))
    assert header.raw == wire[: header.body_at]
    for name in header.names:
        assert len(values(header, name)) == sum(field.name == name for field in header.fields)
    subject(header), message_id(header), automated(header), signed_fields(header), unstuff(wire)
    assert received_count(header) >= received_tokens(header, "relay.example.com")
    assert from_mailboxes(header).fields == sum(field.name == "from" for field in header.fields)


@given(wires)
def test_removing_bcc_removes_nothing_else(wire: bytes) -> None:
    """Without the ranges no Bcc field is left, every other field and the body are the same octets in the same order."""
    header = read_header(wire)
    ranges = bcc_ranges(header)
    kept = wire
    for start, end in reversed(ranges):
        kept = kept[:start] + kept[end:]
    after = read_header(kept)
    assert not bcc_ranges(after)
    others = [f for f in header.fields if f.name not in ("bcc", "resent-bcc")]
    assert [(f.name, kept[f.start : f.end]) for f in after.fields] == [
        (f.name, wire[f.start : f.end]) for f in others
    ]
    assert kept[after.body_at :] == wire[header.body_at :]


@given(st.binary(max_size=100), st.text(max_size=60))
def test_any_value_is_read(value: bytes, text: str) -> None:
    """Mailbox lists and encoded words never fail, whatever stands there."""
    found = read_mailbox_list(value)
    assert found.problem or found.addresses
    assert isinstance(decode_words("=?utf-8?q?" + text), str)


@given(
    st.sampled_from("bBqQ"),
    st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=15),
    st.text("aZ9+/=_", max_size=20),
)
def test_any_charset_is_survived(kind: str, charset: str, text: str) -> None:
    """An encoded word in any charset that Python may know or not is decoded or left alone."""
    assert isinstance(decode_words(f"=?{charset}?{kind}?{text}?="), str)
