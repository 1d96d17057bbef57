"""Build every part of the service from the settings, start them in order, and stop them in reverse.

Order: the lock on state_dir, the store, the directory and the rules, the courier, the queue, health and the admin
socket, and the listeners last, because an open port is a promise. A stop goes the other way round.
"""

import asyncio
import contextlib
import gc
import logging
import os
import shutil
import signal
import socket
import ssl
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from datetime import timedelta
from functools import partial

from relay.clock import SystemClock
from relay.config.loader import Configuration
from relay.config.model import ListenerSettings
from relay.config.secrets import read_secret
from relay.delivery.courier import SmtpCourier
from relay.directory.credentials import CredentialRules, Credentials
from relay.directory.model import Directory
from relay.directory.store import DirectoryStore
from relay.directory.throttle import Limits
from relay.errors import CommandError, ConfigError, StorageError
from relay.logs import setup
from relay.maillog.store import MailLog
from relay.metrics import Metrics
from relay.policy.rules import Rules, compile_rules
from relay.queue.listing import Listing
from relay.queue.rules import rules_of
from relay.queue.runner import Runner
from relay.queue.store import QueueStore
from relay.storage.lease import StateLock
from relay.storage.spool import SPOOL_NAME, Spool
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase
from relay.submission.listener import Submission, SubmissionParts
from relay.tls import server_context

logger = logging.getLogger(__name__)

GRACE = 30.0
"""Seconds that transactions and attempts under way get to end when the service stops."""
_LOOK_EVERY = 1.0
_DISK_EVERY = 5.0


def run(configuration: Configuration) -> int:
    """Run the service until SIGTERM or SIGINT; gives the exit code.

    Raises CommandError or ConfigError when it cannot start; then nothing was changed.
    """
    handler = setup(configuration.settings.logs)
    try:
        with ExitStack() as stack:
            stack.enter_context(StateLock(configuration.state_dir))
            runner = stack.enter_context(asyncio.Runner(loop_factory=_loop_factory()))
            runner.run(_serve(configuration))
    except BaseExceptionGroup as group:
        raise _first_cause(group) from group
    finally:
        handler.close()
    return 0


