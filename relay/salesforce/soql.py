"""Writing the queries that look people up, each short enough to be sent in an address line.

Pure. Salesforce refuses a URI and headers over 16,384 bytes (414, 431); a query counts percent-encoded.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from urllib.parse import quote

MAXIMUM_ENCODED = 12_000
"""Bytes of one percent-encoded query."""
MAXIMUM_EMAIL = 80
"""Characters of an Email field of contacts and leads: longer addresses are nobody's."""
_ESCAPES = str.maketrans(
    {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
)


def literal(text: str) -> str:
    """Write a text as a string literal (SOQL and SOSL Reference, Quoted String Escape Sequences)."""
    return f"'{text.translate(_ESCAPES)}'"


def encoded_length(text: str) -> int:
    """Give the bytes that a text takes in an address line."""
    return len(quote(text, safe=""))


def listed(values: Collection[str]) -> str:
    """Write `('a','b')`."""
    return f"({','.join(literal(one) for one in values)})"


def _itself(value: str) -> Sequence[str]:
    return (value,)


def portions(
    values: Sequence[str], room: int, forms: Callable[[str], Sequence[str]] = _itself
) -> Iterator[Sequence[str]]:
    """Split values so that each portion, all its forms written by `listed`, takes at most `room` bytes percent-encoded.

    A value that would not fit alone is left out.
    """
    portion: list[str] = []
    used = 0
    for value in values:
        length = sum(encoded_length(literal(form)) + 3 for form in forms(value))  # each with its comma
        if length > room:
            continue
        if used + length > room:
            yield portion
            portion, used = [], 0
        portion.append(value)
        used += length
    if portion:
        yield portion
