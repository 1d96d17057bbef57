"""Taking apart the mailbox lists of header fields such as From and Sender (RFC 5322 §3.4, RFC 6854).

Pure. Strict, since a refusal hangs on it: what two readers could read in two ways is a problem, never a guess.
The `email` package is not used: it reads some of these lists differently from the clients that show them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from relay.address import Address, parse_mailbox
from relay.encoded_words import decode_words
from relay.errors import AddressError

MAXIMUM_VALUE = 64 * 1024
"""Octets that are read, of one field or of all fields of a name together."""
_ORDINARY_VALUE = 500
_TOKEN = re.compile(
    r"""(?P<space>[ \t]+)
      | (?P<quoted>"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*")
      | (?P<special>[<>,:;@.])
      | (?P<literal>\[[!-Z^-~]*\])
      | (?P<atom>[A-Za-z0-9!\#$%&'*+\-/=?^_`{|}~\x80-\U0010ffff]+)
      | (?P<comment>\()""",
    re.VERBOSE,
)
_IN_COMMENT = re.compile(r"[()]|\\.")
_DEPTH = {"(": 1, ")": -1}
# One character on either side is enough to tell; runs of them would cost the square of their length.
_HIDDEN_ADDRESS = re.compile(r"[^\s@<>,;:\"]@[^\s@<>,;:\"]+\.[^\s@<>,;:\"]")
_LIST_SYNTAX = re.compile(r"[<>,;:\"\x00-\x1f\x7f]")

NO_ADDRESS = "has no address"
GROUP = "is a group"
ROUTE = "has a source route"
UNREADABLE = "cannot be read"
HIDDEN = "hides an address in an encoded word"


@dataclass(frozen=True, slots=True)
class MailboxList:
    """The addresses of one field, as many as could be read, and what is wrong with it."""

    addresses: tuple[Address, ...]
    problem: str = ""
    """What keeps the field from being read in one way only, to follow "The From field"; "" when nothing does."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """space, quoted, literal, atom, comment, or the special character itself."""
    start: int
    end: int


class _Unreadable(Exception):
    """Thrown inside this module only: `str()` is the problem."""


def read_mailbox_list(value: bytes) -> MailboxList:
    """Read an unfolded field value: mailboxes with or without display names, separated by commas.

    Every address that stands there counts, one in place of a display name too. Octets beyond ASCII are allowed
    in display names and comments whatever they are, in an address only as UTF-8 (RFC 6532 §3.2). Groups,
    source routes, empty entries, white space or comments inside an address, and encoded words that hide an
    address are problems. Never raises.
    """
    if len(value) <= _ORDINARY_VALUE:
        return _read_again(value)
    return _read(value) if len(value) <= MAXIMUM_VALUE else MailboxList((), UNREADABLE)


def _read(value: bytes) -> MailboxList:
    text = value.decode("utf-8", "surrogateescape")
    addresses: list[Address] = []
    try:
        for entry in _entries(list(_tokens(text))):
            addresses.extend(_addresses(text, entry))
    except _Unreadable as problem:
        return MailboxList(tuple(addresses), str(problem))
    return MailboxList(tuple(addresses))


# A client writes the same From into each of its mails.
_read_again = lru_cache(maxsize=4096)(_read)


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found or not found.lastgroup:
            raise _Unreadable(UNREADABLE)
        end = _comment_end(text, at) if found.lastgroup == "comment" else found.end()
        yield _Token(found[0] if found.lastgroup == "special" else found.lastgroup, at, end)
        at = end


def _comment_end(text: str, start: int) -> int:
    """Give the offset behind a comment, which may hold comments (RFC 5322 §3.2.2)."""
    depth = 0
    for mark in _IN_COMMENT.finditer(text, start):
        depth += _DEPTH.get(mark[0], 0)
        if depth == 0:
            return mark.end()
    raise _Unreadable(UNREADABLE)


def _entries(tokens: list[_Token]) -> Iterator[list[_Token]]:
    """Split at the commas outside angle brackets, and leave out space and comments around each entry."""
    entry: list[_Token] = []
    in_angle = False
    for token in tokens:
        if token.kind in "<>":
            if in_angle == (token.kind == "<"):
                raise _Unreadable(UNREADABLE)
            in_angle = not in_angle
        elif token.kind in ":;":
            raise _Unreadable(ROUTE if in_angle else GROUP)
        if token.kind == "," and not in_angle:
            yield _trimmed(entry)
            entry = []
        else:
            entry.append(token)
    if in_angle:
        raise _Unreadable(UNREADABLE)
    yield _trimmed(entry)


def _trimmed(tokens: list[_Token]) -> list[_Token]:
    solid = [index for index, token in enumerate(tokens) if token.kind not in ("space", "comment")]
    if not solid:
        raise _Unreadable(NO_ADDRESS)
    return tokens[solid[0] : solid[-1] + 1]


def _addresses(text: str, entry: list[_Token]) -> Iterator[Address]:
    """Give the address of one entry, after one that stands where a display name should."""
    opening = next((index for index, token in enumerate(entry) if token.kind == "<"), None)
    if opening is None:
        yield _address(text[entry[0].start : entry[-1].end])
        return
    if entry[-1].kind != ">":
        raise _Unreadable(UNREADABLE)
    yield from _in_display_name(text, entry[:opening])
    yield _address(text[entry[opening].end : entry[-1].start])


def _in_display_name(text: str, phrase: list[_Token]) -> Iterator[Address]:
    if not phrase:
        return
    if any(token.kind == "literal" for token in phrase):
        raise _Unreadable(UNREADABLE)
    name = text[phrase[0].start : phrase[-1].end]
    if "=?" in name and _hides_address(name):
        raise _Unreadable(HIDDEN)
    if any(token.kind == "@" for token in phrase):
        yield _address(name.strip(" \t"))


def _hides_address(name: str) -> bool:
    """Say whether a reader that decodes before it parses would find another list of addresses here."""
    decoded = decode_words(name)
    new_syntax = _LIST_SYNTAX.search(decoded) if decoded != name else None
    return bool(new_syntax and _HIDDEN_ADDRESS.search(decoded))


def _address(text: str) -> Address:
    if not text:
        raise _Unreadable(NO_ADDRESS)
    if "=?" in text:
        raise _Unreadable(HIDDEN)
    try:
        return parse_mailbox(text, smtputf8=True)
    except AddressError as exc:
        raise _Unreadable(UNREADABLE) from exc
