"""Mail is recorded in Salesforce as it should be: on the right people, once, with few calls."""

from pathlib import Path

from relay.demo.salesforce.simulator import Simulator
from tests.support.recording_house import OUT, recording_house
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce


async def test_a_mail_becomes_an_email_message(tmp_path: Path, salesforce: Simulator) -> None:
    """A mail to a contact is one EmailMessage on that contact, with the rep as its sender."""
    (person,) = people(salesforce, 1)
    async with recording_house(tmp_path, salesforce) as house:
        message = await house.accept(OUT)
        (delivery,) = await house.recorded(message)
        (made,) = salesforce.rows("EmailMessage")
        assert made["Subject"] == "The offer"
        assert list(made["ToIds"]) == [person]  # type: ignore[call-overload]
        row = await house.row(message)
        assert row.salesforce_id == made["Id"]
        assert str(made["Id"]) in delivery.reason
        (told,) = await house.events(message, "log.succeeded")
        assert told.data["record"] == made["Id"]
    assert salesforce.refused == []
