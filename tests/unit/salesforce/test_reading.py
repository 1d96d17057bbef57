"""What is read of a mail that is to be recorded: bodies, attachments, names, and what cannot be read."""

import asyncio
import threading
from email.message import EmailMessage

import pytest

from relay.config.recording import CaptureSettings
from relay.queue.content import MemoryContent
from relay.queue.model import StoredContent
from relay.salesforce.composed import Mailbox, MailParts
from relay.salesforce.reading import MAXIMUM_HTML, MAXIMUM_TEXT, MailReader, Wants, read_mail, wants_of
from relay.salesforce.wire_form import wire_form

ALL = Wants(attachments=True, files=10_000)


def read(text: str, wants: Wants = ALL) -> MailParts:
    """Read a mail that is written with LF."""
    return read_mail(wire_form(text.encode()), wants)


def composed() -> EmailMessage:
    """Give a mail as clients write them: text, HTML with a picture, two files."""
    mail = EmailMessage()
    mail["From"] = "Ana Berg <ana@example.com>"
    mail["To"] = "Änna <a@x.test>, b@y.test"
    mail["Cc"] = '"Lee, Bo" <lee@z.test>'
    mail["Date"] = "Sun, 22 Nov 2026 10:00:00 +0100"
    mail["References"] = "<root@x> <b@x>"
    mail.set_content("Hello\n.there\n")
    mail.add_alternative("<p>Hello<br>.there</p>", subtype="html")
    html = mail.get_payload()[1]  # type: ignore[index]
    html.add_related(b"png", "image", "png", cid="<logo>")  # type: ignore[union-attr]
    mail.add_attachment(b"x" * 1000, maintype="application", subtype="pdf", filename="naïve offer.pdf")
    mail.add_attachment("hej", filename="note.txt")
    return mail


def test_a_mail_as_clients_write_them() -> None:
    """Both bodies, the files, the names and the thread are read; the picture of the HTML is no file."""
    found = read_mail(wire_form(composed().as_bytes()), ALL)
    assert found.text == "Hello\n.there"
    assert found.html == "<p>Hello<br>.there</p>"
    assert [(one.name, one.size) for one in found.attachments] == [("naïve offer.pdf", 1000), ("note.txt", 5)]
    assert found.attachments[0].data == b"x" * 1000
    assert found.sender == Mailbox("Ana Berg", "ana@example.com")
    assert found.to == (Mailbox("Änna", "a@x.test"), Mailbox("", "b@y.test"))
    assert found.cc == (Mailbox("Lee, Bo", "lee@z.test"),)
    assert (found.thread, found.date) == ("<root@x>", 1_795_338_000_000_000)
    assert found.problems == ()


def test_text_is_made_of_html_when_there_is_none() -> None:
    """A mail with HTML alone gets the text that a reader of it sees."""
    found = read(
        "Content-Type: text/html\n\n<style>p{}</style><p>Hello <b>Anna</b></p><ul><li>one<li>two</ul>"
    )
    assert found.text == "Hello Anna\n\n- one\n- two"
    assert found.html.startswith("<style>")


def test_text_between_pictures_stays_in_order() -> None:
    """Mail that is text, picture, text - as phones write it - is read as both texts; the picture is a file."""
    found = read(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nabove\n--b\nContent-Type: image/jpeg; name=p.jpg\n"
        "Content-Disposition: inline; filename=p.jpg\nContent-Transfer-Encoding: base64\n\nAAAA\n--b\n\nbelow\n--b--\n"
    )
    assert found.text == "above\nbelow"
    assert [one.name for one in found.attachments] == ["p.jpg"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n\nxyz", "S/MIME"),
        ("Content-Type: application/x-pkcs7-mime; smime-type=signed-data\n\nxyz", "S/MIME"),
        ("Content-Type: multipart/encrypted; boundary=b\n\n--b\n\nx\n--b--\n", "OpenPGP"),
        ("Subject: x\n\n-----BEGIN PGP MESSAGE-----\nxyz\n", "OpenPGP"),
    ],
)
def test_encrypted_mail_is_its_header_alone(text: str, kind: str) -> None:
    """What cannot be read is not recorded, neither body nor files, and the reason is told."""
    found = read("To: a@x.test\n" + text)
    assert (found.encrypted, found.text, found.html, found.attachments) == (kind, "", "", ())
    assert found.to == (Mailbox("", "a@x.test"),)
    assert kind in found.problems[0]


