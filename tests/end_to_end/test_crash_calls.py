"""Killed before a call of the system: what was acknowledged arrives, and twice only what was under way.

strace does that from outside. No function is replaced, as is done for the numbered points, so that it holds for compiled
modules, too.
"""

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from relay import FORM
from tests.support.crash_left import Left, Snapshot
from tests.support.crash_load import Load, one_in_three_refused, settle_accounts
from tests.support.crash_stage import KILLED, Stage, crash_stage

pytestmark = [pytest.mark.peer("strace"), pytest.mark.timeout(400)]
_LIMIT = 60.0
_WAL, _WAKING = "relay.db-wal", "anon_inode:[eventfd]"


@dataclass(frozen=True, slots=True)
class Strike:
    """Which call is its last: one of the first so many that one of its threads makes, drawn by lot."""

    calls: str
    least: int
    most: int
    about: str = ""
    """What they are about: a file in `state_dir`, or what has a colon in its name and is no file."""

    def tracer(self, stage: Stage, dice: random.Random) -> list[str]:
        """Give the command that has the relay killed before that call is carried out."""
        number = dice.randint(self.least, self.most)
        print(f"{self.calls} {number} {self.about}")  # noqa: T201 - pytest shows it when the test fails
        about = self.about if ":" in self.about else str(stage.state / self.about)
        return [
            *("strace", "-D", "-f", "-qq", "-o", str(stage.relay.folder / "trace")),
            *("-e", f"trace={self.calls}"),
            *("-e", f"inject={self.calls}:signal=SIGKILL:when={number}"),
            *(("-P", about) if self.about else ()),
        ]


_SENDING = "write,writev,sendto,sendmsg"
"""To clients and hops, to spool files, and to wake the loop."""
STRIKES = {
    "at the start": (
        Strike("pwrite64", 1, 140, _WAL),
        Strike(_SENDING, 50, 250),
        Strike("pwrite64", 1, 30, _WAL),
        Strike("fdatasync", 1, 3, _WAL),
    ),
    "in a commit": (
        Strike("pwrite64", 150, 600, _WAL),
        Strike("pwrite64", 100, 600, _WAL),
        Strike("fdatasync", 5, 25, _WAL),
        Strike("fdatasync", 5, 25, _WAL),
        Strike("write", 5, 50, _WAKING),
    ),
    "in the spool": (
        Strike("fsync", 1, 4),
        Strike("fsync", 1, 4, "spool"),
        Strike("unlink,unlinkat", 1, 3),
        Strike("unlink,unlinkat", 3, 6),
    ),
    "while it talks": (
        Strike(_SENDING, 20, 250),
        Strike(_SENDING, 20, 250),
        Strike(_SENDING, 20, 250),
        Strike("epoll_wait,epoll_pwait", 20, 250),
    ),
}


def _recipients(name: str, number: int) -> list[str]:
    other = [f"{name}@other.example"] if number % 2 == 0 else []
    return [*one_in_three_refused(name, number), *other]


@contextmanager
def _under(stage: Stage, strike: Strike, dice: random.Random) -> Iterator[None]:
    stage.service.under = strike.tracer(stage, dice)
    try:
        yield
    finally:
        stage.service.under = ()


def _struck(stage: Stage, strike: Strike, dice: random.Random) -> Snapshot:
    """Have it run until it is killed, and look at what is left."""
    with _under(stage, strike, dice):
        done = stage.service.run("serve", limit=_LIMIT)
    assert done.returncode == KILLED, done.stderr
    assert "Traceback" not in done.stderr
    stage.age_spool()
    return stage.snapshot()


def _ended(stage: Stage, load: Load, lefts: list[Snapshot]) -> None:
    """See that everything has come to its end as promised, and that the mail log counts it so."""
    stage.wait_until_empty()
    assert stage.service.stop() == 0
    log = stage.service.logs()
    assert "Traceback" not in log
    assert f"modules are {FORM.value}" in log
    final = stage.snapshot()
    account = settle_accounts(load.sent, stage.arrived, *lefts, final)
    twice = sum(copies > 1 for copies in account.copies.values())
    print(f"{load.acknowledged} acknowledged, {twice} recipients got mail twice")  # noqa: T201 - as above
    for message in final.messages:
        _told_once(message)


def _told_once(message: Left) -> None:
    states = [state for _, _, state in message.deliveries]
    assert set(states) <= {"sent", "bounced"}
    assert message.closed
    assert message.content == "gone"
    for event, times in {
        "message.accepted": 1,
        "message.closed": 1,
        "delivery.sent": states.count("sent"),
        "delivery.bounced": states.count("bounced"),
    }.items():
        assert message.events.count(event) == times, (event, message)


@pytest.mark.parametrize("strikes", STRIKES.values(), ids=STRIKES)
def test_killed_before_a_call(tmp_path: Path, strikes: tuple[Strike, ...]) -> None:
    """Killed again and again under load, small mail and large, it delivers and reports all that it has acknowledged."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")  # noqa: T201 - as above
    dice = random.Random(seed)
    with crash_stage(tmp_path) as stage:
        with Load(stage.relay.gateway, recipients=_recipients) as load:
            lefts = [_struck(stage, strike, dice) for strike in strikes]
            stage.start()
            load.wait_for(load.acknowledged + 5)
        _ended(stage, load, lefts)


def test_killed_while_the_log_is_brought_into_the_database(tmp_path: Path) -> None:
    """In an orderly stop, too: the next start has all of it."""
    dice = random.Random()
    with crash_stage(tmp_path) as stage:
        with (
            _under(stage, Strike("pwrite64", 1, 40, "relay.db"), dice),
            Load(stage.relay.gateway, recipients=_recipients) as load,
        ):
            stage.start()
            load.wait_for(20)
            stage.service.signal(signal.SIGTERM)
            assert stage.service.wait() == KILLED
        lefts = [stage.snapshot()]
        stage.age_spool()
        stage.start()
        _ended(stage, load, lefts)
