"""What a command is answered with: a reply, or a reply and something for the connection to do.

Pure.
"""

from dataclasses import dataclass

from relay.status import Reply
from relay.submission.auth import Credential, Expect
from relay.submission.data import Content


@dataclass(frozen=True, slots=True)
class HangUp:
    """Send the reply and close the connection."""

    reply: Reply
    linger: bool = True
    """Whether to read on for a moment, so that a client that is still sending gets to see the reply."""


@dataclass(frozen=True, slots=True)
class Alone:
    """Send the reply; nothing may have been sent after the command before it was seen (RFC 2920 §3.1)."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class StartTls:
    """Answer 220, then begin TLS."""


@dataclass(frozen=True, slots=True)
class TakeData:
    """Answer 354, then read content up to the single dot."""

    content: Content


@dataclass(frozen=True, slots=True)
class TakeChunk:
    """Read so many octets; then answer."""

    octets: int
    last: bool
    refusal: Reply | None
    """The answer when the chunk is not wanted: its octets are read all the same (RFC 3030 §2)."""
    content: Content | None


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send the challenge; the next line is a response."""

    expected: Expect


@dataclass(frozen=True, slots=True)
class Prove:
    """Find out whether the login and password are right; then answer."""

    credential: Credential


Answer = Reply | Alone | HangUp | StartTls | TakeData | TakeChunk | Challenge | Prove
