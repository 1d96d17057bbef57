"""Reading the header section of a message in its wire form: where each field stands and what it says.

Pure. The content itself is never changed or written anew: what must not be sent on is a list of octet ranges.
The header section goes up to the first blank line, or to the end where there is none; lines in it that are no
fields (an mbox From line, plain text) are passed over.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from relay.address import Address
from relay.encoded_words import decode_words
from relay.mailboxes import MAXIMUM_VALUE, UNREADABLE, read_mailbox_list
from relay.values import quick

MAXIMUM_SUBJECT = 998
"""Characters of a subject that are kept."""
SEVERAL = "stands there more than once"

_BLIND = frozenset({"bcc", "resent-bcc"})
_LIST_FIELDS = frozenset(
    {"list-id", "list-post", "list-help", "list-subscribe", "list-unsubscribe", "list-owner", "list-archive"}
)
_BULK = frozenset({"bulk", "list", "junk"})
# Only CRLF ends a line (RFC 5321 §2.3.8), and one before white space folds (RFC 5322 §2.2.3). A leading dot is the
# transparency dot of RFC 5321 §4.5.2: the hop takes it away, and what folds then has to fold here.
_LINE_END = re.compile(rb"\r\n(?!\.?[ \t])")
_FOLD = re.compile(rb"\r\n\.?(?=[ \t])")
# White space before the colon is RFC 5322 §4.5's.
_NAME = re.compile(rb"\.?([!-9;-~]+)(?:[ \t\r\n]|(?<=\n)\.)*")
_SHORT = 80
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,995}>")
_FIRST_WORD = re.compile(r"[^\s;(,]*")
_CALENDAR_ANSWER = re.compile(r"""text/calendar\b.*\bmethod\s*=\s*"?(?:reply|counter)\b""")
_SIGNED_LIST = re.compile(rb"(?:^|;)\s*h\s*=([^;]*)")
_WHITE_SPACE = re.compile(rb"\s+")
# Controls, line and paragraph separators, and marks that turn the direction of writing.
_NOT_FOR_SHOWING = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069]")


class Field(NamedTuple):
    """One header field: its lower-case name, and the octets [start, end) it takes, final CRLF included."""

    name: str
    start: int
    end: int


@quick
@dataclass(frozen=True, slots=True)
class Header:
    """The header section of a message, as `read_header` found it."""

    raw: bytes
    """Its octets in wire form, with the blank line."""
    fields: tuple[Field, ...]
    body_at: int
    """Where the body starts: after the blank line, or where the header section ended without one."""
    names: frozenset[str] = field(repr=False)
    """The names of all fields, to rule most questions out at once."""


@quick
@dataclass(frozen=True, slots=True)
class FromMailboxes:
    """Everybody whom a From, Sender or Resent-From field names, over all fields of that name."""

    fields: int
    """How many fields of the name there are."""
    addresses: tuple[Address, ...] = ()
    problem: str = ""
    """What keeps them from being read in one way only, such as "is a group"; "" when nothing does."""


def header_ends(wire: bytes) -> int | None:
    """Give the offset behind the blank line that ends the header section; None when it is not in yet."""
    if wire.startswith(b"\r\n"):
        return 2
    at = wire.find(b"\r\n\r\n")
    return None if at < 0 else at + 4


def read_header(wire: bytes) -> Header:
    """Find the fields in content that holds at least the whole header section. Never raises."""
    body_at = header_ends(wire)
    end = len(wire) if body_at is None else body_at - 2
    fields = []
    start = 0
    for line in _LINE_END.split(wire[:end]):
        before_colon, colon, _ = line.partition(b":")
        stop = start + len(line) + 2
        if colon:
            name = _short_name(before_colon) if len(before_colon) <= _SHORT else _name(before_colon)
            if name:
                # Half the price of Field(…), and this line runs for every field of every message.
                fields.append(tuple.__new__(Field, (name, start, stop)))
        start = stop
    if fields and fields[-1].end > end:  # the content ends without CRLF
        fields[-1] = fields[-1]._replace(end=end)
    body_at = end if body_at is None else body_at
    return Header(wire[:body_at], tuple(fields), body_at, frozenset([found[0] for found in fields]))


def _name(before_colon: bytes) -> str | None:
    """Give the lower-case field name; None when what stands before the colon is none."""
    found = _NAME.fullmatch(before_colon)
    return found[1].decode("ascii").lower() if found else None


_short_name = lru_cache(maxsize=2048)(_name)


def has_field(header: Header, name: str) -> bool:
    """Say whether a field of that (lower-case) name is there."""
    return name in header.names


def values(header: Header, name: str) -> list[bytes]:
    """Give the values of all fields of that (lower-case) name: unfolded, without the white space around."""
    if name not in header.names:
        return []
    return [_value(header.raw[start:end]) for found, start, end in header.fields if found == name]


def _value(line: bytes) -> bytes:
    value = line.partition(b":")[2].removesuffix(b"\r\n")
    return (_FOLD.sub(b"", value) if b"\r\n" in value else value).strip(b" \t\r\n")


