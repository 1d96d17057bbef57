"""Count wrong passwords per login and per network, and say who must wait.

Pure: the time is passed in, in seconds that never run backwards. Memory is bounded: the keys used least
recently are forgotten first.

* Many logins from one network, and one login from many networks, both reach a lock, since each failure is
  counted for the login and for the network.
* A slow guesser, who stays below the limit, reaches a second one: five times as many failures in a day.
* Each further lock lasts twice as long as the one before it, up to a day.
* Attempts under way count as failures until they end, so that guesses made at once do not outrun the counter.
* Nobody can lock a rep out from elsewhere: where a rep has signed in within the last thirty days - that login,
  from that network - only failures of this very pair count, under the same limits.
"""

import ipaddress
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

_DAY = 86_400.0
_KNOWN_FOR = 30 * _DAY
_SLOW_FACTOR = 5
_KEYS = 20_000


@dataclass(frozen=True, slots=True)
class Limits:
    """When a lock begins and how long the first one lasts; spans in seconds."""

    max: int
    per: float
    block: float
    longest_delay: float = 5.0
    """The longest wait before a wrong guess is answered."""


@dataclass(frozen=True, slots=True)
class Locked:
    """Too many failures: wait this long."""

    seconds: float
    network: bool = False
    """Whether the network is locked, whoever asks from it; else the login."""


@dataclass(frozen=True, slots=True)
class Full:
    """As many attempts are under way as failures are left: ask again when one of them has ended."""


@dataclass(eq=False, slots=True)
class Attempt:
    """A guess under way; it must be ended by exactly one of the verbs of Throttle."""

    keys: tuple[str, ...]
    pair: str


@dataclass(slots=True)
class _Count:
    """What is remembered of one login, network or pair."""

    recent: deque[float] = field(default_factory=deque)
    day_began: float = 0.0
    in_day: int = 0
    locked_until: float = 0.0
    locks: int = 0
    under_way: int = 0


@lru_cache(maxsize=4096)
@lru_cache(maxsize=4096)
def network_of(client: str) -> str:
    """Give the network that a client's address is counted under: IPv4 itself, IPv6's /64.

    IPv4 inside IPv6 (::ffff:192.0.2.1) is IPv4. What is no address, or is a network already, is given back.
    """
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((address, 64), strict=False))
        address = address.ipv4_mapped
    return str(address)


class Throttle:
    """The counters. Used by one thread."""

    def __init__(self, limits: Limits, monotonic: Callable[[], float], keys: int = _KEYS) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._room = keys
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._known: OrderedDict[str, float] = OrderedDict()

    def change(self, limits: Limits) -> None:
        """Go on under new limits; what was counted stays."""
        self._limits = limits

    def begin(self, login: str, network: str) -> Attempt | Locked | Full:
        """Let a guess begin, or say why not. `login` and `network` are in their compared forms."""
        now = self._monotonic()
        pair = f"pair {login}\0{network}"
        keys = (pair,) if self._is_known(pair, now) else (f"login {login}", f"network {network}")
        counts = [self._count(key) for key in keys]
        longest = max(counts, key=lambda count: count.locked_until)
        wait = longest.locked_until - now
        if wait > 0:
            return Locked(wait, network=longest is not counts[0])
        if any(self._failures(count, now) + count.under_way >= self._limits.max for count in counts):
            return Full()
        for count in counts:
            count.under_way += 1
        return Attempt(keys, pair)

    def succeeded(self, attempt: Attempt) -> None:
        """End a guess that was right: this login is now known on this network, its failures there forgotten."""
        self._end(attempt)
        pair = attempt.pair
        self._known[pair] = self._monotonic() + _KNOWN_FOR
        self._known.move_to_end(pair)
        self._counts.pop(pair, None)
        if len(self._known) > self._room:
            self._known.popitem(last=False)

    def abandoned(self, attempt: Attempt) -> None:
        """End a guess that was never checked, through a fault of ours: it is not counted."""
        self._end(attempt)

    def failed(self, attempt: Attempt) -> float:
        """End a guess that was wrong, and give the seconds to let pass before saying so.

        They grow from a tenth of a second to `longest_delay`, so that a person hardly notices and a program does.
        """
        self._end(attempt)
        now = self._monotonic()
        failures = max(self._note_failure(self._count(key), now) for key in attempt.keys)
        return float(min(self._limits.longest_delay, 0.1 * 2 ** (min(failures, 10) - 1)))

    def _note_failure(self, count: _Count, now: float) -> int:
        """Count one failure, lock where it was one too many, and give how many there were in the span."""
        count.recent.append(now)
        if now - count.day_began >= _DAY:
            count.day_began, count.in_day = now, 0
            if count.locked_until + _DAY <= now:
                count.locks = 0
        count.in_day += 1
        limit, failures = self._limits.max, self._failures(count, now)
        if failures >= limit or count.in_day >= limit * _SLOW_FACTOR:
            count.locked_until = now + min(_DAY, self._limits.block * 2**count.locks)
            count.locks = min(count.locks + 1, 16)
            count.recent.clear()
        return failures

    def _failures(self, count: _Count, now: float) -> int:
        """Count the failures in the span that ends now."""
        while count.recent and count.recent[0] <= now - self._limits.per:
            count.recent.popleft()
        return len(count.recent)

    def _is_known(self, pair: str, now: float) -> bool:
        until = self._known.get(pair)
        return until is not None and until > now

    def _end(self, attempt: Attempt) -> None:
        for key in attempt.keys:
            count = self._counts.get(key)
            if count is not None and count.under_way:
                count.under_way -= 1

    def _count(self, key: str) -> _Count:
        """Find or make the counter of a key, and forget the one used least recently when there are too many."""
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = _Count()
            if len(self._counts) > self._room:
                self._forget_one()
        else:
            self._counts.move_to_end(key)
        return count

    def _forget_one(self) -> None:
        """Forget the oldest counter that holds no attempt under way and no lock, else the oldest of all."""
        now = self._monotonic()
        oldest = next(iter(self._counts))
        for key, _ in zip(self._counts, range(64), strict=False):
            count = self._counts[key]
            if not count.under_way and count.locked_until <= now:
                oldest = key
                break
        del self._counts[oldest]
