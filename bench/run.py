"""Measure the relay against Postfix, alternated in one run, and print the ratios.

    python -m bench.run [--rounds 3] [--only reused]

Each number is a median over the rounds; a ratio is the median of the per-round ratios.
"""

import argparse
import re
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from bench.peers import Peer, Postfix, Relay, free_port, wait_for_port


@dataclass(frozen=True, slots=True)
class Workload:
    """One way to load the peers."""

    name: str
    messages: int
    octets: int
    sessions: int
    reused: bool
    floor: float
    """The ratio of messages/s that must be reached."""
    cpu: float
    """The ratio of CPU per message that must not be passed."""


WORKLOADS = (
    Workload("5 KB, 50 sessions, reused", 6000, 5000, 50, True, 6.0, 0.15),
    Workload("5 KB, 10 sessions, reused", 6000, 5000, 10, True, 4.0, 0.2),
    Workload("5 KB, 50 sessions, one each", 3000, 5000, 50, False, 3.5, 0.25),
    Workload("5 KB, 10 sessions, one each", 3000, 5000, 10, False, 2.5, 0.25),
    Workload("5 KB, 1 session", 1000, 5000, 1, False, 1.5, 0.4),
    Workload("1 MB, 10 sessions", 200, 1_000_000, 10, False, 1.2, 0.6),
    Workload("20 MB, 10 sessions", 20, 20_000_000, 10, False, 1.2, 0.6),
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one peer did with one workload in one round."""

    messages_per_second: float
    cpu_per_thousand: float
    peak_pss: int


class Sink:
    """Postfix's smtp-sink, counting what arrives."""

    def __init__(self) -> None:
        self.port = free_port()
        self.count = 0
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            ["/usr/sbin/smtp-sink", "-c", "-u", "nobody", f"127.0.0.1:{self.port}", "1000"],
            stdout=subprocess.PIPE,
        )
        threading.Thread(target=self._read, daemon=True).start()
        wait_for_port(self.port)

    def _read(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        text = b""
        while chunk := pipe.read1(65536):
            parts = (text + chunk).replace(b"\n", b"\r").split(b"\r")
            text = parts.pop()
            numbers = [int(found[1]) for part in parts if (found := re.search(rb"mesg=(\d+)", part))]
            if numbers:
                with self._changed:
                    self.count = max(numbers)
                    self._changed.notify_all()

    def wait(self, count: int, limit: float) -> None:
        """Return when `count` messages have arrived in all; raises TimeoutError after `limit` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.count >= count, limit):
                raise TimeoutError(f"{self.count} of {count} messages arrived")

    def stop(self) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait()


class PssWatch(threading.Thread):
    """Samples the memory of a peer until stopped."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(daemon=True)
        self.peer, self.peak = peer, 0
        self._stop_event = threading.Event()

    def run(self) -> None:
        """Sample five times a second."""
        while not self._stop_event.wait(0.2):
            self.peak = max(self.peak, self.peer.usage().pss_octets)

    def stop(self) -> int:
        """Stop and give the peak."""
        self._stop_event.set()
        self.join()
        return self.peak


def measure(peer: Peer, sink: Sink, load: Workload) -> Measurement:
    """Send the workload through the peer and wait until all of it has arrived."""
    command = [
        "/usr/sbin/smtp-source", *(["-d"] if load.reused else []), "-s", str(load.sessions), "-m", str(load.messages),
        "-l", str(load.octets), "-f", "rep7@example.com", "-t", "buyer@customer.example", f"127.0.0.1:{peer.port}",
    ]  # fmt: skip
    before, arrived = peer.usage(), sink.count
    watch = PssWatch(peer)
    watch.start()
    start = time.monotonic()
    subprocess.run(command, check=True)
    sink.wait(arrived + load.messages, 300)
    seconds = time.monotonic() - start
    peak = watch.stop()
    time.sleep(0.3)
    cpu = peer.usage().cpu_seconds - before.cpu_seconds
    return Measurement(load.messages / seconds, cpu * 1000 / load.messages, peak)


def compare(folder: Path, loads: list[Workload], rounds: int) -> bool:
    """Print one line for each workload; True when every figure is reached."""
    sink = Sink()
    good = True
    with (
        Postfix(folder / "postfix", sink.port).running() as postfix,
        Relay(folder / "relay", sink.port).running() as relay,
    ):
        for load in loads:
            pairs = [(measure(postfix, sink, load), measure(relay, sink, load)) for _ in range(rounds)]
            ratio = statistics.median(r.messages_per_second / p.messages_per_second for p, r in pairs)
            cpu = statistics.median(r.cpu_per_thousand / p.cpu_per_thousand for p, r in pairs)
            p, r = (pairs[len(pairs) // 2][side] for side in (0, 1))
            reached = ratio >= load.floor and cpu <= load.cpu
            good &= reached
            print(
                f"{load.name:30} postfix {p.messages_per_second:7.0f}/s {p.cpu_per_thousand:6.2f} s/1000 {p.peak_pss >> 20:4} MB"
                f"   relay {r.messages_per_second:7.0f}/s {r.cpu_per_thousand:6.2f} s/1000 {r.peak_pss >> 20:4} MB"
                f"   rate {ratio:5.2f}x (>= {load.floor})  cpu {cpu:5.2f}x (<= {load.cpu})  {'ok' if reached else 'MISSED'}",
                flush=True,
            )
    sink.stop()
    return good


def main() -> int:
    """Run the comparison; exits 1 when a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    loads = [load for load in WORKLOADS if arguments.only in load.name]
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as name:
        Path(name).chmod(0o755)
        return 0 if compare(Path(name), loads, arguments.rounds) else 1


if __name__ == "__main__":
    raise SystemExit(main())
