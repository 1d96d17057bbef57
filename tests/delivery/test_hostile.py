"""Hops that mean harm cost bounded memory and time, at every stage (smtp.md S17)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from relay.delivery.courier import SmtpCourier
from relay.outcome import Deferred, Outcome
from tests.support.hop import Act, ScriptedHop
from tests.support.outgoing import batch, route, send

MakeCourier = Callable[..., SmtpCourier]
SHORT = {"connect": 0.3, "command": 0.3, "data": 0.3, "block": 0.3, "end": 0.3}
MOST = 16 * 2**20
"""Octets that a hop may get rid of before it is cut off; most of them wait in the kernel's buffers."""
FLOODS = {
    "one endless line": b"250-" + b"x" * 2**16,
    "an answer of endless lines": b"250-more to come\r\n" * 4000,
    "endless answers": b"250 2.0.0 fine\r\n" * 4000,
    "endless empty lines": b"\r\n" * 2**15,
    "endless noise": bytes(range(256)) * 256,
}
GOOD = {
    "greeting": b"220 hop ready\r\n",
    "EHLO": b"250-hop\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n",
    "AUTH": b"235 2.7.0 welcome\r\n",
    "MAIL": b"250 2.1.0 ok\r\n",
    "RCPT": b"250 2.1.5 ok\r\n",
    "DATA": b"354 go on\r\n",
}
STAGES = (*GOOD, "end")


class Hostile:
    """A hop that answers well up to a stage, and misbehaves from then on."""

    def __init__(self, stage: str, flood: bytes, pause: float = 0.0) -> None:
        self._stage = stage
        self._flood = flood
        self._pause = pause
        self.sent = 0
        """Octets that could be written."""
        self.port = 0
        self._ended = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to one client."""
        try:
            if await self._answer("greeting", writer):
                async for stage in self._stages(reader):
                    if not await self._answer(stage, writer):
                        break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()
            self._ended.set()

    async def _stages(self, reader: asyncio.StreamReader) -> AsyncIterator[str]:
        while True:
            line = await reader.readuntil(b"\r\n")
            stage = line[:4].decode()
            yield stage
            if stage == "DATA":
                await reader.readuntil(b"\r\n.\r\n")
                yield "end"

    async def _answer(self, stage: str, writer: asyncio.StreamWriter) -> bool:
        if stage != self._stage:
            writer.write(GOOD[stage])
            await writer.drain()
            return True
        while True:
            writer.write(self._flood)
            await writer.drain()
            self.sent += len(self._flood)
            await asyncio.sleep(self._pause)

    async def ended(self) -> None:
        """Wait until the client has cut the connection."""
        await asyncio.wait_for(self._ended.wait(), 20)


@asynccontextmanager
async def hostile(stage: str, flood: bytes, pause: float = 0.0) -> AsyncIterator[Hostile]:
    """Run a hostile hop on a free port."""
    hop = Hostile(stage, flood, pause)
    server = await asyncio.start_server(hop.serve, "127.0.0.1", 0)
    hop.port = server.sockets[0].getsockname()[1]
    try:
        yield hop
    finally:
        server.close()


async def attempt(courier: MakeCourier, hop: Hostile, **options: object) -> Outcome:
    """Send one message by the hop."""
    return (await send(courier(route(hop.port, sign_in=True, timeouts=SHORT, **options)), batch()))[0]


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("stage", STAGES)
async def test_a_flood_is_cut_off(courier: MakeCourier, stage: str, flood: str) -> None:
    """Whatever a hop pours out, little of it is taken, the mail waits or was taken, and the connection is gone."""
    async with hostile(stage, FLOODS[flood]) as hop:
        outcome = await attempt(courier, hop)
        await hop.ended()
        assert hop.sent < MOST
        if stage != "end" or flood != "endless answers":
            assert isinstance(outcome, Deferred), outcome


@pytest.mark.parametrize("stage", STAGES)
async def test_a_drip_gets_no_more_time(courier: MakeCourier, stage: str) -> None:
    """An answer that comes octet by octet, for ever, ends with the stage's time."""
    async with hostile(stage, b"2", pause=0.05) as hop:
        assert isinstance(await attempt(courier, hop), Deferred)
        await hop.ended()
        assert hop.sent < 200


@pytest.mark.parametrize("stage", STAGES)
async def test_lines_that_drip_get_no_more_time(courier: MakeCourier, stage: str) -> None:
    """The same for an answer whose lines come one by one and never end."""
    async with hostile(stage, b"250-x\r\n", pause=0.05) as hop:
        assert isinstance(await attempt(courier, hop), Deferred)
        await hop.ended()
        assert hop.sent < 1400


@pytest.mark.parametrize("octets", [b"\x16\x03\x01", b"\xff" * 4096])
async def test_a_handshake_that_never_ends(courier: MakeCourier, octets: bytes) -> None:
    """Half of TLS, or anything but TLS, where TLS is due from the first octet."""
    async with hostile("greeting", octets, pause=0.05) as hop:
        outcome = (await send(courier(route(hop.port, tls="implicit", timeouts=SHORT)), batch()))[0]
        assert isinstance(outcome, Deferred)
        await hop.ended()


async def test_silence_where_tls_is_due(courier: MakeCourier) -> None:
    """A hop that takes the connection and says nothing to our handshake."""
    async with ScriptedHop({"greeting": Act.STALL}) as hop:
        outcome = (await send(courier(route(hop.port, tls="implicit", timeouts=SHORT)), batch()))[0]
        assert isinstance(outcome, Deferred)
        await hop.until(lambda: not any(session.open for session in hop.sessions))
