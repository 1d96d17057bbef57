"""A door: one listener, with what it asks of its clients and the parts of the house it leads to.

What submission needs of the other parts is declared here as protocols, by their user.
"""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

from relay.address import Address
from relay.clock import Clock
from relay.directory.credentials import Verdict
from relay.directory.model import Rep
from relay.maillog.events import Event
from relay.policy.decision import PlannedDelivery
from relay.policy.rules import Rules
from relay.queue.model import NewMessage
from relay.status import Reply
from relay.submission.auth import MECHANISMS
from relay.submission.data import SpoolFile
from relay.submission.limits import ConnectionGate, Limits, MessageRates
from relay.submission.trust import Trust


class Intake(Protocol):
    """Where accepted messages go; the queue's runner is one."""

    def next_number(self) -> int:
        """Give the number of the next message (relay.ids)."""
        ...

    def take(
        self,
        message: NewMessage,
        plan: Sequence[PlannedDelivery],
        events: Sequence[Event],
        stored: Callable[[Exception | None], None],
    ) -> None:
        """Keep the message; `stored` is told later, once it is durable, or else why nothing was kept."""
        ...


class Authenticator(Protocol):
    """What proves logins; the directory's Credentials is one."""

    async def verify(self, login: str, password: bytes, network: str) -> Verdict:
        """Say whether the password proves the login, for a client at an address."""
        ...


class Reps(Protocol):
    """Who the reps are, at one moment; the Directory is one."""

    def by_login(self, login: str) -> Rep | None:
        """Find the rep who signs in with this login; disabled ones, too."""
        ...

    def by_address(self, address: Address) -> Rep | None:
        """Find the rep whom this acceptable address belongs to; disabled ones, too."""
        ...


class Meter(Protocol):
    """What counts; the service's Metrics is one."""

    def connected(self, listener: str) -> None:
        """Count a connection that begins."""
        ...

    def disconnected(self, listener: str) -> None:
        """Count a connection that ends."""
        ...

    def signed_in(self, outcome: str, mechanism: str, kind: str, seconds: float) -> None:
        """Count and measure a sign-in: proven, wrong, blocked or unavailable, and what decided it."""
        ...

    def accepted(self, listener: str, octets: int, seconds: float) -> None:
        """Count an accepted message, with its size and the time from the end of the data to the 250."""
        ...

    def refused(self, enhanced: str) -> None:
        """Count a refused message, sender or recipient under its enhanced status code."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One listener. Shared by its connections; a connection keeps the door it came in by."""

    name: str
    hostname: str
    tls: Literal["none", "starttls", "implicit"]
    auth: Literal["none", "optional", "required"]
    require_tls: bool
    """Whether a password may only come over TLS."""
    trust: Trust
    """For auth: none."""
    unknown_sender: Literal["forward", "refuse"]
    signed_bcc: Literal["refuse", "keep"]
    signed_bcc_rule: str
    limits: Limits
    postmaster: Address
    """Who gets mail for <Postmaster>."""
    context: Callable[[], ssl.SSLContext | None]
    gate: ConnectionGate
    rates: MessageRates
    clock: Clock
    room: Callable[[], bool]
    """Whether there is disk enough for another message."""
    rules: Callable[[], Rules]
    """The rules of policy as they are now."""
    reps: Callable[[], Reps]
    credentials: Authenticator
    intake: Intake
    spool: Callable[[], SpoolFile]
    note: Callable[[Event], None]
    """Takes events of refusals and failed sign-ins; never waits, never raises."""
    meter: Meter


def ehlo_reply(door: Door, *, tls: bool) -> Reply:
    """Give the answer to EHLO: our name, then what we offer (RFC 5321 §4.1.1.1)."""
    return _ehlo_reply(
        door.hostname,
        door.limits,
        sign_in=door.auth != "none" and (tls or not door.require_tls),
        starttls=door.tls == "starttls" and not tls and door.context() is not None,
    )


@lru_cache(maxsize=64)
def _ehlo_reply(hostname: str, limits: Limits, *, sign_in: bool, starttls: bool) -> Reply:
    lines = [
        hostname,
        f"SIZE {limits.message_size}",
        "8BITMIME",
        "SMTPUTF8",
        "PIPELINING",
        "ENHANCEDSTATUSCODES",
    ]
    lines.append("DSN")
    if sign_in:
        lines.append(f"AUTH {MECHANISMS}")
    if starttls:
        lines.append("STARTTLS")
    lines += ["CHUNKING", f"LIMITS RCPTMAX={limits.recipients} MAILMAX={limits.messages}"]
    return Reply(250, "", "\n".join(lines))
