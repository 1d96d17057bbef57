"""Take connections from a listening socket one by one, before anything is read from them, TLS's handshake included.

An event loop's own TLS server tells nobody of a connection until its handshake is done: clients that never begin one
would be limited by nothing.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

from relay.submission.limits import plain_address

_logger = logging.getLogger(__name__)

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_WAIT = 1.0
"""Seconds to wait for file descriptors to come free."""


async def accept_on(listening: socket.socket, let_in: Callable[[socket.socket, str], None]) -> None:
    """Hand on each connection, with the address that it comes from ("" on a path), until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            client, name = await loop.sock_accept(listening)
        except OSError as error:
            if error.errno in _EXHAUSTED:
                _logger.error("no connection can be taken for a moment: %s", error.strerror)  # noqa: TRY400
                await asyncio.sleep(_WAIT)
        else:
            let_in(client, plain_address(name[0]) if isinstance(name, tuple) else "")
        await asyncio.sleep(0)  # a connection that is there already is taken without waiting
