"""Measure the relay against Postfix, alternated in one run; print the tables and write them into docs/performance.md.

    python -m bench.run [--quick] [--only rates,slow,tls,latency,depth,reps,idle,strain,recording,page] [--rounds 5] [--no-page]

Exits 1 when a stated figure is missed by more than the spread, 2 when it cannot measure here.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import browsing, depth, latencies, rates, recording, strain
from bench.machine import describe, load_average
from bench.page import with_measured
from bench.peers import Certificate, Relay
from bench.plot import draw
from bench.postfix import Postfix, TunedPostfix
from bench.sections import FIGURE_COLUMNS, Section, figure_rows, markdown, plain
from bench.slow_sync import DELAY, build
from bench.workloads import SLOW_DISK, TLS, WORKLOADS

PAGE = Path("docs/performance.md")
PICTURE = Path("docs/performance.svg")
_ALL_DEPTHS = (1, 10_000, 100_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Run:
    """What one run has to go by."""

    folder: Path
    rounds: int
    quick: bool

    def part(self, name: str) -> Path:
        """Give a folder for a part of the run."""
        folder = self.folder / name
        folder.mkdir()
        folder.chmod(0o755)
        return folder


def tell(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def _rates(run: Run) -> list[Section]:
    folder = run.part("rates")
    loads = [load.shorter(0.5) for load in WORKLOADS] if run.quick else WORKLOADS
    with rates.counting_sink() as sink, ExitStack() as stack:
        peers: list[Postfix | Relay] = [Postfix(folder / "postfix", sink.port)]
        if not run.quick:
            peers.append(TunedPostfix(folder / "tuned", sink.port))
        peers.append(Relay(folder / "relay", sink.port))
        for peer in peers:
            stack.enter_context(peer.running())
        found = rates.compare(peers, sink, loads, run.rounds, tell)
    text = (
        f"End to end, {run.rounds} rounds. Each peer: median messages/s, CPU seconds for 1,000 messages, peak PSS (in a run of"
        " its own). Ratios are medians of the rounds' ratios, with quartiles; above 1 the relay is faster or uses more."
    )
    return [rates.section("Rates", text, peers, found)]


def _slow(run: Run) -> list[Section]:
    folder = run.part("slow")
    shim = build(folder)
    if shim is None:
        tell("  skipped: no gcc to compile the shim with")
        return []
    loads = SLOW_DISK[:2] if run.quick else SLOW_DISK
    with rates.counting_sink() as sink:
        postfix = Postfix(folder / "postfix", sink.port, preload=shim)
        relay = Relay(folder / "relay", sink.port, preload=shim)
        with postfix.running(), relay.running():
            found = rates.compare([postfix, relay], sink, loads, min(run.rounds, 3), tell)
    text = (
        f"The same with {DELAY * 1000:g} ms added to each fsync, fdatasync and sync_file_range of both. No figure is stated: with"
        " few sessions everybody waits for the disk alike, and group commit shows with many."
    )
    return [rates.section("A slow disk", text, [postfix, relay], found)]


@contextmanager
def _two_with_tls(
    folder: Path, port: int, certificate: Certificate | None
) -> "Iterator[list[Postfix | Relay]]":
    postfix = Postfix(folder / "postfix", port, certificate=certificate)
    relay = Relay(folder / "relay", port, certificate=certificate)
    with postfix.running(), relay.running():
        yield [postfix, relay]


def _tls(run: Run) -> list[Section]:
    folder = run.part("tls")
    certificate = Certificate.make(folder)
    load = TLS.shorter(0.5) if run.quick else TLS
    with latencies.stamping_sink() as sink, _two_with_tls(folder, sink.port, certificate) as peers:
        return [latencies.tls_section(peers, sink, load, certificate, run.rounds, tell)]


def _latency(run: Run) -> list[Section]:
    folder = run.part("latency")
    reused50, reused10, _, each10, alone = WORKLOADS[:5]
    loads = [(alone.shorter(0.5), 0.0), (each10.shorter(0.5), 200.0), (each10.shorter(0.5), 0.0)]
    if not run.quick:
        loads += [(reused10.shorter(0.5), 0.0), (reused50.shorter(0.5), 0.0)]
    with latencies.stamping_sink() as sink, _two_with_tls(folder, sink.port, None) as peers:
        return [latencies.latency_section(peers, sink, loads, 1 if run.quick else min(run.rounds, 3), tell)]


def _depth(run: Run) -> list[Section]:
    with rates.counting_sink() as sink:
        depths = _ALL_DEPTHS[:3] if run.quick else _ALL_DEPTHS
        return depth.depth_section(run.part("depth"), sink, depths, run.rounds, tell)


def _reps(run: Run) -> list[Section]:
    with rates.counting_sink() as sink:
        return [depth.reps_section(run.part("reps"), sink, run.rounds, tell)]


def _idle(run: Run) -> list[Section]:
    folder = run.part("idle")
    with rates.counting_sink() as sink:
        relay, postfix = strain.Roomy(folder / "relay", sink.port), Postfix(folder / "postfix", sink.port)
        return [strain.idle_section(relay, postfix, tell)]


def _strain(run: Run) -> list[Section]:
    with rates.counting_sink() as sink:
        return [strain.strain_section(strain.Roomy(run.part("strain") / "relay", sink.port), tell)]


def _recording(run: Run) -> list[Section]:
    with rates.counting_sink() as sink:
        return [recording.recording_section(run.part("recording"), sink, run.rounds, tell)]


def _page(run: Run) -> list[Section]:
    with rates.counting_sink() as sink:
        stored = 100_000 if run.quick else 1_000_000
        return [browsing.browsing_section(run.part("page"), sink, stored, run.rounds, tell)]


PARTS = {
    "rates": _rates,
    "slow": _slow,
    "tls": _tls,
    "latency": _latency,
    "depth": _depth,
    "reps": _reps,
    "idle": _idle,
    "strain": _strain,
    "recording": _recording,
    "page": _page,
}
"""The parts of a run, in their order."""


def _unable() -> str:
    """Give why nothing can be measured here; "" when it can."""
    if os.geteuid() != 0:
        return "Postfix can be started by root only"
    missing = [
        name for name in ("postfix", "postmap", "smtp-source", "smtp-sink") if shutil.which(name) is None
    ]
    return f"not found: {', '.join(missing)} (Debian's package postfix)" if missing else ""


def _write(sections: Sequence[Section], machine: str) -> None:
    measured = f"{machine}\n![rates against Postfix](performance.svg)\n\n{markdown(sections)}"
    PAGE.write_text(with_measured(PAGE.read_text(), measured))
    bars = [bar for one in sections if one.title == "Rates" for bar in one.bars]
    if bars:
        PICTURE.write_text(draw("Messages a second, end to end, against Postfix as it comes", bars))


def measure(run: Run, names: Sequence[str]) -> list[Section]:
    """Run the parts and print the table of each."""
    sections: list[Section] = []
    for name in names:
        tell(f"{name}:")
        start = time.monotonic()
        found = PARTS[name](run)
        for one in found:
            tell(f"\n{one.title}\n{plain(one.columns, one.rows)}")
        tell(f"  ({name}: {time.monotonic() - start:.0f} s)")
        sections += found
    return sections


def main() -> int:
    """Run the comparison; the exit code tells whether the figures are reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="a short subset, in about two minutes; writes no page"
    )
    parser.add_argument("--rounds", type=int, help="rounds of each workload; 5, or 2 with --quick")
    parser.add_argument(
        "--only", default=",".join(PARTS), help="parts, with commas; not all of them: writes no page"
    )
    parser.add_argument("--no-page", action="store_true", help="leave docs/performance.md as it is")
    given = parser.parse_args()
    names = given.only.split(",")
    if unknown := set(names) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if why := _unable():
        print(f"cannot measure here: {why}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="relay-bench-", ignore_cleanup_errors=True) as name:
        run = Run(Path(name), given.rounds or (2 if given.quick else 5), given.quick)
        run.folder.chmod(0o755)
        machine = describe(run.folder, " ".join(sys.argv[1:]))
        tell(machine)
        sections = measure(run, names)
        machine += f"- Load average at its end: {load_average()}\n"
    tell(machine)
    if not given.quick and not given.no_page and names == list(PARTS):
        _write(sections, machine)
    checks = [check for one in sections for check in one.checks]
    if checks:
        tell(plain(FIGURE_COLUMNS, figure_rows(checks)))
    return 1 if any(one.missed for one in sections) else 0


if __name__ == "__main__":
    raise SystemExit(main())
