"""What the page may make the running service do, and what it may ask of Salesforce; relay.page fulfils both.

The page depends on these protocols alone, so that tests hand in small fakes and nothing else of the service is in reach.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from relay.config.loader import Configuration
from relay.directory.model import Directory
from relay.maillog.events import Event
from relay.policy.decision import PlannedDelivery
from relay.policy.rules import Rules
from relay.queue.model import NewMessage
from relay.salesforce.client import SalesforceClient


class Actions(Protocol):
    """The verbs."""

    def configuration(self) -> Configuration:
        """Give the settings in force, what was changed on the page among them."""
        ...

    def directory(self) -> Directory:
        """Give the reps as they are now."""
        ...

    def locked(self) -> frozenset[str]:
        """Give what an admin keeps reps from changing for themselves, such as "mode"."""
        ...

    def rules(self) -> Rules:
        """Give the rules that mail is decided by now."""
        ...

    async def take_changes(self) -> None:
        """Go by what the page has just stored; when this returns the next mail is decided, the next sign-in checked by it.

        Raises ConfigError when the reps or settings cannot be used so; then the earlier ones stay.
        """
        ...

    def wake(self) -> None:
        """Look at once for what is due."""
        ...

    def next_number(self) -> int:
        """Give the number of the next message."""
        ...

    async def accept(
        self, message: NewMessage, plan: Sequence[PlannedDelivery], events: Sequence[Event]
    ) -> None:
        """Take mail of the relay's own into the queue; it is durable when this returns. Raises StorageError."""
        ...

    async def status(self) -> Mapping[str, object]:
        """Give the live state, as `relay` commands see it on the admin socket."""
        ...

    def forget(self, addresses: Collection[str]) -> None:
        """Have recording look these addresses up anew."""
        ...

    def salesforce(self) -> SalesforceClient | None:
        """Give what asks Salesforce; None when the settings name no organisation."""
        ...
