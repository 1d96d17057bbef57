"""At every numbered crash point of docs/queue.md the relay kills itself, and nothing is lost or sent twice but as said."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import crash_points  # noqa: F401 - it registers the points
from tests.support.crash_left import Left, Snapshot
from tests.support.crash_load import Load, settle_accounts
from tests.support.crash_stage import KILLED, crash_stage
from tests.support.crashing import ARM

pytestmark = pytest.mark.timeout(400)  # each starts many processes: on a starved machine that takes minutes
_PAGE = Path(__file__).parents[2] / "docs" / "queue.md"
SMALL, LARGE = 2000, 200_000
MAIN, REFUSED, OTHER = "victim@buyer.example", "refuse-victim@buyer.example", "victim@other.example"

Check = Callable[[Snapshot], None]


def _stored(left: Snapshot) -> Left:
    victim = left.of("victim")
    assert victim is not None
    return victim


def nothing(left: Snapshot) -> None:
    """Nothing of the victim is left, not even a file."""
    assert left.of("victim") is None
    assert not left.reports_on("victim")


def orphan(left: Snapshot) -> None:
    """A spool file that no message names is left, nothing else."""
    nothing(left)
    assert left.orphans


def active(left: Snapshot) -> None:
    """The whole message is left; whatever is not final is active."""
    victim = _stored(left)
    assert victim.states == {"active"}
    assert victim.content in ("inline", "spool")
    assert victim.events[0] == "message.accepted"
    assert not victim.closed
    assert not left.reports_on("victim")


def settled(left: Snapshot) -> None:
    """The states are final, the events tell of it, the message is closed, and a report is queued."""
    victim = _stored(left)
    assert victim.states == {"sent", "bounced"}
    assert victim.closed
    assert victim.content == "gone"
    assert {"message.accepted", "delivery.sent", "delivery.bounced", "message.closed"} <= set(victim.events)
    (report,) = left.reports_on("victim")
    assert report.states <= {"queued", "active"}


def settled_with_file(left: Snapshot) -> None:
    """As settled, and the spool file is still there."""
    settled(left)
    assert left.orphans


def report_active(left: Snapshot) -> None:
    """As settled, and the report is under way."""
    settled(left)
    (report,) = left.reports_on("victim")
    assert report.states == {"active"}


def half(left: Snapshot) -> None:
    """What one hop took is final; what it refused waits for the other hop, and is active as what goes there."""
    states = {target: state for _, target, state in _stored(left).deliveries}
    assert states[MAIN] == "sent"
    assert states[REFUSED] == "active"
    assert states[OTHER] == "active"
    assert not _stored(left).closed


@dataclass(frozen=True)
class Point:
    """One way to hit a crash point while mail is served, and what must come of it."""

    key: str
    left: Check
    """What the table says is left."""
    arrivals: int
    """How often the victim arrives in the end."""
    octets: int = SMALL
    recipients: tuple[str, ...] = (MAIN, REFUSED)
    loop: str = ""
    reports: int = 1
    """How often the report on who was refused arrives, where there is one."""


POINTS = (
    Point("1a", nothing, 0),
    Point("1b", nothing, 0),
    Point("2", nothing, 0),
    Point("3", orphan, 0, LARGE),
    Point("4a", orphan, 0, LARGE),
    Point("4b", orphan, 0, LARGE),
    Point("5", orphan, 0, LARGE),
    Point("6a", nothing, 0),
    Point("6b", nothing, 0),
    Point("6c", nothing, 0),
    Point("6d", nothing, 0),
    Point("6e", orphan, 0, LARGE),
    Point("7a", nothing, 0),
    Point("7b", active, 1),
    Point("7c", active, 1, LARGE),
    Point("8a", active, 1),
    Point("8b", active, 1, LARGE),
    Point("9", active, 1),
    Point("9", active, 1, LARGE, loop="asyncio"),
    Point("10a", active, 1, LARGE),
    Point("10b", active, 1, recipients=(OTHER,)),
    Point("10c", active, 1, loop="asyncio"),
    Point("10d", active, 1),
    Point("10e", active, 1, LARGE),
    Point("10f", active, 1, LARGE),
    Point("12", active, 2),
    Point("12", active, 2, LARGE, loop="asyncio"),
    Point("13a", active, 2),
    Point("13b", active, 2, LARGE),
    Point("13c", report_active, 1, reports=2),
    Point("14a", active, 2),
    Point("14b", active, 2),
    Point("14c", active, 2, LARGE),
    Point("14d", active, 2, LARGE),
    Point("14e", active, 2),
    Point("14f", active, 2, LARGE),
    Point("14g", active, 2),
    Point("14h", settled, 1),
    Point("15", settled_with_file, 1, LARGE),
    Point("16", settled_with_file, 1, LARGE),
    Point("17", settled, 1),
    Point("18", half, 1, LARGE, (MAIN, REFUSED, OTHER)),
)

OTHERS = ("11", "19", "20a", "20b", "21", "22", "23a", "23b", "24", "25", "26")
"""The points that have a test of their own in test_crash_elsewhere.py."""
RECORDING = ("27", "28", "29", "30a", "30b", "31a", "31b", "32", "33")
"""Those of recording, in test_crash_recording.py."""


def _number(key: str) -> int:
    found = re.match(r"\d+", key)
    return int(found[0]) if found else 0


def test_every_point_of_the_page_is_hit() -> None:
    """Whatever point docs/queue.md numbers is covered here, and nothing that it does not number."""
    numbered = [int(n) for n in re.findall(r"^\| (\d+) \|", _PAGE.read_text("utf-8"), re.MULTILINE)]
    covered = {point.key for point in POINTS} | set(OTHERS) | set(RECORDING)
    assert {_number(key) for key in covered} == set(numbered)
    assert covered == {key for key in ARM if _number(key)}


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.key}{point.loop and '-' + point.loop}")
def test_killed_at_a_point(tmp_path: Path, point: Point) -> None:
    """Killed exactly there, it has left what the table says; started again, it delivers what it acknowledged."""
    with crash_stage(tmp_path, loop=point.loop) as stage:
        stage.start(point.key)
        with Load(stage.relay.gateway) as load:
            load.wait_for(12)
            answer = load.submit("victim", point.recipients, point.octets, helo="victim.test")
            assert stage.service.wait() == KILLED
        left = stage.snapshot()
        point.left(left)
        assert not answer or (point.left is not nothing and point.left is not orphan)
        stage.age_spool()
        stage.start()
        stage.wait_until_empty()
        account = settle_accounts(load.sent, stage.arrived, left)
        for address in point.recipients:
            assert account.copies[address] == (0 if address == REFUSED else point.arrivals), address
        told = point.reports if point.arrivals and REFUSED in point.recipients else 0
        assert account.reports["victim"] == told
        assert stage.service.stop() == 0
        assert "Traceback" not in stage.service.logs()
