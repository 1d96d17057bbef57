"""What keeps recording from going on is said once, wherever somebody looks, and ends as soon as it is mended."""

from pathlib import Path

from relay.demo.salesforce.faults import over_limit
from relay.demo.salesforce.simulator import Simulator
from relay.queue.model import State
from tests.support.recording_house import RecordingHouse, recording_house
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce


def pauses(house: RecordingHouse) -> list[tuple[str, str]]:
    """Give who pauses, and by which code."""
    status = house.recording.status()
    assert status is not None
    return [(one["identity"], one["code"]) for one in status["paused"]]  # type: ignore[attr-defined]


async def test_everybody_pauses_once(tmp_path: Path, salesforce: Simulator) -> None:
    """A pause of everybody is told once, not once for each rep who signs in; that of one rep is that rep's."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, kind="jwt", reps=30) as house:
        await house.recorded(await house.accept())
        salesforce.inject(over_limit())
        await house.wait_for(await house.accept(), State.DEFERRED)
        assert pauses(house) == [("*", "REQUEST_LIMIT_EXCEEDED")]
