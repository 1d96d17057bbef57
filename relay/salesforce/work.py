"""What the parts of recording work with, and one message on its way through them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from relay.clock import Clock
from relay.config.model import LoggingSettings
from relay.directory.model import Directory, Rep
from relay.ids import DeliveryId
from relay.maillog.events import Event
from relay.maillog.store import MailLog
from relay.outcome import Outcome
from relay.queue.model import Batch, Delivery
from relay.queue.retry import RetryRule
from relay.queue.store import QueueStore
from relay.salesforce.client import SalesforceClient
from relay.salesforce.composed import Intended, MailParts
from relay.salesforce.lookup import Lookup
from relay.salesforce.model import Fault, Match, MessageFacts
from relay.salesforce.org import Organization
from relay.salesforce.org_shape import OrgShape
from relay.salesforce.reading import MailReader
from relay.salesforce.record_rows import RecordingRow, RecordRow, SentMail, Told
from relay.salesforce.store import RecordStore
from relay.storage.database import Database

IMPORTED = "import"
"""The listener of mail that was sent by other means, and is only recorded."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything that recording works with; the settings' part of it is swapped whole at a reload."""

    database: Database
    queue: QueueStore
    mail_log: MailLog
    clock: Clock
    client: SalesforceClient
    lookup: Lookup
    organization: Organization
    reader: MailReader
    settings: LoggingSettings
    retry: RetryRule
    """retry.logging."""
    directory: Callable[[], Directory]
    left_out: Callable[[Rep, str], bool] = lambda rep, address: False
    """Whether an address is internal or excluded for a rep, so that nobody is looked up by it."""
    store: RecordStore = field(default_factory=RecordStore)
    now_due: Callable[[], None] = lambda: None
    """Told when something in the queue is due now."""


@dataclass(slots=True)
class Work:
    """One message that is being recorded."""

    batch: Batch
    delivery: Delivery
    mail: SentMail | None = None
    recording: RecordingRow | None = None
    rows: list[RecordRow] = field(default_factory=list)
    """What was intended for it before."""
    facts: MessageFacts | None = None
    parts: MailParts = field(default_factory=MailParts)
    match: Match | None = None
    identity: str = ""
    intended: tuple[Intended, ...] = ()
    told: Told | None = None
    """What is kept of this attempt beside its outcome."""
    events: list[Event] = field(default_factory=list)
    outcome: Outcome | None = None

    @property
    def id(self) -> DeliveryId:
        """Name its delivery."""
        return self.delivery.id


@dataclass(frozen=True, slots=True)
class Setting:
    """What one round goes by."""

    tools: Tools
    shape: OrgShape
    now: int


Faulty = tuple[Work, Fault]
