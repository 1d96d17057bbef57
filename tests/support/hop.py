"""A next hop that does as it is told: answers, refuses, drops, stalls, and records exactly what it was sent."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from types import TracebackType
from typing import Self


class Act(Enum):
    """What a hop may do instead of answering."""

    DROP = auto()
    """Close the connection without a word."""
    STALL = auto()
    """Say nothing until the other side goes."""
    IGNORE = auto()
    """Say nothing to this, and go on."""


@dataclass(frozen=True)
class SayAndDrop:
    """Answer this, then close the connection."""

    answer: str


@dataclass(frozen=True)
class Raw:
    """Send these octets as they are."""

    octets: bytes


Answer = str | Act | SayAndDrop | Raw
Script = Mapping[str, Answer | Sequence[Answer]]
"""Answers by what they are to: "greeting", a verb, "RCPT <address>", or "." for the end of data.

A sequence is used up one by one; its last answer stands from then on.
"""

PLAIN_ANSWERS: Script = {
    "greeting": "220 hop.test ready",
    "HELO": "250 hop.test",
    "STARTTLS": "220 2.0.0 go on",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 sender ok",
    "RCPT": "250 2.1.5 recipient ok",
    "DATA": "354 go on",
    ".": "250 2.0.0 taken",
    "RSET": "250 2.0.0 reset",
    "QUIT": SayAndDrop("221 2.0.0 bye"),
}


@dataclass
class HopMessage:
    """One message that came in: its envelope commands, and its content in wire form without the final dot."""

    mail: str
    rcpts: list[str] = field(default_factory=list)
    content: bytes = b""


@dataclass
class HopSession:
    """One connection that came in."""

    received: bytearray = field(default_factory=bytearray)
    """Every octet after decryption, in order."""
    segments: list[bytes] = field(default_factory=list)
    """What each read gave: what was written at once arrives at once on loopback."""
    commands: list[str] = field(default_factory=list)
    messages: list[HopMessage] = field(default_factory=list)
    """Those whose final dot came."""
    tls: bool = False
    clear: bytes = b""
    """What came before TLS."""
    open: bool = True


class ScriptedHop:
    """Listens on a port of this host; an async context manager."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        extensions: Sequence[str] = ("PIPELINING", "SIZE 10485760", "8BITMIME", "SMTPUTF8", "DSN"),
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """`address`: one of this host's, such as 127.0.0.2; `port` 0: a free one."""
        self._bind = address, port
        self.script: dict[str, Answer | Sequence[Answer]] = {**PLAIN_ANSWERS, **(script or {})}
        self.extensions = list(extensions)
        self.tls = tls
        self.implicit = implicit
        self.sessions: list[HopSession] = []
        self.gate = asyncio.Event()
        """While clear, content is not read."""
        self.gate.set()
        self._used: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        """Give the port it listens on."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        assert isinstance(port, int)
        return port

    @property
    def messages(self) -> list[HopMessage]:
        """Give all messages whose final dot came, whatever was answered to it."""
        return [message for session in self.sessions for message in session.messages]

    async def until(self, condition: Callable[[], bool], limit: float = 30.0) -> None:
        """Wait until this holds; it is looked at whenever something comes in."""
        async with asyncio.timeout(limit):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def __aenter__(self) -> Self:
        """Start to listen."""
        context = self.tls if self.implicit else None
        self._server = await asyncio.start_server(self._serve, *self._bind, ssl=context, limit=2**20)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop, and drop who is there."""
        await self.stop()

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=10)

    def say_to_all(self, octets: bytes) -> None:
        """Send these octets to every connection, asked or not."""
        for writer in self._writers:
            writer.write(octets)

    def drop_all(self) -> None:
        """Drop every connection and go on listening."""
        for task in tuple(self._tasks):
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        session = HopSession(tls=self.implicit)
        self.sessions.append(session)
        self._writers.add(writer)
        self.notice()
        try:
            await _Dialogue(self, session, reader, writer).run()
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.CancelledError, EOFError):
            pass
        finally:
            session.open = False
            self._tasks.discard(task)
            self._writers.discard(writer)
            self.notice()
            writer.transport.abort()
            with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(writer.wait_closed(), 5)

    def notice(self) -> None:
        """Have waiting conditions looked at."""
        self._changed.set()

    def answer_to(self, *keys: str) -> Answer:
        """Give what is to be done; the most special key that the script has wins."""
        key = next((key for key in keys if key in self.script), "")
        given = self.script.get(key, "502 5.5.1 not implemented")
        if isinstance(given, str | Act | SayAndDrop | Raw):
            return given
        used = self._used.get(key, 0)
        self._used[key] = used + 1
        return given[min(used, len(given) - 1)]