def _first_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give what the command line can say in one line; the group itself when there is no such thing in it."""
    told: BaseException | None = group.subgroup((CommandError, ConfigError))
    while isinstance(told, BaseExceptionGroup):
        told = told.exceptions[0]
    return told or group


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Give uvloop's loop where it is installed (extra `fast`), else None: asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(configuration: Configuration) -> None:
    stop = asyncio.Event()
    hurry = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: hurry.set() if stop.is_set() else stop.set())
    async with AsyncExitStack() as stack:
        service = await Service.build(configuration, stack)
        await service.start(stack, hurry)
        tell_systemd("READY=1")
        await stop.wait()
        logger.info("stopping: transactions under way get %.0f seconds; a second signal skips that", GRACE)
        tell_systemd("STOPPING=1")


class Service:
    """The parts of one running service. Fulfils relay.web.health.Actions."""

    def __init__(self, configuration: Configuration, database: SqliteDatabase, directory: Directory) -> None:
        settings = configuration.settings
        self.configuration = configuration
        self.clock = SystemClock()
        self.database = database
        self.directory_store = DirectoryStore()
        self.directory = directory
        self.rules: Rules = compile_rules(
            settings, configuration.place, directory.reps(), hostname=configuration.hostname
        )
        self.meter = Metrics()
        self.mail_log = MailLog()
        self.spool = Spool(configuration.state_dir / SPOOL_NAME)
        self.credentials = Credentials(lambda: self.directory, _credential_rules(configuration), self.clock)
        self.courier = self._courier()
        self.runner = Runner(
            database,
            QueueStore(self.spool, keep_content=settings.retention.content != "until_done"),
            self.mail_log,
            self.spool,
            [self.courier],
            rules_of(settings, configuration.hostname),
            self.clock,
            meter=self.meter,
        )
        self.submission = Submission(self._submission_parts())
        self.free_octets = 0
        self._looked_at_disk = -_DISK_EVERY
        self._look = asyncio.Event()
        self._open = False

    @classmethod
    async def build(cls, configuration: Configuration, stack: AsyncExitStack) -> "Service":
        """Open the store, read the reps, and put the parts together; nothing listens yet."""
        database = await SqliteDatabase.open(configuration.state_dir / DATABASE_NAME, create=True)
        stack.push_async_callback(database.close)
        store = DirectoryStore()
        directory = await database.read(
            lambda tx: store.snapshot(tx, configuration.settings, configuration.place)
        )
        return cls(configuration, database, directory)

    async def start(self, stack: AsyncExitStack, hurry: asyncio.Event) -> None:
        """Start the parts in order; the stack stops them in reverse. Raises CommandError when a port is taken."""
        self.meter.started(self.clock.now() / 1_000_000)
        self._check_disk()
        group = await stack.enter_async_context(asyncio.TaskGroup())
        running = group.create_task(self.runner.run())
        watching = group.create_task(self._watch())
        stack.callback(watching.cancel)
        stack.push_async_callback(partial(_wait, running))
        stack.push_async_callback(self.courier.close)
        stack.push_async_callback(partial(_within, hurry, self.runner.stop))
        await self._start_http(stack)
        bound = await self.submission.start()
        stack.push_async_callback(partial(_within, hurry, self._stop_listening))
        for listener, address in zip(self.configuration.settings.listeners, bound, strict=True):
            logger.info("listening on %s (%s, tls %s)", address, listener.name, listener.tls)
        self._open = True
        # What lives as long as the service is looked at no more by the garbage collector.
        gc.collect()
        gc.freeze()

    async def _stop_listening(self, grace: float) -> None:
        self._open = False
        await self.submission.stop(grace)

    async def _start_http(self, stack: AsyncExitStack) -> None:
        from relay.web.admin import SOCKET_NAME
        from relay.web.health import HttpServer, admin_app, health_app

        address = self.configuration.settings.metrics.address
        if address is not None:
            health = HttpServer(health_app(self))
            bound = await health.start(address)
            stack.push_async_callback(health.stop)
            logger.info("health and metrics on %s", bound)
        admin = HttpServer(admin_app(self))
        await admin.start(self.configuration.state_dir / SOCKET_NAME)
        stack.push_async_callback(admin.stop)

    # What the parts are made of

    def _courier(self) -> SmtpCourier:
        settings = self.configuration.settings
        base = self.configuration.path.parent
        return SmtpCourier(
            settings.upstream,
            settings.logging.bcc,
            self.configuration.hostname,
            resolve=self.configuration.resolve,
            secret=lambda reference: read_secret(reference, base),
            clock=self.clock,
            own_route=settings.notices.route,
        )

    def _submission_parts(self) -> SubmissionParts:
        return SubmissionParts(
            settings=self.configuration.settings,
            hostname=self.configuration.hostname,
            place=self.configuration.place,
            contexts=listener_contexts(self.configuration),
            rules=lambda: self.rules,
            reps=lambda: self.directory,
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

    def has_room(self) -> bool:
        """Tell whether there is disk enough for another message."""
        return self.free_octets >= self.configuration.settings.limits.minimum_free_disk

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
            self._check_disk()
            try:
                await self._take_new_reps()
            except (StorageError, ConfigError) as exc:
                logger.error("changed reps cannot be used; the earlier ones stay: %s", exc)  # noqa: TRY400 - its text says all

    def _check_disk(self) -> None:
        now = self.clock.monotonic()
        if now - self._looked_at_disk >= _DISK_EVERY:
            self._looked_at_disk = now
            self.free_octets = shutil.disk_usage(self.configuration.state_dir).free
            self.meter.disk_free(self.free_octets)

    async def _take_new_reps(self) -> None:
        """Swap the directory and the rules for new ones when a command has changed reps."""
        store, configuration = self.directory_store, self.configuration
        if await self.database.read(store.current_version) == self.directory.version:
            return
        directory = await self.database.read(
            lambda tx: store.snapshot(tx, configuration.settings, configuration.place)
        )
        self.rules = compile_rules(
            configuration.settings, configuration.place, directory.reps(), hostname=configuration.hostname
        )
        self.directory = directory
        logger.info("the reps were changed; there are %d now", len(directory.reps()))

    # What HTTP may ask (relay.web.health.Actions)

    def wake(self) -> None:
        """Look at once for what is due and for changed reps; a hop that failed a moment ago is tried, too."""
        self._look.set()
        self.courier.try_now()
        self.runner.wake()

    def ready(self) -> Sequence[str]:
        """Give the reasons why no mail can be taken now."""
        reasons = [] if self._open else ["the listeners are not open"]
        return reasons if self.has_room() else [*reasons, "the disk is nearly full"]

    async def status(self) -> Mapping[str, object]:
        """Give the live state: connections, hops, and what the queue holds."""
        tally = await self.database.read(Listing().tally)
        return {
            "ready": not self.ready(),
            "reasons": list(self.ready()),
            "connections": self.submission.connections,
            "free_octets": self.free_octets,
            "reps": len(self.directory.reps()),
            "queue": {f"{transport}.{state}": count for (transport, state), count in tally.items()},
            "hops": [
                {
                    "route": hop.route,
                    "host": f"{hop.host}:{hop.port}",
                    "connections": hop.connections,
                    "idle": hop.idle,
                }
                | {"waiting": hop.waiting, "trouble": hop.trouble, "retry_in": round(hop.retry_in, 1)}
                for hop in self.courier.state()
            ],
        }

    async def metrics(self) -> bytes:
        """Give all metrics, with the queue's gauges set anew."""
        tally = await self.database.read(Listing().tally)
        counts: dict[str, int] = {}
        for (_, state), count in tally.items():
            counts[state] = counts.get(state, 0) + count
        self.meter.queue_holds(counts, {})
        return self.meter.exposition()


