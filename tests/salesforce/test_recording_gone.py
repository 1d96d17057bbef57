"""A Salesforce that is gone for long costs next to nothing, is said to be gone, and misses no record when it is back."""

from pathlib import Path

from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from relay.queue.model import State
from tests.support.recording_house import recording_house
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce


async def test_salesforce_is_gone_for_long(tmp_path: Path, salesforce: Simulator) -> None:
    """Many mails wait: they are not tried one after the other in vain, each says why, and all are recorded once."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False) as house:
        salesforce.inject(Injected(Action.ANSWER, status=503, times=None))
        messages = [await house.accept() for _ in range(100)]
        house.start()
        for one in messages:
            found = await house.wait_for(one, State.DEFERRED)
            assert "SERVER_UNAVAILABLE" in found.reason
        for _ in range(12):
            house.later(40)
            asked = len(salesforce.calls)
            again = await house.accept()
            messages.append(again)
            await house.wait_for(again, State.DEFERRED)
            assert len(salesforce.calls) - asked <= 8
        assert house.recording.client is not None
        assert house.recording.client.gone() is not None
        salesforce.clear_faults()
        house.later(4000)
        house.try_now()
        await house.recorded(*messages)
        made = salesforce.rows("EmailMessage")
        assert len(made) == len({row["MessageIdentifier"] for row in made}) == len(messages)
        assert house.recording.client.gone() is None
