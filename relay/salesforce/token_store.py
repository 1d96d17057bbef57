"""Refresh tokens in the relay's database: of who connected, and those that Salesforce replaced; only the newest works."""

from relay.clock import Clock
from relay.storage.database import Database, Transaction

_NEWEST = "SELECT refresh_token FROM salesforce_token WHERE identity = ? AND origin = ?"
"""Find the newest token of an identity that came of the one in the settings."""
_KEEP = """
INSERT INTO salesforce_token (identity, origin, refresh_token, replaced_at) VALUES (?, ?, ?, ?)
ON CONFLICT (identity) DO UPDATE
   SET origin = excluded.origin, refresh_token = excluded.refresh_token, replaced_at = excluded.replaced_at
"""
"""Keep a token in place of the one before it."""
_DROP = "DELETE FROM salesforce_token WHERE identity = ?"
"""Forget an identity's token."""
_ORGANIZATION = "SELECT organization FROM salesforce_organization WHERE origin = ?"
"""Find the organisation that is connected."""
_PIN = """
INSERT INTO salesforce_organization (origin, organization, pinned_at) VALUES (?, ?, ?)
ON CONFLICT (origin) DO NOTHING
"""
"""Keep which organisation is connected; the first one stays."""
_UNPIN = "DELETE FROM salesforce_organization WHERE origin = ?"
"""Forget which organisation was connected."""


class StoredTokens:
    """A TokenKeeper over the database (relay.salesforce.dispatch.TokenKeeper)."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def load(self, identity: str, origin: str) -> str | None:
        """Give the newest token that came of the one whose digest `origin` is; None when there is none."""

        def read(tx: Transaction) -> str | None:
            rows = tx.execute(_NEWEST, (identity, origin))
            return str(rows[0][0]) if rows else None

        return await self._database.read(read)

    async def organization(self, origin: str) -> str | None:
        """Give the organisation that was kept with a token; None when none was."""

        def read(tx: Transaction) -> str | None:
            rows = tx.execute(_ORGANIZATION, (origin,))
            return str(rows[0][0]) if rows else None

        return await self._database.read(read)

    async def save(self, identity: str, origin: str, token: str, organization: str = "") -> None:
        """Keep a new token durably, with the organisation where it says which that is. Raises StorageError."""
        now = self._clock.now()

        def write(tx: Transaction) -> None:
            tx.execute(_KEEP, (identity, origin, token, now))
            if organization:
                tx.execute(_PIN, (origin, organization, now))

        await self._database.write(write)

    async def drop(self, identity: str, origin: str = "") -> None:
        """Forget what is kept for an identity; with `origin`, which organisation it was, too. Raises StorageError."""

        def write(tx: Transaction) -> None:
            tx.execute(_DROP, (identity,))
            tx.execute(_UNPIN, (origin,))

        await self._database.write(write)
