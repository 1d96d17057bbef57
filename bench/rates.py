"""Messages a second, CPU and memory of the peers over the workloads, by smtp-source and smtp-sink."""

import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.figures import Check, Figure, Spread, ratios, spread
from bench.peers import Peer, free_port, wait_for_port
from bench.processes import PssWatch
from bench.sections import Bar, Section
from bench.workloads import PEAK_PSS, Workload

_LONGEST = 120
_COUNTED = re.compile(rb"mesg=(\d+)\D")
_ONE_LINE = 100
"""More octets than smtp-sink needs to tell how far it is."""
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one peer did with one workload in one round."""

    rate: float
    """Messages a second, from the first connection to the last arrival at the sink."""
    cpu: float
    """CPU seconds for 1,000 messages."""


class Sink:
    """Postfix's smtp-sink, counting what arrives."""

    def __init__(self) -> None:
        self.port = free_port()
        self.count = 0
        self._counted_at = 0.0
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            ["/usr/sbin/smtp-sink", "-c", "-u", "nobody", f"127.0.0.1:{self.port}", "1000"],
            stdout=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_for_port(self.port)

    def _read(self) -> None:
        assert self._process.stdout is not None
        text = b""
        while chunk := os.read(self._process.stdout.fileno(), 65536):
            text = text[-_ONE_LINE:] + chunk
            numbers = _COUNTED.findall(text[-_ONE_LINE * 2 :])
            if numbers and int(numbers[-1]) > self.count:  # it also tells of each QUIT
                with self._changed:
                    self.count, self._counted_at = int(numbers[-1]), time.monotonic()
                    self._changed.notify_all()

    def wait(self, count: int) -> float:
        """Give the moment (monotonic) at which `count` messages had arrived in all; raises TimeoutError after minutes."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.count >= count, _LONGEST):
                raise TimeoutError(f"{self.count} of {count} messages arrived")
            return self._counted_at

    def stop(self) -> None:
        """Stop it."""
        self._process.kill()
        self._reader.join()
        self._process.communicate()


@contextmanager
def counting_sink() -> Iterator[Sink]:
    """Run a sink for the length of a `with` block."""
    sink = Sink()
    try:
        yield sink
    finally:
        sink.stop()


def measure(peer: Peer, sink: Sink, load: Workload) -> Measurement:
    """Send the workload through the peer and wait until all of it has arrived."""
    command = [
        "/usr/sbin/smtp-source", *(["-d"] if load.reused else []), "-s", str(load.sessions), "-m", str(load.messages),
        "-l", str(load.octets), "-f", "rep7@example.com", "-t", "buyer@customer.example", f"127.0.0.1:{peer.port}",
    ]  # fmt: skip
    before, arrived = peer.cpu(), sink.count
    start = time.monotonic()
    _run(command)
    seconds = sink.wait(arrived + load.messages) - start
    time.sleep(0.3)  # what is done behind the last arrival counts as well
    return Measurement(load.messages / seconds, (peer.cpu() - before) * 1000 / load.messages)


def _run(command: Sequence[str]) -> None:
    """Run the load client. Not by subprocess' own limit, which looks only every 50 ms whether the program has ended."""
    with subprocess.Popen(command) as source:
        stuck = threading.Timer(_LONGEST, source.kill)
        stuck.start()
        try:
            code = source.wait()
        finally:
            stuck.cancel()
    if code:
        raise subprocess.CalledProcessError(code, command)


def peak(peer: Peer, sink: Sink, load: Workload) -> int:
    """Give the peak of the memory (PSS) under a workload; looking costs time, so this is a run of its own."""
    watch = PssWatch(peer.root_pid)
    watch.start()
    measure(peer, sink, load)
    return watch.stop()


@dataclass(frozen=True, slots=True)
class Compared:
    """What the peers did with one workload, round by round; the peers in the order given."""

    load: Workload
    rounds: Sequence[Sequence[Measurement]]
    peaks: Sequence[int]

    def rates(self, peer: int) -> list[float]:
        """Give the rates of a peer."""
        return [measured[peer].rate for measured in self.rounds]

    def cpus(self, peer: int) -> list[float]:
        """Give the CPU seconds of a peer."""
        return [measured[peer].cpu for measured in self.rounds]

    def faster(self, peer: int, than: int) -> Spread:
        """Give the ratio of the rates of two peers."""
        return ratios(self.rates(peer), self.rates(than))

    def cost(self, peer: int, than: int) -> Spread:
        """Give the ratio of the CPU times of two peers."""
        return ratios(self.cpus(peer), self.cpus(than))


def compare(
    peers: Sequence[Peer], sink: Sink, loads: Sequence[Workload], rounds: int, tell: Callable[[str], None]
) -> list[Compared]:
    """Measure the peers in turn, round after round; before the first, a run of each for its memory."""
    found = []
    for load in loads:
        peaks = [peak(peer, sink, load) for peer in peers]
        measured = [[measure(peer, sink, load) for peer in peers] for _ in range(rounds)]
        found.append(Compared(load, measured, peaks))
        tell(_line(peers, found[-1]))
    return found


def _line(peers: Sequence[Peer], found: Compared) -> str:
    last = len(peers) - 1
    each = ", ".join(
        f"{peer.name} {spread(found.rates(n)).median:.0f}/s {spread(found.cpus(n)).median:.2f} s"
        for n, peer in enumerate(peers)
    )
    return f"  {found.load.name}: {each}; rate {found.faster(last, 0)}x, CPU {found.cost(last, 0)}x"


def section(title: str, text: str, peers: Sequence[Peer], found: Sequence[Compared]) -> Section:
    """Tell what was found, the last peer against each other one; figures are against the first."""
    ours = len(peers) - 1
    columns = ["workload"]
    columns += [f"{peer.name}: msg/s · CPU · PSS" for peer in peers]
    columns += [f"rate against {peer.name}" for peer in peers[:ours]] + ["CPU against Postfix"]
    rows, checks, bars = [], [], []
    for one in found:
        row = [one.load.name]
        row += [
            f"{spread(one.rates(n)).median:.0f} · {spread(one.cpus(n)).median:.2f} s · {one.peaks[n] // MIB} MB"
            for n in range(len(peers))
        ]
        row += [f"{one.faster(ours, n)}" for n in range(ours)] + [f"{one.cost(ours, 0)}"]
        rows.append(row)
        checks += _checks(one, ours)
        rate = one.faster(ours, 0)
        bars.append(Bar(one.load.name, rate.low, rate.median, rate.high, one.load.rate))
    return Section(title, text, columns, rows, checks, bars)


def _checks(one: Compared, ours: int) -> list[Check]:
    checks = []
    if one.load.rate:
        checks.append(Check(Figure(f"{one.load.name}: messages/s", one.load.rate, True), one.faster(ours, 0)))
    if one.load.cpu:
        checks.append(Check(Figure(f"{one.load.name}: CPU", one.load.cpu, False), one.cost(ours, 0)))
    if one.load.rate:
        memory = spread([one.peaks[ours] / MIB])
        checks.append(Check(Figure(f"{one.load.name}: peak PSS", PEAK_PSS, False, " MiB"), memory))
    return checks
