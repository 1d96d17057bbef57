"""What a client may ask of the relay: connections at once, messages in an hour, octets a second.

No I/O; instants and seconds are passed in.
"""

from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from relay.config.model import LimitSettings
from relay.config.types import Rate, write_size

RATE_CREDIT = 100.0
"""Seconds that a client may be slow before the minimum rate counts."""
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one session, in plain numbers; spans are seconds."""

    message_size: int
    header_size: int
    recipients: int
    messages: int
    errors: int
    junk: int
    session_age: float
    idle: float
    minimum_rate: int
    received_hops: int
    failures: int = 5
    """Failed sign-ins in one connection; never under 3 (RFC 4954 §9)."""
    answer: float = 110.0
    """Seconds that our own work on one message may take (RFC 6409 §5.3)."""

    @property
    def message_size_text(self) -> str:
        """Give the size limit as people write it."""
        return write_size(self.message_size)

    @property
    def header_size_text(self) -> str:
        """Give the header limit as people write it."""
        return write_size(self.header_size)


def limits_of(settings: LimitSettings) -> Limits:
    """Take from the settings what one session needs."""
    return Limits(
        message_size=settings.message_size,
        header_size=settings.header_size,
        recipients=settings.recipients,
        messages=settings.messages_per_session,
        errors=settings.errors,
        junk=settings.junk_commands,
        session_age=_seconds(settings.session_age),
        idle=_seconds(settings.idle),
        minimum_rate=settings.minimum_rate,
        received_hops=settings.received_hops,
    )


def _seconds(span: timedelta) -> float:
    return span.total_seconds()


@lru_cache(maxsize=4096)
def plain_address(host: str) -> str:
    """Give a client's address without scope, and an IPv4 client of a dual-stack socket as IPv4."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


class ConnectionGate:
    """Counts connections, in all and for each network."""

    def __init__(self, total: int, per_network: int) -> None:
        self._total = total
        self._per_network = per_network
        self._open = 0
        self._networks: dict[str, int] = {}

    def change(self, total: int, per_network: int) -> None:
        """Go on with other limits; who is in stays."""
        self._total = total
        self._per_network = per_network

    @property
    def open(self) -> int:
        """Give how many connections are counted now."""
        return self._open

    @property
    def full(self) -> bool:
        """Tell whether no more connection may come from anywhere."""
        return self._open >= self._total

    def enter(self, network: str) -> bool:
        """Count a connection in, or say that it is one too many; then it must not leave either."""
        count = self._networks.get(network, 0)
        if self._open >= self._total or count >= self._per_network:
            return False
        self._networks[network] = count + 1
        self._open += 1
        return True

    def leave(self, network: str) -> None:
        """Count a connection out."""
        count = self._networks[network] - 1
        self._open -= 1
        if count:
            self._networks[network] = count
        else:
            del self._networks[network]


class MessageRates:
    """Counts the messages of each rep over a sliding span. Bounded by the number of reps and the rate."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._span = round(rate.seconds * _MICROSECONDS)
        self._taken: dict[str, deque[int]] = {}

    def change(self, rate: Rate) -> None:
        """Go on with another rate; what was taken counts on."""
        self.rate = rate
        self._span = round(rate.seconds * _MICROSECONDS)
        self._taken = {login: deque(taken, maxlen=rate.count) for login, taken in self._taken.items()}

    def next_at(self, login: str, now: int) -> int | None:
        """Give None when a message may come now, else the instant from which on one may."""
        taken = self._taken.get(login)
        if not taken or not self.rate.count:
            return None
        while taken and taken[-1] > now:  # the clock was set back
            taken.pop()
        while taken and taken[0] <= now - self._span:
            taken.popleft()
        return taken[0] + self._span if len(taken) >= self.rate.count else None

    def take(self, login: str, now: int) -> None:
        """Count one message."""
        if self.rate.count:
            self._taken.setdefault(login, deque(maxlen=self.rate.count)).append(now)

    def give_back(self, login: str) -> None:
        """Take back the count of a message that could not be kept."""
        taken = self._taken.get(login)
        if taken:
            taken.pop()


class Pace:
    """Tells whether content comes fast enough: a minimum rate, after some credit."""

    __slots__ = ("_octets", "_rate", "_started")

    def __init__(self, rate: int, started: float) -> None:
        self._rate = rate
        self._started = started
        self._octets = 0

    def took(self, octets: int) -> None:
        """Count octets that came in."""
        self._octets += octets

    def too_slow(self, now: float) -> bool:
        """Tell whether fewer came in than the rate asks for, the credit used up."""
        return self._octets < (now - self._started - RATE_CREDIT) * self._rate
