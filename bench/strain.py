"""Clients that want much and give nothing: what idle sessions and hostile input cost in memory, and other sessions in time."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.figures import Check, Figure, spread
from bench.peers import Peer, Relay
from bench.postfix import Postfix
from bench.processes import PssWatch
from bench.rates import MIB
from bench.sections import Section

_GROWTH = 64.0
_NOOP = 100.0
_CHUNK = 1 << 16
_LIMIT = 120.0


class Roomy(Relay):
    """The relay with room for the sessions that are opened here."""

    connections = 1200


@dataclass(frozen=True, slots=True)
class Strain:
    """One way to be a burden; `play` gets the port."""

    name: str
    play: Callable[[int], None]


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 10)
    connection.settimeout(_LIMIT)
    connection.recv(1000)
    connection.sendall(b"EHLO strain.example\r\n")
    connection.recv(4000)
    return connection


def _ask(connection: socket.socket, command: bytes) -> bytes:
    connection.sendall(command)
    return connection.recv(1000)


def _in_data(port: int) -> socket.socket:
    connection = _connect(port)
    for command in (
        b"MAIL FROM:<rep1@example.com>\r\n",
        b"RCPT TO:<buyer@customer.example>\r\n",
        b"DATA\r\n",
    ):
        _ask(connection, command)
    return connection


def _pour(connection: socket.socket, block: bytes, octets: int) -> None:
    """Send a block again and again; a peer that hangs up has had enough, and is right."""
    with contextlib.suppress(OSError):
        for _ in range(octets // len(block)):
            connection.sendall(block)


def _empty_lines(port: int) -> None:
    with _in_data(port) as connection:
        _pour(connection, b"\r\n" * (_CHUNK // 2), 32 * MIB)


def _endless_line(port: int) -> None:
    with _in_data(port) as connection:
        _pour(connection, b"x" * _CHUNK, 400 * MIB)


def _ten_large(port: int) -> None:
    _ten(port, b"Subject: large\r\n\r\n")


def _ten_headers(port: int) -> None:
    _ten(port, b"")


def _ten(port: int, head: bytes) -> None:
    def one() -> None:
        with _in_data(port) as connection, contextlib.suppress(OSError):
            connection.sendall(head)
            _pour(connection, (b"x" * 76 + b"\r\n") * 800, 25_000_000)
            _ask(connection, b".\r\n")

    threads = [threading.Thread(target=one) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _noops(port: int) -> None:
    with _connect(port) as connection:
        reader = threading.Thread(target=_drain, args=(connection,), daemon=True)
        reader.start()
        _pour(connection, b"NOOP\r\n" * 10_000, 600_000)
        with contextlib.suppress(OSError):
            connection.sendall(b"QUIT\r\n")
        reader.join(_LIMIT)


def _drain(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while connection.recv(_CHUNK):
            pass


@contextlib.contextmanager
def _idle(port: int, count: int) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(_connect(port))
        yield


def _idle_sessions(port: int) -> None:
    with _idle(port, 1000):
        time.sleep(1)


def _wait(port: int) -> None:
    time.sleep(2)


_NOTHING = Strain("nothing, for comparison", _wait)
STRAINS = (
    Strain("32 MiB of empty lines", _empty_lines),
    Strain("a line of 400 MiB", _endless_line),
    Strain("ten messages of 25 MB at once", _ten_large),
    Strain("ten headers of 25 MB at once", _ten_headers),
    Strain("1,000 idle sessions", _idle_sessions),
    Strain("100,000 pipelined NOOPs", _noops),
)


@contextlib.contextmanager
def _bystander(port: int) -> "Iterator[list[float]]":
    """Have another process ask all the time; the list holds its waits (seconds) afterwards."""
    waits: list[float] = []
    command = [sys.executable, "-m", "bench.bystander", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield waits
        told, _ = process.communicate(timeout=_LIMIT)
        waits += json.loads(told)


def strain_section(peer: Roomy, tell: Callable[[str], None], rounds: int = 3) -> Section:
    """Play each strain some times and tell how the memory grew and how long another session waited."""
    rows, checks = [], []
    with peer.running():
        for strain in (_NOTHING, *STRAINS):
            found = [_under(peer, strain) for _ in range(rounds)]
            growth, median, longest = (spread([one[n] for one in found]) for n in range(3))
            rows.append([strain.name, f"{growth}", f"{median}", f"{longest}"])
            tell(f"  {'  '.join(rows[-1])}")
            if strain is not _NOTHING:
                checks.append(Check(Figure(f"{strain.name}: growth", _GROWTH, False, " MiB"), growth))
                checks.append(
                    Check(Figure(f"{strain.name}: another session's NOOP", _NOOP, False, " ms"), longest)
                )
    text = (
        f"Memory (PSS) that the relay takes more than before, and how long another session waits for the answer to NOOP"
        f" meanwhile; medians of {rounds} times. The first line is what the machine does to a session by itself."
    )
    return Section("Strain", text, ("", "growth, MiB", "NOOP, median, ms", "longest, ms"), rows, checks)


def _under(peer: Peer, strain: Strain) -> tuple[float, float, float]:
    """Give the growth in MiB, and the median and longest wait in milliseconds."""
    before = peer.usage().pss_octets
    watch = PssWatch(peer.root_pid)
    with _bystander(peer.port) as waits:
        watch.start()
        strain.play(peer.port)
        time.sleep(0.2)
    return max(watch.stop() - before, 0) / MIB, spread(waits).median * 1000, max(waits) * 1000


def idle_section(relay: Roomy, postfix: Postfix, tell: Callable[[str], None]) -> Section:
    """Tell what an idle session takes."""
    rows = []
    for peer, count in ((relay, 1000), (postfix, 90)):
        with peer.running(), _idle(peer.port, 5):  # what the first sessions load is no session's
            before = peer.usage().pss_octets
            with _idle(peer.port, count):
                each = (peer.usage().pss_octets - before) / count / 1024
        rows.append([peer.name, str(count), f"{each:.1f} KiB"])
        tell(f"  {'  '.join(rows[-1])}")
    text = "Memory (PSS) of a session that said EHLO and waits. Postfix serves 100 at once by default, each by a process."
    return Section("Idle sessions", text, ("", "sessions", "memory each"), rows)
