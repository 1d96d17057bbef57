"""Delivery to hops that others have made: aiosmtpd, and Postfix's smtp-sink; on asyncio and on uvloop."""

import asyncio
import shutil
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from relay.delivery.courier import SmtpCourier
from relay.outcome import Bounced, Sent
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
    """aiosmtpd gets envelope and content as they were, refuses whom it refuses, over one connection."""
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


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Run Postfix's smtp-sink; give its socket, and the folder where it puts mail."""
    program = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin")
    assert program is not None
    folder = tmp_path / "mail"
    folder.mkdir(mode=0o777)
    with subprocess.Popen([program, "-d", str(folder / "m"), "127.0.0.1:0", "10"]) as process:
        yield folder, folder
        process.terminate()


def _scenario() -> Coroutine[object, object, None]:
    async def run() -> None:
        async with ScriptedHop() as hop:
            sender: SmtpCourier = courier(route(hop.port, connections=2))
            reader = Streamed([CHUNK * 64] * 50)
            batches = [batch([f"b{n}@x.test"], first_id=n, content=reader if n == 3 else None) for n in range(20)]
            for outcomes in await asyncio.gather(*(send(sender, one) for one in batches)):
                assert isinstance(outcomes[0], Sent)
            hop.drop_all()
            assert isinstance((await send(sender, batch()))[0], Sent)
            assert max(len(message.content) for message in hop.messages) == 3_200_000
            await sender.close()

    return run()


def test_uvloop() -> None:
    """On uvloop, the optional faster loop, delivery is the same: reuse, pipelining, large content, stale connections."""
    uvloop = pytest.importorskip("uvloop")
    run: Callable[[Coroutine[object, object, None]], None] = uvloop.run
    run(_scenario())
