"""Build every part of the service from the settings, start them in order, and stop them in reverse.

Order: the lock on state_dir, the store, the directory and the rules, the courier, the queue, health and the admin
socket, and the listeners last, because an open port is a promise. A stop goes the other way round.
"""

import asyncio
import contextlib
import gc
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from typing import TYPE_CHECKING, Literal

import relay
from relay import compiled
from relay.building import Built, build, build_problems, smtp_courier, with_changes
from relay.clock import SystemClock
from relay.config.difference import Difference, differences, in_force
from relay.config.loader import Configuration, load
from relay.directory.credentials import Credentials
from relay.directory.model import Directory
from relay.directory.store import DirectoryStore
from relay.errors import CommandError, ConfigError, StorageError
from relay.logs import finish, setup
from relay.maillog.store import MailLog
from relay.metrics import Metrics
from relay.page import end_sessions, serve_page
from relay.process import (
    GRACE,
    Wishes,
    ended,
    first_cause,
    keep_heap_small,
    loop_factory,
    tell_systemd,
    tell_systemd_of_reload,
    within,
)
from relay.queue.listing import Listing
from relay.queue.runner import Runner
from relay.queue.store import QueueStore
from relay.recording import Recording
from relay.remembering import Remembering
from relay.storage.keys import lasting_key
from relay.storage.lease import StateLock
from relay.storage.spool import SPOOL_NAME, Spool
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase
from relay.submission.listener import Submission, SubmissionParts
from relay.watching import Disk, Expiry, Gauges, hops_of
from relay.web.listening import SOCKET_NAME, Doorbell, Server

if TYPE_CHECKING:
    from relay.salesforce.client import SalesforceClient

logger = logging.getLogger(__name__)

_LOOK_EVERY = 1.0
_GARBAGE = 10_000
"""Objects made and not yet let go of, before the garbage collector looks at the newest."""
_LOG_KEY = "logs.key"


def run(configuration: Configuration) -> int:
    """Run the service until SIGTERM or SIGINT; gives the exit code.

    Raises CommandError or ConfigError when it cannot start; then nothing was changed.
    """
    keep_heap_small()
    setup(configuration.settings.logs)
    try:
        with ExitStack() as stack:
            stack.enter_context(StateLock(configuration.state_dir))
            _set_up_logs(configuration)
            runner = stack.enter_context(asyncio.Runner(loop_factory=loop_factory()))
            runner.run(_serve(configuration))
    except BaseExceptionGroup as group:
        raise first_cause(group) from group
    finally:
        finish()
    return 0


def _set_up_logs(configuration: Configuration) -> None:
    """Have program logs written as the settings say; hashes of addresses are the same from one start to the next."""
    logs = configuration.settings.logs
    key = lasting_key(configuration.state_dir / _LOG_KEY) if logs.addresses == "hash" else None
    setup(logs, key=key)


async def _serve(configuration: Configuration) -> None:
    wishes = Wishes()
    wishes.listen()
    async with AsyncExitStack() as stack:
        service = await Service.open(configuration, stack, wishes)
        await service.start(stack)
        logger.info("config.loaded: %s", configuration.path)
        compiled.tell(logger, relay.FORM)
        tell_systemd("READY=1")
        await wishes.stop.wait()
        logger.info("stopping: transactions under way get %.0f seconds; a second signal skips that", GRACE)
        tell_systemd("STOPPING=1")


def _http(app: Literal["health_app", "admin_app"], service: "Service") -> Server:
    """Make what answers over HTTP; the libraries are loaded now."""
    from relay.web.health import HttpServer, admin_app, health_app

    return HttpServer((health_app if app == "health_app" else admin_app)(service))


