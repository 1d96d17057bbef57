"""The proofs that a gateway's client must give: a network, a client certificate, or both.

Pure. Whoever gives not every proof that is named is not trusted; naming none trusts nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from relay.config.model import TrustSettings


@dataclass(frozen=True, slots=True)
class Trust:
    """Which networks, and which names in a verified client certificate."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    certificate_names: frozenset[str] = frozenset()

    def holds(self, client: str, certificate_names: Sequence[str]) -> bool:
        """Tell whether a client at this address, with these names in its verified certificate, gave every proof."""
        if not self.networks and not self.certificate_names:
            return False
        if self.networks and not _inside(client, self.networks):
            return False
        names = {name.lower() for name in certificate_names}
        return not self.certificate_names or not self.certificate_names.isdisjoint(names)


def trust_of(settings: TrustSettings | None) -> Trust:
    """Read the settings of one listener; None trusts nobody."""
    if settings is None:
        return Trust()
    return Trust(
        tuple(ip_network(network, strict=False) for network in settings.networks),
        frozenset(name.lower() for name in settings.client_certificate_names),
    )


@lru_cache(maxsize=1024)
def _inside(client: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        address = ip_address(client)
    except ValueError:
        return False
    return any(address in network for network in networks)