def test_signed_mail_is_read() -> None:
    """A signature beside a readable body is no attachment and hides nothing."""
    found = read(
        "Content-Type: multipart/signed; boundary=b\n\n--b\n\nHello\n--b\n"
        "Content-Type: application/pkcs7-signature; name=smime.p7s\n\nxyz\n--b--\n"
    )
    assert (found.text, found.attachments, found.encrypted) == ("Hello", (), "")


@pytest.mark.parametrize(
    ("header", "body", "expected"),
    [
        ("Content-Type: text/plain; charset=iso-8859-1", b"Gr\xfc\xdfe", "Grüße"),
        ("Content-Type: text/plain; charset=utf-8", "Grüße".encode(), "Grüße"),
        ("Content-Type: text/plain", "Grüße".encode(), "Grüße"),
        ("Content-Type: text/plain", b"Gr\xfc\xdfe", "Grüße"),
        ("Content-Type: text/plain; charset=us-ascii", "Grüße".encode(), "Grüße"),
        ("Content-Type: text/plain; charset=utf-7", b"plain", "plain"),
        ("Content-Type: text/plain; charset=klingon", b"Gr\xfc\xdfe", "Grüße"),
        ("Content-Type: text/plain; charset=zip", b"plain", "plain"),
        ("Content-Type: text/plain; charset=utf-16", "hi".encode("utf-16"), "hi"),
        ("Content-Transfer-Encoding: quoted-printable", b"a=3Db=\r\nc", "a=bc"),
        ("Content-Transfer-Encoding: base64", b"SGV!sbG8", "Hello"),
        ("Content-Transfer-Encoding: base64", b"SGVsbG8gQ", "Hello "),
        ("Content-Type: not a type", b"plain", "plain"),
    ],
)
def test_charsets_and_encodings(header: str, body: bytes, expected: str) -> None:
    """Whatever charset is named, missing or wrong: the text is read as people meant it."""
    assert read_mail(header.encode() + b"\r\n\r\n" + body, ALL).text == expected


def test_what_cannot_be_stored_is_taken_out() -> None:
    """Controls and lone surrogates are gone; tabs, line ends and emoji stay."""
    wire = b"Content-Type: text/plain; charset=utf-16-le\r\n\r\n" + "a\x00\x08\t\x1fb\ud800c😀".encode(
        "utf-16-le", "surrogatepass"
    )
    assert read_mail(wire, ALL).text.replace("�", "") == "a\tbc😀"


def test_long_bodies_are_bounded() -> None:
    """Text is cut, HTML that is too long is dropped and told, and its text is there."""
    found = read(f"Content-Type: text/html\n\n<p>{'x' * (MAXIMUM_HTML + 1)}</p>")
    assert found.html == ""
    assert len(found.text) == MAXIMUM_TEXT
    assert "HTML is too long" in found.problems[0]


@pytest.mark.parametrize(
    ("capture", "bodies", "names", "data"),
    [
        ({}, (True, True), 0, 0),
        ({"body": "text"}, (True, False), 0, 0),
        ({"body": "headers"}, (False, False), 0, 0),
        ({"attachments": "names"}, (True, True), 2, 0),
        ({"attachments": "files"}, (True, True), 2, 2),
        ({"body": "headers", "attachments": "names"}, (False, False), 2, 0),
        ({"attachments": "files", "attachments_total": "500B"}, (True, True), 2, 1),
    ],
)
def test_capture(capture: dict[str, str], bodies: tuple[bool, bool], names: int, data: int) -> None:
    """Only what logging.capture asks for is read."""
    found = read_mail(wire_form(composed().as_bytes()), wants_of(CaptureSettings.model_validate(capture)))
    assert (bool(found.text), bool(found.html)) == bodies
    assert len(found.attachments) == names
    assert sum(one.data is not None for one in found.attachments) == data


