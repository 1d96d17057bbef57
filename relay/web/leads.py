"""The leads that people made on the page lately, so that two clicks on *Create lead*, or two tabs, make one."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

_MOST = 1000
_LATELY = 3600 * 1_000_000
"""Microseconds that a lead is remembered: until recording has looked the address up again, and found it."""


@dataclass(frozen=True, slots=True)
class Leads:
    """What is being made, and what was, by the address in lower case."""

    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    """Each lives as long as somebody holds or awaits it."""
    _made: OrderedDict[str, tuple[str, int]] = field(default_factory=OrderedDict)

    def turn(self, address: str) -> asyncio.Lock:
        """Give the lock to hold from looking at what was made until the lead is made and kept."""
        lock = self._turns.get(address.lower())
        if lock is None:
            lock = self._turns[address.lower()] = asyncio.Lock()
        return lock

    def made(self, address: str, now: int) -> str:
        """Give the lead that was made of an address lately; "" when there is none."""
        found, at = self._made.get(address.lower(), ("", 0))
        return found if now - at < _LATELY else ""

    def keep(self, address: str, lead: str, now: int) -> None:
        """Remember a lead; the oldest is forgotten where there are many."""
        self._made[address.lower()] = (lead, now)
        self._made.move_to_end(address.lower())
        while len(self._made) > _MOST:
            self._made.popitem(last=False)
