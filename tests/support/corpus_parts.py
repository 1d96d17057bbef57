"""What corpus messages are built of: fields, bodies, MIME parts, and a note of what must not be sent on.

What the relay must forward is known from how a message is put together, never read back out of it, so the
expectation owes nothing to the product's own parser.
"""

import base64
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SENDER = "ana@example.com"
RECIPIENT = "kim@buyer.example"
FROM = f"Ana Berg <{SENDER}>"


@dataclass(frozen=True, slots=True)
class Sample:
    """One message: what a client submits, and what must come out behind what the relay puts in front."""

    name: str
    sent: bytes
    expected: bytes


class Hidden(bytes):
    """A field that must not be sent on."""


def field(name: str, value: str, charset: str = "utf-8") -> bytes:
    """Write a field without its final CRLF; `value` may hold folds."""
    return f"{name}: {value}".encode(charset)


def hidden(name: str, value: str) -> Hidden:
    """Write a field that must not be sent on."""
    return Hidden(f"{name}: {value}".encode())


def sample(
    name: str,
    fields: Iterable[bytes],
    body: bytes | None = b"Hello Kim,\r\n\r\nsee you on Monday.\r\n\r\nAna\r\n",
) -> Sample:
    """Put a message together; body None leaves out the blank line as well."""
    lines = list(fields)
    rest = b"" if body is None else b"\r\n" + body
    sent = b"".join(line + b"\r\n" for line in lines) + rest
    kept = b"".join(line + b"\r\n" for line in lines if not isinstance(line, Hidden)) + rest
    return Sample(name, sent, kept)


def raw(name: str, content: bytes) -> Sample:
    """Take a message as it stands; all of it must come out."""
    return Sample(name, content, content)


def usual(name: str, subject: str = "Our offer", *more: bytes) -> list[bytes]:
    """Give the fields that nearly every message has, with a Message-ID of its own."""
    return [
        field("From", FROM),
        field("To", f"Kim Lund <{RECIPIENT}>"),
        field("Subject", subject),
        field("Date", "Mon, 09 Nov 2026 09:14:03 +0100"),
        field("Message-ID", f"<{name}@example.com>"),
        *more,
    ]


def plain(charset: str = "utf-8", encoding: str = "8bit") -> list[bytes]:
    """Give the MIME fields of a text."""
    return [
        field("MIME-Version", "1.0"),
        field("Content-Type", f"text/plain; charset={charset}"),
        field("Content-Transfer-Encoding", encoding),
    ]


def multipart(kind: str, boundary: str) -> list[bytes]:
    """Give the MIME fields of a multipart."""
    return [field("MIME-Version", "1.0"), field("Content-Type", f'multipart/{kind}; boundary="{boundary}"')]


def part(fields: Sequence[bytes], body: bytes) -> bytes:
    """Write one body part, to be put between boundaries."""
    return b"".join(line + b"\r\n" for line in fields) + b"\r\n" + body


def parts(boundary: str, *contents: bytes, preamble: bytes = b"", closed: bool = True) -> bytes:
    """Join body parts; not closed leaves out the final boundary, as broken mailers do."""
    mark = b"--" + boundary.encode()
    text = preamble + b"".join(mark + b"\r\n" + content + b"\r\n" for content in contents)
    return text + (mark + b"--\r\n" if closed else b"")


def text_part(text: str, charset: str = "utf-8") -> bytes:
    """Write a text part in 8 bit."""
    return part(plain(charset)[1:], text.replace("\n", "\r\n").encode(charset))


def html_part(text: str) -> bytes:
    """Write an HTML part."""
    fields = [field("Content-Type", "text/html; charset=utf-8"), field("Content-Transfer-Encoding", "8bit")]
    return part(fields, f"<html><body><p>{text}</p></body></html>\r\n".encode())


def file_part(name: str, data: bytes, kind: str = "application/pdf") -> bytes:
    """Write a base64 attachment."""
    fields = [
        field("Content-Type", f'{kind}; name="{name}"'),
        field("Content-Transfer-Encoding", "base64"),
        field("Content-Disposition", f'attachment;\r\n\tfilename="{name}"'),
    ]
    return part(fields, base64_lines(data))


def base64_lines(data: bytes) -> bytes:
    """Write octets as base64 in lines of 76."""
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def noise(count: int, seed: int) -> bytes:
    """Give octets that look random and are always the same."""
    return random.Random(seed).randbytes(count)


def noise_without_line_ends(count: int, seed: int) -> bytes:
    """Give random octets less NUL, CR and LF, as yEnc writes them."""
    return noise(count, seed).translate(None, b"\0\r\n")
