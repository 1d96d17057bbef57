"""Answer /metrics, /livez and /readyz on a port, and /wake, /status, /reload and /stop on the admin socket.

Served by uvicorn in the service's own loop, which keeps its signal handlers. Import this file when it is
needed only: starlette and uvicorn take a tenth of a second.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from relay.config.types import SocketAddress
from relay.errors import CommandError
from relay.metrics import CONTENT_TYPE
from relay.submission.limits import ConnectionGate
from relay.web.entrance import Entrance, Guest
from relay.web.listening import BACKLOG, TRY_AGAIN, bind
from relay.web.patience import Patience, in_pieces

_log = logging.getLogger(__name__)
_CONNECTIONS = 64
_TOLD = 64
"""Connections beyond them that are told so (503); further ones are hung up on."""
_START_LIMIT = 10.0
_STOP_LIMIT = 5.0


class Actions(Protocol):
    """What the running service lets HTTP ask of it; relay.server fulfils it."""

    def wake(self) -> None:
        """Look at once for what is due and for changed reps."""
        ...

    async def status(self) -> Mapping[str, object]:
        """Give the live state, as JSON can hold it."""
        ...

    async def reload(self) -> Mapping[str, object]:
        """Read the settings anew: `reloaded`, and the `changes` or the `problems`, each a line for people."""
        ...

    def stop(self) -> None:
        """Stop in good order; asked a second time, without waiting for anybody."""
        ...

    def ready(self) -> Sequence[str]:
        """Give the reasons why no mail can be taken now, in plain words; none: it can."""
        ...

    async def metrics(self) -> bytes:
        """Give all metrics, with the gauges set anew, in Prometheus' text form."""
        ...


def health_app(actions: Actions) -> Starlette:
    """Make what the port answers: only reading, nothing about any message."""

    async def metrics(_request: Request) -> Response:
        return Response(await actions.metrics(), headers={"content-type": CONTENT_TYPE})

    async def livez(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(_request: Request) -> Response:
        reasons = list(actions.ready())
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    return Starlette(routes=[Route("/metrics", metrics), Route("/livez", livez), Route("/readyz", readyz)])


def admin_app(actions: Actions) -> Starlette:
    """Make what the admin socket answers; who may open the socket may do all of it."""

    async def wake(_request: Request) -> Response:
        actions.wake()
        return JSONResponse({"schema": "relay.wake/1", "woken": True})

    async def status(_request: Request) -> Response:
        return JSONResponse({"schema": "relay.status/1", **await actions.status()})

    async def reload(_request: Request) -> Response:
        return JSONResponse({"schema": "relay.reload/1", **await actions.reload()})

    async def stop(_request: Request) -> Response:
        actions.stop()
        return JSONResponse({"schema": "relay.stop/1", "stopping": True})

    return Starlette(
        routes=[
            Route("/wake", wake, methods=["POST"]),
            Route("/status", status),
            Route("/reload", reload, methods=["POST"]),
            Route("/stop", stop, methods=["POST"]),
        ]
    )


class _Server(uvicorn.Server):
    """uvicorn as a guest in our loop: no signal handlers, no ticking, and it says when it has started."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self.leave = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    async def main_loop(self) -> None:
        # uvicorn's own loop wakes ten times a second, for a Date header and a flag that we do not need.
        await self.leave.wait()


class HttpServer:
    """One application on one socket, from `start` to `stop`."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        tls: ssl.SSLContext | None = None,
        proxies: Sequence[str] = (),
        connections: int = _CONNECTIONS,
        per_network: int | None = None,
        patience: Patience | None = None,
    ) -> None:
        """Make the server; `proxies` are networks whose X-Forwarded-For and X-Forwarded-Proto are believed.

        So many connections are answered at once, `per_network` of one client network; None is as many.
        """

        class Protocol(Guest):
            pass

        Protocol.patience = patience or Patience()
        config = uvicorn.Config(
            in_pieces(app),
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            limit_concurrency=connections,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            timeout_keep_alive=5,
            timeout_graceful_shutdown=2,
            h11_max_incomplete_event_size=16_384,
        )
        self._server = server = _Server(config)

        def guest() -> Guest:
            return Protocol(config, server.server_state, {})

        total = connections + _TOLD
        self._entrance = Entrance(guest, tls, ConnectionGate(total, per_network or total), proxies)
        self._serving: asyncio.Task[None] | None = None
        self._path: Path | None = None

    async def start(self, where: SocketAddress | Path) -> SocketAddress | Path:
        """Listen, and give where (with port 0: the port it became). Raises CommandError when it cannot."""
        listener, bound = await bind(where)
        self._path = where if isinstance(where, Path) else None
        await self.serve(listener, bound)
        return bound

    async def serve(self, listener: socket.socket, bound: SocketAddress | Path) -> None:
        """Answer on a socket that is bound; it is ours from now on. Raises CommandError when that cannot begin."""
        # No socket for uvicorn: with TLS it learns of a connection only when the handshake is done.
        self._serving = asyncio.create_task(self._server.serve(sockets=[]), name=f"http {bound}")
        self._serving.add_done_callback(self._ended)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_LIMIT):
                await self._server.up.wait()
        if not self._server.started:
            listener.close()
            await self.stop()
            raise CommandError(f"the HTTP server on {bound} did not start", TRY_AGAIN)
        self._entrance.open(listener, BACKLOG)

    async def stop(self) -> None:
        """Finish the answers under way, within seconds, and let go of the socket."""
        serving, self._serving = self._serving, None
        if serving is None:
            return
        await self._entrance.close()
        self._server.should_exit = True
        self._server.leave.set()
        _, late = await asyncio.wait([serving], timeout=_STOP_LIMIT)
        if late:
            serving.cancel()
            await asyncio.wait([serving], timeout=_STOP_LIMIT)
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _ended(self, serving: "asyncio.Task[None]") -> None:
        self._server.up.set()  # who waits for the start need not wait for the limit
        if not serving.cancelled() and serving.exception() is not None:
            _log.error("%s ended", serving.get_name(), exc_info=serving.exception())
