"""How long a message takes to its 250 and to the next hop, and what TLS with AUTH costs, by our own client and sink."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.figures import Check, Figure, quantile, ratios, spread
from bench.peers import Certificate, Peer
from bench.sections import Section
from bench.workloads import Workload

_LONGEST = 120


class StampingSink:
    """Our own sink as a process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "bench.sink"], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def collect(self, count: int) -> list[int]:
        """Give the microseconds that `count` messages took to arrive; raises TimeoutError after some minutes."""
        found = self._report()
        end = time.monotonic() + _LONGEST
        while len(found) < count:
            if time.monotonic() > end:
                raise TimeoutError(f"{len(found)} of {count} messages arrived")
            time.sleep(0.05)
            found += self._report()
        return found

    def _report(self) -> list[int]:
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            stream = connection.makefile("rwb")
            stream.readline()
            stream.write(b"XREPORT\r\n")
            stream.flush()
            report = json.loads(stream.readline())
            self.cpu = float(report["cpu"])
            return [int(delay) for delay in report["delays"]]

    def stop(self) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def stamping_sink() -> Iterator[StampingSink]:
    """Run a sink for the length of a `with` block."""
    sink = StampingSink()
    try:
        yield sink
    finally:
        sink.stop()


@dataclass(frozen=True, slots=True)
class Timed:
    """What one peer did in one round."""

    accepted: Sequence[int]
    """Microseconds to each 250."""
    arrived: Sequence[int]
    """Microseconds to each arrival."""
    cpu: float
    """CPU seconds for 1,000 messages."""
    own_cpu: float
    """What our client and our sink used themselves for 1,000."""


def measure(
    peer: Peer,
    sink: StampingSink,
    load: Workload,
    *,
    rate: float = 0.0,
    certificate: Certificate | None = None,
) -> Timed:
    """Send the workload through the peer with our own client and wait for all of it."""
    port = peer.tls_port if certificate else peer.port
    command = [
        sys.executable, "-m", "bench.load", "--port", str(port), "--sessions", str(load.sessions),
        "--messages", str(load.messages), "--octets", str(load.octets), "--rate", str(rate),
        *(["--reused"] if load.reused else []), *(["--ca", str(certificate.ca)] if certificate else []),
    ]  # fmt: skip
    sink.collect(0)
    before, own = peer.cpu(), getattr(sink, "cpu", 0.0)
    done = subprocess.run(command, check=True, capture_output=True, timeout=_LONGEST)
    arrived = sink.collect(load.messages)
    time.sleep(0.3)
    told = json.loads(done.stdout)
    thousand = 1000 / load.messages
    used = float(told["cpu"]) + sink.cpu - own
    return Timed(told["waits"], arrived, (peer.cpu() - before) * thousand, used * thousand)


def latency_section(
    peers: Sequence[Peer],
    sink: StampingSink,
    loads: Sequence[tuple[Workload, float]],
    rounds: int,
    tell: Callable[[str], None],
) -> Section:
    """Measure each peer in turn and tell the middle and the slow end of both times."""
    rows = []
    own: list[float] = []
    for load, rate in loads:
        rounds_found = [[measure(peer, sink, load, rate=rate) for peer in peers] for _ in range(rounds)]
        pace = f"{rate:g} messages/s" if rate else "as fast as it goes"
        for number, peer in enumerate(peers):
            mine = [found[number] for found in rounds_found]
            own += [found.own_cpu for found in mine]
            times = [
                _ms([getattr(one, what) for one in mine], share)
                for what in ("accepted", "arrived")
                for share in (0.5, 0.99)
            ]
            rows.append([f"{load.name}; {pace}", peer.name, *times])
            tell(f"  {rows[-1][0]}: {peer.name} {' '.join(times)} ms")
    text = (
        "Milliseconds to the 250 and to the arrival at the next hop, from MAIL (from the connection, with one message per"
        " connection): the median over the rounds of each round's p50 and p99. Where messages come as fast as they go, who"
        " takes faster than it delivers lets its queue grow, and the times are the queue's; where both get the same rate"
        f" they are the work's. Client and sink used {spread(own).median:.2f} s of CPU themselves for 1,000 messages."
    )
    return Section("Latency", text, ["workload", "", "250: p50", "p99", "next hop: p50", "p99"], rows)


def _ms(samples: Sequence[Sequence[int]], share: float) -> str:
    return f"{spread([quantile(sample, share) for sample in samples]).median / 1000:.1f}"


def tls_section(
    peers: Sequence[Peer],
    sink: StampingSink,
    load: Workload,
    certificate: Certificate,
    rounds: int,
    tell: Callable[[str], None],
) -> Section:
    """Measure what STARTTLS and AUTH with an app password cost, one message per connection."""
    found = [[measure(peer, sink, load, certificate=certificate) for peer in peers] for _ in range(rounds)]
    cpus = [[measured[n].cpu for measured in found] for n in range(len(peers))]
    ratio = ratios(cpus[-1], cpus[0])
    rows = [[peer.name, f"{spread(cpus[n])}", f"{ratios(cpus[n], cpus[0])}"] for n, peer in enumerate(peers)]
    tell(f"  {load.name}: " + ", ".join(f"{row[0]} {row[1]} s" for row in rows) + f"; {ratio}x")
    own = spread([one.own_cpu for measured in found for one in measured])
    text = (
        f"{load.name}; CPU only, since Postfix' rate here is bound by a wait of TCP and not by work. Full handshakes with an"
        " ECDSA P-256 certificate, then AUTH PLAIN. Postfix asks a Dovecot auth server that does nothing but compare and whose"
        f" CPU is not counted; the relay looks up an app password. Our client and sink used {own} s for 1,000 themselves."
    )
    check = Check(Figure("TLS + AUTH, one message per connection: CPU", load.cpu, False), ratio)
    return Section("TLS and AUTH", text, ["", "CPU s for 1,000", "ratio to Postfix"], rows, [check])
