"""Recording in the running service: the client, the courier and the work in the background, as the settings say.

Nothing of Salesforce is loaded while the settings name no organisation.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from relay.clock import Clock, rfc3339
from relay.config.loader import Configuration
from relay.config.secrets import read_secret
from relay.delivery_kind import Transport
from relay.directory.model import Directory
from relay.errors import StorageError
from relay.ids import DeliveryId
from relay.maillog.store import MailLog
from relay.outcome import Deferred, Outcome, Sent
from relay.queue.content import SpoolFiles
from relay.queue.model import Batch, Delivery, QueuedMessage
from relay.queue.rules import rules_of
from relay.queue.store import QueueStore
from relay.status import Reply
from relay.storage.database import Database

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.directory.model import Rep
    from relay.policy.rules import Rules
    from relay.salesforce.client import SalesforceClient, SalesforceMeter
    from relay.salesforce.gathering import Calls, Gathering
    from relay.salesforce.work import Tools

logger = logging.getLogger(__name__)

NOT_CONFIGURED = Deferred(
    Reply(451, "4.3.5", "salesforce: is not in the settings, and this mail is to be recorded there"),
    "salesforce",
)
EVERYBODY = "*"
"""Stands for an identity where a pause is everybody's."""
_NO_SETTINGS = object()
_SHORTEST_LOOK, _LONGEST_LOOK = 1.0, 60.0
_FORGET_EVERY = 3600.0
_LAST_ROUND = 5.0
"""Seconds that a round gets to end when the relay stops; what it had begun is looked for by the next one."""


def words_of(pause: Mapping[str, object]) -> str:
    """Say why records wait, by one of the pauses of `Recording.status`."""
    return f"Salesforce: {pause.get('code')}: {pause.get('reason')}; tried again at {pause.get('until')}"


class RecordingMeter(Protocol):
    """Hears of calls and records; relay.metrics.Metrics is one."""

    def salesforce_called(self, operation: str, result: str, seconds: float) -> None:
        """Count and measure one call."""
        ...

    def salesforce_remaining(self, calls: int) -> None:
        """Note how many of the day's calls are left."""
        ...

    def recorded(self, seconds: float) -> None:
        """Measure a mail from its acceptance to its record."""
        ...


