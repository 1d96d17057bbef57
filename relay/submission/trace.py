"""What the relay writes in front of a message it takes: Received, and Date and Message-ID when they are missing.

Pure. Received has no `for` clause: it would uncover blind copies (a stated deviation from what RFC 5321 §4.4
allows). The lines stand in their wire form; none can begin with a dot. Everything that a client chose is
sanitised, so that no octet of it can end a line, a comment or a clause.
"""

import time
from dataclasses import dataclass
from functools import lru_cache

from relay.message import Header, has_field, signed_fields
from relay.values import quick

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HOST_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_LITERAL_LETTERS = _HOST_LETTERS | frozenset("[:]")
_LONGEST_NAME = 255


@quick
@dataclass(frozen=True, slots=True)
class Arrival:
    """How a message came in."""

    helo: str
    """The name after EHLO or HELO, as the client gave it."""
    client: str
    """The client's address."""
    hostname: str
    """Our own name."""
    extended: bool
    smtputf8: bool
    authenticated: bool
    tls: str
    """The version and cipher of TLS, such as "TLSv1.3 TLS_AES_256_GCM_SHA384"; "" in clear text."""


def prefix(arrival: Arrival, queue_id: str, accepted_at: int, header: Header) -> bytes:
    """Write the lines to be put in front of the message, each ended by CRLF."""
    lines = received(arrival, queue_id, accepted_at)
    lacks_date, lacks_id = not has_field(header, "date"), not has_field(header, "message-id")
    if not lacks_date and not lacks_id:
        return lines
    # A signer may name absent fields in h= so that nobody adds them (RFC 6376 §5.4): then they stay absent.
    signed = signed_fields(header)
    if lacks_date and "date" not in signed:
        lines += f"Date: {date_time(accepted_at)}\r\n".encode("ascii")
    if lacks_id and "message-id" not in signed:
        lines += f"Message-ID: <{queue_id}@{arrival.hostname}>\r\n".encode("ascii")
    return lines


def received(arrival: Arrival, queue_id: str, accepted_at: int) -> bytes:
    """Write the Received field (RFC 5321 §4.4), folded."""
    cipher = f"\r\n ({host_text(arrival.tls, blanks=True)})" if arrival.tls else ""
    return (
        f"Received: from {host_text(arrival.helo)} ([{client_literal(arrival.client)}])\r\n"
        f" by {arrival.hostname} with {protocol(arrival)} id {queue_id}{cipher};\r\n"
        f" {date_time(accepted_at)}\r\n"
    ).encode("ascii")


def protocol(arrival: Arrival) -> str:
    """Give the `with` keyword (RFC 3848, RFC 6531 §4.3)."""
    if not arrival.extended:
        return "SMTP"
    name = "UTF8SMTP" if arrival.smtputf8 else "ESMTP"
    return f"{name}{'S' if arrival.tls else ''}{'A' if arrival.authenticated else ''}"


@lru_cache(maxsize=1024)
def host_text(name: str, *, blanks: bool = False) -> str:
    """Give a name as it may stand in Received: every other octet than a host name's becomes a hyphen."""
    allowed = _LITERAL_LETTERS if name.startswith("[") and name.endswith("]") else _HOST_LETTERS
    clean = "".join(c if c in allowed or (blanks and c == " ") else "-" for c in name[:_LONGEST_NAME])
    return clean or "unknown"


def client_literal(address: str) -> str:
    """Give the client's address as it stands between the brackets of an address literal (RFC 5321 §4.1.3)."""
    return f"IPv6:{address}" if ":" in address else address or "unknown"


def date_time(instant: int) -> str:
    """Write an instant (UTC microseconds) as RFC 5322 §3.3 has it, in UTC."""
    return _date_time(instant // 1_000_000)


@lru_cache(maxsize=8)
def _date_time(seconds: int) -> str:
    when = time.gmtime(seconds)
    return (
        f"{_DAYS[when.tm_wday]}, {when.tm_mday} {_MONTHS[when.tm_mon - 1]} {when.tm_year}"
        f" {when.tm_hour:02d}:{when.tm_min:02d}:{when.tm_sec:02d} +0000"
    )
