"""A wire tap: passes octets between a client and the relay in clear text, and keeps what the client said."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from relay.demo.captured import unstuffed

_CHUNK = 65536
_LIMIT = 60.0


class Tap:
    """Listens on a port of its own and passes every connection on to `target` of loopback."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.said: list[bytearray] = []
        """What each client has sent, by connection."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> "Tap":
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in list(self._threads):
            thread.join(_LIMIT)

    def content(self, connection: int = -1) -> bytes:
        """Give the content that a client sent with DATA, un-stuffed; the first message of its connection."""
        after = bytes(self.said[connection]).partition(b"\r\nDATA\r\n")[2]
        return unstuffed((b"\r\n" + after).partition(b"\r\n.\r\n")[0][2:] + b"\r\n")

    def _spawn(self, job: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=job, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target), _LIMIT)
                self._sockets += [client, server]
                kept = bytearray()
                self.said.append(kept)
                self._spawn(self._pass, client, server, kept)
                self._spawn(self._pass, server, client, bytearray())

    @staticmethod
    def _pass(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
        with suppress(OSError):
            while received := source.recv(_CHUNK):
                kept += received
                target.sendall(received)
            target.shutdown(socket.SHUT_WR)
