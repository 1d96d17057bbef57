"""The port of a listener with implicit TLS: connections are counted, and their number held, before the handshake.

The certificate is the one that is in force at the handshake.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine

from relay.config.types import SocketAddress
from relay.directory.throttle import network_of
from relay.submission.accepting import accept_on
from relay.submission.connection import HANDSHAKE, LINGER
from relay.submission.door import Door
from relay.submission.house import House
from relay.submission.protocol import SubmissionProtocol

_logger = logging.getLogger(__name__)

_BACKLOG = 512
_FAREWELLS = 16
"""Handshakes at once with clients that are only to hear that there is no room."""


class TlsPort:
    """One open port."""

    def __init__(self, house: House, door: Callable[[], Door]) -> None:
        self._house = house
        self._door = door
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._farewells = 0

    async def open(self, address: SocketAddress) -> SocketAddress:
        """Listen on all addresses of the host; gives the first. Raises OSError; nothing is open then."""
        loop = asyncio.get_running_loop()
        flags = socket.AI_PASSIVE
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=flags)
        try:
            for family, name in dict.fromkeys((one[0], one[4]) for one in found):
                self._sockets.append(socket.create_server(name, family=family, backlog=_BACKLOG))
        except OSError:
            self.close()
            raise
        for listening in self._sockets:
            listening.setblocking(False)
            self._own(accept_on(listening, self._let_in))
        name = self._sockets[0].getsockname()
        return SocketAddress(name[0], name[1])

    def close(self) -> None:
        """Take no more connections; handshakes that are under way end."""
        for task in self._tasks:
            task.cancel()
        for listening in self._sockets:
            listening.close()
        self._sockets.clear()

    def _own(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _let_in(self, client: socket.socket, address: str) -> None:
        network = network_of(address)
        if self._door().gate.enter(network):
            self._own(self._welcome(client, network))
        elif self._farewells < _FAREWELLS:
            self._farewells += 1
            self._own(self._farewell(client))
        else:
            client.close()

    async def _welcome(self, client: socket.socket, network: str) -> None:
        door = self._door()
        protocol = SubmissionProtocol(self._house, door, counted=network)
        try:
            await self._shake_hands(client, protocol)
        finally:
            if not protocol.begun:
                door.gate.leave(network)

    async def _farewell(self, client: socket.socket) -> None:
        try:
            await self._shake_hands(client, SubmissionProtocol(self._house, self._door()))
        finally:
            self._farewells -= 1

    async def _shake_hands(self, client: socket.socket, protocol: SubmissionProtocol) -> None:
        door = self._door()
        context = door.context()
        assert context is not None, "a listener with TLS has a certificate from its start on"
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                client,
                ssl=context,
                ssl_handshake_timeout=HANDSHAKE,
                ssl_shutdown_timeout=LINGER,
            )
        except OSError as error:  # the loop has closed the connection
            _logger.debug("%s: no TLS: %s", door.name, error)