class Recording:
    """All of recording; satisfies relay.queue.courier.Courier."""

    transport = Transport.SALESFORCE

    def __init__(
        self,
        database: Database,
        queue: QueueStore,
        mail_log: MailLog,
        clock: Clock,
        directory: Callable[[], Directory],
        meter: "RecordingMeter",
        now_due: Callable[[], None],
        rules: "Callable[[], Rules] | None" = None,
        space_per_call: float | None = None,
        spool: SpoolFiles | None = None,
        scarce: Callable[[], bool] = lambda: False,
    ) -> None:
        """`now_due` is told when something in the queue is due at once; by `rules` recipients are left out.

        While the disk is `scarce`, mail that waits for a match gives up its text in the `spool`.
        `space_per_call` is for tests: see relay.salesforce.gathering.
        """
        self._space_per_call = space_per_call
        self._rules = rules
        self._spool, self._scarce = spool, scarce
        self._database, self._queue, self._mail_log = database, queue, mail_log
        self._clock, self._directory, self._meter, self._now_due = clock, directory, meter, now_due
        self._settings: object = _NO_SETTINGS
        self._identities: dict[str, str] = {}
        self._tools: Tools | None = None
        self._gathering: Gathering | None = None
        self._calls: Calls | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._keep = timedelta(days=400)
        self._forget_at = 0.0

    @property
    def client(self) -> "SalesforceClient | None":
        """Give what asks Salesforce; None when the settings name no organisation."""
        return self._tools.client if self._tools is not None else None

    def use(self, configuration: Configuration) -> None:
        """Go by these settings from now on; what is under way ends by the earlier ones."""
        settings, base = configuration.settings, configuration.path.parent
        self._keep = settings.retention.events
        if settings.salesforce is None:
            self._leave(None)
            return
        from relay.salesforce.building import signs_in_with, tools_of

        first, signs_in = self._settings is _NO_SETTINGS, signs_in_with(settings.salesforce, base)
        kept = self._tools if signs_in == self._settings else None
        if kept is None:
            self._leave(signs_in)
        self._tools = tools_of(
            configuration,
            kept,
            database=self._database,
            queue=self._queue,
            mail_log=self._mail_log,
            clock=self._clock,
            directory=self._directory,
            meter=self._counting(),
            now_due=self._now_due,
            left_out=self._left_out,
            secret=lambda reference: read_secret(reference, base),
            retry=rules_of(settings, configuration.hostname).retry.logging,
        )
        before, self._identities = self._identities, self._written_as(self._tools)
        others = any(before.get(login, now) != now for login, now in self._identities.items())
        if (kept is None or others) and not first:
            self._aside(_try_all(self._tools))

    def _written_as(self, tools: "Tools") -> dict[str, str]:
        """Give the identity that each rep's records are written as."""
        return {rep.login: tools.client.identity_of(rep) for rep in self._directory().reps()}

    def _left_out(self, rep: "Rep", address: str) -> bool:
        """Say whether a recipient is internal or excluded: a record of the mail is not looked up for them."""
        from relay.salesforce.explaining import is_left_out

        return self._rules is not None and is_left_out(address, rep, self._rules())

    def _counting(self) -> "SalesforceMeter":
        """Count calls, so that rounds are spaced by them."""
        from relay.salesforce.gathering import Calls, Counting

        if self._calls is None:
            self._calls = Calls(self._clock)
        return Counting(self._calls, self._meter)

    def _leave(self, settings: object) -> None:
        """Let go of the organisation that the earlier settings named."""
        tools, self._tools, self._settings = self._tools, None, settings
        if tools is not None:
            self._aside(_closed(tools))

    def _aside(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    # As a courier

    def split(self, message: QueuedMessage, deliveries: "Sequence[Delivery]") -> list[list[Delivery]]:
        """Take each record for itself."""
        return [[one] for one in deliveries]

    def route(self, message: QueuedMessage, deliveries: "Sequence[Delivery]") -> str:
        """Name the way, for metrics."""
        return "salesforce"

    async def attempt(self, batches: "Sequence[Batch]") -> Mapping[DeliveryId, Outcome]:
        """Record the messages; give an outcome for each. Raises StorageError, and nothing else but CancelledError."""
        outcomes = await asyncio.gather(*(self._attempt(one) for one in batches))
        return {
            delivery.id: outcome
            for batch, outcome in zip(batches, outcomes, strict=True)
            for delivery in batch.deliveries
        }

    async def _attempt(self, batch: Batch) -> Outcome:
        if self._tools is None:
            return NOT_CONFIGURED
        if self._gathering is None:
            from relay.salesforce.gathering import SPACE_PER_CALL, Calls, Gathering

            self._calls = self._calls or Calls(self._clock)
            space = SPACE_PER_CALL if self._space_per_call is None else self._space_per_call
            self._gathering = Gathering(self._clock, self._calls, space)
        outcome = await self._gathering.record(batch, lambda: self._tools)
        if isinstance(outcome, Sent):
            self._meter.recorded(max(0, self._clock.now() - batch.message.accepted_at) / 1_000_000)
        return outcome

    def wake(self) -> None:
        """Try at once what waits: an identity that failed a moment ago, too."""
        if self._tools is not None:
            self._tools.client.try_now()
        if self._gathering is not None:
            self._gathering.hurry()
        self._woken.set()

    def forget(self, addresses: Collection[str]) -> None:
        """Look these addresses up anew: whom Salesforce knows by them was changed by hand."""
        if self._tools is not None:
            self._tools.lookup.forget(addresses)

    # In the background

    async def run(self) -> None:
        """Match again what nobody was matched with, and add recipients who got their mail late; until cancelled."""
        while True:
            self._woken.clear()
            pause = _LONGEST_LOOK
            try:
                pause = await self._step()
            except StorageError as exc:
                logger.warning("recording in the background waits for the store: %s", exc)
            except Exception:
                logger.exception("recording in the background came upon what it did not expect")
            with suppress(TimeoutError):
                async with asyncio.timeout(min(max(pause, _SHORTEST_LOOK), _LONGEST_LOOK)):
                    await self._woken.wait()

    async def _step(self) -> float:
        if self._tools is None:
            return _LONGEST_LOOK
        from relay.salesforce.background import forget, step

        if self._clock.monotonic() >= self._forget_at:
            self._forget_at = self._clock.monotonic() + _FORGET_EVERY
            await forget(self._tools, self._keep)
        if self._spool is not None and self._scarce():
            from relay.salesforce.shortening import shorten

            if await shorten(self._tools, self._spool):
                return _SHORTEST_LOOK
        return await step(self._tools)

    def hurry(self) -> None:
        """Space rounds no further: the relay stops."""
        if self._gathering is not None:
            self._gathering.hurry(from_now_on=True)

    async def close(self) -> None:
        """End the round under way, and let go of Salesforce."""
        if self._gathering is not None:
            await self._gathering.close(_LAST_ROUND)
        self._leave(None)
        if self._closing:
            await asyncio.wait(self._closing, timeout=10.0)

    def status(self) -> Mapping[str, object] | None:
        """Tell how it stands: the calls of the day, and who may not call now and why; None without an organisation."""
        if self._tools is None:
            return None
        client = self._tools.client
        identities = sorted({client.identity_of(rep) for rep in self._directory().reps()} | {""})
        found = ((one, client.paused(one)) for one in identities)
        pauses = {EVERYBODY if pause.everybody else one: pause for one, pause in found if pause is not None}
        usage = client.usage()
        return {
            "calls_used": usage.used if usage else None,
            "calls_allowed": usage.maximum if usage else None,
            "paused": [
                {
                    "identity": name,
                    "kind": pause.kind,
                    "code": pause.fault.code,
                    "reason": pause.fault.message,
                    "until": rfc3339(pause.until),
                }
                for name, pause in pauses.items()
            ],
        }


async def _closed(tools: "Tools") -> None:
    await tools.lookup.close()
    tools.reader.close()
    await tools.client.close()


async def _try_all(tools: "Tools") -> None:
    """Try what was put off: the organisation, or the way into it, is another one now."""
    from relay.salesforce.background import make_due

    try:
        await make_due(tools, "the settings or secrets of salesforce changed")
    except StorageError as exc:
        logger.warning("records that were put off are tried at their own time: %s", exc)
