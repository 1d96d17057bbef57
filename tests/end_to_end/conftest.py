"""A relay that runs for the tests of one file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from relay.storage.sqlite import DATABASE_NAME
from tests.support.eventually import eventually
from tests.support.running import RunningRelay, running_relay

_ON_ITS_WAY = "SELECT id FROM delivery WHERE state IN ('queued', 'active')"


@pytest.fixture(scope="module")
def shared_relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRelay]:
    """One `relay serve` process for a whole file."""
    with running_relay(tmp_path_factory.mktemp("relay")) as relay:
        yield relay


@pytest.fixture
def relay(shared_relay: RunningRelay) -> RunningRelay:
    """The running relay, with nothing captured yet: what an earlier test has sent has come or waits for long."""
    eventually(lambda: _on_its_way(shared_relay), lambda found: not found)
    shared_relay.hop.clear()
    return shared_relay


def _on_its_way(relay: RunningRelay) -> list[tuple[int]]:
    state = Path(yaml.safe_load(relay.service.config.read_text("utf-8"))["server"]["state_dir"])
    with closing(sqlite3.connect(f"file:{state / DATABASE_NAME}?mode=ro", uri=True)) as database:
        return database.execute(_ON_ITS_WAY).fetchall()
