"""HTTP connections that end when the client takes too long: over its request, over a body, over reading the answer.

uvicorn limits the time between two requests alone. Without this, a few hundred clients that send an octet a second
would take every place from those who want to use the page (CWE-400, "slowloris"). Who is slow and goes on is waited for.
"""

import asyncio
from dataclasses import dataclass

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

PIECE = 65_536
"""Octets of an answer that are handed on at once, and that may wait to be sent."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client may take, in seconds."""

    head: float = 20.0
    """To send the header section of a request; TLS has as long before that (relay.web.entrance)."""
    body: float = 30.0
    """To begin with a body; each `rate` octets that came give one more second."""
    rate: int = 4096
    most: float = 900.0
    """For any body or answer."""
    stall: float = 60.0
    """To take some of an answer that waits for it; each `rate` octets that went give one more second."""


class PatientProtocol(H11Protocol):
    """uvicorn's protocol, with a look at the clock every so often."""

    patience = Patience()
    _phase: tuple[object, ...] = ()
    _since = 0.0
    _received = 0
    _taken = 0
    _left = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin to look."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=PIECE)  # over TLS it would be eight times as much
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes."""
        self._received += len(data)
        super().data_received(data)

    def resume_writing(self) -> None:
        """Count what was taken of the answer: it is a quarter of a piece that is left."""
        super().resume_writing()
        self._taken += PIECE - PIECE // 4

    def _look(self) -> None:
        now, state = self.loop.time(), self.conn.their_state
        waits = self.flow.write_paused or self.transport.is_closing()
        phase, left = (self.cycle, state, waits), self.transport.get_write_buffer_size()
        if phase != self._phase:
            self._phase, self._since, self._received, self._taken = phase, now, 0, 0
        else:
            self._taken += max(self._left - left, 0)
        self._left = left
        if now - self._since > self._allowed(state, waits=waits):
            self.transport.abort()
            return
        self._timer = self.loop.call_later(min(self.patience.head, self.patience.body) / 4, self._look)

    def _allowed(self, state: object, *, waits: bool) -> float:
        patience = self.patience
        if waits:
            return min(patience.stall + self._taken / patience.rate, patience.most)
        if state is h11.IDLE:
            return patience.head
        if state is h11.SEND_BODY:
            return min(patience.body + self._received / patience.rate, patience.most)
        return float("inf")  # it is our turn


def in_pieces(app: ASGIApp) -> ASGIApp:
    """Hand answers on as fast as the client takes them, so that it shows how far it is: large ones are made whole."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_some(message: Message) -> None:
            body = message.get("body", b"")
            for at in range(0, len(body) - PIECE, PIECE):
                await send({**message, "body": body[at : at + PIECE], "more_body": True})
            left = max(len(body) - 1, 0) // PIECE * PIECE
            await send({**message, "body": body[left:]} if left else message)

        await app(scope, receive, send_some)

    return answer