def first_value(header: Header, name: str) -> str | None:
    """Give the first value of that name as text; octets that are no UTF-8 become U+FFFD."""
    found = values(header, name)
    return found[0].decode("utf-8", "replace") if found else None


def message_id(header: Header) -> str | None:
    """Give the Message-ID with its angle brackets, or None when it is missing or nothing to search by.

    Identifiers without an @ are taken too: clients make them, and people look for them.
    """
    found = values(header, "message-id")
    text = found[0].decode("ascii", "replace") if found else ""
    return text if _MESSAGE_ID.fullmatch(text) else None


def subject(header: Header) -> str:
    """Give the subject to show and to search: decoded, in one line of at most 998 characters, without controls."""
    text = first_value(header, "subject")
    return showable(decode_words(text))[:MAXIMUM_SUBJECT] if text else ""


def showable(text: str) -> str:
    """Put a space for every character that would spoil a log line or a page."""
    return _NOT_FOR_SHOWING.sub(" ", text)


def from_mailboxes(header: Header, name: str = "from") -> FromMailboxes:
    """Give everybody named by the From fields (or those of another name), and what is wrong with them.

    Of several fields all addresses are given, and that there are several is the problem (RFC 5322 §3.6).
    """
    found = values(header, name)
    if not found:
        return FromMailboxes(0)
    if len(found) > 1 and sum(map(len, found)) > MAXIMUM_VALUE:
        return FromMailboxes(len(found), (), UNREADABLE)
    lists = [read_mailbox_list(value) for value in found]
    addresses = tuple(address for one in lists for address in one.addresses)
    # Resent fields stand there once for each time a mail was sent again (RFC 5322 §3.6.6).
    if len(found) > 1 and not name.startswith("resent-"):
        return FromMailboxes(len(found), addresses, SEVERAL)
    return FromMailboxes(len(found), addresses, next((one.problem for one in lists if one.problem), ""))


def bcc_ranges(header: Header) -> tuple[tuple[int, int], ...]:
    """Give the octet ranges [start, end) of the Bcc and Resent-Bcc fields, continuation lines included."""
    if header.names.isdisjoint(_BLIND):
        return ()
    return tuple((found.start, found.end) for found in header.fields if found.name in _BLIND)


def signed_fields(header: Header) -> frozenset[str]:
    """Give the lower-case field names that any DKIM-Signature covers: its `h=` list (RFC 6376 §3.5)."""
    signed = set()
    for value in values(header, "dkim-signature"):
        for names in _SIGNED_LIST.findall(value):
            signed.update(_WHITE_SPACE.sub(b"", names).lower().split(b":"))
    return frozenset(name.decode("ascii", "replace") for name in signed if name)


def received_count(header: Header) -> int:
    """Give the number of Received fields: the hops so far (RFC 5321 §6.3)."""
    if "received" not in header.names:
        return 0
    return sum(found.name == "received" for found in header.fields)


def received_tokens(header: Header, hostname: str) -> int:
    """Give the number of Received fields that a relay of this name wrote: how often the mail was here before.

    Told by its name together with a queue id of our form, since the same host may run another mail system.
    """
    if not hostname or "received" not in header.names:
        return 0
    ours = _received_by(hostname)
    return sum(ours.search(value) is not None for value in values(header, "received"))


@lru_cache(maxsize=8)
def _received_by(hostname: str) -> re.Pattern[bytes]:
    host = re.escape(hostname.encode())
    return re.compile(
        rb"(?:^|\s)by\s+" + host + rb"\s+with\s+\S+\s+id\s+[0-9A-HJKMNP-TV-Z]{13}(?![^\s;])", re.I
    )


def automated(header: Header) -> str | None:
    """Say, in plain words, what shows that no person wrote this mail to a person; None when nothing does.

    Auto-Submitted (RFC 3834 §5), the List fields (RFC 2369, 2919), Precedence, reports (RFC 6522) and calendar
    answers (RFC 5546 §3.2.3). X-Auto-Response-Suppress is no sign: Outlook sets it on ordinary mail.
    """
    names = header.names
    if "auto-submitted" in names and _first_word(header, "auto-submitted") != "no":
        return "it is marked Auto-Submitted"
    if not names.isdisjoint(_LIST_FIELDS):
        return "it is from a mailing list"
    if "precedence" in names and _first_word(header, "precedence") in _BULK:
        return "its precedence is bulk, list or junk"
    kind = (first_value(header, "content-type") or "").lower()
    if kind.startswith("multipart/report"):
        return "it is a report about a mail"
    return "it is a calendar answer" if _CALENDAR_ANSWER.match(kind) else None


def _first_word(header: Header, name: str) -> str:
    word = _FIRST_WORD.match((first_value(header, name) or "").lower())
    return word[0] if word else ""


def unstuff(wire: bytes) -> bytes:
    """Give content as it was before dot-stuffing: one leading dot of each line removed (RFC 5321 §4.5.2)."""
    if wire.startswith(b"."):
        wire = wire[1:]
    return wire.replace(b"\r\n.", b"\r\n")
