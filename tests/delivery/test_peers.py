"""Delivery to hops that others have made: aiosmtpd, and Postfix's smtp-sink; on asyncio and on uvloop."""

import asyncio
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from aiosmtpd.smtp import SMTP, Envelope, Session

from relay.demo.service import free_ports
from relay.outcome import Bounced, Sent
from tests.conftest import program
from tests.support.hop import ScriptedHop
from tests.support.outgoing import CONTENT, COPY, Streamed, batch, courier, route, send

CHUNK = b"x" * 998 + b"\r\n"


class _Capture:
    """Takes mail for everybody but nobody@."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return "550 5.1.1 unknown"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.taken.append(envelope)
        return "250 2.0.0 taken"


@pytest.mark.parametrize("streamed", [False, True])
async def test_aiosmtpd(streamed: bool) -> None:
    """A hop made of aiosmtpd gets envelope and content as they were, refuses whom it refuses, over one connection."""
    capture = _Capture()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(capture, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0)
    sender = courier(route(server.sockets[0].getsockname()[1]))
    reader = Streamed([CONTENT[:20], CONTENT[20:]]) if streamed else None
    for _ in range(3):
        outcomes = await send(sender, batch(["bo@example.net", "nobody@x.test"], copy=COPY, content=reader))
        assert [type(outcome) for outcome in outcomes] == [Sent, Bounced, Sent]
    await sender.close()
    server.close()
    await server.wait_closed()
    assert [envelope.rcpt_tos for envelope in capture.taken] == [["bo@example.net", COPY]] * 3
    assert {envelope.content for envelope in capture.taken} == {CONTENT.replace(b"\r\n..", b"\r\n.")}


@dataclass(frozen=True)
class _Sink:
    port: int
    folder: Path

    def contents(self) -> list[bytes]:
        """Give what it wrote down of each message: its own header lines, then the content."""
        return [path.read_bytes() for path in sorted(self.folder.iterdir())]


@contextmanager
def smtp_sink(folder: Path, *options: str) -> Iterator[_Sink]:
    """Run Postfix's smtp-sink on a free port; it writes each message into the folder."""
    (port,) = free_ports(1)
    command = [program("smtp-sink"), *options, "-d", str(folder / "m")]
    if os.geteuid() == 0:
        command += ["-u", "root"]
    with subprocess.Popen([*command, f"127.0.0.1:{port}", "100"]) as process:
        try:
            _wait_for(port)
            yield _Sink(port, folder)
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.peer("postfix")
@pytest.mark.parametrize("options", [(), ("-p",), ("-e",)], ids=["pipelining", "no pipelining", "HELO only"])
async def test_smtp_sink(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Postfix's smtp-sink takes messages, small and large, with and without pipelining, as they are."""
    reader = Streamed([CHUNK * 64] * 20)
    with smtp_sink(tmp_path, *options) as sink:
        sender = courier(route(sink.port, connections=2))
        batches = [batch([f"b{n}@x.test"], first_id=n, content=reader if n == 3 else None) for n in range(20)]
        for outcomes in await asyncio.gather(*(send(sender, one) for one in batches)):
            assert isinstance(outcomes[0], Sent)
        await sender.close()
        contents = sink.contents()
    assert len(contents) == 20
    plain = CONTENT.replace(b"\r\n..", b"\r\n.").replace(b"\r\n", b"\n")
    assert sum(plain in content for content in contents) == 19
    assert sum(content.count(b"x" * 998 + b"\n") == 64 * 20 for content in contents) == 1


def _scenario(folder: Path, tls: str) -> Coroutine[object, object, None]:
    async def run() -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        async with ScriptedHop(tls=context, implicit=tls == "implicit") as hop:
            sender = courier(route(hop.port, connections=2, tls=tls, tls_ca=str(folder / "ca.pem")))
            reader = Streamed([CHUNK * 64] * 50)
            batches = [
                batch([f"b{n}@x.test"], first_id=n, content=reader if n == 3 else None) for n in range(20)
            ]
            for outcomes in await asyncio.gather(*(send(sender, one) for one in batches)):
                assert isinstance(outcomes[0], Sent)
            hop.drop_all()
            assert isinstance((await send(sender, batch()))[0], Sent)
            assert max(len(message.content) for message in hop.messages) == 3_200_000
            await sender.close()

    return run()


@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
def test_uvloop(tmp_path: Path, tls: str) -> None:
    """On uvloop, the optional faster loop, delivery is the same: reuse, pipelining, large content, stale connections."""
    import uvloop

    run: Callable[[Coroutine[object, object, None]], None] = uvloop.run
    run(_scenario(tmp_path, tls))
