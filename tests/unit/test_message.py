"""relay.message: finding and reading header fields in content as it came over the wire."""

import pytest

from relay.mailboxes import NO_ADDRESS, UNREADABLE
from relay.message import (
    SEVERAL,
    FromMailboxes,
    Header,
    automated,
    bcc_ranges,
    first_value,
    from_mailboxes,
    has_field,
    header_ends,
    message_id,
    read_header,
    received_count,
    received_tokens,
    showable,
    signed_fields,
    subject,
    unstuff,
    values,
)


def names(header: Header) -> list[str]:
    """Give the names of the fields that were found."""
    return [field.name for field in header.fields]


def without(wire: bytes, ranges: tuple[tuple[int, int], ...]) -> bytes:
    """Give the content less these ranges."""
    kept, at = b"", 0
    for start, end in ranges:
        kept, at = kept + wire[at:start], end
    return kept + wire[at:]


@pytest.mark.parametrize(
    ("wire", "end"),
    [
        (b"A: b\r\n\r\nbody", 8),
        (b"\r\nbody", 2),
        (b"A: b\r\n", None),
        (b"A: b\n\nbody", None),
        (b"A: b\r\n \r\nB: c\r\n\r\n", 17),
        (b"A: b\r\n..\r\n\r\n", 12),
        (b"", None),
    ],
)
def test_header_ends(wire: bytes, end: int | None) -> None:
    """Only CRLF CRLF, or CRLF at the very start, ends the header section."""
    assert header_ends(wire) == end


def test_reads_an_ordinary_header() -> None:
    """Fields come in order, with lower-case names and ranges that cover each octet of the section."""
    wire = b"From: a@b\r\nSUBJECT: one\r\n\ttwo\r\nX-Empty:\r\n\r\nBody: no field\r\n"
    header = read_header(wire)
    assert names(header) == ["from", "subject", "x-empty"]
    assert [wire[f.start : f.end] for f in header.fields] == [
        b"From: a@b\r\n",
        b"SUBJECT: one\r\n\ttwo\r\n",
        b"X-Empty:\r\n",
    ]
    assert wire[header.body_at :] == b"Body: no field\r\n"
    assert header.raw == wire[: header.body_at]
    assert values(header, "subject") == [b"one\ttwo"]
    assert first_value(header, "x-empty") == ""
    assert first_value(header, "to") is None
    assert has_field(header, "from")
    assert not has_field(header, "body")


@pytest.mark.parametrize(
    ("wire", "found", "body_at"),
    [
        (b"", [], 0),
        (b"\r\nbody", [], 2),
        (b"just text", [], 9),
        (b"just text\r\n\r\nSubject: x", [], 13),
        (b"Subject: x", ["subject"], 10),
        (b"Subject: x\r\n", ["subject"], 12),
        (b"Subject: x\r\nno field\r\nTo: a@b\r\n\r\n", ["subject", "to"], 33),
        (b"From ana@ours Mon Nov 22 16:50:00 2026\r\nFrom: a@b\r\n\r\n", ["from"], 53),
        (b"From : a@b\r\nTo\t :c@d\r\n\r\n", ["from", "to"], 24),
        (b"From\r\n : a@b\r\n\r\n", ["from"], 16),
        (b" From: a@b\r\n\r\n", [], 14),
        (b"Fr om: a@b\r\n\r\n", [], 14),
        (b"Fr\xe9m: a@b\r\n\r\n", [], 13),
        (b": no name\r\n\r\n", [], 13),
        (b"A: b\nBcc: c\r\n\r\n", ["a"], 15),
        (b"A: b\rBcc: c\r\n\r\n", ["a"], 15),
        (b"..Foo: x\r\n\r\n", [".foo"], 12),
        (b".Bcc: x\r\n\r\n", ["bcc"], 11),
        (b"A: b\r\n. Bcc: c\r\n\r\n", ["a"], 18),
        (b"From\r\n.\t: a@b\r\n\r\n", ["from"], 17),
        (b"X:\xff\xfe\x80\r\n\r\n", ["x"], 9),
        (b"Bcc" + b" " * 200 + b": x\r\n\r\n", ["bcc"], 210),
    ],
)
def test_tolerates_odd_headers(wire: bytes, found: list[str], body_at: int) -> None:
    """No header, no blank line, mbox lines, obsolete syntax, 8-bit octets and plain text are all read as far as they go."""
    header = read_header(wire)
    assert (names(header), header.body_at) == (found, body_at)
    assert all(0 <= f.start < f.end <= body_at for f in header.fields)


