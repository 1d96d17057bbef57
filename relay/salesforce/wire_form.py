"""Bring a mail as it is kept in a file into the wire form that the relay works on (RFC 5321 §4.5.2).

Pure. Line ends become CRLF, leading dots are doubled, and a missing final line end is added.
"""

import re

_LINE_END = re.compile(rb"\r\n|\r|\n")
_MBOX = re.compile(rb"\AFrom [^\r\n]*(?:\r\n|\r|\n)")


def wire_form(file: bytes) -> bytes:
    """Give the wire form of an .eml file, or of one mail of an mbox with its From line."""
    lines = _LINE_END.sub(b"\r\n", _MBOX.sub(b"", file, count=1))
    if not lines.endswith(b"\r\n"):
        lines += b"\r\n"
    stuffed = lines.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed
