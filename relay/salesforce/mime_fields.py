"""Reading the structured fields of mail that is recorded: parameters, file names, mailboxes, dates - leniently.

Pure. Only for showing: nothing is decided by these readings but what stands on a record. Everything is cut to a length
first and read in one pass, so that no field costs more than its length.
"""

import re
from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from relay.encoded_words import decode_words, text_codec
from relay.salesforce.cleaning import one_line
from relay.salesforce.composed import Mailbox

MAXIMUM_VALUE = 16 * 1024
"""Characters of a field that are looked at."""
MAXIMUM_NAME = 255
"""Characters of a file name or a display name."""
MAXIMUM_MAILBOXES = 1_000
_MAXIMUM_DATE = 100
_MAXIMUM_PIECES = 100

# The closing quote is optional: a pattern that may fail at the end would be tried again from every quote before it.
_TOKEN = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"?|(?P<mark>[;=])|(?P<word>[^\s;="]+)|\s+|.', re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_PIECE = re.compile(r"(?P<name>[^*]+)\*(?:(?P<number>[0-9]{1,3})(?P<encoded>\*)?)?")
_BOX_TOKEN = re.compile(
    r'"(?P<quoted>(?:[^"\\]|\\.)*)"?(?P<local>(?=\s*[.@]))?|<(?P<angle>\s*"(?:[^"\\]|\\.)*"\s*@[^<>]*|[^<>]*)>?'
    r'|(?P<mark>[,;:])|(?P<comment>\([^()]*\)?)|(?P<word>[^"<,;:(]+)|.',
    re.DOTALL,
)
_SPACE_OUTSIDE = re.compile(r'("(?:[^"\\]|\\.)*"?)|\s+', re.DOTALL)
_ID = re.compile(r"<[^<>\s]{1,760}>")

Parameters = dict[str, str]


def value_and_parameters(text: str) -> tuple[str, Parameters]:
    """Read `text/plain; charset=utf-8; name="a b"`: the value in lower case, and the parameters by lower-case name."""
    value, parameters = "", Parameters()
    name, current, after_equals = "", "", False
    for token in _TOKEN.finditer(text[:MAXIMUM_VALUE] + ";"):
        if token["mark"] == ";":
            if after_equals:
                parameters.setdefault(name, current)
            elif not value:
                value = current.strip().lower()
            name, current, after_equals = "", "", False
        elif token["mark"] == "=" and not after_equals:
            name, current, after_equals = current.strip().lower(), "", True
        elif token["quoted"] is not None:
            current += _QUOTED_PAIR.sub(r"\1", token["quoted"])
        elif not (after_equals and current and not token["word"]):
            current += token["word"] or ""
    return value, parameters


def file_name(parameters: Parameters, name: str) -> str:
    """Give a file name parameter, in whichever way it is written (RFC 2231 §3, §4; RFC 2047 as many clients do)."""
    pieces = []
    for key, value in list(parameters.items())[:_MAXIMUM_PIECES]:
        found = _PIECE.fullmatch(key)
        if found and found["name"] == name:
            encoded = found["number"] is None or found["encoded"] is not None
            pieces.append((int(found["number"] or 0), encoded, value))
    text = _continued(sorted(pieces)) if pieces else decode_words(parameters.get(name, ""))
    text = re.split(r"[/\\]", text[:MAXIMUM_VALUE])[-1]
    return one_line(text)[:MAXIMUM_NAME].strip(". ")


def _continued(pieces: Sequence[tuple[int, bool, str]]) -> str:
    charset, octets = "utf-8", b""
    for index, (_, encoded, value) in enumerate(pieces):
        if encoded and index == 0 and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        octets += unquote_to_bytes(value) if encoded else value.encode("utf-8", "replace")
    return octets.decode(text_codec(charset.lower()) or "utf-8", "replace")


def mailboxes(text: str) -> tuple[Mailbox, ...]:
    """Read a list of mailboxes as well as it goes: names decoded, groups opened, what has no address left out."""
    boxes: list[Mailbox] = []
    words, address, plain = "", "", ""
    for token in _BOX_TOKEN.finditer(text[:MAXIMUM_VALUE] + ","):
        mark = token["mark"]
        if mark == ":":
            words, plain = "", ""  # the name of a group
        elif mark:
            boxes += _box(words, address) if address else _box("", plain)
            words, address, plain = "", "", ""
        elif token["angle"] is not None:
            address = token["angle"].strip()
        elif token["quoted"] is not None:
            words += _QUOTED_PAIR.sub(r"\1", token["quoted"])
            plain += token[0] if token["local"] is not None else ""
        elif token["word"]:
            words += token["word"]
            plain += token["word"]
        if len(boxes) >= MAXIMUM_MAILBOXES:
            break
    return tuple(boxes)


def _box(words: str, address: str) -> list[Mailbox]:
    address = _SPACE_OUTSIDE.sub(lambda found: found[1] or "", one_line(address))
    if "@" not in address or len(address) > MAXIMUM_NAME:
        return []
    name = one_line(decode_words(words.strip()))[:MAXIMUM_NAME].strip()
    return [Mailbox("" if name == address else name, address)]


def first_id(text: str) -> str:
    """Give the first message identifier in References or In-Reply-To, with its angle brackets; "" when there is none."""
    found = _ID.search(text[:MAXIMUM_VALUE])
    return found[0] if found else ""


def instant(text: str) -> int | None:
    """Read a Date field as UTC microseconds; None when it is none (RFC 5322 §3.3)."""
    try:
        when = parsedate_to_datetime(text[:_MAXIMUM_DATE])
        when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
        return round(when.timestamp()) * 1_000_000
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