@pytest.mark.parametrize(
    ("wire", "kept"),
    [
        (b"To: a\r\nBcc: x@y\r\nCc: b\r\n\r\nbody", b"To: a\r\nCc: b\r\n\r\nbody"),
        (b"Bcc: x@y\r\nTo: a\r\n\r\nbody", b"To: a\r\n\r\nbody"),
        (b"To: a\r\nBcc: x@y,\r\n z@y,\r\n\tw@y\r\n\r\nbody", b"To: a\r\n\r\nbody"),
        (b"Bcc: x@y\r\n\r\nbody", b"\r\nbody"),
        (b"To: a\r\nbcc : x\r\nRESENT-BCC: z\r\n\r\n", b"To: a\r\n\r\n"),
        (b"To: a\r\nBcc: x", b"To: a\r\n"),
        (b".Bcc: x\r\nTo: a\r\n\r\n", b"To: a\r\n\r\n"),
        (b"Bcc: x@y,\r\n.\tz@y\r\nTo: a\r\n\r\n", b"To: a\r\n\r\n"),
        (b"Bcc: x@y,\r\n..z@y\r\nTo: a\r\n\r\n", b"..z@y\r\nTo: a\r\n\r\n"),
        (b"To: a\r\nBcc: x\r\n \r\nCc: b\r\n\r\n", b"To: a\r\nCc: b\r\n\r\n"),
        (b"To: a\r\n\r\nBcc: body\r\n", b"To: a\r\n\r\nBcc: body\r\n"),
        (b"X-Bcc: a\r\nBcc-X: b\r\n\r\n", b"X-Bcc: a\r\nBcc-X: b\r\n\r\n"),
    ],
)
def test_bcc_ranges(wire: bytes, kept: bytes) -> None:
    """Bcc and Resent-Bcc go with their continuation lines; every other octet stays, the blank line too."""
    assert without(wire, bcc_ranges(read_header(wire))) == kept


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"<abc.123@example.com>", "<abc.123@example.com>"),
        (b"<abc123>", "<abc123>"),
        (b"\r\n <folded@example.com>", "<folded@example.com>"),
        (b"abc@example.com", None),
        (b"<a b@c>", None),
        (b"<>", None),
        (b"<a@b> <c@d>", None),
        (b"<\xe9@b>", None),
    ],
)
def test_message_id(value: bytes, found: str | None) -> None:
    """A Message-ID is given as it stands, or not at all."""
    assert message_id(read_header(b"Message-ID: " + value + b"\r\n\r\n")) == found
    assert message_id(read_header(b"\r\n")) is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"Offer", "Offer"),
        (b"=?utf-8?q?Offert_f=C3=B6r?=\r\n =?utf-8?q?_dig?=", "Offert för dig"),
        ("Offert för dig".encode(), "Offert för dig"),
        (b"=?utf-8?q?a=0D=0Ab=00?=", "a  b "),
        (b"caf\xe9", "caf\ufffd"),
        ("a\u202eb".encode(), "a b"),
        (b"x" * 2000, "x" * 998),
        (b"", ""),
    ],
)
def test_subject(value: bytes, shown: str) -> None:
    """A subject is decoded, in one line, without controls, at most 998 characters."""
    assert subject(read_header(b"Subject: " + value + b"\r\n\r\n")) == shown


def test_subject_missing() -> None:
    """No subject is an empty one; showable text keeps tabs out, too."""
    assert subject(read_header(b"\r\n")) == ""
    assert showable("a\tb\x9fc\udcff") == "a b c "


def from_of(wire: bytes, name: str = "from") -> tuple[int, list[str], str]:
    """Give how many fields there are, their addresses, and the problem."""
    found = from_mailboxes(read_header(wire), name)
    return found.fields, [str(one) for one in found.addresses], found.problem


def test_from_mailboxes() -> None:
    """Every From field counts, wherever it stands; several are a problem."""
    assert from_of(b"To: a@b\r\n\r\n") == (0, [], "")
    assert from_of(b"From: ana@ours.example\r\n\r\n") == (1, ["ana@ours.example"], "")
    assert from_of(b"From:\r\n\r\n") == (1, [], NO_ADDRESS)
    assert from_of(b"From: ana@ours.example\r\ntext\r\nFROM : x@evil.example\r\n\r\n") == (
        2,
        ["ana@ours.example", "x@evil.example"],
        SEVERAL,
    )
    assert from_of(b"From: =?utf-8?q?Ana?=\r\n <ana@ours.example>\r\n\r\n")[1] == ["ana@ours.example"]


