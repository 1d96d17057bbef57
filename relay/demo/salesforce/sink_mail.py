"""What Email to Salesforce reads of a mail: who it is from and for, its words, its files, its explicit references.

Pure. Addresses come in lower case, as they are compared; nothing here can fail on what a mail may hold.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.utils import getaddresses
from html import unescape

from relay.demo.salesforce import ids
from relay.encoded_words import decode_words

REFERENCE_REACH = 5000
"""Characters of the body in which (ref: …) is looked for."""
_REFERENCE = re.compile(r"\(\s*ref:\s*([^()]{1,2000})\)", re.IGNORECASE)
_QUOTED_FIELD = re.compile(r"^[> ]*\*?(?:From|To|Cc):\*?[ \t]*(.{1,2000})$", re.IGNORECASE | re.MULTILINE)
_TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True)
class File:
    """One attachment."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail, as far as it is read."""

    sender: str
    """The address of the header's From; "" without one."""
    to: tuple[str, ...]
    cc: tuple[str, ...]
    subject: str
    text: str
    files: tuple[File, ...]
    forwarded: tuple[str, ...]
    """Addresses in From, To and Cc of a mail that this one forwards."""

    def references(self) -> tuple[str, ...]:
        """Give the ids named by (ref: …) near the top, in their 18-character form; what is no id is passed over."""
        found = _REFERENCE.search(self.text[:REFERENCE_REACH])
        named = (ids.whole(part.strip()) for part in found[1].split(",")) if found else ()
        return tuple(dict.fromkeys(one for one in named if one))


def read(content: bytes) -> Mail:
    """Read a mail."""
    message = message_from_bytes(content)
    parts = [part for part in message.walk() if not part.is_multipart()]
    text = _text(parts)
    senders = _addresses(message, "From")
    return Mail(
        senders[0] if senders else "",
        _addresses(message, "To"),
        _addresses(message, "Cc"),
        _field(message, "Subject"),
        text,
        tuple(_files(parts)),
        _forwarded(message, text),
    )


def _field(message: Message, name: str) -> str:
    """Give the values of a field, unfolded and decoded."""
    values = (str(value) for key, value in message.raw_items() if key.lower() == name.lower())
    raw = ", ".join(" ".join(value.split()) for value in values)
    return decode_words(raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def _addresses(message: Message, name: str) -> tuple[str, ...]:
    return _in_list(_field(message, name))


def _in_list(text: str) -> tuple[str, ...]:
    found = (address.lower() for _, address in getaddresses([text]) if "@" in address)
    return tuple(dict.fromkeys(found))


def _is_file(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or bool(part.get_filename())


def _text(parts: Iterable[Message]) -> str:
    """Give the plain text; without one that of the HTML."""
    shown = [part for part in parts if not _is_file(part)]
    for kind in ("text/plain", "text/html"):
        for part in shown:
            if part.get_content_type() == kind:
                text = _decoded(part)
                return text if kind == "text/plain" else unescape(_TAG.sub("", text))
    return ""


def _decoded(part: Message) -> str:
    data = part.get_payload(decode=True)
    octets = data if isinstance(data, bytes) else b""
    try:
        text = octets.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        text = octets.decode("latin-1")
    return text.replace("\r\n", "\n")


def _files(parts: Iterable[Message]) -> Iterable[File]:
    for part in parts:
        data = part.get_payload(decode=True)
        if _is_file(part) and isinstance(data, bytes):
            yield File(decode_words(part.get_filename() or "attachment"), data)


def _forwarded(message: Message, text: str) -> tuple[str, ...]:
    """Give the addresses of a forwarded mail: one attached whole, or quoted with its From, To and Cc."""
    found: list[str] = []
    for part in message.walk():
        if part.get_content_type() == "message/rfc822" and part.is_multipart():
            inner = part.get_payload(0)
            if isinstance(inner, Message):
                found += [one for name in ("From", "To", "Cc") for one in _addresses(inner, name)]
    if not found:
        found = [one for line in _QUOTED_FIELD.findall(text) for one in _in_list(line)]
    return tuple(dict.fromkeys(found))
