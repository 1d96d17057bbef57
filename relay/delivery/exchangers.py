"""Which hosts take mail for a domain, and in what order they are tried (RFC 5321 §5.1).

Pure. relay.delivery.mx asks DNS; what it learns is put in order here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from relay.delivery.happening import Lack, NoWay

MOST_HOSTS = 5
"""How many hosts are tried in one attempt."""


@dataclass(frozen=True, slots=True)
class Exchanger:
    """One MX record; the host in lower-case A-labels without the final dot, "" for the root (RFC 7505)."""

    preference: int
    host: str


def hosts_for(
    domain: str, records: Sequence[Exchanger], own_name: str, chance: Callable[[], float]
) -> tuple[str, ...] | NoWay:
    """Give the hosts to try, best first, those of one preference in any order; or why there are none.

    Without MX records the domain is a host itself. The list is cut where the relay stands in it: what is not better
    than we are would send the mail back to us.
    """
    if not records:
        return NoWay(Lack.LOOP, domain) if domain == own_name else (domain,)
    usable = [record for record in records if record.host]
    if not usable:
        return NoWay(Lack.NULL_MX, domain)
    ours = min((record.preference for record in usable if record.host == own_name), default=None)
    if ours is not None:
        usable = [record for record in usable if record.preference < ours]
    if not usable:
        return NoWay(Lack.LOOP, domain)
    shuffled = sorted(usable, key=lambda record: (record.preference, chance()))
    return tuple(dict.fromkeys(record.host for record in shuffled))[:MOST_HOSTS]


def interleaved(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Put the addresses of two families in turns, so that one that cannot be reached does not use up all tries."""
    mixed = [address for pair in zip(first, second, strict=False) for address in pair]
    shorter = min(len(first), len(second))
    return [*mixed, *first[shorter:], *second[shorter:]]
