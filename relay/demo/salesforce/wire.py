"""The TLS server of the simulated Salesforce: HTTP/1.1 by h11, with connections that can be reset in the middle."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from datetime import datetime

import h11

from relay.demo.salesforce.messages import JSON, Answer, Request, http_date

Handler = Callable[[Request], Awaitable[Answer]]
_CHUNK = 1 << 18
_URI_LIMIT = 16_384
"""URI, and URI with headers, in octets (REST API Developer Guide, limits)."""
_HEAD_LIMIT = 1 << 17
_IDLE = 120.0


class Server:
    """Serves one handler on a port of 127.0.0.1 - 0: a free one -, within the running loop."""

    def __init__(
        self, handler: Handler, context: ssl.SSLContext, now: Callable[[], datetime], port: int = 0
    ) -> None:
        self._handler, self._context, self._now = handler, context, now
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.port = port

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", self.port, ssl=self._context, limit=_CHUNK
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and close all connections."""
        assert self._server is not None
        self._server.close()
        tasks = list(self._open)
        for task, writer in list(self._open.items()):
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            await self._converse(_Connection(reader, writer))
        except (OSError, TimeoutError, h11.RemoteProtocolError):
            pass  # the client has gone, or speaks something else
        except asyncio.CancelledError:
            pass  # stop() ends it; a cancelled task would be told to the log by asyncio.streams (Python 3.11)
        finally:
            del self._open[task]
            writer.transport.abort()

    async def _converse(self, connection: "_Connection") -> None:
        while (request := await connection.request()) is not None:
            answer = _too_long(request) or await self._handler(request)
            if answer.wait:
                await asyncio.sleep(answer.wait)
            if answer.spoiled == "reset":
                connection.reset()
                return
            if not await connection.answer(request, answer, self._now()):
                return


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_LIMIT)

    async def request(self) -> Request | None:
        """Read one request whole; None when there are no more."""
        head: h11.Request | None = None
        body = bytearray()
        while True:
            match await self._event():
                case h11.Request() as found:
                    head = found
                case h11.Data(data=data):
                    body += data
                case h11.EndOfMessage():
                    assert head is not None
                    return _request(head, bytes(body))
                case _:
                    return None

    async def _event(self) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._http.they_are_waiting_for_100_continue:
                self._send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
            async with asyncio.timeout(_IDLE):
                self._http.receive_data(await self._reader.read(_CHUNK))

    async def answer(self, request: Request, answer: Answer, now: datetime) -> bool:
        """Send an answer; say whether the connection may go on."""
        body = answer.octets()
        headers = {"Date": http_date(now), **answer.headers}
        if body:
            headers.setdefault("Content-Type", JSON)
        if answer.status not in (204, 304):
            headers["Content-Length"] = str(len(body))
        self._send(h11.Response(status_code=answer.status, headers=list(headers.items())))
        whole = answer.spoiled != "truncate"
        if body and request.method != "HEAD":
            self._send(h11.Data(data=body if whole else body[: len(body) // 2]))
        if whole:
            self._send(h11.EndOfMessage())
        await self._writer.drain()
        if not whole:
            self._writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await self._writer.wait_closed()
            return False
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    def reset(self) -> None:
        """End the connection with RST, as a failing balancer does."""
        found = self._writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)


def _request(head: h11.Request, body: bytes) -> Request:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head.headers}
    return Request(head.method.decode("ascii"), head.target.decode("latin-1"), headers, body)


def _too_long(request: Request) -> Answer | None:
    headers = sum(len(name) + len(value) + 4 for name, value in request.headers.items())
    if len(request.target) > _URI_LIMIT:
        return Answer(
            414, b"<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>", {"Content-Type": "text/html"}
        )
    if len(request.target) + headers > _URI_LIMIT:
        return Answer(
            431,
            b"<h1>Bad Message 431</h1><pre>Request Header Fields Too Large</pre>",
            {"Content-Type": "text/html"},
        )
    return None
