"""Behind a reverse proxy: what it says of the client is believed when the settings trust it, and never otherwise."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from relay.config.types import SocketAddress
from relay.web.health import HttpServer


async def who_asks(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what is known of the client."""
    request = Request(scope)
    assert request.client is not None
    answer: Response = PlainTextResponse(f"{request.url.scheme} {request.client.host}")
    await answer(scope, receive, send)


async def asked(proxies: tuple[str, ...], forwarded: str) -> str:
    """Ask as a proxy on loopback does; give the body of the answer."""
    server = HttpServer(who_asks, proxies=proxies)
    bound = await server.start(SocketAddress("127.0.0.1", 0))
    assert isinstance(bound, SocketAddress)
    try:
        reader, writer = await asyncio.open_connection(bound.host, bound.port)
        head = f"Host: x\r\nX-Forwarded-For: {forwarded}\r\nX-Forwarded-Proto: https\r\nConnection: close"
        writer.write(f"GET / HTTP/1.1\r\n{head}\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
    finally:
        await server.stop()
    return answer.partition("\r\n\r\n")[2]


@pytest.mark.parametrize(
    ("proxies", "forwarded", "told"),
    [
        ((), "203.0.113.9", "http 127.0.0.1"),
        (("192.0.2.0/24",), "203.0.113.9", "http 127.0.0.1"),
        (("127.0.0.0/8",), "203.0.113.9", "https 203.0.113.9"),
        (("127.0.0.0/8",), "198.51.100.1, 203.0.113.9", "https 203.0.113.9"),
    ],
)
async def test_only_a_trusted_proxy_is_believed(proxies: tuple[str, ...], forwarded: str, told: str) -> None:
    """A client cannot choose the address that its wrong passwords are counted under."""
    assert await asked(proxies, forwarded) == told
