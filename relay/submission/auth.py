"""The two SASL mechanisms of AUTH, PLAIN (RFC 4616) and LOGIN, as an exchange of lines (RFC 4954 §4).

Pure. An exchange ends in `Credential` - to be proved by relay.directory - or in a reply that ends it. The values
never show a password in their repr; no line of an exchange is ever logged.
"""

import binascii
from dataclasses import dataclass, field

from relay.status import (
    AUTH_CANCELLED,
    AUTH_MALFORMED,
    AUTH_MECHANISM_UNKNOWN,
    AUTH_NOT_BASE64,
    AUTH_SYNTAX,
    CHALLENGE,
    CONTROL_OCTETS,
    Reply,
)

MECHANISMS = "PLAIN LOGIN"
LONGEST_LINE = 12288
"""Octets of a response, CRLF included (RFC 4954 §4)."""

_EMPTY_CHALLENGE = CHALLENGE.fill(challenge="")
_ASK_LOGIN = CHALLENGE.fill(challenge="VXNlcm5hbWU6")
_ASK_PASSWORD = CHALLENGE.fill(challenge="UGFzc3dvcmQ6")


@dataclass(frozen=True, slots=True)
class Credential:
    """What the client claims: a login and a password, not proved yet."""

    mechanism: str
    login: str
    password: bytes = field(repr=False)
    authorize_as: str = ""
    """PLAIN's authorization identity; only "" and the login itself are ever granted."""

    @property
    def claimed(self) -> str:
        """Give the login that is to be proved; "", which is nobody's, for who would act as somebody else."""
        return self.login if self.authorize_as in ("", self.login) else ""


@dataclass(frozen=True, slots=True)
class Expect:
    """The exchange goes on: `challenge` is sent, and the next line is a response."""

    mechanism: str
    challenge: Reply
    login: bytes | None = field(default=None, repr=False)
    """LOGIN's first response, once it is in."""


Step = Credential | Expect | Reply


def begin(argument: bytes) -> Step:
    """Read what follows `AUTH `: the mechanism in any letter case, and an initial response if there is one."""
    words = argument.split()
    if not 1 <= len(words) <= 2:
        return AUTH_SYNTAX
    if not argument.isascii() or not argument.decode("ascii").isprintable():
        return CONTROL_OCTETS
    mechanism = words[0].upper()
    if mechanism == b"PLAIN":
        first = Expect("PLAIN", _EMPTY_CHALLENGE)
    elif mechanism == b"LOGIN":
        first = Expect("LOGIN", _ASK_LOGIN)
    else:
        return AUTH_MECHANISM_UNKNOWN
    if len(words) == 1:
        return first
    # RFC 4954 §4: "=" is an initial response of no octets.
    return respond(first, b"" if words[1] == b"=" else words[1])


def respond(expected: Expect, line: bytes) -> Step:
    """Read a response, without its CRLF."""
    if line == b"*":
        return AUTH_CANCELLED
    try:
        # Strict: no other alphabet, no blanks, no pad character but at the end.
        response = binascii.a2b_base64(line, strict_mode=True)
    except binascii.Error:
        return AUTH_NOT_BASE64
    if len(line) % 4:  # one pad character too many gets past Python 3.11's strict mode
        return AUTH_NOT_BASE64
    if expected.mechanism == "PLAIN":
        return _plain(response)
    if expected.login is None:
        return Expect("LOGIN", _ASK_PASSWORD, response)
    return _credential("LOGIN", expected.login, response)


def _plain(response: bytes) -> Step:
    parts = response.split(b"\0")
    if len(parts) != 3:
        return AUTH_MALFORMED
    authorize_as, login, password = parts
    return _credential("PLAIN", login, password, authorize_as)


def _credential(mechanism: str, login: bytes, password: bytes, authorize_as: bytes = b"") -> Step:
    try:
        return Credential(mechanism, login.decode(), password, authorize_as.decode())
    except UnicodeDecodeError:
        return AUTH_MALFORMED
