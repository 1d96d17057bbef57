"""A client that sends exactly the octets it is told to, for tests where a library would tidy them."""

import base64
import socket
import ssl
from collections.abc import Sequence

from tests.support.corpus import stuffed

_LIMIT = 60.0
"""Seconds that a reply may take."""


class RawClient:
    """One connection; every reply is read whole and kept."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket: socket.socket = socket.create_connection((host, port), _LIMIT)
        self.buffer = b""
        self.heard: list[bytes] = []
        """Every reply, for tests that ask whether something leaked."""
        try:
            self.greeting = self.reply()
        except OSError:
            self.close()
            raise

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up without a word."""
        self.socket.close()

    def send(self, octets: bytes) -> None:
        """Send octets as they are."""
        self.socket.sendall(octets)

    def reply(self) -> bytes:
        """Read one whole reply. Raises ConnectionError when the server hung up."""
        lines = []
        while True:
            lines.append(self._line())
            if lines[-1][3:4] != b"-":
                break
        whole = b"".join(lines)
        self.heard.append(whole)
        return whole

    def say(self, line: str | bytes) -> bytes:
        """Send one command and read its reply."""
        self.send((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return self.reply()

    def start_tls(self, context: ssl.SSLContext, name: str = "localhost") -> None:
        """Say STARTTLS and go on inside TLS."""
        answer = self.say("STARTTLS")
        assert answer.startswith(b"220"), answer
        self.socket = context.wrap_socket(self.socket, server_hostname=name)

    def sign_in(self, login: str, password: str) -> bytes:
        """Say AUTH PLAIN with an initial response."""
        response = base64.b64encode(f"\0{login}\0{password}".encode()).decode()
        return self.say(f"AUTH PLAIN {response}")

    def submit(
        self,
        sender: str,
        recipients: Sequence[str],
        content: bytes,
        parameters: str = "",
    ) -> bytes:
        """Send one message, commands in one group, and give the answer to the final dot or the first refusal."""
        commands = [f"MAIL FROM:<{sender}>{parameters}"]
        commands += [f"RCPT TO:<{recipient}>" for recipient in recipients]
        self.send("".join(f"{command}\r\n" for command in commands).encode() + b"DATA\r\n")
        answers = [self.reply() for _ in range(len(commands) + 1)]
        if not answers[-1].startswith(b"354"):
            return next(answer for answer in answers if answer[:1] in b"45")
        self.send(stuffed(content) + b".\r\n")
        return self.reply()

    def _line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            received = self.socket.recv(65536)
            if not received:
                raise ConnectionError("the server hung up")
            self.buffer += received
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line + b"\r\n"
