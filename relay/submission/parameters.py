"""Read the arguments of MAIL and RCPT: the path in its angle brackets and the parameters behind it.

Pure. The path's grammar is RFC 5321 §4.1.2 (relay.address); parameters are RFC 1870 (SIZE), 6152 (BODY),
6531 (SMTPUTF8), 3461 (RET, ENVID, NOTIFY, ORCPT) and 4954 §5 (AUTH). Values keep their case. What cannot be
read is answered with the reply that says so; nothing is raised.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from relay.address import Address, parse_mailbox
from relay.envelope import Recipient
from relay.errors import AddressError
from relay.status import (
    BAD_RECIPIENT,
    BAD_SENDER,
    CONTROL_OCTETS,
    MAIL_SYNTAX,
    NOT_UTF8,
    PARAMETER_SYNTAX,
    PARAMETER_TWICE,
    PARAMETER_UNKNOWN,
    RCPT_SYNTAX,
    RECIPIENT_NEEDS_UTF8,
    SENDER_NEEDS_UTF8,
    UNQUALIFIED_RECIPIENT,
    UNQUALIFIED_SENDER,
    Reply,
)
from relay.values import quick

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
# RFC 3461 §4: hexadecimal pairs in upper case; a control octet behind one is refused, since somebody decodes it.
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[2-6A-F][0-9A-F]|\+7[0-9A-E])*")
_UTF8_XTEXT = re.compile(
    r"(?:[!-*,-<>-~\u00a0-\U0010ffff]|\+[2-6A-F][0-9A-F]|\+7[0-9A-E]|\\x\{[0-9A-F]{2,6}\})*"
)
_ADDRESS_TYPE = re.compile(r"[A-Za-z0-9-]{1,40}")
# "@one,@two:" in front of a mailbox: read and dropped, never obeyed (RFC 5321 §3.6.1, Appendix C).
_SOURCE_ROUTE = re.compile(r"@[A-Za-z0-9.-]+(?:,@[A-Za-z0-9.-]+)*:")
_NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})
_LONGEST_PATH = 254
"""Octets between the angle brackets: a path is 256 with them (RFC 5321 §4.5.3.1.3)."""
_LONGEST_ENVID = 100
_LONGEST_ORCPT = 500

Parameters = dict[str, str | None]


@quick
@dataclass(frozen=True, slots=True)
class MailCommand:
    """What MAIL said."""

    reverse_path: Address | None
    smtputf8: bool = False
    size: int | None = None
    body: str | None = None
    ret: str | None = None
    envid: str | None = None


def decode_argument(argument: bytes) -> str | Reply:
    """Give a command's argument as text; control octets and broken UTF-8 are answered 501."""
    try:
        text = argument.decode()
    except UnicodeDecodeError:
        return NOT_UTF8
    if text.isprintable() or not _CONTROL.search(text):
        return text
    return CONTROL_OCTETS


def read_mail(argument: bytes, *, extended: bool) -> MailCommand | Reply:
    """Read what follows `MAIL `; `extended` is false after HELO, when no parameter may come."""
    text = decode_argument(argument)
    if isinstance(text, Reply):
        return text
    found = _split(text, "FROM:", MAIL_SYNTAX)
    if isinstance(found, Reply):
        return found
    path, rest = found
    given = _parameters(rest, extended=extended) if rest else {}
    if isinstance(given, Reply):
        return given
    utf8 = "SMTPUTF8" in given
    if not utf8 and not text.isascii():
        return SENDER_NEEDS_UTF8
    address = _mailbox(path, utf8, BAD_SENDER, UNQUALIFIED_SENDER) if path else None
    if isinstance(address, Reply):
        return address
    return _mail_command(address, given) if given else MailCommand(address)


def read_recipient(argument: bytes, *, extended: bool, smtputf8: bool) -> Recipient | Reply:
    """Read what follows `RCPT `. `<Postmaster>` gives an address without a domain (RFC 5321 §4.5.1)."""
    text = decode_argument(argument)
    if isinstance(text, Reply):
        return text
    found = _split(text, "TO:", RCPT_SYNTAX)
    if isinstance(found, Reply):
        return found
    path, rest = found
    given = _parameters(rest, extended=extended) if rest else {}
    if isinstance(given, Reply):
        return given
    if not smtputf8 and not text.isascii():
        return RECIPIENT_NEEDS_UTF8
    if path.lower() == "postmaster":
        address: Address | Reply = Address(path, "")
    else:
        address = _mailbox(path, smtputf8, BAD_RECIPIENT, UNQUALIFIED_RECIPIENT)
    if isinstance(address, Reply):
        return address
    return _recipient(address, given, smtputf8) if given else Recipient(address)


