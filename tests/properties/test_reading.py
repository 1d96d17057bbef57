"""Properties of reading mail: any octets give parts within their bounds, never an exception."""

from hypothesis import example, given
from hypothesis import strategies as st

from relay.salesforce.cleaning import text_of_html
from relay.salesforce.composed import MailParts
from relay.salesforce.files import MAXIMUM_ATTACHMENTS
from relay.salesforce.mime_fields import (
    MAXIMUM_MAILBOXES,
    MAXIMUM_NAME,
    file_name,
    mailboxes,
    value_and_parameters,
)
from relay.salesforce.reading import MAXIMUM_HTML, MAXIMUM_TEXT, Wants, read_mail
from relay.salesforce.wire_form import wire_form

ROOM = 2_000
WANTS = Wants(attachments=True, files=ROOM)
_pieces = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"\r\n", b"\r\n\r\n", b"--b", b"--b--", b"\r\n--b\r\n", b"\r\n--b--\r\n", b"--", b".", b"\r", b"\n",
                b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Type: multipart/alternative; boundary=\"b\"\r\n",
                b"Content-Type: text/html; charset=utf-16\r\n", b"Content-Type: text/plain; charset=\xff\r\n",
                b"Content-Type: image/png\r\nContent-ID: <x>\r\n", b"Content-Disposition: attachment; filename*0*=x'y'%\r\n",
                b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n",
                b"Content-Type: application/pkcs7-mime\r\n", b"To: \"a <b@c>, =?utf-8?q?=C3?= <d@e>;\r\n", b"<p>&#x110000;</",
                b"From: :;,<>\r\n", b"Date: Sun, 99 Foo -1 25:61 +9999\r\n", b"References: <<a@b> <c@d>\r\n", b"=\xff=3", b"SGk=",
            ]
        ),
        st.binary(max_size=30),
    ),
    max_size=60,
).map(b"".join)  # fmt: skip


def within_bounds(parts: MailParts) -> None:
    """Check every limit that is promised."""
    texts = [parts.text, parts.html, parts.thread, parts.sender.name, parts.sender.address, *parts.problems]
    texts += [one.name for one in parts.attachments]
    texts += [text for box in (*parts.to, *parts.cc) for text in (box.name, box.address)]
    for text in texts:
        text.encode()  # no lone surrogates
        assert not set(text) & set("\x00\x01\x08\x0b\x0c\x0e\x1f\r")
    assert len(parts.text) <= MAXIMUM_TEXT
    assert len(parts.html) <= MAXIMUM_HTML
    assert len(parts.attachments) <= MAXIMUM_ATTACHMENTS
    assert all(0 < len(one.name) <= MAXIMUM_NAME for one in parts.attachments)
    assert sum(len(one.data or b"") for one in parts.attachments) <= ROOM
    assert all("@" in box.address for box in (*parts.to, *parts.cc))


@given(_pieces)
@example(b"Content-Type: multipart/mixed; boundary=b\r\n" * 3 + b"\r\n--b\r\n" * 600)
@example(b"\r\n")
@example(b"")
def test_any_octets_give_parts_within_bounds(octets: bytes) -> None:
    """In wire form or as a file; with everything asked for, or nothing."""
    within_bounds(read_mail(octets, WANTS))
    within_bounds(read_mail(wire_form(octets), WANTS))
    within_bounds(read_mail(octets, Wants(body=False, html=False)))


@given(st.binary(max_size=500))
def test_a_file_in_wire_form_stays_so(octets: bytes) -> None:
    """Only CRLF ends a line there, no line begins with a single dot, and the end is the end of a line."""
    wire = wire_form(octets)
    assert wire.endswith(b"\r\n")
    assert b"\r" not in wire.replace(b"\r\n", b"")
    assert b"\n" not in wire.replace(b"\r\n", b"")
    assert all(not line.startswith(b".") or line.startswith(b"..") for line in wire.split(b"\r\n"))


@given(st.text(max_size=300))
def test_fields_are_read_leniently(text: str) -> None:
    """Whatever stands in a field: names without paths, mailboxes with addresses, as many as are allowed."""
    name = file_name(value_and_parameters(text)[1], "filename")
    assert "/" not in name
    assert "\\" not in name
    boxes = mailboxes(text)
    assert len(boxes) <= MAXIMUM_MAILBOXES
    assert all("@" in one.address and len(one.address) <= MAXIMUM_NAME for one in boxes)


@given(st.text(alphabet="<>/abprs!-&;'\" \n=x", max_size=400))
def test_html_becomes_text(source: str) -> None:
    """Any text is read as HTML without an exception, and never gives a double space or a space at a line's end."""
    lines = text_of_html(source).split("\n")
    assert all(line == line.strip(" ") or line.startswith("- ") for line in lines)


@given(st.text(alphabet="abc äö😀,.!", min_size=1, max_size=80).map(lambda some: " ".join(some.split())))
def test_text_survives_html(text: str) -> None:
    """What a paragraph says is what is read of it."""
    assert text_of_html(f"<html><body><p>{text}</p></body></html>") == text
