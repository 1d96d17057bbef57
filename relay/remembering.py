"""Load what keeps reminders in step once anything asks for it: a relay that has none stays small."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from relay.clock import Clock
from relay.config.loader import Configuration
from relay.directory.model import Directory
from relay.errors import RelayError
from relay.storage.database import Database, Transaction

if TYPE_CHECKING:
    from relay.reminders.calls import ReminderMeter
    from relay.reminding import Reminding
    from relay.salesforce.client import SalesforceClient

logger = logging.getLogger(__name__)

_LOOK_EVERY = 60.0
# Anybody's reminders are kept in step, were once, or somebody asks that they be.
_ANYBODY = "SELECT EXISTS (SELECT 1 FROM reminder_sync)"


class Remembering:
    """Stands for relay.reminding.Reminding from the start."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        going_by: Callable[[], Awaitable[tuple[Configuration, Directory]]],
        salesforce: "Callable[[], SalesforceClient | None]",
        meter: "ReminderMeter",
    ) -> None:
        """Take what Reminding is made of."""
        self._database = database
        self._going_by = going_by
        self._parts = (database, clock, going_by, salesforce, meter)
        self._woken = asyncio.Event()
        self._loaded: Reminding | None = None

    @property
    def loaded(self) -> bool:
        """Tell whether anything has asked for it yet."""
        return self._loaded is not None

    def wake(self) -> None:
        """Look at once whether there is something to do."""
        self._woken.set()
        if self._loaded is not None:
            self._loaded.wake()

    async def run(self) -> None:
        """Wait until there is something to do, then do it; until cancelled."""
        while not await self._wanted():
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._woken.wait()
        from relay.reminding import Reminding

        self._loaded = Reminding(*self._parts)
        await self._loaded.run()

    async def close(self) -> None:
        """End what was made to ask Salesforce with."""
        if self._loaded is not None:
            await self._loaded.close()

    async def _wanted(self) -> bool:
        self._woken.clear()
        try:
            configuration, _ = await self._going_by()
            settings = configuration.settings
            if settings.salesforce is not None or settings.logging.controls.domain:
                return True
            return await self._database.read(_anybody)
        except RelayError as exc:
            logger.warning("it cannot be seen whether reminders are to be kept in step: %s", exc)
            return False


def _anybody(tx: Transaction) -> bool:
    return bool(tx.execute(_ANYBODY)[0][0])
