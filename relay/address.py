"""Mail addresses: reading, comparing and writing them (RFC 5321 §4.1.2, RFC 6531 §3.3).

Pure. Only envelope grammar lives here; the mailbox lists of header fields are taken apart in relay.mailboxes,
which hands every address it finds to this grammar.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from relay.errors import AddressError, NonAsciiAddress

MAXIMUM_LOCAL = 64
"""Octets of a local part (RFC 5321 §4.5.3.1.1)."""
MAXIMUM_MAILBOX = 254
"""Octets of a mailbox: a path is 256 octets with its angle brackets (RFC 5321 §4.5.3.1.3)."""
MAXIMUM_DOMAIN = 255
"""Octets of a domain (RFC 5321 §4.5.3.1.2)."""
_MAXIMUM_LABEL = 63

_ATEXT = r"A-Za-z0-9!#$%&'*+\-/=?^_`{|}~"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN = re.compile(rf"([{_ATEXT}]+(?:\.[{_ATEXT}]+)*)@({_LABEL}(?:\.{_LABEL})*)")

# Controls, lone surrogates (undecodable octets), separators, the marks that turn the direction of writing, which
# make an address look like another one in a log, and the three characters whose normal form is an ASCII one.
_NEVER = r"\x00-\x1f\x7f-\x9f\ud800-\udfff\u00a0\u1680\u2000-\u200a\u2028-\u202f\u205f\u2066-\u2069\u3000\ufeff\u037e\u1fef\u212a"
_UTF8 = r"\u0080-\U0010ffff"
_FORBIDDEN = re.compile(f"[{_NEVER}]")
_DOT_STRING = re.compile(rf"[{_ATEXT}{_UTF8}]+(?:\.[{_ATEXT}{_UTF8}]+)*")
_QUOTED_STRING = re.compile(rf'"(?:[ !#-\[\]-~{_UTF8}]|\\[ -~])*"')
_QUOTED_PAIR = re.compile(r"\\(.)")
_ASCII_LABEL = re.compile(_LABEL)
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)
_IPV6 = re.compile(r"IPv6:([0-9A-Fa-f:.]+)", re.IGNORECASE | re.ASCII)
_LOWER_ASCII = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox as it was written: local part (quotes kept) and domain (case kept)."""

    local: str
    domain: str

    def __str__(self) -> str:
        """Give `local@domain`, or the local part alone for a domain-less Postmaster."""
        return f"{self.local}@{self.domain}" if self.domain else self.local


@lru_cache(maxsize=1024)
def parse_mailbox(text: str, *, smtputf8: bool = False) -> Address:
    """Read `Local-part "@" ( Domain / address-literal )` of RFC 5321 §4.1.2, and nothing more lenient.

    With `smtputf8`, atoms may hold UTF-8 and domains U-labels (RFC 6531 §3.3). Quoted strings are kept as
    written. Octets that were no UTF-8 must come as lone surrogates and are refused. Raises AddressError;
    its subclass NonAsciiAddress when the text is not ASCII and `smtputf8` was not given (550 or 553 5.6.7).
    """
    plain = _PLAIN.fullmatch(text) if len(text) <= MAXIMUM_MAILBOX else None
    if plain and plain.end(1) <= MAXIMUM_LOCAL:
        return Address(plain[1], plain[2])
    if not smtputf8 and not text.isascii():
        raise NonAsciiAddress("the address is not ASCII, and the mail was not sent with SMTPUTF8")
    if _FORBIDDEN.search(text):
        raise AddressError("the address holds a control character")
    return _parse_rest(text)


def _parse_rest(text: str) -> Address:
    local, at, domain = text.rpartition("@")
    if not at or not domain:
        raise AddressError("the address has no domain")
    octets = len(local.encode())
    if octets > MAXIMUM_LOCAL:
        raise AddressError(f"the local part is longer than {MAXIMUM_LOCAL} octets")
    if octets + 1 + len(domain.encode()) > MAXIMUM_MAILBOX:
        raise AddressError(f"the address is longer than {MAXIMUM_MAILBOX} octets")
    if not _DOT_STRING.fullmatch(local) and not _QUOTED_STRING.fullmatch(local):
        raise AddressError("the part before the @ is not a local part")
    if domain.startswith("["):
        parse_literal(domain)
    else:
        ascii_domain(domain)
    return Address(local, domain)


