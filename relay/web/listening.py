"""Sockets for HTTP, and a doorbell: it listens from the start, and what answers is loaded by the first who comes.

uvicorn, starlette and an application take a tenth of a second and some megabytes, which the mail need not wait for.
"""

import asyncio
import contextlib
import logging
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from relay.config.types import SocketAddress
from relay.errors import CommandError

_log = logging.getLogger(__name__)
SOCKET_NAME = "admin.sock"
"""Of the admin socket, in state_dir."""
TRY_AGAIN = 75
BACKLOG = 512
_LONGEST_UNIX_PATH = 107


class Server(Protocol):
    """What answers on a socket; relay.web.health.HttpServer is one."""

    async def serve(self, listener: socket.socket, bound: SocketAddress | Path) -> None:
        """Answer on a socket that is bound, and own it."""
        ...

    async def stop(self) -> None:
        """Finish, and let go of the socket."""
        ...


class Doorbell:
    """One socket that listens from `start` to `stop`; `make` is called once somebody comes, in a thread."""

    def __init__(self, make: Callable[[], Server]) -> None:
        self._make = make
        self._server: Server | None = None
        self._listener: socket.socket | None = None
        self._opening: asyncio.Task[None] | None = None
        self._path: Path | None = None

    async def start(self, where: SocketAddress | Path) -> SocketAddress | Path:
        """Listen, and give where (with port 0: the port it became). Raises CommandError when it cannot."""
        self._listener, bound = await bind(where)
        self._path = where if isinstance(where, Path) else None
        self._listener.listen(BACKLOG)
        asyncio.get_running_loop().add_reader(self._listener, self._rung, bound)
        return bound

    def _rung(self, bound: SocketAddress | Path) -> None:
        listener = self._let_go()
        if listener is not None:
            self._opening = asyncio.create_task(self._open(listener, bound))

    async def _open(self, listener: socket.socket, bound: SocketAddress | Path) -> None:
        try:
            self._server = await asyncio.to_thread(self._make)
            await self._server.serve(listener, bound)
        except Exception as exc:  # noqa: BLE001 - whoever came is hung up on, and the log tells why
            _log.error("nobody answers on %s", bound, exc_info=exc)
            listener.close()

    def _let_go(self) -> socket.socket | None:
        """Listen to the bell no more; give the socket under another number, since a loop knows sockets by theirs."""
        bell, self._listener = self._listener, None
        if bell is None:
            return None
        asyncio.get_running_loop().remove_reader(bell)
        listener = bell.dup()
        bell.close()
        return listener

    async def stop(self) -> None:
        """Finish the answers under way, within seconds, and let go of the socket."""
        if (listener := self._let_go()) is not None:
            listener.close()
        if self._opening is not None:
            await asyncio.wait([self._opening])
        if self._server is not None:
            await self._server.stop()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


async def bind(where: SocketAddress | Path) -> tuple[socket.socket, SocketAddress | Path]:
    """Give a socket bound to a port or to a path, and where that is. Raises CommandError when it cannot be had."""
    if isinstance(where, Path):
        return _bind_path(where), where
    listener = await _bind_address(where)
    return listener, SocketAddress(where.host, listener.getsockname()[1])


async def _bind_address(address: SocketAddress) -> socket.socket:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, target = found[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as exc:
        raise CommandError(f"cannot listen on {address}: {exc.strerror}", TRY_AGAIN) from exc
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(target)
        listener.setblocking(False)
    except OSError as exc:
        listener.close()
        raise CommandError(f"cannot listen on {address}: {exc.strerror}", TRY_AGAIN) from exc
    return listener


def _bind_path(path: Path) -> socket.socket:
    """Bind the admin socket for its owner alone, in place of one that a crash left behind.

    Only one service works in a state_dir (relay.storage.lease), so a socket that is there belongs to nobody.
    Between bind and chmod nobody can connect: it does not listen yet.
    """
    if len(os.fsencode(path)) > _LONGEST_UNIX_PATH:
        raise CommandError(
            f"{path}: longer than {_LONGEST_UNIX_PATH} octets; choose a shorter server.state_dir", 78
        )
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise CommandError(f"{path} is in the way: it is not a socket", TRY_AGAIN)
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.setblocking(False)
    except OSError as exc:
        listener.close()
        raise CommandError(f"cannot listen on {path}: {exc.strerror}", TRY_AGAIN) from exc
    return listener
