"""A relay that runs for the tests of one file."""

from collections.abc import Iterator

import pytest

from tests.support.running import RunningRelay, running_relay


@pytest.fixture(scope="module")
def shared_relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRelay]:
    """One `relay serve` process for a whole file."""
    with running_relay(tmp_path_factory.mktemp("relay")) as relay:
        yield relay


@pytest.fixture
def relay(shared_relay: RunningRelay) -> RunningRelay:
    """The running relay, with nothing captured yet."""
    shared_relay.hop.clear()
    return shared_relay