def parse_literal(domain: str) -> IPv4Address | IPv6Address:
    """Read `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3); raises AddressError for anything else.

    Leading zeros are refused: some systems take them for octal, so that the literal would mean two hosts.
    """
    inner = domain[1:-1] if domain.startswith("[") and domain.endswith("]") else ""
    six = _IPV6.fullmatch(inner)
    try:
        if six:
            return IPv6Address(six[1])
        if _IPV4.fullmatch(inner):
            return IPv4Address(inner)
    except ValueError as exc:
        raise AddressError("the domain is not an address literal") from exc
    raise AddressError("the domain is not an address literal")


@lru_cache(maxsize=1024)
def ascii_domain(domain: str) -> str:
    """Give a domain in lower-case A-labels, the form that DNS and comparisons use (RFC 5891 §4).

    A U-label is first brought to lower case and NFC; anything further from IDNA2008 is no U-label.
    An address literal is only brought to its shortest form. Raises AddressError.
    """
    if domain.startswith("["):
        literal = parse_literal(domain)
        return f"[ipv6:{literal}]" if literal.version == 6 else f"[{literal}]"
    if len(domain) > MAXIMUM_DOMAIN:
        raise AddressError(f"the domain is longer than {MAXIMUM_DOMAIN} octets")
    written = ".".join(_ascii_label(label) for label in domain.split("."))
    if len(written) > MAXIMUM_DOMAIN:
        raise AddressError(f"the domain is longer than {MAXIMUM_DOMAIN} octets")
    return written


def _ascii_label(label: str) -> str:
    if label.isascii():
        if not _ASCII_LABEL.fullmatch(label):
            raise AddressError("the domain is not a list of labels of letters, digits and inner hyphens")
        return label.lower()
    if len(label) > _MAXIMUM_LABEL:
        raise AddressError(f"a label of the domain is longer than {_MAXIMUM_LABEL} octets")
    try:
        import idna  # few domains need its tables

        return idna.alabel(unicodedata.normalize("NFC", label.lower())).decode()
    except UnicodeError as exc:
        raise AddressError("a label of the domain is not an IDNA2008 U-label") from exc


def is_plain_ascii(address: Address) -> bool:
    """Say whether the address travels without SMTPUTF8."""
    return address.local.isascii() and address.domain.isascii()


def is_qualified(address: Address) -> bool:
    """Say whether the domain is an address literal or has more than one label (RFC 6409 §4.2)."""
    return "." in address.domain or address.domain.startswith("[")


def comparable(address: Address) -> str:
    """Give the form in which equal mailboxes are equal: RFC 5321 §2.4 and §4.1.2.

    The domain becomes lower-case A-labels. The local part keeps its case; all its quoted forms become one,
    and one normal form (NFC) stands for what looks the same.
    """
    local, domain = address.local, address.domain
    if not local.isascii() or local.startswith('"'):
        local = _plain_local(local)
    if domain.isascii() and not domain.startswith("["):
        return f"{local}@{domain.lower()}"
    return f"{local}@{ascii_domain(domain)}"


def comparable_any_case(address: Address) -> str:
    """Give `comparable` with the local part's ASCII letters in lower case: for rules about people.

    A deviation from RFC 5321 §2.4, which leaves the case of a local part to its host: acceptable addresses,
    exclusions and BCC addresses are compared as every real mail system delivers. Beyond ASCII the case counts:
    there, letters of two scripts fold to the same one. What is forwarded keeps its case anyway.
    """
    text = comparable(address)
    return text.lower() if text.isascii() else text.translate(_LOWER_ASCII)


def same_mailbox(a: Address, b: Address) -> bool:
    """Say whether two addresses name the same mailbox by RFC 5321, local parts in their exact case."""
    return a == b or comparable(a) == comparable(b)


def without_plus(address: Address) -> Address:
    """Give `ana@` for `ana+anything@`; quoted local parts and those that begin with a plus stay as they are."""
    name, plus, _ = address.local.partition("+")
    if not plus or not name or address.local.startswith('"'):
        return address
    return Address(name, address.domain)


def _plain_local(local: str) -> str:
    local = unicodedata.normalize("NFC", local)
    if not local.startswith('"'):
        return local
    inner = _QUOTED_PAIR.sub(r"\1", local[1:-1])
    if _DOT_STRING.fullmatch(inner):
        return inner
    escaped = inner.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
