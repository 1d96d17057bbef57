"""What keeping in step needs from Salesforce, and for whom it is done by which rules.

The client of relay.salesforce.client fulfils it; tests may hand in one that calls the simulation directly.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from relay.reminders.model import RepKey, SubjectRule
from relay.salesforce.exchange import Changed, Description, NewRecord, Pause, PicklistRow
from relay.salesforce.model import Json, Row, Written


class Salesforce(Protocol):
    """Calls of Salesforce, as relay.salesforce.client.SalesforceClient makes them."""

    def pages(
        self, soql: str, *, identity: str = "", all_rows: bool = False, background: bool = False
    ) -> AsyncIterator[list[Row]]:
        """Give page after page. Raises SalesforceError."""
        ...

    async def query(
        self, soql: str, *, identity: str = "", all_rows: bool = False, background: bool = False
    ) -> list[Row]:
        """Give all rows. Raises SalesforceError."""
        ...

    async def get(
        self,
        path: str,
        *,
        identity: str = "",
        background: bool = False,
        params: Mapping[str, str] | None = None,
    ) -> Json:
        """Give the answer of a GET. Raises SalesforceError."""
        ...

    async def create(
        self, identity: str, records: Sequence[NewRecord], *, background: bool = False
    ) -> list[Written]:
        """Make records."""
        ...

    async def update(
        self, identity: str, records: Sequence[Changed], *, background: bool = False
    ) -> list[Written]:
        """Change records."""
        ...

    async def delete(
        self, identity: str, ids: Sequence[tuple[str, str]], *, background: bool = False
    ) -> list[Written]:
        """Delete records."""
        ...

    async def describe(self, object: str, *, background: bool = False) -> Description | None:
        """Tell what an object is made of. Raises SalesforceError."""
        ...

    async def statuses(self) -> tuple[PicklistRow, ...]:
        """Give the rows of TaskStatus. Raises SalesforceError."""
        ...

    async def priorities(self) -> tuple[PicklistRow, ...]:
        """Give the rows of TaskPriority. Raises SalesforceError."""
        ...

    @property
    def answers_within(self) -> float:
        """Give the seconds after which a call that was made has come to its end in Salesforce, too."""
        ...

    def server_now(self) -> int:
        """Give the instant by Salesforce's clock."""
        ...

    def paused(self, identity: str = "") -> Pause | None:
        """Tell why calls of this identity are not made now."""
        ...


@dataclass(frozen=True, slots=True)
class SyncRep:
    """A rep whose reminders are kept in step."""

    key: RepKey
    user_id: str
    """The Salesforce user, 18 characters."""
    identity: str


@dataclass(frozen=True, slots=True)
class SyncRules:
    """How reminders are kept in step."""

    subject: SubjectRule = SubjectRule.BOTH
    all_open: bool = True
    """Whether the first run takes every open Task."""
    deletions: int = 25
    """More than this, and more than 30 % of a rep's, wait for somebody's word."""


class ReminderMeter(Protocol):
    """Hears what was done; relay.metrics.Metrics is one."""

    def reminders_synced(self, counts: Mapping[str, int]) -> None:
        """Count what a run came to for one rep."""
        ...

    def reminders_cycle(self, ok: bool) -> None:
        """Count a run."""
        ...

    def reminders_hold(self, counts: Mapping[str, int]) -> None:
        """Set how many reminders there are, by how they stand to Salesforce."""
        ...


class NoMeter:
    """Counts nothing."""

    def reminders_synced(self, counts: Mapping[str, int]) -> None:
        """Count nothing."""

    def reminders_cycle(self, ok: bool) -> None:
        """Count nothing."""

    def reminders_hold(self, counts: Mapping[str, int]) -> None:
        """Set nothing."""
