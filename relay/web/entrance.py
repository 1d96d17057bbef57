"""The door of an HTTP port: how many connections there may be, and how many of one client network, before TLS begins.

Without it one address takes every place from those who want to use the page, by connections that do nothing. Networks
are those that mail's are counted by: an IPv4 address, an IPv6 /64.
"""

import asyncio
import itertools
import logging
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from ipaddress import ip_network

from relay.directory.throttle import network_of
from relay.submission.accepting import accept_on
from relay.submission.limits import ConnectionGate
from relay.submission.trust import Trust
from relay.web.patience import PatientProtocol

_log = logging.getLogger(__name__)

HANDSHAKE = 20.0
"""Seconds that a TLS handshake may take."""
_SAID_EVERY = 3600.0


class Guest(PatientProtocol):
    """A connection that is counted until it is lost."""

    begun = False
    leave: Callable[[], None]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin: from now on it is left by `connection_lost`."""
        self.begun = True
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        if self.begun:
            super().connection_lost(exc)
            self.leave()


class Entrance:
    """Lets connections in from a listening socket; what a trusted proxy brings counts for the total alone."""

    def __init__(
        self,
        make: Callable[[], Guest],
        tls: ssl.SSLContext | None,
        gate: ConnectionGate,
        proxies: Sequence[str],
    ) -> None:
        self._make = make
        self._tls = tls
        self._gate = gate
        self._proxies = Trust(tuple(ip_network(one, strict=False) for one in proxies))
        self._numbers = itertools.count()
        self._said: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: socket.socket | None = None

    def open(self, listening: socket.socket, backlog: int) -> None:
        """Let connections in, from now on; the socket is ours."""
        self._listening = listening
        listening.listen(backlog)
        self._own(accept_on(listening, self._let_in))

    async def close(self) -> None:
        """Let nobody in any more; handshakes under way are cut."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._listening is not None:
            self._listening.close()

    def _own(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _let_in(self, client: socket.socket, address: str) -> None:
        # Each connection of a proxy is a network of its own: whose it is, it says itself later, of each request.
        behind = self._proxies.holds(address, ())
        network = f"proxy {next(self._numbers)}" if behind else network_of(address)
        if self._gate.enter(network):
            self._own(self._welcome(client, network))
        else:
            self._say("" if self._gate.full else network)
            client.close()

    async def _welcome(self, client: socket.socket, network: str) -> None:
        guest = self._make()
        guest.leave = partial(self._gate.leave, network)
        loop = asyncio.get_running_loop()
        try:
            if self._tls is None:
                await loop.connect_accepted_socket(lambda: guest, client)
            else:
                await loop.connect_accepted_socket(
                    lambda: guest, client, ssl=self._tls, ssl_handshake_timeout=HANDSHAKE
                )
        except OSError as error:  # the loop has closed the connection
            _log.debug("%s: no TLS: %s", network, error)
        finally:
            if not guest.begun:
                guest.leave()

    def _say(self, network: str) -> None:
        """Say once an hour that there is no more room."""
        now = asyncio.get_running_loop().time()
        self._said = {one: at for one, at in self._said.items() if now - at < _SAID_EVERY}
        if network not in self._said:
            self._said[network] = now
            who = (
                f"{network} has as many connections as one network may"
                if network
                else "every connection is taken"
            )
            _log.warning("%s: further ones are hung up on; this is said once an hour", who)
