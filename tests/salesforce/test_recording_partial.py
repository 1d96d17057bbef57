"""What Salesforce refuses of one record of a collection concerns that message alone."""

from pathlib import Path

import pytest

from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from relay.queue.model import State
from tests.support.recording_house import recording_house
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce


@pytest.mark.parametrize(
    ("code", "ends"),
    [
        ("INVALID_FIELD_FOR_INSERT_UPDATE", State.HELD),
        ("STRING_TOO_LONG", State.SENT),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", State.HELD),
        ("DUPLICATES_DETECTED", State.HELD),
        ("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", State.HELD),
    ],
)
async def test_one_of_two_hundred(tmp_path: Path, salesforce: Simulator, code: str, ends: State) -> None:
    """All others are recorded with their senders at the first attempt; the one is mended, or held with the reason."""
    people(salesforce, 60)
    async with recording_house(tmp_path, salesforce, start=False) as house:
        times = 1 if ends is State.SENT else None
        salesforce.inject(Injected(Action.ITEM, code=code, message="no", record="Unlucky", times=times))
        messages = [
            await house.accept(f"person{n}@buyer.example", subject="Unlucky" if n == 7 else "Lucky")
            for n in range(1, 61)
        ]
        house.start()
        unlucky = messages.pop(6)
        found = await house.wait_for(unlucky, ends)
        others = await house.recorded(*messages)
        assert {one.attempts for one in others} <= {0, 1}
        assert ends is State.SENT or code in found.reason
        made = salesforce.rows("EmailMessage")
        assert len(made) == (60 if ends is State.SENT else 59)
        senders = [
            row for row in salesforce.rows("EmailMessageRelation") if row["RelationType"] == "FromAddress"
        ]
        assert len(senders) == len(made)


ODD = [
    "o'brien@buyer.example",
    "no.body@buyer.example",
    "per%cent_under@buyer.example",
    "jörg@buyer.example",
    "a+b&c=d@buyer.example",
]


async def test_odd_addresses(tmp_path: Path, salesforce: Simulator) -> None:
    """Quotes, wildcards and letters of all kinds in an address match that address, and nothing else."""
    salesforce.add("Contact", LastName="O'Brien", Email=ODD[0])
    salesforce.add("Contact", LastName="Percent", Email=ODD[2])
    salesforce.add("Contact", LastName="Other", Email="perXcentYunder@buyer.example")
    salesforce.add("Contact", LastName="Jörg", Email=ODD[3])
    salesforce.add("Contact", LastName="Plus", Email=ODD[4])
    async with recording_house(tmp_path, salesforce, "  match: {nobody: unrelated}") as house:
        messages = [await house.accept(one) for one in (ODD[0], ODD[2], ODD[3], ODD[4], ODD[1])]
        await house.recorded(*messages)
        for message in messages[:4]:
            assert len((await house.row(message)).related) == 1
        assert (await house.row(messages[4])).related == ()


async def test_five_hundred_recipients(tmp_path: Path, salesforce: Simulator) -> None:
    """A mail to more people than are looked up is one record, on as many as the settings say."""
    people(salesforce, 500)
    async with recording_house(tmp_path, salesforce) as house:
        message = await house.accept(*[f"person{n}@buyer.example" for n in range(1, 501)])
        await house.recorded(message)
        assert len(salesforce.rows("EmailMessage")) == 1
