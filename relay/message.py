"""Reading the header section of a message in its wire form: where each field stands and what it says.

Pure. The content itself is never changed or written anew: what must not be sent on is a list of octet ranges.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One header field: its lower-case name, and the octets [start, end) it takes, final CRLF included."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """The header section of a message: its raw octets (wire form) and where its fields are."""

    raw: bytes
    fields: tuple[Field, ...]
    body_at: int
    """Where the body starts: after the blank line, or where the header section ended without one."""
