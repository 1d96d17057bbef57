"""Asking DNS for mail exchangers and their addresses: the only file here that knows dnspython.

Answers are kept as long as their TTL says, the most used ones of them. What goes wrong comes back as a value.
"""

import asyncio
import logging
from collections.abc import Callable

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

from relay.config.model import ResolverSettings
from relay.delivery.exchangers import Exchanger, hosts_for, interleaved
from relay.delivery.happening import Kind, Lack, NoWay, Stage, Trouble
from relay.delivery.hop import Hop
from relay.delivery.replies import printable, shorten

logger = logging.getLogger(__name__)

_KEPT = 10_000
"""Answers kept, all kinds together."""


class _NoAnswer(Exception):
    """DNS could not tell now; the text is safe to log."""


class _NoSuchName(Exception):
    """DNS is sure that there is no such name."""


class Resolver:
    """Finds the hosts of a domain and the addresses of a host."""

    def __init__(self, settings: ResolverSettings, own_name: str, chance: Callable[[], float]) -> None:
        """`own_name`: the relay's, in lower-case A-labels. `chance` gives numbers in [0, 1)."""
        self._settings = settings
        self._own_name = own_name
        self._chance = chance
        self._asked: dns.asyncresolver.Resolver | None = None

    async def hosts(self, domain: str) -> tuple[str, ...] | NoWay:
        """Give the hosts that take mail for a domain (lower-case A-labels), best first, or why there are none."""
        if domain.startswith("["):
            return NoWay(Lack.LITERAL, domain)
        try:
            records = await self._exchangers(domain)
        except _NoSuchName:
            return NoWay(Lack.NO_DOMAIN, domain)
        except _NoAnswer as exc:
            return NoWay(Lack.UNANSWERED, domain, str(exc))
        except dns.resolver.NoResolverConfiguration:
            return NoWay(Lack.NO_RESOLVER, domain)
        return hosts_for(domain, records, self._own_name, self._chance)

    async def addresses(self, hop: Hop) -> list[str] | Trouble:
        """Give the addresses of a hop's host, the families in turns, or why there are none."""
        kinds = {"ipv4": ("A",), "ipv6": ("AAAA",)}.get(hop.family, ("AAAA", "A"))
        found = await asyncio.gather(*(self._addresses(hop.host, kind) for kind in kinds))
        known = [addresses for addresses in found if isinstance(addresses, list)]
        mixed = interleaved(known[0], known[1]) if len(known) == 2 else [a for one in known for a in one]
        unknown = next((detail for detail in found if isinstance(detail, str)), None)
        if mixed:
            return mixed
        if unknown is not None:
            return Trouble(Stage.CONNECT, Kind.NO_SUCH_HOST, unknown.replace(hop.host, hop.shown))
        return Trouble(Stage.CONNECT, Kind.NO_ADDRESS)

    async def _addresses(self, host: str, kind: str) -> list[str] | str:
        try:
            answer = await self._ask(host, kind)
        except _NoSuchName:
            return []
        except (_NoAnswer, dns.resolver.NoResolverConfiguration) as exc:
            return str(exc)
        return [str(record.address) for record in answer.rrset or ()]

    async def _exchangers(self, domain: str) -> list[Exchanger]:
        answer = await self._ask(domain, "MX")
        return [
            Exchanger(int(record.preference), record.exchange.to_text(omit_final_dot=True).lower().strip("."))
            for record in answer.rrset or ()
        ]

    async def _ask(self, name: str, kind: str) -> dns.resolver.Answer:
        """Ask one question. Raises _NoSuchName, _NoAnswer, and what dnspython says of the machine's settings."""
        try:
            absolute = dns.name.from_text(name).concatenate(dns.name.empty)
        except (dns.exception.DNSException, UnicodeError, ValueError):
            raise _NoSuchName from None  # a label too long, or empty: no name of DNS
        resolver = self._resolver()
        try:
            return await resolver.resolve(absolute, kind, raise_on_no_answer=False, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.YXDOMAIN):
            raise _NoSuchName from None
        except dns.resolver.LifetimeTimeout:
            raise _NoAnswer(f"{kind} of {name}: no answer in {resolver.lifetime:g} s") from None
        except (dns.exception.DNSException, OSError) as exc:
            said = shorten(printable(str(exc).encode("utf-8", "backslashreplace")))
            raise _NoAnswer(f"{kind} of {name}: {said or type(exc).__name__}") from None

    def _resolver(self) -> dns.asyncresolver.Resolver:
        """Make the resolver when it is first needed. Raises NoResolverConfiguration."""
        if self._asked is None:
            given = self._settings
            resolver = dns.asyncresolver.Resolver(configure=not given.nameservers)
            if given.nameservers:
                resolver.nameservers = list(given.nameservers)
            resolver.port = given.port
            resolver.lifetime = max(given.timeout.total_seconds(), 0.1)
            resolver.timeout = resolver.lifetime / 3
            resolver.cache = dns.resolver.LRUCache(_KEPT)
            self._asked = resolver
        return self._asked