def listener_contexts(configuration: Configuration) -> dict[str, ssl.SSLContext]:
    """Make the TLS context of every listener that has one. Raises CommandError (78) that names the file."""
    return {
        listener.name: _listener_context(configuration, listener)
        for listener in configuration.settings.listeners
        if listener.tls != "none"
    }


def _listener_context(configuration: Configuration, listener: ListenerSettings) -> ssl.SSLContext:
    tls = configuration.settings.tls
    assert tls is not None, "the loader refuses a TLS listener without tls:"
    key = read_secret(tls.private_key, configuration.path.parent)
    client_ca = configuration.resolve(listener.client_ca) if listener.client_ca else None
    return server_context(
        configuration.resolve(tls.certificate), key, minimum=tls.minimum_version, client_ca=client_ca
    )


def _credential_rules(configuration: Configuration) -> CredentialRules:
    auth = configuration.settings.auth
    failures = auth.failures
    return CredentialRules(
        Limits(failures.max, _seconds(failures.per), _seconds(failures.block)), _seconds(auth.cache)
    )


def _seconds(span: timedelta) -> float:
    return span.total_seconds()


async def _wait(task: "asyncio.Task[None]") -> None:
    await asyncio.wait([task])


async def _within(hurry: asyncio.Event, stop: Callable[[float], Coroutine[object, object, None]]) -> None:
    """Stop a part with the usual grace; once `hurry` is set, with none."""
    if hurry.is_set():
        await stop(0.0)
        return
    loop = asyncio.get_running_loop()
    stopping: asyncio.Task[object] = loop.create_task(stop(GRACE))
    hurrying: asyncio.Task[object] = loop.create_task(hurry.wait())
    await asyncio.wait([stopping, hurrying], return_when=asyncio.FIRST_COMPLETED)
    hurrying.cancel()
    if not stopping.done():
        stopping.cancel()
        await asyncio.wait([stopping])
        await stop(0.0)


def tell_systemd(state: str) -> None:
    """Tell systemd how the service stands (sd_notify(3)); nothing happens when it did not start us."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(state.encode(), "\0" + path[1:] if path.startswith("@") else path)
