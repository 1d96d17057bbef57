"""Excluded and internal recipients of a mail that is recorded for somebody else."""

from pathlib import Path

from relay.demo.salesforce.simulator import Simulator
from tests.support.recording_house import OUT, recording_house
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce

BANK = "person1@bank.example"


async def test_an_excluded_recipient_is_not_on_the_record(tmp_path: Path, salesforce: Simulator) -> None:
    """The bank is a contact, too; the record of a mail to a customer and the bank stands on the customer alone."""
    (customer,) = people(salesforce, 1)
    people(salesforce, 1, domain="bank.example")
    async with recording_house(
        tmp_path, salesforce, '  exclude: {recipients: ["*@bank.example"]}\n'
    ) as house:
        await house.recorded(await house.accept(OUT, BANK))
        (made,) = salesforce.rows("EmailMessage")
        assert list(made["ToIds"]) == [customer]  # type: ignore[call-overload]
        assert made["ToAddress"] == BANK
