"""Serve the page of the running service: open its port at the start, build what answers there at the first request."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Protocol

from relay.config.loader import Configuration
from relay.config.page_address import untold
from relay.directory.credentials import Credentials
from relay.directory.model import Directory
from relay.maillog.events import Event
from relay.maillog.store import MailLog
from relay.policy.decision import PlannedDelivery
from relay.policy.rules import Rules
from relay.queue.model import NewMessage
from relay.queue.runner import Runner
from relay.queue.store import QueueStore
from relay.storage.database import Transaction
from relay.storage.sqlite import SqliteDatabase
from relay.web.listening import Doorbell, Server

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from relay.clock import Clock
    from relay.salesforce.client import SalesforceClient

logger = logging.getLogger(__name__)

_DIGESTS_AFTER = 30.0
_CONNECTIONS = 768
_PER_NETWORK = 512
"""Of one address: 300 people of one office, whose open pages keep a connection each, and 200 more where pages load.

A browser opens up to six then, and keeps those it does not need for five seconds.
"""


class _Built(Protocol):
    """What the service goes by at a moment."""

    @property
    def configuration(self) -> Configuration: ...
    @property
    def directory(self) -> Directory: ...
    @property
    def rules(self) -> Rules: ...
    @property
    def page_context(self) -> ssl.SSLContext | None: ...


class _Recorder(Protocol):
    """What the page needs of recording."""

    def forget(self, addresses: Collection[str]) -> None:
        """Look these addresses up anew."""
        ...


class Serving(Protocol):
    """What the page needs of the service; relay.server.Service is it."""

    database: SqliteDatabase
    credentials: Credentials
    store: QueueStore
    mail_log: MailLog
    runner: Runner

    @property
    def built(self) -> _Built:
        """Give what the service goes by now."""
        ...

    @property
    def recording(self) -> _Recorder:
        """Give what records mail."""
        ...

    @property
    def clock(self) -> "Clock":
        """Give the clock."""
        ...

    def wake(self) -> None:
        """Look at once for what is due."""
        ...

    async def status(self) -> Mapping[str, object]:
        """Give the live state."""
        ...

    async def take_changes(self) -> None:
        """Go by what was changed in the store."""
        ...

    def salesforce(self) -> "SalesforceClient | None":
        """Give what asks Salesforce."""
        ...


class ServiceActions:
    """Fulfils relay.web.actions.Actions for the page, and is all of the service that the page can reach."""

    def __init__(self, service: Serving) -> None:
        self._service = service

    def configuration(self) -> Configuration:
        """Give the settings in force."""
        return self._service.built.configuration

    def directory(self) -> Directory:
        """Give the reps."""
        return self._service.built.directory

    def locked(self) -> frozenset[str]:
        """Give what reps may not change for themselves."""
        return self._service.built.directory.locked

    def rules(self) -> Rules:
        """Give the rules that mail is decided by."""
        return self._service.built.rules

    async def take_changes(self) -> None:
        """Go by what the page has just stored."""
        await self._service.take_changes()

    def wake(self) -> None:
        """Look at once for what is due."""
        self._service.wake()

    def next_number(self) -> int:
        """Give the number of the next message."""
        return self._service.runner.next_number()

    async def accept(
        self, message: NewMessage, plan: Sequence[PlannedDelivery], events: Sequence[Event]
    ) -> None:
        """Take mail of the relay's own into the queue."""
        await self._service.runner.accept(message, plan, events)

    async def status(self) -> Mapping[str, object]:
        """Give the live state."""
        return await self._service.status()

    def forget(self, addresses: Collection[str]) -> None:
        """Have recording look these addresses up anew."""
        self._service.recording.forget(addresses)

    def salesforce(self) -> "SalesforceClient | None":
        """Give what asks Salesforce."""
        return self._service.salesforce()


class _Lazily:
    """Builds the application when the first request comes: a relay whose page nobody opens does not pay for it."""

    def __init__(self, service: Serving) -> None:
        self._service = service
        self._app: ASGIApp | None = None
        self._building = asyncio.Lock()

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one request."""
        async with self._building:
            if self._app is None:
                self._app = await asyncio.to_thread(self._build)
        await self._app(scope, receive, send)

    def _build(self) -> "ASGIApp":
        from relay.web.app import page_app

        service = self._service
        return page_app(
            ServiceActions(service),
            service.database,
            credentials=service.credentials,
            clock=service.clock,
            queue=service.store,
            mail_log=service.mail_log,
        )


async def serve_page(service: Serving, stack: AsyncExitStack) -> None:
    """Open the page's port, if the settings name one; the stack closes it. Raises CommandError when it is taken."""
    settings, context = service.built.configuration.settings, service.built.page_context
    web = settings.web
    if web is None:
        return
    await end_sessions(service.database, lambda _tx: service.built.directory)

    def renew(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        # Called at every handshake: a reload's certificate is shown to those who come after it.
        connection.context = service.built.page_context or connection.context

    if context is not None:
        context.sni_callback = renew

    def make() -> Server:
        from relay.web.health import HttpServer

        return HttpServer(
            _Lazily(service),
            tls=context,
            proxies=web.trusted_proxies,
            connections=_CONNECTIONS,
            per_network=_PER_NETWORK,
        )

    server = Doorbell(make)
    bound = await server.start(web.address)
    stack.push_async_callback(server.stop)
    logger.info("the page is on %s://%s", "https" if context else "http", bound)
    if why := untold(web, settings.server.hostname):
        logger.warning("web.public_url is not set, and %s: no links are mailed", why)
    digests = asyncio.create_task(_digests(service))
    stack.push_async_callback(_ended, digests)


async def end_sessions(database: SqliteDatabase, directory: Callable[[Transaction], Directory]) -> None:
    """End the sessions of reps who are not in the directory any more, are disabled there, or have another password.

    It is read in the same transaction: who has just chosen a password stays signed in.
    """
    from relay.web.ending import end_fallen

    await database.write(lambda tx: end_fallen(tx, directory(tx)))


async def _digests(service: Serving) -> None:
    """Send the daily digests; what writes them is loaded a while after the start."""
    await asyncio.sleep(_DIGESTS_AFTER)
    from relay.web.digest import Digest

    await Digest(_Desk(service), service.database, service.store, service.clock).run()


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


class _Desk:
    """What the digest's mail is sent with (relay.web.mailing.Sending)."""

    def __init__(self, service: Serving) -> None:
        self.actions = ServiceActions(service)
        self.clock = service.clock

    @property
    def configuration(self) -> Configuration:
        """Give the settings in force."""
        return self.actions.configuration()
