"""Reading a hop's replies: tolerant of style, strict in form, bounded whatever it sends (RFC 5321 §4.2).

Pure.
"""

import re
from functools import lru_cache

from relay.status import Reply

MAXIMUM_LINE = 4096
"""Octets in one reply line; RFC 5321 §4.5.3.1.5 allows 512."""
MAXIMUM_LINES = 128
"""Lines in one reply."""
MAXIMUM_TEXT = 1000
"""Characters of a reply's text that are kept."""

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*?))?\r?\Z", re.DOTALL)
_STATUS = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: +|\Z)")


class ReplyReader:
    """Cuts what a hop sends into replies.

    Once `malformed` is not "", it says what was wrong, and nothing more is read.
    """

    __slots__ = ("_lines", "_rest", "malformed")

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self.malformed = ""

    @property
    def pending(self) -> bool:
        """Tell whether a part of a reply has come in."""
        return bool(self._rest or self._lines)

    def feed(self, data: bytes) -> list[Reply]:
        """Take what came in; give the replies that are complete now, those before a malformed one included."""
        replies: list[Reply] = []
        if self.malformed:
            return replies
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            reply = self._line(line)
            if self.malformed:
                return replies
            if reply is not None:
                replies.append(reply)
        if len(self._rest) > MAXIMUM_LINE:
            self._spoil(f"a reply line of more than {MAXIMUM_LINE} octets")
        return replies

    def _line(self, line: bytes) -> Reply | None:
        """Take one line; give the reply that it completes."""
        if not self._lines and line[3:4] != b"-" and len(line) <= MAXIMUM_LINE:
            reply = _single(line)
            if reply is None:
                self._spoil(f"this is not a reply: {printable(line[:80])}")
            return reply
        return self._part(line)

    def _part(self, line: bytes) -> Reply | None:
        match = _LINE.match(line) if len(line) <= MAXIMUM_LINE else None
        if match is None:
            self._spoil(f"this is not a reply line: {printable(line[:80])}")
            return None
        self._lines.append(match[3] or b"")
        if len(self._lines) > MAXIMUM_LINES:
            self._spoil(f"a reply of more than {MAXIMUM_LINES} lines")
            return None
        if match[2] == b"-":
            return None
        texts, self._lines = self._lines, []
        return make_reply(int(match[1]), texts)

    def _spoil(self, why: str) -> None:
        self.malformed, self._rest, self._lines = why, b"", []


@lru_cache(maxsize=64)  # what a hop says of every message; a reply that names the message comes once
def _single(line: bytes) -> Reply | None:
    match = _LINE.match(line)
    if match is None or match[2] == b"-":
        return None
    return make_reply(int(match[1]), [match[3] or b""])


def make_reply(code: int, lines: list[bytes]) -> Reply:
    """Put a reply together: the enhanced status code (RFC 2034) apart, the lines' texts joined by spaces."""
    status, texts = "", []
    for line in lines:
        text = printable(line).strip()
        match = _STATUS.match(text)
        if match and int(match[1][0]) == code // 100:
            status = status or match[1]
            text = text[match.end() :]
        if text:
            texts.append(text)
    return Reply(code, status, shorten(" ".join(texts)))


def printable(octets: bytes) -> str:
    """Give text that is safe in a log: printable ASCII, everything else escaped by its code."""
    text = octets.decode("ascii", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def shorten(text: str) -> str:
    """Cut a text to what is kept of a reply."""
    return text if len(text) <= MAXIMUM_TEXT else text[: MAXIMUM_TEXT - 1] + "…"
