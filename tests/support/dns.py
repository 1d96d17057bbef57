"""A small DNS server on loopback for tests, over UDP and TCP, that answers as a recursive resolver would."""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self, cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from relay.config.model import ResolverSettings

Records = Mapping[str, Sequence[str]]
"""By "name TYPE", such as "dest.test MX": the records, such as "10 mx.dest.test."; "name !": what is wrong with it.

What is wrong may be "SERVFAIL", "REFUSED", "silence" or "rubbish". A name without any record does not exist; a name
with others has no record of the type.
"""


class DnsServer:
    """Listens on a free port of 127.0.0.1; an async context manager."""

    def __init__(self, records: Records, *, ttl: int = 300) -> None:
        self.records: dict[str, Sequence[str]] = dict(records)
        self.ttl = ttl
        self.asked: list[str] = []
        """The questions, as "name TYPE", with " (TCP)" behind those that came so."""
        self.port = 0
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None

    @property
    def settings(self) -> ResolverSettings:
        """Give the settings that ask this server alone, and soon give up."""
        return ResolverSettings.model_validate(
            {"nameservers": ["127.0.0.1"], "port": self.port, "timeout": "3s"}
        )

    async def __aenter__(self) -> Self:
        """Start to listen."""
        self._tcp = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._tcp.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=("127.0.0.1", self.port)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()

    def answer(self, octets: bytes, *, tcp: bool) -> bytes | None:
        """Give what is answered to a question; None: nothing."""
        query = dns.message.from_wire(octets)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{name} {kind}{' (TCP)' if tcp else ''}")
        response = dns.message.make_response(query, recursion_available=True)
        match [*self.records.get(f"{name} {kind} !", ()), *self.records.get(f"{name} !", ())]:
            case ["silence", *_]:
                return None
            case ["rubbish", *_]:
                return octets[:2] + b"\xff" * 40
            case [code, *_]:
                response.set_rcode(dns.rcode.from_text(code))
                return response.to_wire()
            case _:
                pass
        self._fill(response, name, kind)
        whole = response.to_wire(max_size=65535)
        if not tcp and len(whole) > 1200:
            response.answer.clear()
            response.flags |= dns.flags.TC
            return response.to_wire()
        return whole

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        """Put the records in, following CNAMEs."""
        for _ in range(10):
            here = dns.name.from_text(name)
            if alias := self.records.get(f"{name} CNAME"):
                response.answer.append(dns.rrset.from_text(here, self.ttl, "IN", "CNAME", alias[0]))
                name = alias[0].rstrip(".").lower()
                continue
            if found := self.records.get(f"{name} {kind}"):
                response.answer.append(dns.rrset.from_text_list(here, self.ttl, "IN", kind, list(found)))
            elif not any(key.startswith(f"{name} ") for key in self.records):
                response.set_rcode(dns.rcode.NXDOMAIN)
            return

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            length = int.from_bytes(await reader.readexactly(2), "big")
            answer = self.answer(await reader.readexactly(length), tcp=True)
            if answer is not None:
                writer.write(len(answer).to_bytes(2, "big") + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.DatagramTransport, transport)  # asyncio's own is no subclass of it

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """Answer."""
        answer = self._server.answer(data, tcp=False)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, address)


@contextmanager
def running_dns(records: Records) -> Iterator[DnsServer]:
    """Run a server in a thread with a loop of its own, for tests that wait in blocking ways."""
    server, ready, stop = DnsServer(records), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with server:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="dns", daemon=True)
    thread.start()
    try:
        assert ready.wait(10)
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
