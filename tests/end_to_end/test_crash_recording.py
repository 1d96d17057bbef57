"""Killed at every step of recording, the relay makes each record once, and none is missing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from tests.support.api_mode import api_mode
from tests.support.crash_left import Snapshot
from tests.support.crash_load import Load
from tests.support.crash_stage import KILLED, Stage, crash_stage
from tests.support.eventually import eventually
from tests.support.running import Settings, with_changes
from tests.support.salesforce import salesforce as salesforce

pytestmark = pytest.mark.timeout(400)  # each starts many processes: on a starved machine that takes minutes
VICTIM = "victim@buyer.example"


def _record(left: Snapshot) -> str:
    victim = left.of("victim")
    assert victim is not None
    return next(state for role, _, state in victim.deliveries if role == "record")


def released(left: Snapshot) -> None:
    """The mail has arrived, its record is due, and nothing was asked for."""
    assert _record(left) == "queued"


def active(left: Snapshot) -> None:
    """It was being recorded."""
    assert _record(left) == "active"


@dataclass(frozen=True)
class Point:
    """One way to hit a crash point of recording, and what must come of it."""

    key: str
    left: Callable[[Snapshot], None]
    rows: dict[str, int]
    """Intended records that are left, by state."""
    there: int
    """Records that are in Salesforce then."""


POINTS = (
    Point("27", released, {}, 0),
    Point("28", active, {}, 0),
    Point("29", active, {"started": 1}, 0),
    Point("30a", active, {"started": 1}, 1),
    Point("30b", active, {"started": 1}, 1),
    Point("31a", active, {"made": 1}, 1),
    Point("31b", active, {"made": 1}, 1),
    Point("32", active, {"made": 1}, 1),
)


def _settings(salesforce: Simulator, folder: Path) -> Settings:
    files = {"bcc_recipients": True, "attachments": "files"}
    return with_changes(api_mode(salesforce, folder, capture=files), {"salesforce": {"timeout": "5s"}})


def _rows(stage: Stage) -> dict[str, int]:
    return {str(state): int(str(count)) for state, count in stage._ask(_STATES)}


_STATES = "SELECT state, count(*) FROM record GROUP BY state"
ATTACHED = b"""From: ana@example.com\r
To: victim@buyer.example\r
Subject: victim\r
Message-ID: <victim@example.com>\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/plain\r
\r
See the file.\r
--b\r
Content-Type: application/pdf\r
Content-Disposition: attachment; filename=offer.pdf\r
\r
one\r
--b--\r
"""


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.key)
def test_killed_while_recording(tmp_path: Path, salesforce: Simulator, point: Point) -> None:
    """Killed exactly there, it has left what the table says; started again, the record is there, once and whole."""
    salesforce.add("Contact", LastName="Victim", Email=VICTIM)
    with crash_stage(tmp_path, _settings(salesforce, tmp_path)) as stage:
        stage.start(point.key)
        with Load(stage.relay.gateway, senders=0) as load:
            load.submit_content("victim", [VICTIM], ATTACHED)
            assert stage.service.wait() == KILLED
        point.left(stage.snapshot())
        assert _rows(stage) == point.rows
        assert len(salesforce.rows("EmailMessage")) == point.there
        stage.start()
        stage.wait_until_empty()
        (made,) = salesforce.rows("EmailMessage")
        senders = [
            row for row in salesforce.rows("EmailMessageRelation") if row["RelationType"] == "FromAddress"
        ]
        assert len(senders) == 1
        assert [row["PathOnClient"] for row in salesforce.rows("ContentVersion")] == ["offer.pdf"]
        assert stage._ask("SELECT state, salesforce_id, pending FROM record") == [("made", made["Id"], 0)]
        assert stage._ask("SELECT state FROM delivery WHERE role = 'record'") == [("sent",)]
        assert stage.service.stop() == 0
        assert "Traceback" not in stage.service.logs()


def test_killed_while_salesforce_is_at_work(tmp_path: Path, salesforce: Simulator) -> None:
    """Killed and started again before Salesforce has carried the call out: it is waited for, and not made once more."""
    salesforce.add("Contact", LastName="Victim", Email=VICTIM)
    salesforce.inject(Injected(Action.LATE, path=r"/composite/?$", nth=2, seconds=600.0))
    patient = {"salesforce": {"timeout": "60s"}}  # so long it may be at work on a call
    with crash_stage(tmp_path, with_changes(_settings(salesforce, tmp_path), patient)) as stage:
        stage.start()
        with Load(stage.relay.gateway, senders=0) as load:
            load.submit_content("victim", [VICTIM], ATTACHED)
            eventually(
                lambda: sum(one.operation == "composite" for one in salesforce.calls),
                lambda made: made == 2,
                60.0,
            )
        stage.service.kill()
        assert _rows(stage) == {"started": 1}
        assert salesforce.rows("EmailMessage") == []
        stage.start()
        eventually(lambda: "not known yet" in str(stage._ask("SELECT reason FROM delivery")), limit=50.0)
        salesforce.advance(timedelta(seconds=600))
        eventually(lambda: salesforce.rows("EmailMessage"))
        assert stage.service.run("records", "retry", "--all").returncode == 0
        stage.wait_until_empty()
        (made,) = salesforce.rows("EmailMessage")
        assert stage._ask("SELECT state, salesforce_id, pending FROM record") == [("made", made["Id"], 0)]
        assert len(salesforce.rows("ContentVersion")) == 1
        assert stage.service.stop() == 0


def test_killed_while_undoing(tmp_path: Path, salesforce: Simulator) -> None:
    """Point 33: the tombstone is there, the record not deleted yet; the same command once more deletes it."""
    salesforce.add("Contact", LastName="Victim", Email=VICTIM)
    with crash_stage(tmp_path, _settings(salesforce, tmp_path)) as stage:
        stage.start()
        with Load(stage.relay.gateway, senders=0) as load:
            load.submit_content("victim", [VICTIM], ATTACHED)
        stage.wait_until_empty()
        (message,) = [str(row[0]) for row in stage._ask("SELECT id FROM delivery WHERE role = 'record'")]
        stage.service.dies_at("33", "records", "undo", message)
        assert _rows(stage) == {"undone": 1}
        assert len(salesforce.rows("EmailMessage")) == 1
        assert stage.service.run("records", "undo", message).returncode == 0
        assert salesforce.rows("EmailMessage") == []
        assert stage.service.stop() == 0
