"""Health, metrics and the admin socket answer over real sockets, and leave signals and files in order."""

import asyncio
import json
import signal
import socket
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from relay.config.types import SocketAddress
from relay.errors import CommandError
from relay.metrics import Metrics
from relay.web.admin import ask, wake
from relay.web.health import HttpServer, admin_app, health_app
from relay.web.listening import Doorbell

ANY_PORT = SocketAddress("127.0.0.1", 0)


class Service:
    """Fulfils Actions and remembers what was asked."""

    def __init__(self) -> None:
        self.woken = 0
        self.stopped = 0
        self.reasons: list[str] = []
        self.own = Metrics()

    def wake(self) -> None:
        self.woken += 1

    async def status(self) -> Mapping[str, object]:
        return {"active": 3}

    async def reload(self) -> Mapping[str, object]:
        return {"reloaded": True, "changes": ["~ logging.delay 30s -> 60s"], "problems": []}

    def stop(self) -> None:
        self.stopped += 1

    def ready(self) -> Sequence[str]:
        return self.reasons

    async def metrics(self) -> bytes:
        return self.own.exposition()


async def get(address: SocketAddress | Path, target: str, method: str = "GET") -> tuple[int, str, str]:
    """Ask by hand, and give status, head and body."""
    assert isinstance(address, SocketAddress)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), head.lower(), body


async def test_the_port_answers_health_and_metrics() -> None:
    """/livez says it lives, /readyz that it takes mail, /metrics what it counts."""
    service = Service()
    server = HttpServer(health_app(service))
    address = await server.start(ANY_PORT)
    try:
        assert (await get(address, "/livez"))[0::2] == (200, "alive\n")
        assert (await get(address, "/readyz"))[0::2] == (200, '{"ready":true,"reasons":[]}')
        status, head, body = await get(address, "/metrics")
        assert status == 200
        assert "content-type: text/plain; version=" in head
        assert "relay_build_info{" in body
    finally:
        await server.stop()


async def test_not_ready_says_why() -> None:
    """While no mail can be taken, /readyz is 503 with the reasons, and /livez still 200."""
    service = Service()
    service.reasons = ["the disk has less than 64MiB left"]
    server = HttpServer(health_app(service))
    address = await server.start(ANY_PORT)
    try:
        status, _, body = await get(address, "/readyz")
        assert (status, json.loads(body)["reasons"]) == (503, service.reasons)
        assert (await get(address, "/livez"))[0] == 200
    finally:
        await server.stop()


@pytest.mark.parametrize(
    ("method", "target"),
    [("POST", "/wake"), ("GET", "/status"), ("POST", "/reload"), ("POST", "/stop"), ("GET", "/docs")],
)
async def test_the_port_changes_and_tells_nothing_else(method: str, target: str) -> None:
    """What the admin socket answers is not there on the port."""
    service = Service()
    server = HttpServer(health_app(service))
    address = await server.start(ANY_PORT)
    try:
        assert (await get(address, target, method))[0] == 404
        assert service.woken == service.stopped == 0
    finally:
        await server.stop()


async def test_the_admin_socket_wakes_and_tells(tmp_path: Path) -> None:
    """Commands reach the service through the socket, which is its owner's alone and goes with it."""
    service = Service()
    server = HttpServer(admin_app(service))
    path = tmp_path / "admin.sock"
    await server.start(path)
    try:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert await asyncio.to_thread(wake, tmp_path) is True
        assert service.woken == 1
        status = await asyncio.to_thread(ask, tmp_path, "GET", "/status")
        assert status == {"schema": "relay.status/1", "active": 3}
        reload = await asyncio.to_thread(ask, tmp_path, "POST", "/reload")
        assert reload["changes"] == ["~ logging.delay 30s -> 60s"]
        assert (await asyncio.to_thread(ask, tmp_path, "POST", "/stop"))["stopping"] is True
        assert service.stopped == 1
        for target in ("/wake", "/reload", "/stop"):
            with pytest.raises(CommandError, match="405"):
                await asyncio.to_thread(ask, tmp_path, "GET", target)
    finally:
        await server.stop()
    assert not path.exists()
    assert await asyncio.to_thread(wake, tmp_path) is False


async def test_a_stale_socket_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    """A socket that a crash left behind is no obstacle; anything else in its place is not ours to remove."""
    path = tmp_path / "admin.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    server = HttpServer(admin_app(Service()))
    await server.start(path)
    await server.stop()

    path.write_text("precious")
    with pytest.raises(CommandError, match="in the way"):
        await HttpServer(admin_app(Service())).start(path)
    assert path.read_text() == "precious"


async def test_a_port_in_use_is_said_so() -> None:
    """A second service on the same port fails with its address, to be tried again."""
    server = HttpServer(health_app(Service()))
    address = await server.start(ANY_PORT)
    try:
        with pytest.raises(CommandError, match="cannot listen on 127"):
            await HttpServer(health_app(Service())).start(address)
    finally:
        await server.stop()


async def test_a_path_that_is_too_long_is_said_so(tmp_path: Path) -> None:
    """A Unix socket's name has a limit; the text names the setting to change."""
    with pytest.raises(CommandError, match="state_dir"):
        await HttpServer(admin_app(Service())).start(tmp_path / ("x" * 100) / "admin.sock")


async def test_signals_stay_ours() -> None:
    """The web server leaves SIGTERM and SIGINT to the service."""
    before = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)]
    server = HttpServer(health_app(Service()))
    await server.start(ANY_PORT)
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)] == before
    await server.stop()
    await server.stop()


async def test_a_fault_of_ours_shows_nothing_of_our_insides() -> None:
    """An exception in an answer is a plain 500."""

    class Broken(Service):
        async def metrics(self) -> bytes:
            raise RuntimeError("secret detail")

    server = HttpServer(health_app(Broken()))
    address = await server.start(ANY_PORT)
    try:
        status, _, body = await get(address, "/metrics")
        assert status == 500
        assert "secret" not in body
    finally:
        await server.stop()


async def test_who_comes_first_has_the_answerer_loaded(tmp_path: Path) -> None:
    """A doorbell listens from the start and makes its server once, when somebody comes; both kinds of socket do."""
    made = []

    def make() -> HttpServer:
        made.append(1)
        return HttpServer(health_app(Service()))

    bell = Doorbell(make)
    address = await bell.start(ANY_PORT)
    assert made == []
    answers = await asyncio.gather(*(get(address, "/livez") for _ in range(3)))
    assert [status for status, _, _ in answers] == [200] * 3
    assert made == [1]
    await bell.stop()
    with pytest.raises(OSError):
        await get(address, "/livez")
    unasked = Doorbell(make)
    path = tmp_path / "admin.sock"
    await unasked.start(path)
    assert stat.S_ISSOCK(path.stat().st_mode)
    await unasked.stop()
    assert not path.exists()
    assert made == [1]


async def test_a_server_that_cannot_be_made_leaves_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    """The trouble is logged, and who came is hung up on."""

    def make() -> HttpServer:
        raise ImportError("no such library")

    bell = Doorbell(make)
    address = await bell.start(ANY_PORT)
    with pytest.raises((OSError, asyncio.IncompleteReadError, IndexError, ValueError)):
        await get(address, "/livez")
    assert "nobody answers" in caplog.text
    await bell.stop()
