"""One connection to the capturing next hop: only CRLF ends a line, only CRLF.CRLF ends the content."""

import asyncio
import base64
import binascii
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from relay.demo.captured import Captured, Forward, Manners

_CHUNK = 65536
_LONGEST_COMMAND = 16384
_LARGEST_CONTENT = 64 * 1024 * 1024
_PATIENCE = 60.0
"""Seconds that a client may be silent."""


@dataclass(slots=True)
class _Transaction:
    sender: str | None = None
    parameters: tuple[str, ...] = ()
    recipients: list[Forward] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class _Hangup(Exception):
    """The client went away or said QUIT."""


class CaptureSession:
    """One connection to the capturing hop."""

    def __init__(
        self,
        manners: Manners,
        take: Callable[[Captured], None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._manners, self._take = manners, take
        self._reader, self._writer = reader, writer
        self._buffer = bytearray()
        self._helo = ""
        self._tls = False
        self._login: str | None = None
        self._transaction = _Transaction()

    async def run(self) -> None:
        """Talk until the client goes."""
        try:
            self._say("220 capture.test ESMTP keeps everything")
            while True:
                await self._obey(await self._line())
        except (_Hangup, OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writer.close()
            with suppress(OSError, TimeoutError, ssl.SSLError):
                await asyncio.wait_for(self._writer.wait_closed(), 5)

    async def _fill(self) -> None:
        await self._writer.drain()
        chunk = await asyncio.wait_for(self._reader.read(_CHUNK), _PATIENCE)
        if not chunk:
            raise _Hangup
        self._buffer += chunk

    async def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > _LONGEST_COMMAND:
                raise _Hangup
            await self._fill()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _say(self, *lines: str) -> None:
        """Write one reply; several lines share the code of the first."""
        code = lines[0][:3]
        texts = [lines[0][4:], *lines[1:]]
        marks = ["-"] * (len(texts) - 1) + [" "]
        self._writer.write(
            "".join(f"{code}{mark}{text}\r\n" for mark, text in zip(marks, texts, strict=True)).encode()
        )

    async def _obey(self, line: bytes) -> None:
        try:
            verb, _, argument = line.decode().partition(" ")
        except UnicodeDecodeError:
            return self._say("500 5.5.2 That is not UTF-8")
        match verb.upper():
            case "EHLO" | "HELO":
                self._greet(verb.upper(), argument)
            case "STARTTLS":
                await self._start_tls()
            case "AUTH":
                await self._authenticate(argument)
            case "MAIL":
                self._mail(argument)
            case "RCPT":
                self._rcpt(argument)
            case "DATA":
                await self._data()
            case "RSET":
                self._transaction = _Transaction()
                self._say("250 2.0.0 Ok")
            case "NOOP":
                self._say("250 2.0.0 Ok")
            case "QUIT":
                self._say("221 2.0.0 Bye")
                raise _Hangup
            case _:
                self._say("500 5.5.1 Unknown command")
        return None

    def _greet(self, verb: str, name: str) -> None:
        self._helo = name
        self._transaction = _Transaction()
        offered = ["capture.test"]
        if verb == "EHLO":
            offered += self._manners.extensions
            if self._manners.tls and not self._tls:
                offered.append("STARTTLS")
            if self._manners.logins:
                offered.append("AUTH PLAIN LOGIN")
        self._say(f"250 {offered[0]}", *offered[1:])

    async def _start_tls(self) -> None:
        if self._manners.tls is None or self._tls:
            return self._say("503 5.5.1 TLS is not to be had")
        self._say("220 2.0.0 Go ahead")
        await self._writer.drain()
        self._buffer.clear()  # nothing said in clear text counts inside TLS
        await asyncio.wait_for(self._writer.start_tls(self._manners.tls), _PATIENCE)
        self._tls, self._helo, self._transaction = True, "", _Transaction()
        return None

    async def _authenticate(self, argument: str) -> None:
        mechanism, _, initial = argument.partition(" ")
        try:
            match mechanism.upper():
                case "PLAIN":
                    _, login, password = (await self._answer("", initial)).split("\0")
                case "LOGIN":
                    login = await self._answer("VXNlcm5hbWU6", initial)
                    password = await self._answer("UGFzc3dvcmQ6", "")
                case _:
                    return self._say("504 5.5.4 Unknown mechanism")
        except (ValueError, binascii.Error):
            return self._say("501 5.5.2 Cannot be read")
        if self._manners.logins.get(login) != password:
            return self._say("535 5.7.8 Wrong login or password")
        self._login = login
        return self._say("235 2.7.0 Signed in")

    async def _answer(self, challenge: str, initial: str) -> str:
        if not initial:
            self._say(f"334 {challenge}")
            initial = (await self._line()).decode()
        return base64.b64decode(initial, validate=True).decode()

    def _mail(self, argument: str) -> None:
        path, parameters = _path(argument, "FROM:")
        if not self._helo or self._transaction.sender is not None:
            return self._say("503 5.5.1 Not now")
        if self._manners.logins and self._login is None:
            return self._say("530 5.7.0 Sign in first")
        if path is None:
            return self._say("501 5.5.4 MAIL FROM:<address>")
        self._transaction = _Transaction(path, parameters)
        return self._say("250 2.1.0 Ok")

    def _rcpt(self, argument: str) -> None:
        path, parameters = _path(argument, "TO:")
        if self._transaction.sender is None:
            return self._say("503 5.5.1 MAIL first")
        if not path:
            return self._say("501 5.5.4 RCPT TO:<address>")
        if refusal := self._manners.verdict(path):
            self._transaction.refused.append(path)
            return self._say(refusal)
        if 0 < self._manners.recipients <= len(self._transaction.recipients):
            return self._say("452 4.5.3 Too many recipients")
        self._transaction.recipients.append(Forward(path, parameters))
        return self._say("250 2.1.5 Ok")

    async def _data(self) -> None:
        transaction, self._transaction = self._transaction, _Transaction()
        if transaction.sender is None or not transaction.recipients:
            return self._say("503 5.5.1 No valid recipients")
        self._say("354 Go ahead")
        wire = await self._content()
        message = Captured(
            self._helo,
            self._tls,
            self._login,
            transaction.sender,
            transaction.parameters,
            tuple(transaction.recipients),
            tuple(transaction.refused),
            wire,
        )
        if refusal := self._manners.judge(message):
            return self._say(refusal)
        self._take(message)
        return self._say("250 2.6.0 Taken")

    async def _content(self) -> bytes:
        """Read up to the final dot. The CRLF in front of it belongs to the content's last line."""
        content = bytearray(b"\r\n")  # the content starts at the start of a line
        searched = 0
        while True:
            content += self._buffer
            self._buffer.clear()
            end = content.find(b"\r\n.\r\n", searched)
            if end >= 0:
                self._buffer += content[end + 5 :]
                return bytes(content[2 : end + 2])
            if len(content) > _LARGEST_CONTENT:
                raise _Hangup
            searched = max(0, len(content) - 4)
            await self._fill()


def _path(argument: str, keyword: str) -> tuple[str | None, tuple[str, ...]]:
    """Read `FROM:<path> parameters`; None when it is not that. A quoted local part may hold any character."""
    text = argument.strip()
    if not text.upper().startswith(keyword + "<"):
        return None, ()
    text = text[len(keyword) + 1 :]
    quoted = escaped = False
    for at, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == ">" and not quoted:
            return text[:at], tuple(text[at + 1 :].split())
    return None, ()
