"""Salesforce as the relay sees it: a few verbs that wait their turn, keep to the limits and say what went wrong.

The calls themselves are made in a few worker threads of their own; simple-salesforce is loaded with the first.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from relay.clock import Clock
from relay.config.recording import SalesforceSettings
from relay.config.types import SecretReference
from relay.directory.model import Rep
from relay.salesforce.exchange import (
    LOOK_UP,
    Changed,
    Description,
    NewRecord,
    Pause,
    PicklistRow,
    SalesforceError,
    SubAnswer,
    SubRequest,
    Usage,
    Who,
)
from relay.salesforce.model import Json, Row, Written

__all__ = [
    "LOOK_UP",
    "Changed",
    "NewRecord",
    "SalesforceClient",
    "SalesforceError",
    "SubAnswer",
    "SubRequest",
]


class SalesforceMeter(Protocol):
    """Hears of calls; relay.metrics.Metrics is one."""

    def salesforce_called(self, operation: str, result: str, seconds: float) -> None:
        """Count and measure one call: operation such as query or create, result ok or a kind of fault."""
        ...

    def salesforce_remaining(self, calls: int) -> None:
        """Set how many of the day's calls are left."""
        ...


class NoMeter:
    """Counts nothing."""

    def salesforce_called(self, operation: str, result: str, seconds: float) -> None:
        """Count nothing."""

    def salesforce_remaining(self, calls: int) -> None:
        """Set nothing."""


class TokenKeeper(Protocol):
    """Keeps refresh tokens that Salesforce replaced; relay.salesforce.token_store has one over the database."""

    async def load(self, identity: str, origin: str) -> str | None:
        """Give the newest token that came of the one whose digest `origin` is; None when there is none."""
        ...

    async def save(self, identity: str, origin: str, token: str) -> None:
        """Keep a new token durably."""
        ...


class SalesforceClient:
    """The way to one organisation, for all identities.

    Reading verbs (query, pages, get, describe, …) raise SalesforceError. Writing verbs (create, update, delete,
    upsert, composite, upload) never do: what became of each record is a value, and when the call failed whole, each
    record has the same Fault. Both wait for a free worker; calls with background=True wait behind the others.
    All are for one event loop.
    """

    def __init__(
        self,
        settings: SalesforceSettings,
        *,
        resolve: Callable[[str], Path],
        secret: Callable[[SecretReference], str],
        clock: Clock,
        meter: SalesforceMeter | None = None,
        tokens: TokenKeeper | None = None,
        stand_in: str | None = None,
    ) -> None:
        """Make the client; nothing is called or loaded yet.

        `stand_in` is the Salesforce username that looks up for all when the sign-in is jwt as each rep and
        `look_up_as` is not given; else the first identity that is used does.
        """
        raise NotImplementedError

    def identity_of(self, rep: Rep) -> str:
        """Give the identity that this rep's records are written as: "" for one integration user, else a username."""
        raise NotImplementedError

    async def query(
        self, soql: str, *, identity: str = LOOK_UP, all_rows: bool = False, background: bool = False
    ) -> list[Row]:
        """Give all rows of all pages; all_rows: deleted and archived ones, too (queryAll). Raises SalesforceError."""
        raise NotImplementedError

    def pages(
        self, soql: str, *, identity: str = LOOK_UP, all_rows: bool = False, background: bool = False
    ) -> AsyncIterator[list[Row]]:
        """Give page after page, at most 2,000 rows each. Raises SalesforceError."""
        raise NotImplementedError

    async def create(
        self, identity: str, records: Sequence[NewRecord], *, background: bool = False
    ) -> list[Written]:
        """Make records, in their order: a plain POST for one, collections of up to 200 for more, none all-or-none."""
        raise NotImplementedError

    async def update(
        self, identity: str, records: Sequence[Changed], *, background: bool = False
    ) -> list[Written]:
        """Change records, one by one's PATCH or in collections of up to 200."""
        raise NotImplementedError

    async def delete(
        self, identity: str, ids: Sequence[tuple[str, str]], *, background: bool = False
    ) -> list[Written]:
        """Delete records, each (object, id), into the recycle bin; one that is gone already counts as done."""
        raise NotImplementedError

    async def upsert(
        self, identity: str, key_field: str, records: Sequence[NewRecord], *, background: bool = False
    ) -> list[Written]:
        """Make records or change those that have the same key: all of one object, the key among their fields.

        Made.found tells that it was there already.
        """
        raise NotImplementedError

    async def composite(
        self,
        identity: str,
        requests: Sequence[SubRequest],
        *,
        all_or_none: bool = False,
        background: bool = False,
    ) -> list[SubAnswer]:
        """Make up to 25 requests in one call, in their order, later ones may refer to earlier ones."""
        raise NotImplementedError

    async def get(
        self,
        path: str,
        *,
        identity: str = LOOK_UP,
        background: bool = False,
        params: Mapping[str, str] | None = None,
    ) -> Json:
        """Give the answer of a GET below the version, such as "sobjects/Task/deleted/". Raises SalesforceError."""
        raise NotImplementedError

    async def upload(self, identity: str, fields: Mapping[str, Json], name: str, data: bytes) -> Written:
        """Store a file as a ContentVersion with these fields (FirstPublishLocationId links it); `name` has the ending."""
        raise NotImplementedError

    async def describe(self, object: str, *, background: bool = False) -> Description | None:
        """Tell what the object is made of, cached an hour; None: not there, or not visible. Raises SalesforceError."""
        raise NotImplementedError

    async def statuses(self) -> tuple[PicklistRow, ...]:
        """Give the rows of TaskStatus in their order, cached an hour. Raises SalesforceError."""
        raise NotImplementedError

    async def priorities(self) -> tuple[PicklistRow, ...]:
        """Give the rows of TaskPriority in their order, cached an hour. Raises SalesforceError."""
        raise NotImplementedError

    async def whoami(self, identity: str = LOOK_UP) -> Who:
        """Tell whom the identity turns out to be. Raises SalesforceError."""
        raise NotImplementedError

    def usage(self) -> Usage | None:
        """Tell how much of the day's calls is used, as last seen; None before the first call."""
        raise NotImplementedError

    def paused(self, identity: str = LOOK_UP) -> Pause | None:
        """Tell why calls of this identity are not made now; None when they are."""
        raise NotImplementedError

    def try_now(self, identity: str | None = None) -> None:
        """End the pauses of one identity, or of all: the next call is made."""
        raise NotImplementedError

    def server_now(self) -> int:
        """Give the instant by Salesforce's clock, as far as its answers told it; ours before the first."""
        raise NotImplementedError

    def allowed(self, *, background: bool = False) -> bool:
        """Tell whether the day's calls leave room for one more of this kind."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the workers; calls under way are given up after their own limits."""
        raise NotImplementedError
