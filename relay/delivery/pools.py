"""The pools of all hops: one for each, a bounded number of them, and those that are not wanted any more end in peace."""

import asyncio
from collections.abc import Callable, Collection, Iterator

from relay.delivery.hop import Hop, exchanger_of
from relay.delivery.pool import Pool

ROOM = 256
"""Pools kept; beyond it those go that have nothing to do and were used longest ago."""


class Pools:
    """Owns every pool."""

    def __init__(self, make: Callable[[Hop], Pool], room: int = ROOM) -> None:
        self._make = make
        self._room = room
        self._pools: dict[Hop, Pool] = {}
        self._retired: list[Pool] = []

    def __iter__(self) -> Iterator[Pool]:
        """Go through the pools that are in use."""
        return iter(tuple(self._pools.values()))

    def of(self, hop: Hop) -> Pool:
        """Give the pool of a hop, a new one when there is none."""
        pool = self._pools.get(hop)
        if pool is None:
            self._make_room()
            pool = self._pools[hop] = self._make(hop)
        elif hop.exchanger:
            self._pools[hop] = self._pools.pop(hop)  # the order tells which was used last
        return pool

    def keep(self, hops: Collection[Hop]) -> None:
        """Retire what none of these leads to any more; what is on its way there ends in peace."""
        for hop in tuple(self._pools):
            if (exchanger_of(hop, "") if hop.exchanger else hop) not in hops:
                self._retire(hop)

    async def close(self) -> None:
        """Take leave of every hop."""
        pools, self._pools, self._retired = [*self._pools.values(), *self._retired], {}, []
        await asyncio.gather(*(pool.close() for pool in pools))

    def _make_room(self) -> None:
        if len(self._pools) >= self._room:
            unused = next((hop for hop, pool in self._pools.items() if hop.exchanger and not pool.busy), None)
            if unused is not None:
                self._retire(unused)

    def _retire(self, hop: Hop) -> None:
        self._retired = [pool for pool in self._retired if not pool.empty]
        pool = self._pools.pop(hop)
        pool.drain()
        self._retired.append(pool)
