"""How many calls of Salesforce recording takes: counted, as Salesforce counts them."""

import asyncio
from pathlib import Path

import pytest

from relay.demo.salesforce.simulator import Simulator
from relay.ids import QueueId
from relay.queue.model import State
from tests.support.recording_house import RecordingHouse, recording_house
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce

CHECK = "  already_logged: check"


@pytest.mark.parametrize(("logging", "cold", "cached"), [("", 2, 1), (CHECK, 3, 2)])
async def test_one_message_alone(
    tmp_path: Path, salesforce: Simulator, logging: str, cold: int, cached: int
) -> None:
    """One look-up and one creation; with `check` one look more; once its recipient is known no look-up."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, logging, space=None) as house:
        assert house.recording._tools is not None
        await house.recording._tools.organization.shape()
        salesforce.clear_calls()
        await house.recorded(await house.accept())
        assert len(salesforce.calls) <= cold
        salesforce.clear_calls()
        await house.recorded(await house.accept())
        assert len(salesforce.calls) <= cached


async def thousand(house: RecordingHouse, reps: list[str]) -> list[QueueId]:
    """Take in a thousand mails of reps to five hundred people, as fast as they are taken."""

    async def one(number: int) -> QueueId:
        to = f"person{number % 500 + 1}@buyer.example"
        return await house.accept(to, login=reps[number % len(reps)])

    messages: list[QueueId] = []
    for start in range(0, 1000, 100):
        messages += await asyncio.gather(*(one(number) for number in range(start, start + 100)))
    return messages


async def all_sent(house: RecordingHouse, messages: list[QueueId], patience: float = 120.0) -> None:
    """Wait until every record is made."""
    async with asyncio.timeout(patience):
        while True:
            counts = await house.database.read(
                lambda tx: tx.execute(
                    "SELECT state, count(*) FROM delivery WHERE role = 'record' GROUP BY state"
                )
            )
            if [tuple(one) for one in counts] == [(State.SENT.value, len(messages))]:
                return
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(("logging", "most"), [("", 60), (CHECK, 80)])
async def test_a_thousand_messages_by_one_identity(
    tmp_path: Path, salesforce: Simulator, logging: str, most: int
) -> None:
    """A thousand mails share few calls, those that describe the organisation among them; each is there once."""
    people(salesforce, 500)
    async with recording_house(tmp_path, salesforce, logging, reps=20, space=None) as house:
        messages = await thousand(house, [f"rep{one}" for one in range(20)])
        await all_sent(house, messages)
        made = salesforce.rows("EmailMessage")
        assert len(made) == len({row["MessageIdentifier"] for row in made}) == 1000
        calls = salesforce.calls
        assert len(calls) <= most, [(one.method, one.path, one.operation) for one in calls]


async def test_a_thousand_messages_by_twenty_identities(tmp_path: Path, salesforce: Simulator) -> None:
    """Each rep writes as themselves, and still few calls are made."""
    people(salesforce, 500)
    async with recording_house(tmp_path, salesforce, reps=20, space=None, kind="jwt") as house:
        messages = await thousand(house, [f"rep{one}" for one in range(20)])
        await all_sent(house, messages)
        made = salesforce.rows("EmailMessage")
        assert len(made) == len({row["MessageIdentifier"] for row in made}) == 1000
        assert len({row["CreatedById"] for row in made}) == 20
        calls = salesforce.calls
        assert len(calls) <= 150, [(one.method, one.path, one.operation) for one in calls]
