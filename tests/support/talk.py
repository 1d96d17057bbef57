"""An SMTP client that says exactly what it is told to, on the test's own event loop."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress

LIMIT = 30.0
"""Seconds that a reply may take on a busy machine."""


class Talk:
    """One connection to a listener."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.greeting: list[str] = []

    @classmethod
    async def open(cls, port: int, *, tls: ssl.SSLContext | None = None, greeting: bool = True) -> "Talk":
        """Connect, and read the greeting."""
        name = "localhost" if tls else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=tls, server_hostname=name, limit=1 << 20
        )
        talk = cls(reader, writer)
        if greeting:
            talk.greeting = await talk.reply()
        return talk

    async def line(self) -> str:
        """Read one line; "" at the end of the connection."""
        async with asyncio.timeout(LIMIT):
            return (await self.reader.readline()).decode("utf-8", "replace").removesuffix("\r\n")

    async def reply(self) -> list[str]:
        """Read one whole reply; an empty list at the end of the connection."""
        lines = []
        while line := await self.line():
            lines.append(line)
            if line[3:4] != "-":
                break
        return lines

    def send(self, octets: bytes) -> None:
        """Send octets."""
        self.writer.write(octets)

    async def say(self, *lines: str | bytes) -> str:
        """Send lines in one segment, and give the last line of each reply, joined by blanks of a bar."""
        octets = [line.encode() if isinstance(line, str) else line for line in lines]
        self.send(b"".join(line + b"\r\n" for line in octets))
        replies = [await self.reply() for _ in lines]
        return " | ".join(reply[-1] if reply else "(closed)" for reply in replies)

    async def rest(self) -> bytes:
        """Read to the end of the connection."""
        async with asyncio.timeout(LIMIT):
            with suppress(ConnectionError, ssl.SSLError):
                return await self.reader.read()
        return b""

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Say STARTTLS and go on inside TLS."""
        answer = await self.say("STARTTLS")
        assert answer.startswith("220"), answer
        async with asyncio.timeout(LIMIT):
            await self.writer.start_tls(context, server_hostname="localhost")

    def reset(self) -> None:
        """Cut the connection with RST, as a client that crashes does."""
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        """Hang up."""
        self.writer.close()
        with suppress(ConnectionError, ssl.SSLError, TimeoutError):
            async with asyncio.timeout(LIMIT):
                await self.writer.wait_closed()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; bounded."""
    async with asyncio.timeout(LIMIT):
        while not condition():  # noqa: ASYNC110 - the condition is somebody else's
            await asyncio.sleep(0.005)
