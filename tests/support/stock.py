"""Plain aiosmtpd 1.4.6 as a server, so that tests can show on it what the relay does otherwise."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.submission import PASSWORD


class StockHandler:
    """Keeps what came in; it can be told to fail or to wait."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.clients: list[str] = []
        self.failure: Exception | None = None
        self.before: Callable[[], Awaitable[Any]] | None = None
        self.cancelled = False

    async def handle_PROXY(self, server: SMTP, session: Session, envelope: Envelope, data: Any) -> bool:  # noqa: N802
        """Believe the PROXY header, as aiosmtpd does once it is switched on."""
        self.clients.append(str(data.src_addr))
        return True

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the message."""
        try:
            if self.before is not None:
                await self.before()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.failure is not None:
            raise self.failure
        self.envelopes.append(envelope)
        return "250 OK"


def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    """Prove Ana; say of everybody else that it failed, in the way that the documentation shows first."""
    proven = isinstance(data, LoginPassword) and data == (b"ana", PASSWORD.encode())
    return AuthResult(success=proven)


class Stock:
    """A running stock server."""

    def __init__(self, **options: Any) -> None:
        self.handler = StockHandler()
        self.protocols: list[SMTP] = []
        self.port = 0
        self._options: dict[str, Any] = {
            "enable_SMTPUTF8": True,
            "hostname": "stock.example",
            "authenticator": authenticate,
            "auth_require_tls": False,
            **options,
        }

    def protocol(self) -> SMTP:
        """Make the protocol of one connection."""
        protocol = SMTP(self.handler, loop=asyncio.get_running_loop(), **self._options)
        self.protocols.append(protocol)
        return protocol


@asynccontextmanager
async def open_stock(tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[Stock]:
    """Run plain aiosmtpd on loopback; with `tls`, implicit TLS."""
    stock = Stock(**options)
    server = await asyncio.get_running_loop().create_server(stock.protocol, "127.0.0.1", 0, ssl=tls)
    stock.port = server.sockets[0].getsockname()[1]
    try:
        yield stock
    finally:
        server.close()
        for protocol in stock.protocols:
            if protocol.transport is not None:
                protocol.transport.close()
        handlers = [one._handler_coroutine for one in stock.protocols if one._handler_coroutine is not None]
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
