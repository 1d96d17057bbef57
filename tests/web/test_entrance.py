"""How many connections one client network may have at an HTTP port: over real sockets, from two addresses of loopback."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from relay.config.types import SocketAddress
from relay.web import entrance
from relay.web.health import HttpServer
from tests.support.submission import client_tls, server_tls

OFFICE, OTHERS = "127.0.0.1", "127.0.0.2"
LIMIT = 30.0


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request."""
    await PlainTextResponse("hello")(scope, receive, send)


@contextlib.asynccontextmanager
async def serving(
    *, tls: bool = True, proxies: tuple[str, ...] = (), connections: int = 8, per_network: int | None = 3
) -> AsyncIterator[SocketAddress]:
    """Serve on loopback."""
    context = server_tls() if tls else None
    server = HttpServer(hello, tls=context, proxies=proxies, connections=connections, per_network=per_network)
    bound = await server.start(SocketAddress("127.0.0.1", 0))
    assert isinstance(bound, SocketAddress)
    try:
        async with asyncio.timeout(LIMIT):
            yield bound
    finally:
        await server.stop()


async def connected(where: SocketAddress, source: str = OFFICE) -> socket.socket:
    """Connect, and do nothing: no TLS either."""
    line = socket.socket()
    line.setblocking(False)
    line.bind((source, 0))
    await asyncio.get_running_loop().sock_connect(line, (where.host, where.port))
    return line


async def hung_up_on(line: socket.socket) -> bool:
    """Tell whether the server ends a connection; the client closes it then."""
    with line, contextlib.suppress(ConnectionError):
        while said := await asyncio.get_running_loop().sock_recv(line, 1000):
            assert b"HTTP" not in said
    return True


async def answered(where: SocketAddress, source: str = OFFICE, *, tls: bool = True) -> bytes:
    """Ask; give the answer, or nothing when the server hangs up."""
    secured = {"ssl": client_tls(), "server_hostname": "localhost"} if tls else {}
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        reader, writer = await asyncio.open_connection(
            sock=await connected(where, source),
            **secured,  # type: ignore[arg-type]
        )
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
    return b""


async def soon_answered(where: SocketAddress, source: str = OFFICE, *, tls: bool = True) -> None:
    """Ask until there is an answer: that a client has gone is heard after it went."""
    while b"200 OK" not in await answered(where, source, tls=tls):
        pass


@pytest.mark.parametrize("tls", [True, False], ids=["TLS", "plain"])
async def test_one_address_does_not_take_every_place(caplog: pytest.LogCaptureFixture, *, tls: bool) -> None:
    """Connections that do nothing count, before TLS too: further ones are hung up on, others are answered."""
    caplog.set_level(logging.WARNING)
    async with serving(tls=tls) as where:
        lines = [await connected(where) for _ in range(3)]
        for _ in range(5):
            assert await hung_up_on(await connected(where))
            assert b"200 OK" in await answered(where, OTHERS, tls=tls)
        lines.pop().close()
        await soon_answered(where, tls=tls)
        for line in lines:
            line.close()
    (said,) = [one.getMessage() for one in caplog.records if one.name == entrance.__name__]
    assert said.startswith("127.0.0.1 has as many connections as one network may")


async def test_connections_that_end_give_their_places_back() -> None:
    """Whether they were answered, broke off, or spoke no TLS."""
    async with serving() as where:
        for _ in range(10):
            await soon_answered(where)
            line = await connected(where)
            line.send(b"this is no TLS at all\r\n\r\n")
            assert await hung_up_on(line)
            (await connected(where)).close()
        await soon_answered(where)


async def test_behind_a_trusted_proxy_only_the_total_counts() -> None:
    """All connections come from the proxy: as many as there may be are answered, whatever one network may have."""
    async with serving(tls=False, proxies=("127.0.0.1/32",)) as where:
        lines = [await connected(where) for _ in range(6)]
        assert b"200 OK" in await answered(where, tls=False)
        lines.append(await connected(where))
        while b"503" not in await answered(where, tls=False):
            pass
        for line in lines:
            line.close()
        await soon_answered(where, tls=False)


async def test_the_total_is_held(caplog: pytest.LogCaptureFixture) -> None:
    """A few beyond it are told 503, all others are hung up on, which is said once."""
    caplog.set_level(logging.WARNING)
    async with serving(tls=False, per_network=None) as where:
        lines = [await connected(where) for _ in range(8)]
        while b"503" not in await answered(where, OTHERS, tls=False):
            pass
        lines += [await connected(where) for _ in range(64)]
        for _ in range(3):
            assert await hung_up_on(await connected(where, OTHERS))
        for line in lines:
            line.close()
        await soon_answered(where, tls=False)
    told = [one.getMessage() for one in caplog.records if one.name == entrance.__name__]
    assert told == ["every connection is taken: further ones are hung up on; this is said once an hour"]
