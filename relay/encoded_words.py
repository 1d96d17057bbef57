"""Reading encoded words, the way header fields carry text beyond ASCII (RFC 2047).

Pure. Only for showing and comparing text: what is forwarded is never decoded.
"""

import binascii
import codecs
import re
from functools import lru_cache
from itertools import groupby

MAXIMUM_LENGTH = 16 * 1024
"""Characters of a field that are looked at; the rest is cut off before decoding."""

_WORD = re.compile(r"=\?([!-)+->@-~]{1,40})(?:\*[!->@-~]{0,40})?\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(r"(?<=\?=)[ \t\r\n]+(?==\?)")
_Q_OCTET = re.compile(rb"=([0-9A-Fa-f]{2})")
# Text codecs that are no charsets of mail, and cost more than linear time or give surprising text.
_NO_CHARSET = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf_7"})

_Piece = tuple[str | None, bytes]
"""A charset with octets in it; None: plain text, in UTF-8."""


def decode_words(text: str) -> str:
    """Decode every encoded word in the text; words that cannot be decoded stay as they are.

    White space between two encoded words is dropped (§6.2), and a character that was split over two words of
    one charset is put together again. Octets that fit no character become U+FFFD.
    """
    return _decode(text[:MAXIMUM_LENGTH]) if "=?" in text else text


# A few, since one message's subject is asked for by several parts of the relay one after another.
@lru_cache(maxsize=32)
def _decode(text: str) -> str:
    pieces = _pieces(_BETWEEN_WORDS.sub("", text))
    joined = (
        (charset, b"".join(octets for _, octets in group)) for charset, group in groupby(pieces, _charset)
    )
    return "".join(octets.decode(charset or "utf-8", "replace") for charset, octets in joined)


def _charset(piece: _Piece) -> str | None:
    return piece[0]


def _pieces(text: str) -> list[_Piece]:
    pieces: list[_Piece] = []
    at = 0
    for word in _WORD.finditer(text):
        pieces.append((None, text[at : word.start()].encode("utf-8", "replace")))
        pieces.append(_decoded(word))
        at = word.end()
    pieces.append((None, text[at:].encode("utf-8", "replace")))
    return [piece for piece in pieces if piece[1]]


def _decoded(word: re.Match[str]) -> _Piece:
    charset = text_codec(word[1].lower())
    octets = word[3].encode("utf-8", "replace")
    try:
        decoded = _from_base64(octets) if word[2] in "bB" else _from_q(octets)
    except binascii.Error:
        charset = None
    return (None, word[0].encode("utf-8", "replace")) if charset is None else (charset, decoded)


def _from_base64(octets: bytes) -> bytes:
    return binascii.a2b_base64(octets + b"=" * (-len(octets) % 4))


def _from_q(octets: bytes) -> bytes:
    return _Q_OCTET.sub(lambda found: bytes.fromhex(found[1].decode()), octets.replace(b"_", b" "))


@lru_cache(maxsize=256)
def text_codec(name: str) -> str | None:
    """Give Python's name of a charset of mail; None when there is none that can be decoded safely."""
    try:
        codec = codecs.lookup(name)
        b"x".decode(name, "replace")  # a codec from octets to octets (zip, hex) refuses
    except (LookupError, ValueError, TypeError):
        return None
    return None if codec.name.replace("-", "_") in _NO_CHARSET else codec.name
