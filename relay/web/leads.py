"""Whose turn it is to make a lead of an address, so that two clicks on *Create lead*, or two tabs, make one."""

import asyncio
from dataclasses import dataclass, field
from weakref import WeakValueDictionary


@dataclass(frozen=True, slots=True)
class Leads:
    """The turns; what was asked for and made is in the store (relay.salesforce.asked_for)."""

    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    """Each lives as long as somebody holds or awaits it."""

    def turn(self, address: str) -> asyncio.Lock:
        """Give the lock to hold from looking at what was made until the lead is made and kept."""
        lock = self._turns.get(address.lower())
        if lock is None:
            lock = self._turns[address.lower()] = asyncio.Lock()
        return lock