def _split(text: str, keyword: str, wrong: Reply) -> tuple[str, str] | Reply:
    """Split `FROM:<path> parameters`; a blank after the colon is let pass, since many clients send it."""
    if text[: len(keyword)].upper() != keyword:
        return wrong
    rest = text[len(keyword) :].strip(" ")
    if not rest.startswith("<"):
        return wrong
    end = rest.find(">") if '"' not in rest else _unquoted_end(rest)
    if end < 0 or (len(rest) > end + 1 and rest[end + 1] != " "):
        return wrong
    return rest[1:end], rest[end + 2 :].strip(" ")


def _unquoted_end(text: str) -> int:
    """Find the `>` that ends a path whose local part may be quoted; -1 when there is none."""
    quoted = escaped = False
    for at, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == ">" and not quoted:
            return at
    return -1


def _mailbox(path: str, utf8: bool, wrong: Reply, unqualified: Reply) -> Address | Reply:
    if len(path) > _LONGEST_PATH or len(path.encode()) > _LONGEST_PATH:
        return wrong
    if path.startswith("@"):
        path = _SOURCE_ROUTE.sub("", path, count=1)
    if path and "@" not in path and '"' not in path:
        return unqualified
    try:
        address = parse_mailbox(path, smtputf8=utf8)
    except AddressError:
        return wrong
    return address if _qualified(address.domain) else unqualified


def _qualified(domain: str) -> bool:
    # RFC 6409 §4.2: a domain that is not fully qualified is refused, never completed. A domain in U-labels may
    # have other full stops than ours; it is left to the next hop.
    return "." in domain.rstrip(".") or domain.startswith("[") or not domain.isascii()


def _parameters(text: str, *, extended: bool) -> Parameters | Reply:
    if not extended:
        return PARAMETER_UNKNOWN
    given: Parameters = {}
    for word in text.split():
        keyword, equals, value = word.partition("=")
        if not _KEYWORD.fullmatch(keyword) or (equals and not value):
            return PARAMETER_SYNTAX
        name = keyword.upper()
        if name in given:
            return PARAMETER_TWICE
        given[name] = value if equals else None
    return given


def _mail_command(address: Address | None, given: Parameters) -> MailCommand | Reply:
    for name, value in given.items():
        check = _MAIL.get(name)
        if check is None:
            return PARAMETER_UNKNOWN
        if not check(value):
            return PARAMETER_SYNTAX
    size, body, ret = given.get("SIZE"), given.get("BODY"), given.get("RET")
    return MailCommand(
        address,
        smtputf8="SMTPUTF8" in given,
        size=int(size) if size else None,
        body=body.upper() if body else None,
        ret=ret.upper() if ret else None,
        envid=given.get("ENVID"),
    )


def _recipient(address: Address, given: Parameters, utf8: bool) -> Recipient | Reply:
    if not given.keys() <= {"NOTIFY", "ORCPT"}:
        return PARAMETER_UNKNOWN
    notify, orcpt = given.get("NOTIFY"), given.get("ORCPT")
    if "NOTIFY" in given and not _is_notify(notify):
        return PARAMETER_SYNTAX
    if "ORCPT" in given and not _is_orcpt(orcpt, utf8):
        return PARAMETER_SYNTAX
    return Recipient(address, notify.upper() if notify else None, orcpt)


def _is_size(value: str | None) -> bool:
    return value is not None and value.isascii() and value.isdigit() and len(value) <= 20


def _is_body(value: str | None) -> bool:
    # BINARYMIME is not offered: a hop that takes it is rare, and nothing may be converted (design: byte-exact).
    return value is not None and value.upper() in ("7BIT", "8BITMIME")


def _is_ret(value: str | None) -> bool:
    return value is not None and value.upper() in ("FULL", "HDRS")


def _is_envid(value: str | None) -> bool:
    return value is not None and len(value) <= _LONGEST_ENVID and _XTEXT.fullmatch(value) is not None


def _is_auth(value: str | None) -> bool:
    # RFC 4954 §5: read, and not believed: every submission is treated as AUTH=<>.
    return (
        value is not None
        and len(value) <= _LONGEST_ORCPT
        and (value == "<>" or _XTEXT.fullmatch(value) is not None)
    )


def _is_notify(value: str | None) -> bool:
    if value is None:
        return False
    words = value.upper().split(",")
    return words == ["NEVER"] or set(words) <= _NOTIFY


def _is_orcpt(value: str | None, utf8: bool) -> bool:
    if value is None or len(value) > _LONGEST_ORCPT:
        return False
    kind, separator, address = value.partition(";")
    if not separator or not address or not _ADDRESS_TYPE.fullmatch(kind):
        return False
    pattern = _UTF8_XTEXT if utf8 and kind.lower() == "utf-8" else _XTEXT
    return pattern.fullmatch(address) is not None


_MAIL: dict[str, Callable[[str | None], bool]] = {
    "SIZE": _is_size,
    "BODY": _is_body,
    "SMTPUTF8": lambda value: value is None,
    "RET": _is_ret,
    "ENVID": _is_envid,
    "AUTH": _is_auth,
}
