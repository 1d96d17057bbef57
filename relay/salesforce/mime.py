"""Finding the parts of a mail (RFC 2045, 2046): where each one stands, what it says of itself, and decoding it.

Pure. Nothing is copied until a part is decoded, and the work is bounded: each level of nesting is looked through once,
of levels, parts and header octets there are at most so many. What is beyond stays unread and is told as a problem.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from relay.message import read_header, values
from relay.salesforce.mime_fields import MAXIMUM_VALUE, Parameters, file_name, value_and_parameters

MAXIMUM_DEPTH = 20
MAXIMUM_PARTS = 500
MAXIMUM_HEADER = 64 * 1024
"""Octets of a part's header section that are read."""
_MAXIMUM_BOUNDARY = 200
_TOO_MANY = f"it has more than {MAXIMUM_PARTS} parts: the rest was not read"
_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
)
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")


@dataclass(frozen=True, slots=True)
class Part:
    """One part that is no multipart, or a multipart that cannot be taken apart."""

    type: str
    """Such as text/plain, in lower case."""
    charset: str
    encoding: str
    """The Content-Transfer-Encoding, in lower case."""
    disposition: str
    """attachment, inline or ""."""
    name: str
    """The file name, or ""."""
    content_id: bool
    """Whether it has a Content-ID, by which HTML refers to it."""
    start: int
    end: int
    """Its body is the octets [start, end)."""
    within: tuple[str, ...]
    """The types of the multiparts around it, the outermost first."""
    alternative: int
    """Which multipart/alternative it is in, by a number; 0: none."""


@dataclass(frozen=True, slots=True)
class Structure:
    """The parts of a mail in their order."""

    parts: tuple[Part, ...]
    types: frozenset[str]
    """Every type that stands there, multiparts too."""
    problems: tuple[str, ...]


def structure(octets: bytes) -> Structure:
    """Find the parts of a mail (as it was before dot-stuffing). Never raises."""
    walk = _Walk(octets)
    parts = tuple(walk.visit(0, len(octets), (), 0, "text/plain"))
    return Structure(parts, frozenset(walk.types), tuple(walk.problems))


class _Walk:
    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._count = 0
        self._alternatives = 0
        self.types: set[str] = set()
        self.problems: dict[str, None] = {}

    def visit(
        self, start: int, end: int, within: tuple[str, ...], alternative: int, default: str
    ) -> Iterator[Part]:
        """Give the parts within [start, end), which begins with a header section."""
        if self._count >= MAXIMUM_PARTS:
            self.problems[_TOO_MANY] = None
            return
        self._count += 1
        body = self._body_at(start, end)
        fields = _Fields(self._octets[start : min(body, start + MAXIMUM_HEADER)], default)
        self.types.add(fields.type)
        boundary = fields.parameters.get("boundary", "")
        if not fields.type.startswith("multipart/") or not 0 < len(boundary) <= _MAXIMUM_BOUNDARY:
            yield fields.part(body, end, within, alternative)
        elif len(within) >= MAXIMUM_DEPTH:
            self.problems[
                f"its parts are nested deeper than {MAXIMUM_DEPTH} levels: the rest was not read"
            ] = None
        else:
            if fields.type == "multipart/alternative":
                self._alternatives += 1
                alternative = self._alternatives
            inner = "message/rfc822" if fields.type == "multipart/digest" else "text/plain"
            for at, stop in self._regions(body, end, boundary):
                yield from self.visit(at, stop, (*within, fields.type), alternative, inner)

    def _body_at(self, start: int, end: int) -> int:
        """Give where the body begins: behind the first blank line."""
        if self._octets.startswith(b"\r\n", start, end):
            return start + 2
        at = self._octets.find(b"\r\n\r\n", start, end)
        return end if at < 0 else at + 4

    def _regions(self, body: int, end: int, boundary: str) -> Iterator[tuple[int, int]]:
        """Give where the parts between the delimiter lines stand (RFC 2046 §5.1.1)."""
        line = re.compile(
            rb"\r\n--" + re.escape(boundary.encode("utf-8", "replace")) + rb"(--)?[ \t]*(?=\r\n|\Z)"
        )
        start = None
        for found in line.finditer(self._octets, max(0, body - 2), end):
            if start is not None:
                yield min(start, found.start()), found.start()
            if found[1]:
                return
            if self._count >= MAXIMUM_PARTS:
                self.problems[_TOO_MANY] = None
                return
            start = found.end() + 2
        if start is not None:
            self.problems["a part of it has no end"] = None
            yield min(start, end), end


class _Fields:
    """The Content fields of one part."""

    def __init__(self, section: bytes, default: str) -> None:
        header = read_header(section)

        def text(name: str) -> str:
            found = values(header, name)
            return found[0][:MAXIMUM_VALUE].decode("utf-8", "replace") if found else ""

        self.type, self.parameters = value_and_parameters(text("content-type"))
        if not _TYPE.fullmatch(self.type):
            self.type = default
        self._disposition, more = value_and_parameters(text("content-disposition"))
        self._name = _name_of(more, self.parameters)
        self._encoding = text("content-transfer-encoding").strip().lower()
        self._content_id = bool(text("content-id"))

    def part(self, start: int, end: int, within: tuple[str, ...], alternative: int) -> Part:
        return Part(
            type=self.type,
            charset=self.parameters.get("charset", "").strip().lower(),
            encoding=self._encoding,
            disposition=self._disposition,
            name=self._name,
            content_id=self._content_id,
            start=start,
            end=end,
            within=within,
            alternative=alternative,
        )


def _name_of(disposition: Parameters, kind: Parameters) -> str:
    return file_name(disposition, "filename") or file_name(kind, "name")


def decoded(octets: bytes, part: Part, limit: int) -> bytes:
    """Decode at most `limit` octets of a part; what is no base64 in base64 is passed over (RFC 2045 §6.8)."""
    match part.encoding:
        case "base64":
            # Line ends take at most a half more than their share in what people send; the rest is cut anyway.
            clean = octets[part.start : min(part.end, part.start + 2 * limit)].translate(None, _NOT_BASE64)
            clean = clean[: len(clean) - 1] if len(clean) % 4 == 1 else clean
            return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))[:limit]
        case "quoted-printable":
            return binascii.a2b_qp(octets[part.start : min(part.end, part.start + 4 * limit)])[:limit]
        case _:
            return octets[part.start : min(part.end, part.start + limit)]


def decoded_size(octets: bytes, part: Part) -> int:
    """Give how many octets a part has when it is decoded."""
    match part.encoding:
        case "base64":
            return len(octets[part.start : part.end].translate(None, _NOT_BASE64)) * 3 // 4
        case "quoted-printable":
            return len(binascii.a2b_qp(octets[part.start : part.end]))
        case _:
            return part.end - part.start
