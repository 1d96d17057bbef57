"""The load client, the stamping sink and the auth server, against each other: what they count must be true."""

import asyncio
import base64
import json
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.auth import answer
from bench.load import Load, run
from bench.peers import Peer, free_port, password
from bench.rates import counting_sink, measure
from bench.sink import STAMP, Arrivals, Hop
from bench.workloads import Workload


@pytest.fixture
async def arrivals() -> AsyncIterator[tuple[Arrivals, int]]:
    """A sink on a port of its own."""
    noted = Arrivals()
    server = await asyncio.get_running_loop().create_server(lambda: Hop(noted), "127.0.0.1", 0)
    async with server:
        yield noted, server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("reused", [True, False])
async def test_each_message_is_timed_once_at_both_ends(arrivals: tuple[Arrivals, int], reused: bool) -> None:
    """As many messages are accepted and arrive as were asked for, over any number of sessions."""
    noted, port = arrivals
    told = await run(Load(port, 25, 5000, reused, 0.0, None), 4)
    assert isinstance(told["waits"], list)
    assert len(told["waits"]) == len(noted.delays) == 25
    assert min(noted.delays) >= 0


def test_a_pace_gives_each_message_its_instant() -> None:
    """With a rate, message n starts n pauses after the start; without one at once."""
    load = Load(0, 5, 100, True, 100.0, None, started=7.0)
    assert [load.due(number) for number in (0, 1, 50)] == [7.0, 7.01, 7.5]
    assert Load(0, 5, 100, True, 0.0, None, started=7.0).due(3) == 0.0


async def test_a_peer_that_hangs_up_ends_the_run() -> None:
    """A load client that waits for ever would measure nothing."""

    class Rude(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transport.close()

    server = await asyncio.get_running_loop().create_server(Rude, "127.0.0.1", 0)
    async with server:
        with pytest.raises(ExceptionGroup):
            await run(Load(server.sockets[0].getsockname()[1], 1, 100, True, 0.0, None), 1)


def test_a_report_begins_anew() -> None:
    """What was reported once is not reported again; a message without a stamp is not counted."""
    noted = Arrivals()
    noted.note(b"From: a@example.com\r\n%s%d\r\n\r\n" % (STAMP, time.monotonic_ns()))
    noted.note(b"From: a@example.com\r\n\r\nbody\r\n")
    assert [len(json.loads(noted.report())["delays"]) for _ in range(2)] == [1, 0]


@pytest.mark.parametrize(
    ("login", "secret", "verdict"),
    [
        ("rep7", password(7), "OK"),
        ("rep7", password(8), "FAIL"),
        ("nobody", password(7), "FAIL"),
        ("", "", "FAIL"),
    ],
)
def test_the_auth_server_compares(login: str, secret: str, verdict: str) -> None:
    """Postfix is measured with passwords that are really checked."""
    response = base64.b64encode(f"\0{login}\0{secret}".encode()).decode()
    assert answer(f"AUTH\t3\tPLAIN\tservice=smtp\tresp={response}\n").split("\t")[:2] == [verdict, "3"]


def test_the_auth_server_is_silent_when_greeted() -> None:
    """VERSION and CPID need no answer."""
    assert answer("VERSION\t1\t0\n") == answer("CPID\t17\n") == ""


class Nobody(Peer):
    """A peer that is not there: the load client sends to the sink itself."""

    def cpu(self) -> float:
        """Nobody takes no time."""
        return 0.0


@pytest.mark.peer("postfix")
def test_each_run_waits_for_its_own_messages(tmp_path: Path) -> None:
    """A run has ended when all it sent has arrived, whatever came before; one that cannot be sent is an error."""
    load = Workload("some", 40, 500, 4, True, 0, 0)
    with counting_sink() as sink:
        peer = Nobody(tmp_path, sink.port)
        peer.port = sink.port
        for runs in (1, 2, 3):
            assert measure(peer, sink, load).rate > 0
            assert sink.count == runs * load.messages
        peer.port = free_port()
        with pytest.raises(subprocess.CalledProcessError):
            measure(peer, sink, load)