def test_a_control_address_keeps_body_and_files_out() -> None:
    """headers@: neither is read, whatever the settings say."""
    capture = CaptureSettings.model_validate({"attachments": "files"})
    found = read_mail(wire_form(composed().as_bytes()), wants_of(capture, headers_only=True))
    assert (found.text, found.html, found.attachments) == ("", "", ())


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ('Content-Disposition: attachment; filename="../../etc/passwd"', "passwd"),
        ("Content-Disposition: attachment; filename=C:\\\\temp\\\\a.doc", "a.doc"),
        ("Content-Disposition: attachment; filename*=utf-8''na%C3%AFve.pdf", "naïve.pdf"),
        ('Content-Disposition: attachment; filename*0="long "; filename*1="name.pdf"', "long name.pdf"),
        ('Content-Disposition: attachment; filename="=?utf-8?q?na=C3=AFve.pdf?="', "naïve.pdf"),
        ("Content-Disposition: attachment", "attachment-1.pdf"),
        ('Content-Disposition: attachment; filename="a\tb"', "a b"),
        ('Content-Disposition: attachment; filename=".."', "attachment-1.pdf"),
    ],
)
def test_file_names(field: str, name: str) -> None:
    """A file has a name without a path, however it is written."""
    found = read(
        f"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/pdf\n{field}\n\nx\n--b--\n"
    )
    assert [one.name for one in found.attachments] == [name]


def test_a_mail_inside_a_mail_is_a_file() -> None:
    """A forwarded mail is not taken apart."""
    found = read(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nsee below\n--b\nContent-Type: message/rfc822\n\n"
        "Subject: inner\n\nsecret\n--b--\n"
    )
    assert found.text == "see below"
    assert [one.type for one in found.attachments] == ["message/rfc822"]


def test_too_many_parts_and_levels() -> None:
    """What is beyond the limits is left out and told."""
    many = read("Content-Type: multipart/mixed; boundary=b\n\n" + "--b\n\nx\n" * 2000)
    deep = read("".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(100)))
    assert any("more than 500 parts" in one for one in many.problems)
    assert any("deeper than 20 levels" in one for one in deep.problems)


async def test_reading_takes_place_in_a_thread() -> None:
    """The event loop is free while a mail is read."""
    wire = wire_form(composed().as_bytes())
    stored = StoredContent(b"", (), len(wire), wire, None)
    reader = MailReader()
    try:
        found = await reader.read(MemoryContent(stored, wire), ALL)
        assert found.text == "Hello\n.there"
    finally:
        reader.close()


async def test_a_reading_that_takes_too_long_is_given_up() -> None:
    """Whoever waits goes on after the deadline with the header alone, and the reason is told."""
    gate = threading.Event()

    def slow(wire: bytes, wants: Wants) -> MailParts:
        gate.wait(60)
        return read_mail(wire, wants)

    wire = wire_form(composed().as_bytes())
    reader = MailReader(deadline=0.05, read=slow)
    try:
        async with asyncio.timeout(30):
            found = await reader.read(MemoryContent(StoredContent(b"", (), 1, wire, None), wire), ALL)
        assert found.text == ""
        assert found.to[0].address == "a@x.test"
        assert "too long to read" in found.problems[0]
    finally:
        gate.set()
        reader.close()


def test_files_on_disk_become_wire_form() -> None:
    """LF and CR become CRLF, dots are doubled, an mbox's From line goes, the last line is ended."""
    assert wire_form(b"From ana Sun Nov 22\nA: b\n\n.x\r\n..y\rz") == b"A: b\r\n\r\n..x\r\n...y\r\nz\r\n"


@pytest.mark.parametrize(
    "wire",
    [
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"\r\n--b" * 1_000_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b" + b" " * 10_000_000,
        b"\r\n\r\n" * 1_000_000,
        b"Content-Type: text/html\r\n\r\n" + b"<font size=1><b>" * 60_000 + b"<p>x" * 60_000,
        b"Content-Type: text/html\r\n\r\n" + b"<style>" * 150_000,
        b"Content-Type: text/html\r\n\r\n" + b'<a "' * 250_000,
        b"Content-Type: text/html\r\n\r\n" + b" <b> " * 200_000,
        b"To: " + b"(" * 1_000_000 + b"\r\n\r\n",
        b'Content-Type: a/b; name="' + b'\\"' * 500_000 + b"\r\n\r\n",
        b"".join(b"Content-Type: multipart/x; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(30_000)),
    ],
    ids=lambda wire: wire[:40].decode(),
)
def test_mail_that_is_made_to_stall_its_reader(wire: bytes) -> None:
    """Each would take minutes or gigabytes from a reader whose work grows with the square; here it just ends."""
    assert isinstance(read_mail(wire, ALL), MailParts)