def test_many_huge_from_fields_are_not_read() -> None:
    """All fields of a name together are read up to the limit for one: a header section full of them costs nothing."""
    header = read_header((b"From: " + b"a@b.example," * 2000 + b"\r\n") * 4)
    assert from_mailboxes(header) == FromMailboxes(4, (), UNREADABLE)


def test_resent_from_may_stand_there_more_than_once() -> None:
    """Resent fields are written anew each time a mail is sent again; one bad one spoils them all."""
    wire = b"Resent-From: ana@ours.example\r\nResent-From: x@evil.example\r\n\r\n"
    assert from_of(wire, "resent-from") == (2, ["ana@ours.example", "x@evil.example"], "")
    assert from_of(b"Resent-From: a@b\r\nResent-From: ;\r\n\r\n", "resent-from")[2]


def test_signed_fields() -> None:
    """The h= lists of all DKIM signatures are one set, whatever their folding and case."""
    wire = (
        b"DKIM-Signature: v=1; a=rsa-sha256; d=x; bh=h=; h=From:To:\r\n\tSubject : Bcc; b=abc\r\n"
        b"DKIM-Signature: h = Date ::message-id;v=1\r\nX: h=cc\r\n\r\n"
    )
    assert signed_fields(read_header(wire)) == {"from", "to", "subject", "bcc", "date", "message-id"}
    assert signed_fields(read_header(b"A: b\r\n\r\n")) == frozenset()


def test_received() -> None:
    """Only Received fields count as hops, and only those that a relay of our name wrote are ours."""
    ours = b"Received: from c ([192.0.2.1])\r\n by Relay.example.com with ESMTPSA id 0123456789ABC\r\n (TLS);\r\n now\r\n"
    wire = (
        ours
        + b"Received: from relay.example.com by mx.example with ESMTP id 0123456789ABC; now\r\n"
        + b"Received: by relay.example.com with ESMTP id 4Abcd; now\r\n"
        + b"X-Received: x\r\n\r\nReceived: body\r\n"
    )
    header = read_header(wire)
    assert received_count(header) == 3
    assert received_tokens(header, "relay.example.com") == 1
    assert received_tokens(header, "elay.example.com") == 0
    assert received_tokens(header, "") == 0
    assert received_count(read_header(b"\r\n")) == 0
    assert received_tokens(read_header(b"\r\n"), "relay.example.com") == 0


@pytest.mark.parametrize(
    "line",
    [
        b"Auto-Submitted: auto-replied",
        b"Auto-Submitted: AUTO-generated; owner=x",
        b"Auto-Submitted:",
        b"List-Id: <news.example.com>",
        b"List-Unsubscribe: <https://example.com>",
        b"Precedence: Bulk",
        b"Precedence: junk (really)",
        b"Content-Type: multipart/report; report-type=disposition-notification",
        b"Content-Type: text/calendar; charset=utf-8; method=REPLY",
        b'Content-Type: Text/Calendar;\r\n Method="REPLY"',
    ],
)
def test_automated(line: bytes) -> None:
    """What a program wrote, or wrote to many, is told by its header."""
    assert automated(read_header(b"From: a@b\r\n" + line + b"\r\n\r\n"))


@pytest.mark.parametrize(
    "line",
    [
        b"X-Auto-Response-Suppress: All",
        b"Auto-Submitted: no",
        b"Auto-Submitted: No (comment)",
        b"Precedence: first-class",
        b"Content-Type: text/calendar; method=REQUEST",
        b"Content-Type: text/calendar-x; x=1",
        b"Content-Type: multipart/mixed; boundary=report",
        b"Subject: Auto-Submitted: yes",
    ],
)
def test_not_automated(line: bytes) -> None:
    """Ordinary mail is not taken for automated, Outlook's X-Auto-Response-Suppress included."""
    assert automated(read_header(line + b"\r\n\r\n")) is None


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b"a\r\n..b\r\n...\r\n", b"a\r\n.b\r\n..\r\n"),
        (b"..a", b".a"),
        (b".a\r\n.b", b"a\r\nb"),
        (b"a.b\r\nc..\r\n", b"a.b\r\nc..\r\n"),
        (b"a\n..b\r..c", b"a\n..b\r..c"),
        (b"", b""),
    ],
)
def test_unstuff(wire: bytes, text: bytes) -> None:
    """One dot goes from the start of each line, and lines begin after CRLF alone."""
    assert unstuff(wire) == text
