"""A service that is told to stop in the middle of a Salesforce call ends in time, and the record is there once."""

import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from tests.support.api_mode import api_mode
from tests.support.crash_load import Load
from tests.support.crash_stage import Stage, crash_stage
from tests.support.eventually import eventually
from tests.support.running import with_changes
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce

_SENT = "person1@buyer.example"
_STATES = "SELECT state, count(*) FROM record GROUP BY state"
_BLIND = {"bcc_recipients": True}


_LATE = 600.0
"""Seconds of Salesforce's time until it has carried the call out: it never has before the test says so."""


def _in_the_middle(stage: Stage, salesforce: Simulator) -> None:
    """Start, submit, and come to where Salesforce is at work on the call that makes the record."""
    people(salesforce, 1)
    salesforce.inject(Injected(Action.LATE, path=r"/composite/?$", nth=2, seconds=_LATE))
    stage.start()
    with Load(stage.relay.gateway, senders=0) as load:
        load.submit("mail", [_SENT], 1000)
        stage.relay.mail_for(_SENT)
    eventually(lambda: stage._ask(_STATES), lambda found: found == [("started", 1)])
    eventually(lambda: [one.operation for one in salesforce.calls].count("composite") == 2)


def _made_once(stage: Stage, salesforce: Simulator) -> None:
    stage.wait_until_empty()
    (made,) = salesforce.rows("EmailMessage")
    assert stage._ask("SELECT state, salesforce_id FROM record") == [("made", made["Id"])]
    assert stage._ask("SELECT state FROM delivery WHERE role = 'record'") == [("sent",)]
    assert stage.service.stop() == 0
    assert "Traceback" not in stage.service.logs()


def test_a_call_that_ends_in_time(tmp_path: Path, salesforce: Simulator) -> None:
    """The call under way is waited for: the record is made and settled before the end, and not looked for afterwards."""
    with crash_stage(tmp_path, api_mode(salesforce, tmp_path, capture=_BLIND)) as stage:
        _in_the_middle(stage, salesforce)
        stage.service.signal(signal.SIGTERM)
        eventually(lambda: "stopping: " in stage.service.logs())
        salesforce.advance(timedelta(seconds=_LATE))
        assert stage.service.wait() == 0
        assert stage._ask(_STATES) == [("made", 1)]
        calls = len(salesforce.calls)
        stage.start()
        _made_once(stage, salesforce)
        assert len(salesforce.calls) == calls


@pytest.mark.parametrize(("signals", "limit"), [(1, 50.0), (2, 20.0)])
def test_a_call_that_does_not(tmp_path: Path, salesforce: Simulator, signals: int, limit: float) -> None:
    """The end comes after 30 seconds, and at once when it is asked for twice; the next start finds the record."""
    changes = with_changes(api_mode(salesforce, tmp_path, capture=_BLIND), {"salesforce": {"timeout": "60s"}})
    with crash_stage(tmp_path, changes) as stage:
        _in_the_middle(stage, salesforce)
        began = time.monotonic()
        stage.service.signal(signal.SIGTERM)
        if signals == 2:
            eventually(lambda: "stopping: " in stage.service.logs())
            stage.service.signal(signal.SIGTERM)
        assert stage.service.wait(limit) == 0
        assert time.monotonic() - began < limit
        assert stage._ask(_STATES) == [("started", 1)]
        assert salesforce.rows("EmailMessage") == []
        stage.start()
        salesforce.advance(timedelta(seconds=_LATE))
        eventually(lambda: salesforce.rows("EmailMessage"))
        assert stage.service.run("records", "retry", "--all").returncode == 0
        _made_once(stage, salesforce)
