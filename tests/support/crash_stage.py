"""A relay that can be made to kill itself, with two hops to send to."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relay.compiled import CHOSEN
from relay.demo.capture import Capture, Captured, Manners
from relay.demo.service import Service
from relay.storage.spool import SPOOL_NAME
from relay.storage.sqlite import DATABASE_NAME
from tests.support.crash_left import Snapshot, look
from tests.support.crashing import LOOP, POINT, STUCK
from tests.support.eventually import eventually
from tests.support.running import RunningRelay, prepare, with_changes

_LIMIT = 180.0
_ROOT = Path(__file__).parents[2]
_DAY = 24 * 3600
KILLED = -signal.SIGKILL
_OPEN = (
    "SELECT id, state, reason FROM delivery"
    " WHERE state NOT IN ('sent', 'bounced', 'expired', 'cancelled', 'skipped')"
)
_STATES = "SELECT state, count(*) FROM delivery GROUP BY state"


class MortalService(Service):
    """A service that runs under tests.support.crashing, armed or not."""

    armed = ""
    """The point at which what is started next kills itself."""
    loop = ""
    """The event loop that is used: "asyncio", or whatever is installed."""
    stuck = "600"
    under: Sequence[str] = ()
    """What the service is run by, such as strace."""

    def _command(self, *arguments: str) -> list[str]:
        mortal = bool(self.armed or self.loop)
        self._environment |= {
            POINT: self.armed,
            LOOP: self.loop,
            STUCK: self.stuck,
            "PYTHONPATH": str(_ROOT),
            # What is compiled cannot be armed: its calls go past whatever replaces a function.
            CHOSEN: "no" if mortal else os.environ.get(CHOSEN, ""),
        }
        if not mortal:
            return [*(self.under if arguments == ("serve",) else ()), *super()._command(*arguments)]
        return [sys.executable, "-m", "tests.support.crashing", "-c", str(self.config), *arguments]

    def dies_at(self, point: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command that is to kill itself, and see that it does."""
        self.armed = point
        try:
            done = self.run(*arguments)
        finally:
            self.armed = ""
        assert done.returncode == KILLED, done.stderr
        return done


@dataclass
class Stage:
    """A relay, the two hops that it sends to, and the folder that holds its state."""

    relay: RunningRelay
    service: MortalService
    hop: Capture
    other: Capture
    state: Path

    def start(self, point: str = "") -> None:
        """Start it, armed or not."""
        self.service.armed = point
        try:
            self.service.start()
        finally:
            self.service.armed = ""

    def hop_back(self) -> None:
        """Have the hop, which was stopped, listen again where it was."""
        self.hop = Capture(port=self.hop.port).start()

    def snapshot(self) -> "Snapshot":
        """Look at what a dead relay has left behind, in a copy: nothing of it is touched."""
        with tempfile.TemporaryDirectory() as place:
            for name in (DATABASE_NAME, f"{DATABASE_NAME}-wal"):
                if (self.state / name).exists():
                    shutil.copy(self.state / name, place)
            return look(Path(place) / DATABASE_NAME, self.spool_files())

    def spool_files(self) -> set[str]:
        """Give the names of the spool files there are."""
        spool = self.state / SPOOL_NAME
        return {each.name for each in spool.iterdir()} if spool.exists() else set()

    def age_spool(self) -> None:
        """Make all spool files two days old, those of living messages too: the next sweep sees who is an orphan."""
        for name in self.spool_files():
            self.make_old(self.state / SPOOL_NAME / name)

    def make_old(self, place: Path) -> None:
        """Make a file or folder two days old."""
        long_ago = time.time() - 2 * _DAY
        os.utime(place, (long_ago, long_ago))

    def states(self) -> dict[str, int]:
        """Count the deliveries by state."""
        return {str(state): int(str(count)) for state, count in self._ask(_STATES)}

    def events(self) -> int:
        """Count the events in the mail log."""
        return int(str(self._ask("SELECT count(*) FROM event")[0][0]))

    def replace_state(self, folder: Path, restore: Callable[[], subprocess.CompletedProcess[str]]) -> None:
        """Have a restore fill the folder anew, and work with it from now on."""
        shutil.rmtree(folder)
        done = restore()
        assert done.returncode == 0, done.stderr
        shutil.rmtree(self.state)
        shutil.move(folder, self.state)

    def wait_until_empty(self, limit: float = _LIMIT) -> None:
        """Wait until no delivery is open and the spool is empty; then have the relay and SQLite say so, too."""
        eventually(self._open, lambda found: not any(found), limit)
        listed = self.service.run("queue", "list", "--json")
        assert '"items": []' in listed.stdout, listed.stdout
        assert self._ask("PRAGMA integrity_check") == [("ok",)]

    def _open(self) -> tuple[list[tuple[object, ...]], set[str]]:
        return self._ask(_OPEN), self.spool_files()

    def _ask(self, query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(f"file:{self.state / DATABASE_NAME}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()

    @property
    def arrived(self) -> list[Captured]:
        """Give all that both hops have taken."""
        return self.hop.messages + self.other.messages


@contextmanager
def crash_stage(
    folder: Path,
    changes: Mapping[str, Any] | None = None,
    manners: Manners | None = None,
    loop: str = "",
    hop: Capture | None = None,
) -> Iterator[Stage]:
    """Set a relay up, with two routes; it is not started yet, and killed at the end if it is still there.

    `hop` is one that listens already, in the place of one with these manners.
    """
    with (
        nullcontext(hop) if hop else Capture(manners) as hop,
        Capture() as other,
        tempfile.TemporaryDirectory(prefix="relay-") as short,
    ):
        settings = with_changes(
            {
                "server": {"state_dir": f"{short}/state"},
                "notices": {"reports_per_sender": "0/h"},
                "limits": {"connections": {"per_network": 500}},
                "retry": {"delivery": {"schedule": ["1s"]}, "logging": {"schedule": ["1s"]}},
                "upstream": {
                    "routes": {
                        "other": {"kind": "smarthost", "host": "127.0.0.1", "port": other.port, "tls": "none"}
                    },
                    "select": [{"recipient_domain": "other.example", "route": "other"}],
                },
            },
            changes or {},
        )
        relay = prepare(folder, hop, settings)
        plain = relay.service
        service = MortalService(plain.config, plain.ports, plain.log, {"NO_COLOR": "1"})
        service.loop = loop
        relay.service = service
        stage = Stage(relay, service, hop, other, Path(short) / "state")
        try:
            yield stage
        finally:
            service.kill()
            stage.hop.stop()