class Service:
    """The parts of one running service. Fulfils relay.web.health.Actions."""

    def __init__(
        self,
        database: SqliteDatabase,
        built: Built,
        meter: Metrics,
        wishes: Wishes,
        *,
        entered: Configuration | None = None,
    ) -> None:
        self.built = built
        self.entered = entered or built.configuration
        """The settings in force without what was changed on the page."""
        self.database = database
        self.meter = meter
        self.wishes = wishes
        configuration = built.configuration
        self.state_dir = configuration.state_dir
        self.clock = SystemClock()
        self.directory_store = DirectoryStore()
        self.mail_log = MailLog()
        self.spool = Spool(self.state_dir / SPOOL_NAME)
        self.credentials = Credentials(lambda: self.built.directory, built.credentials, self.clock)
        self.courier = smtp_courier(built.configuration, self.clock)
        self.store = QueueStore(self.spool)
        self.store.use(keep_content=built.runner.keep_content is not None, waits=built.runner.waits)
        self.recording = Recording(
            database,
            self.store,
            self.mail_log,
            self.clock,
            lambda: self.built.directory,
            meter,
            self._due_now,
            lambda: self.built.rules,
            spool=self.spool,
            scarce=lambda: not self.has_room(2),
        )
        self.runner = Runner(
            database,
            self.store,
            self.mail_log,
            self.spool,
            [self.courier, self.recording],
            built.runner,
            self.clock,
            meter=self.meter,
        )
        self.submission = Submission(self._submission_parts())
        self.reminding = Remembering(database, self.clock, self._going_by, self.salesforce, meter)
        self.disk = Disk(self.state_dir, self.clock, meter)
        self.expiry = Expiry(self.clock, meter)
        self.gauges = Gauges(database, self.clock, meter)
        self._look = asyncio.Event()
        self._changing = asyncio.Lock()
        self._open = False

    @classmethod
    async def open(cls, configuration: Configuration, stack: AsyncExitStack, wishes: Wishes) -> "Service":
        """Open the store, read the reps, and put the parts together; nothing listens yet."""
        meter = Metrics()
        path = configuration.state_dir / DATABASE_NAME
        database = await SqliteDatabase.open(path, create=True, observe=meter.commit_took)
        stack.push_async_callback(partial(within, wishes.hurry, database.close))
        merged, directory = await database.read(partial(with_changes, configuration))
        return cls(database, build(merged, directory), meter, wishes, entered=configuration)

    async def start(self, stack: AsyncExitStack) -> None:
        """Start the parts in order; the stack stops them in reverse. Raises CommandError when a port is taken."""
        hurry = self.wishes.hurry
        self.meter.started(self.clock.now() / 1_000_000)
        self.disk.free()
        group = await stack.enter_async_context(asyncio.TaskGroup())
        self.recording.use(self.built.configuration)
        running = group.create_task(self.runner.run())
        stack.callback(group.create_task(self.recording.run()).cancel)
        for watching in (self._watch(), self._reload_when_asked()):
            stack.callback(group.create_task(watching).cancel)
        stack.push_async_callback(self.reminding.close)
        stack.callback(group.create_task(self.reminding.run()).cancel)
        stack.push_async_callback(partial(ended, running))
        stack.push_async_callback(self.courier.close)
        stack.push_async_callback(self.recording.close)
        stack.push_async_callback(partial(within, hurry, self.runner.stop))
        stack.callback(self.recording.hurry)
        await self._start_http(stack)
        bound = await self.submission.start()
        stack.push_async_callback(partial(within, hurry, self._stop_listening))
        for listener, address in zip(self.built.configuration.settings.listeners, bound, strict=True):
            logger.info("listening on %s (%s, tls %s)", address, listener.name, listener.tls)
        self._open = True
        # What lives as long as the service is looked at no more by the garbage collector.
        gc.collect()
        gc.freeze()
        # What a message is made of holds no cycles and goes by itself: the collector, asked every 700 objects as
        # Python does it, took a twentieth of all time.
        gc.set_threshold(_GARBAGE)

    async def _stop_listening(self, grace: float) -> None:
        self._open = False
        await self.submission.stop(grace)

    async def _start_http(self, stack: AsyncExitStack) -> None:
        address = self.built.configuration.settings.metrics.address
        if address is not None:
            health = Doorbell(partial(_http, "health_app", self))
            bound = await health.start(address)
            stack.push_async_callback(health.stop)
            logger.info("health and metrics on %s", bound)
        admin = Doorbell(partial(_http, "admin_app", self))
        await admin.start(self.state_dir / SOCKET_NAME)
        stack.push_async_callback(admin.stop)
        await serve_page(self, stack)

    def salesforce(self) -> "SalesforceClient | None":
        """Give what asks Salesforce; None when the settings name no organisation."""
        return self.recording.client

    def _due_now(self) -> None:
        self.runner.wake()

    async def _going_by(self) -> tuple[Configuration, Directory]:
        """Give settings and reps as they are now, with what a command or the page has just changed."""
        await self.take_changes()
        return self.built.configuration, self.built.directory

    # What the parts are made of

    def _submission_parts(self) -> SubmissionParts:
        configuration = self.built.configuration
        return SubmissionParts(
            settings=configuration.settings,
            hostname=configuration.hostname,
            place=configuration.place,
            contexts=self.built.contexts,
            rules=lambda: self.built.rules,
            reps=lambda: self.built.directory,
            credentials=self.credentials,
            intake=self.runner,
            spool=self.spool.create,
            room=self.has_room,
            database=self.database,
            mail_log=self.mail_log,
            meter=self.meter,
            clock=self.clock,
        )

    # Watching

    def has_room(self, times: int = 1) -> bool:
        """Tell whether there is disk enough for another message; with 2 whether there will be for a while."""
        return self.disk.free() >= times * self.built.configuration.settings.limits.minimum_free_disk

    async def _watch(self) -> None:
        """Look for changed reps and at the disk, every second and when told; and measure how late the loop is."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LOOK_EVERY
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._look.wait()
            if not self._look.is_set():
                self.meter.loop_lag(max(0.0, loop.time() - due))
            self._look.clear()
            self.disk.look(self.built.configuration.settings.limits.minimum_free_disk)
            self.expiry.look(self.built.certificate_ends)
            try:
                await self.take_changes()
            except (StorageError, ConfigError, CommandError) as exc:
                logger.error("changed reps cannot be used; the earlier ones stay: %s", exc)  # noqa: TRY400 - its text says all

    async def take_changes(self) -> None:
        """Go by the reps, and by the settings for all, as a command or the page has changed them.

        Raises ConfigError or CommandError when they cannot be used; then the earlier ones stay.
        """
        async with self._changing:
            if await self.database.read(self.directory_store.current_version) == self.built.directory.version:
                return
            configuration, directory = await self.database.read(partial(with_changes, self.entered))
            before = self.built.configuration
            if (configuration.settings, configuration.places) == (before.settings, before.places):
                self.built = await asyncio.to_thread(self.built.with_directory, directory)
            else:
                self._use(await asyncio.to_thread(build, configuration, directory))
        logger.info("the reps were changed; there are %d now", len(directory.reps()))

    # Reloading: everything is built before anything is swapped

    async def _reload_when_asked(self) -> None:
        while True:
            await self.wishes.reload.wait()
            self.wishes.reload.clear()
            await self.reload()

    async def reload(self) -> Mapping[str, object]:
        """Read the settings anew and go by them, all of them or none; give what changed, or what is wrong."""
        async with self._changing:
            tell_systemd_of_reload()
            try:
                changes = await self._reload()
            except ConfigError as exc:
                return self._not_reloaded([str(problem) for problem in exc.problems])
            except (CommandError, StorageError) as exc:
                return self._not_reloaded([str(exc)])
            except Exception:
                logger.exception("config.reload.failed: something unexpected went wrong")
                return self._not_reloaded(["something unexpected went wrong; the program's log tells"])
            finally:
                tell_systemd("READY=1")
        self.meter.reloaded(True, self.clock.now() / 1_000_000)
        logger.info("config.loaded: %s", "; ".join(map(str, changes)) or "no setting has changed")
        return {"reloaded": True, "changes": [str(change) for change in changes], "problems": []}

    async def _reload(self) -> Sequence[Difference]:
        before = self.built.configuration
        wanted = await asyncio.to_thread(load, before.path)
        problems = await asyncio.to_thread(build_problems, wanted)
        if any(problem.severity == "error" for problem in problems):
            raise ConfigError(tuple(problems))
        entered = in_force(self.entered, wanted.at_rest())
        configuration, directory = await self.database.read(partial(with_changes, entered))
        built = await asyncio.to_thread(build, configuration, directory)
        if before.settings.logs != configuration.settings.logs:
            _set_up_logs(configuration)
        await end_sessions(self.database, lambda tx: with_changes(entered, tx)[1])
        before, self.entered = self.entered, entered
        self._use(built)
        return differences(before.settings, wanted.settings)

    def _use(self, built: Built) -> None:
        """Swap what the parts go by. Nothing here waits or fails: all of it was built before."""
        self.built = built
        settings = built.configuration.settings
        self.submission.use(self._submission_parts())
        self.courier.use(settings.upstream, settings.logging.bcc, settings.notices.route)
        self.store.use(keep_content=built.runner.keep_content is not None, waits=built.runner.waits)
        self.runner.use(built.runner)
        self.recording.use(built.configuration)
        self.credentials.change(built.credentials)
        self.wake()

    def _not_reloaded(self, problems: Sequence[str]) -> Mapping[str, object]:
        self.meter.reloaded(False, self.clock.now() / 1_000_000)
        logger.error("config.reload.failed: the earlier settings stay: %s", "; ".join(problems))
        return {"reloaded": False, "changes": [], "problems": list(problems)}

    # What HTTP may ask (relay.web.health.Actions)

    def stop(self) -> None:
        """Stop in good order; asked a second time, without waiting for anybody."""
        self.wishes.ask_to_stop()

    def wake(self) -> None:
        """Look at once for what is due and for changed reps; a hop that failed a moment ago is tried, too."""
        self._look.set()
        self.courier.try_now()
        self.recording.wake()
        self.runner.wake()
        self.reminding.wake()

    def ready(self) -> Sequence[str]:
        """Give the reasons why no mail can be taken now."""
        reasons = [] if self._open else ["the listeners are not open"]
        return reasons if self.has_room() else [*reasons, self.disk.trouble]

    async def status(self) -> Mapping[str, object]:
        """Give the live state: connections, hops, and what the queue holds."""
        tally = await self.database.read(Listing().tally)
        return {
            "ready": not self.ready(),
            "reasons": list(self.ready()),
            "connections": self.submission.connections,
            "free_octets": self.disk.free(),
            "reps": len(self.built.directory.reps()),
            "salesforce": self.recording.status(),
            "queue": {f"{transport}.{state}": count for (transport, state), count in tally.items()},
            "hops": hops_of(self.courier),
        }

    async def metrics(self) -> bytes:
        """Give all metrics."""
        return await self.gauges.exposition()
