"""A hop: the place a route leads to, and how it is spoken to.

Pure. Made once from the settings, so that nothing of them is looked up for a message.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from relay.config.model import RouteSettings, RouteTimeouts
from relay.config.types import SecretReference
from relay.delivery.happening import Stage

ADDRESSES = 5
_EXCHANGER_ADDRESSES = 3
"""Addresses of one mail exchanger that are tried; there are further exchangers."""
IDLE = 30.0
_EXCHANGER_IDLE = 5.0
"""Seconds that a connection to somebody else's server is kept with nothing to do."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each stage may take, in seconds (RFC 5321 §4.5.3.2)."""

    connect: float = 30.0
    command: float = 300.0
    data: float = 120.0
    block: float = 180.0
    end: float = 600.0
    idle: float = IDLE
    """How long a connection is kept with nothing to do."""

    def of(self, stage: Stage) -> float:
        """Give how long the answer at this stage may take."""
        if stage is Stage.END:
            return self.end
        return self.data if stage is Stage.DATA else self.command

    @property
    def shortest(self) -> float:
        """Give the shortest wait on a connection that stands."""
        return min(self.command, self.data, self.block, self.end, self.idle)


@dataclass(frozen=True, slots=True)
class SignIn:
    """How the relay signs in; the password is read each time it is used, and never kept."""

    username: str
    password: SecretReference = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hop:
    """One smarthost as a route names it, or one mail exchanger that DNS names on a route of kind mx."""

    route: str
    host: str
    """"" as long as DNS has not been asked."""
    port: int
    tls: str
    """none, opportunistic, starttls or implicit."""
    tls_ca: str | None = None
    sign_in: SignIn | None = None
    connections: int = 10
    recipients: int = 100
    messages: int = 1000
    """Transactions in one connection, after which a new one is made."""
    timeouts: Timeouts = Timeouts()
    exchanger: bool = False
    """Whether DNS names the host (kind mx)."""
    family: str = "any"
    """any, ipv4 or ipv6."""
    addresses: int = ADDRESSES
    """How many of the host's addresses are tried (RFC 5321 §5.1 asks for two or more)."""
    messages_per_minute: int = 0
    """0: no limit."""
    recipients_per_day: int = 0
    """0: no limit."""
    masked: str = ""
    """The host as it may be shown, where its name gives a log copy's secret domain away."""

    @property
    def shown(self) -> str:
        """Give the host as people may see it."""
        return self.masked or self.host

    def __str__(self) -> str:
        """Give host:port, as people write it."""
        return f"{self.shown}:{self.port}"

    @property
    def verified(self) -> bool:
        """Tell whether nothing is sent before the hop has proven its name (RFC 7817 §3)."""
        return self.tls in ("starttls", "implicit") or (
            self.tls == "opportunistic" and self.sign_in is not None
        )


def hop_of(route: str, settings: RouteSettings) -> Hop | None:
    """Make the hop of a route, without a host on a route of kind mx; None when a smarthost has no name."""
    exchanger = settings.kind == "mx"
    if not exchanger and not settings.host:
        return None
    return Hop(
        route=route,
        host="" if exchanger else settings.host or "",
        port=settings.port,
        tls=settings.tls,
        tls_ca=settings.tls_ca,
        sign_in=_sign_in(settings),
        connections=settings.limits.connections,
        recipients=settings.limits.recipients,
        timeouts=_timeouts(settings.timeouts, _EXCHANGER_IDLE if exchanger else IDLE),
        exchanger=exchanger,
        family=settings.addresses,
        addresses=_EXCHANGER_ADDRESSES if exchanger else ADDRESSES,
        messages_per_minute=settings.limits.messages_per_minute,
        recipients_per_day=settings.limits.recipients_per_day,
    )


def exchanger_of(hop: Hop, host: str, masked: str = "") -> Hop:
    """Make the hop for one mail exchanger on a route of kind mx."""
    return replace(hop, host=host, masked=masked)


def _sign_in(settings: RouteSettings) -> SignIn | None:
    auth = settings.auth
    if auth.kind == "none" or auth.username is None or auth.password is None:
        return None
    return SignIn(auth.username, auth.password)


def _timeouts(settings: RouteTimeouts, idle: float) -> Timeouts:
    def seconds(span: timedelta) -> float:
        return max(span.total_seconds(), 0.01)

    return Timeouts(
        connect=seconds(settings.connect),
        command=seconds(settings.command),
        data=seconds(settings.data),
        block=seconds(settings.block),
        end=seconds(settings.end),
        idle=idle,
    )
