"""Clients that take their time, over TLS: each is hung up on, and none keeps others from being answered."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from relay.config.types import SocketAddress
from relay.web.health import HttpServer
from relay.web.listening import bind
from relay.web.patience import Patience
from tests.support.page import Visitor, open_page
from tests.support.submission import client_tls, server_tls

HURRIED = Patience(head=0.4, body=0.4, rate=100_000, most=20.0, stall=0.4)
LIMIT = 20.0
LARGE = b"x" * 8 * 1024 * 1024


class Answering:
    """Reads the body, then answers; keeps what became of bodies."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.left = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            self.read.append(len(await request.body()))
        except ClientDisconnect:
            self.left += 1
            return
        answer: Response = PlainTextResponse(LARGE if request.url.path == "/large" else b"hello")
        await answer(scope, receive, send)


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp, patience: Patience = HURRIED, *, tls: bool = True
) -> AsyncIterator[SocketAddress]:
    """Serve on loopback."""
    server = HttpServer(app, tls=server_tls() if tls else None, connections=4, patience=patience)
    listener, bound = await bind(SocketAddress("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)  # what is on its way is little
    await server.serve(listener, bound)
    assert isinstance(bound, SocketAddress)
    try:
        yield bound
    finally:
        await server.stop()


async def connected(where: SocketAddress) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect over TLS."""
    return await asyncio.open_connection(
        where.host, where.port, ssl=client_tls(), server_hostname="localhost"
    )


async def narrow(where: SocketAddress, *, tls: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect by a line on which little is on its way."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    line.connect((where.host, where.port))
    line.setblocking(False)
    if not tls:
        return await asyncio.open_connection(sock=line, limit=4096)
    return await asyncio.open_connection(sock=line, limit=4096, ssl=client_tls(), server_hostname="localhost")


async def dripping(where: SocketAddress, head: bytes, drip: bytes = b"x") -> bytes:
    """Send this, and then an octet now and then until the server hangs up; give what it said before."""
    reader, writer = await connected(where)
    writer.write(head)
    said = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while True:
            writer.write(drip)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):  # the pace of the client
                    some = await reader.read(1000)
                    if not some:
                        break
                    said += some
    writer.transport.abort()
    return said


async def asked(where: SocketAddress, body: bytes = b"", *, tls: bool = True) -> bytes:
    """Ask as others do."""
    reader, writer = await (connected(where) if tls else narrow(where, tls=False))
    writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")
    writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    said = await reader.read()
    writer.close()
    return said


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Field: ",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nFFFF\r\n",
    ],
    ids=["a request line", "a header section", "a body", "a chunk"],
)
async def test_who_sends_an_octet_now_and_then_is_hung_up_on(head: bytes) -> None:
    """Whatever it is an octet of: the place is free again, and others were answered all the while."""
    app = Answering()
    async with serving(app) as where, asyncio.timeout(LIMIT):
        slow = asyncio.gather(*(dripping(where, head) for _ in range(2)))
        assert b"hello" in await asked(where)
        await slow
        for _ in range(4):
            assert b"hello" in await asked(where)
    assert app.left in (0, 2)


async def test_who_says_nothing_is_hung_up_on() -> None:
    """A connection without a request, and one that sent a request before."""
    async with serving(Answering()) as where, asyncio.timeout(LIMIT):
        reader, _writer = await connected(where)
        assert await reader.read() == b""
        reader, writer = await connected(where)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.read()).endswith(b"hello")


async def test_who_does_not_read_the_answer_is_hung_up_on() -> None:
    """The rest of it is dropped, and the place is free."""
    async with serving(Answering()) as where, asyncio.timeout(LIMIT):
        deaf = []
        for _ in range(3):
            reader, writer = await connected(where)
            writer.write(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readexactly(10)
            deaf.append((reader, writer))
        for reader, _ in deaf:
            reader._transport.pause_reading()  # type: ignore[attr-defined]
        while b"hello" not in await asked(where):
            pass
        for _ in range(4):
            assert b"hello" in await asked(where)
        for _, writer in deaf:
            writer.transport.abort()


@pytest.mark.parametrize("tls", [True, False], ids=["TLS", "plain"])
async def test_who_reads_too_slowly_is_hung_up_on(*, tls: bool) -> None:
    """Some progress is not enough: it has to be as fast as a body must come."""

    async def sip(reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while await reader.read(4000):  # noqa: ASYNC110 - the pace of the client: at most 200 kB a second
                await asyncio.sleep(0.02)

    patience = Patience(head=0.4, body=0.4, rate=1_000_000, most=20.0, stall=2.0)
    async with serving(Answering(), patience, tls=tls) as where, asyncio.timeout(LIMIT):
        slow = []
        for _ in range(4):
            reader, writer = await narrow(where, tls=tls)
            writer.write(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readexactly(10)
            slow.append((asyncio.create_task(sip(reader)), writer))
        assert b"HTTP/1.1 503" in await asked(where, tls=tls)
        while b"hello" not in await asked(where, tls=tls):
            pass
        for task, writer in slow:
            task.cancel()
            writer.transport.abort()


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
@pytest.mark.parametrize("tls", [True, False], ids=["TLS", "plain"])
async def test_who_reads_steadily_may_take_longer(connection: str, *, tls: bool) -> None:
    """A large answer over a slow line comes whole, though it takes longer than one that stands still may."""
    loop = asyncio.get_running_loop()
    patience = Patience(head=0.4, body=0.4, rate=100_000, most=20.0, stall=2.0)
    async with serving(Answering(), patience, tls=tls) as where, asyncio.timeout(4 * LIMIT):
        reader, writer = await narrow(where, tls=tls)
        writer.write(f"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"200 OK" in head
        begun, had = loop.time(), 0
        while had < len(LARGE):
            had += len(some := await reader.read(65_536))
            assert some, f"cut after {had} octets and {loop.time() - begun:.1f} s"
            await asyncio.sleep(0.03)  # the pace of the line
        assert loop.time() - begun > patience.stall
        writer.transport.abort()


async def test_who_sends_steadily_may_take_longer(tmp_path: Path) -> None:
    """A large body over a slow line is taken in, though it takes longer than one that stands still may."""
    app = Answering()
    patience = Patience(head=0.4, body=0.4, rate=2000, most=20.0, stall=0.4)
    async with serving(app, patience) as where, asyncio.timeout(LIMIT):
        reader, writer = await connected(where)
        writer.write(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12000\r\nConnection: close\r\n\r\n"
        )
        for _ in range(12):
            writer.write(b"x" * 1000)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):  # the pace of the line
                    await reader.read(1)
        assert b"hello" in await reader.read()
    assert app.read == [12000]


async def test_an_upload_to_try_that_never_ends_is_hung_up_on(tmp_path: Path) -> None:
    """The page itself: a rep's upload of an octet now and then ends, others are answered meanwhile."""
    async with open_page(tmp_path) as page, serving(page.app) as where, asyncio.timeout(LIMIT):
        ana: Visitor = await page.signed_in("ana", scheme="https")
        cookies = "; ".join(f"{name}={value}" for name, value in ana.cookies.items())
        head = (
            "POST /try HTTP/1.1\r\nHost: localhost\r\nOrigin: https://localhost\r\nSec-Fetch-Site: same-origin\r\n"
            f"Cookie: {cookies}\r\nContent-Type: multipart/form-data; boundary=mark\r\nContent-Length: 30000000\r\n\r\n"
            f'--mark\r\nContent-Disposition: form-data; name="form_token"\r\n\r\n{ana.token}\r\n'
            '--mark\r\nContent-Disposition: form-data; name="file"; filename="a.eml"\r\n\r\n'
        )
        slow = asyncio.create_task(dripping(where, head.encode()))
        assert (await ana.get("/try")).status == 200
        assert b"HTTP/1.1 405" in await asked(where)  # answered: there is nothing to post to
        assert await slow == b""
