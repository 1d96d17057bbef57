"""All listeners: opens their ports, hands every connection to the protocol, sweeps, and drains at the end."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from relay.address import Address, parse_mailbox
from relay.clock import Clock
from relay.config.model import ListenerSettings, RelaySettings
from relay.config.types import SocketAddress
from relay.errors import AddressError, CommandError
from relay.policy.rules import Rules
from relay.storage.database import Database
from relay.submission.data import SpoolFile
from relay.submission.door import Authenticator, Door, Intake, Meter, Reps
from relay.submission.house import House
from relay.submission.limits import ConnectionGate, MessageRates, limits_of
from relay.submission.protocol import SubmissionProtocol
from relay.submission.refusals import EventStore, RefusalLog
from relay.submission.tls_port import TlsPort
from relay.submission.trust import trust_of

_logger = logging.getLogger(__name__)

_BACKLOG = 512
_SWEEP = 1.0
"""Seconds between looks at who was waited for too long."""
_NOT_AVAILABLE = 75
_INVALID = 78


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionParts:
    """Everything that submission is built from."""

    settings: RelaySettings
    hostname: str
    place: Callable[[str], str]
    """Where a setting was written (Configuration.place)."""
    contexts: Mapping[str, ssl.SSLContext]
    """By listener name, for those with TLS."""
    rules: Callable[[], Rules]
    reps: Callable[[], Reps]
    """The directory as it is now."""
    credentials: Authenticator
    intake: Intake
    spool: Callable[[], SpoolFile]
    """Makes a new spool file (Spool.create)."""
    room: Callable[[], bool]
    """Whether there is disk enough for another message."""
    database: Database
    mail_log: EventStore
    meter: Meter
    clock: Clock


@dataclass(slots=True)
class _Port:
    """A listener that is open: what new connections meet."""

    door: Door
    server: asyncio.Server | TlsPort | None = None


@dataclass(slots=True)
class Shared:
    """What all listeners of one service share; it outlives a reload."""

    gate: ConnectionGate
    rates: MessageRates
    contexts: dict[str, ssl.SSLContext] = field(default_factory=dict)


class Submission:
    """All listeners of one service."""

    def __init__(self, parts: SubmissionParts) -> None:
        self._parts = parts
        self._house = House()
        self._refusals = RefusalLog(parts.database, parts.mail_log, parts.clock)
        limits = parts.settings.limits
        self._shared = Shared(
            ConnectionGate(limits.connections.total, limits.connections.per_network),
            MessageRates(limits.messages_per_user),
            dict(parts.contexts),
        )
        self._ports = [
            _Port(door_of(parts, self._shared, self._refusals, one)) for one in parts.settings.listeners
        ]
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def connections(self) -> int:
        """Give how many clients are connected."""
        return len(self._house.connections)

    @property
    def doors(self) -> list[Door]:
        """Give the doors, in the order of the settings."""
        return [port.door for port in self._ports]

    async def start(self) -> list[SocketAddress]:
        """Open all ports; gives what they are bound to, in the order of the settings (port 0 becomes a real one).

        Raises CommandError (exit code 75) that names the listener whose address cannot be had; none is open then.
        """
        bound = []
        for port, settings in zip(self._ports, self._parts.settings.listeners, strict=True):
            try:
                bound.append(await self._open(port, settings.address))
            except OSError as exc:
                self._close_ports()
                text = f"listener {settings.name}: cannot listen on {settings.address}: {exc.strerror or exc}"
                raise CommandError(text, _NOT_AVAILABLE) from exc
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep_on())
        return bound

    async def _open(self, port: _Port, address: SocketAddress) -> SocketAddress:
        if port.door.tls == "implicit":
            if port.door.context() is None:
                text = f"listener {port.door.name}: there is no certificate for its TLS"
                raise CommandError(text, _INVALID)
            port.server = TlsPort(self._house, lambda: port.door)
            return await port.server.open(address)
        port.server = await asyncio.get_running_loop().create_server(
            lambda: SubmissionProtocol(self._house, port.door), address.host, address.port, backlog=_BACKLOG
        )
        name = port.server.sockets[0].getsockname()
        return SocketAddress(name[0], name[1])

    def use(self, parts: SubmissionParts) -> None:
        """Meet new connections by other settings from now on; those that are here keep what they began with.

        The listeners are those that are open, by name: a port neither moves nor closes. Counts of connections and
        messages go on under the new limits.
        """
        limits = parts.settings.limits
        self._parts = parts
        self._shared.gate.change(limits.connections.total, limits.connections.per_network)
        self._shared.rates.change(limits.messages_per_user)
        self._shared.contexts.update(parts.contexts)
        settings = {one.name: one for one in parts.settings.listeners}
        for port in self._ports:
            if port.door.name in settings:
                port.door = door_of(parts, self._shared, self._refusals, settings[port.door.name])

    def sweep(self) -> None:
        """Hang up on clients that were waited for too long."""
        self._house.sweep(self._parts.clock.monotonic())

    async def _sweep_on(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP)
            try:
                self.sweep()
            except Exception:
                _logger.exception("the sweep of connections failed; it is tried again")

    async def stop(self, grace: float) -> None:
        """Close the ports, let transactions end for up to `grace` seconds, then cut what is left.

        What was answered 250 is stored; a message being stored is waited for.
        """
        self._close_ports()
        await self._house.drain(grace)
        if self._sweeper is not None:
            self._sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeper
        await self._refusals.close()

    def _close_ports(self) -> None:
        for port in self._ports:
            if port.server is not None:
                port.server.close()
                port.server = None


def door_of(parts: SubmissionParts, shared: Shared, refusals: RefusalLog, settings: ListenerSettings) -> Door:
    """Make the door of one listener from the settings and the parts it leads to."""
    limits = parts.settings.limits
    return Door(
        name=settings.name,
        hostname=parts.hostname,
        tls=settings.tls,
        auth=settings.auth,
        require_tls=parts.settings.auth.require_tls,
        trust=trust_of(settings.trust),
        unknown_sender=settings.unknown_sender,
        signed_bcc=limits.signed_bcc,
        signed_bcc_rule=f"limits.signed_bcc ({parts.place('limits.signed_bcc')})",
        limits=limits_of(limits),
        postmaster=postmaster_of(parts.settings, parts.hostname),
        context=partial(shared.contexts.get, settings.name),
        gate=shared.gate,
        rates=shared.rates,
        clock=parts.clock,
        room=parts.room,
        rules=parts.rules,
        reps=parts.reps,
        credentials=parts.credentials,
        intake=parts.intake,
        spool=parts.spool,
        note=refusals.note,
        meter=parts.meter,
    )


def postmaster_of(settings: RelaySettings, hostname: str) -> Address:
    """Give who gets mail for <Postmaster>: notices.postmaster, else notices.from; a bare name is one of ours."""
    text = settings.notices.postmaster or settings.notices.from_
    try:
        return parse_mailbox(text if "@" in text else f"{text}@{hostname}", smtputf8=True)
    except AddressError:
        return Address("postmaster", hostname)
