"""The settings of what mail clients meet: listeners, certificate, sign-in, limits.

Pure.
"""

from typing import Literal

from pydantic import Field

from relay.config.types import (
    Duration,
    Flag,
    Listen,
    RateLimit,
    SecretReference,
    Settings,
    Size,
    read_duration,
    read_rate,
    read_size,
)


class TrustSettings(Settings):
    """The proofs that a gateway's client must give, all of those named."""

    networks: tuple[str, ...] = ()
    """Client networks in CIDR form."""
    client_certificate_names: tuple[str, ...] = ()
    """Host names of which the client's verified certificate must carry one."""


class ListenerSettings(Settings):
    """One port that mail comes in by."""

    name: str
    """How logs and pages call this listener."""
    address: Listen
    """host:port to listen on."""
    tls: Literal["none", "starttls", "implicit"] = "starttls"
    """none, starttls (port 587) or implicit (port 465)."""
    auth: Literal["none", "optional", "required"] = "required"
    """Whether clients sign in; none needs trust."""
    trust: TrustSettings | None = None
    """For auth: none, what proves a client."""
    user_from: Literal["envelope_sender"] = "envelope_sender"
    """For auth: none, what names the rep."""
    unknown_sender: Literal["forward", "refuse"] = "forward"
    """For auth: none, what to do with mail of somebody who is not a rep."""
    client_ca: str | None = None
    """The CA (PEM) that client certificates are checked against."""


class TlsSettings(Settings):
    """The certificate that listeners show."""

    certificate: str
    """The certificate chain (PEM)."""
    private_key: SecretReference
    """Its private key (PEM)."""
    minimum_version: Literal["1.2", "1.3"] = "1.2"
    """The oldest TLS version that is spoken."""


class FailureSettings(Settings):
    """When wrong passwords lock a login or a network out."""

    max: int = Field(default=8, ge=3)
    """Wrong passwords allowed."""
    per: Duration = read_duration("10m")
    """The span they are counted in."""
    block: Duration = read_duration("15m")
    """How long the lock lasts."""


class AuthSettings(Settings):
    """Signing in."""

    require_tls: Flag = True
    """false lets passwords cross in clear text, with a warning."""
    failures: FailureSettings = FailureSettings()
    """Counted per login and per network."""
    cache: Duration = read_duration("10m")
    """How long a proven password is remembered, in memory, as a keyed hash."""


class ConnectionSettings(Settings):
    """Connections of clients."""

    total: int = Field(default=500, ge=1)
    """At once."""
    per_network: int = Field(default=100, ge=1)
    """At once from one network (IPv4 /32, IPv6 /64)."""


class LimitSettings(Settings):
    """What a client may ask of the relay."""

    message_size: Size = read_size("25MiB")
    """The largest message, announced by SIZE."""
    header_size: Size = read_size("1MiB")
    """The largest header section."""
    recipients: int = Field(default=100, ge=1, le=10000)
    """Recipients of one message."""
    messages_per_user: RateLimit = read_rate("200/h")
    """Messages of one rep; 0/h: no limit."""
    messages_per_session: int = Field(default=1000, ge=1)
    """Messages in one connection."""
    connections: ConnectionSettings = ConnectionSettings()
    """Connections of clients."""
    errors: int = Field(default=20, ge=3)
    """Refused commands before a client is hung up on."""
    junk_commands: int = Field(default=100, ge=10)
    """Commands that move no mail (NOOP, RSET, VRFY, EHLO) before a client is hung up on; counted anew at each message."""
    session_age: Duration = read_duration("1h")
    """The longest a connection may last outside a transaction."""
    idle: Duration = read_duration("5m")
    """The longest wait for the next command."""
    minimum_rate: Size = read_size("500B")
    """Octets a second that a client must send on average, with 100 s of credit."""
    received_hops: int = Field(default=50, ge=5)
    """Received fields after which a message is taken for looping."""
    line_endings: Literal["reject"] = "reject"
    """Bare CR, bare LF and NUL in content: reject (554 5.5.2)."""
    signed_bcc: Literal["refuse", "keep"] = "refuse"
    """A Bcc field named in a DKIM signature: refuse the message, or keep the field."""
    minimum_free_disk: Size = read_size("64MiB")
    """Below this much free disk new mail is answered 452."""