class _Dialogue:
    """One connection's dialogue."""

    def __init__(
        self,
        hop: ScriptedHop,
        session: HopSession,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._hop = hop
        self._session = session
        self._reader = reader
        self._writer = writer
        self._rest = b""
        self._message = HopMessage("")

    async def run(self) -> None:
        """Talk until the end."""
        await self._do(self._hop.answer_to("greeting"))
        async for line in self._lines():
            command = line.decode("utf-8", "replace").rstrip("\r\n")
            self._session.commands.append(command)
            self._hop.notice()
            await self._command(command)

    async def _command(self, command: str) -> None:
        verb = command.split(" ", 1)[0].upper()
        match verb:
            case "EHLO" if "EHLO" not in self._hop.script:
                await self._ehlo()
            case "STARTTLS":
                await self._starttls()
            case "AUTH":
                await self._do(self._hop.answer_to(command, " ".join(command.split()[:2]), "AUTH"))
            case "MAIL":
                self._message = HopMessage(command)
                await self._do(self._hop.answer_to(command, "MAIL"))
            case "RCPT":
                await self._rcpt(command)
            case "DATA":
                await self._data()
            case _:
                await self._do(self._hop.answer_to(command, verb))

    async def _ehlo(self) -> None:
        offered = list(self._hop.extensions)
        if self._hop.tls is not None and not self._session.tls:
            offered.append("STARTTLS")
        lines = ["hop.test at your service", *offered]
        last = len(lines) - 1
        await self._send(
            "".join(f"250{' ' if i == last else '-'}{x}\r\n" for i, x in enumerate(lines)).encode()
        )

    async def _starttls(self) -> None:
        answer = self._hop.answer_to("STARTTLS")
        await self._do(answer)
        text = answer if isinstance(answer, str) else ""
        if text.startswith("220") and self._hop.tls is not None:
            self._session.clear = bytes(self._session.received)
            await self._writer.start_tls(self._hop.tls)
            self._session.tls = True

    async def _rcpt(self, command: str) -> None:
        address = command[command.find("<") + 1 : command.rfind(">")]
        answer = self._hop.answer_to(f"RCPT {address}", "RCPT")
        if isinstance(answer, str) and answer.startswith("2"):
            self._message.rcpts.append(command)
        await self._do(answer)

    async def _data(self) -> None:
        answer = self._hop.answer_to("DATA")
        await self._do(answer)
        if isinstance(answer, Raw) or (isinstance(answer, str) and answer.startswith("354")):
            await self._hop.gate.wait()
            self._message.content = await self._content()
            self._session.messages.append(self._message)
            self._hop.notice()
            await self._do(self._hop.answer_to("."))

    async def _content(self) -> bytes:
        """Read up to the final dot, as RFC 5321 §4.1.1.4 has it and no other."""
        data = bytearray(self._rest)
        at = 0
        while True:
            if data.startswith(b".\r\n"):
                self._rest = bytes(data[3:])
                return b""
            found = data.find(b"\r\n.\r\n", max(at - 5, 0))
            if found >= 0:
                self._rest = bytes(data[found + 5 :])
                return bytes(data[: found + 2])
            at = len(data)
            data += await self._read()

    async def _lines(self) -> AsyncIterator[bytes]:
        while True:
            while b"\r\n" not in self._rest:
                self._rest += await self._read()
            line, _, self._rest = self._rest.partition(b"\r\n")
            yield line

    async def _read(self) -> bytes:
        data = await self._reader.read(2**18)
        if not data:
            raise EOFError
        self._session.received += data
        self._session.segments.append(data)
        self._hop.notice()
        return data

    async def _do(self, answer: Answer) -> None:
        match answer:
            case Act.DROP:
                raise EOFError
            case Act.STALL:
                while await self._reader.read(2**16):
                    pass
                raise EOFError
            case Act.IGNORE:
                pass
            case SayAndDrop(text):
                await self._send(text.encode() + b"\r\n")
                self._writer.close()
                raise EOFError
            case Raw(octets):
                await self._send(octets)
            case str():
                await self._send(answer.encode() + b"\r\n")

    async def _send(self, octets: bytes) -> None:
        self._writer.write(octets)
        await self._writer.drain()
