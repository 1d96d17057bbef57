"""What was asked by control addresses is done when the mail is recorded."""

from pathlib import Path

from relay.address import parse_mailbox
from relay.config.crm import Mode
from relay.demo.salesforce.simulator import Simulator
from relay.directory.store import reps_of_settings
from relay.envelope import Envelope, Recipient
from relay.ids import QueueId, queue_id_of
from relay.message import read_header
from relay.policy.decision import Accept, decide
from relay.policy.rules import compile_rules
from relay.queue.model import State
from tests.support.builders import new_message
from tests.support.recording_house import OUT, RecordingHouse, mail_text, recording_house
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce  # the fixture

CONTROLS = "  controls: {domain: log.example.com}"


async def sent(house: RecordingHouse, *recipients: str) -> QueueId:
    """Decide about a mail of ana's as the listener does, and take it in."""
    number = house.runner.next_number()
    text = mail_text("ana", (OUT,), f"<{number}@example.com>", "The offer")
    sender = parse_mailbox("ana@example.com")
    envelope = Envelope(sender, tuple(Recipient(parse_mailbox(one)) for one in recipients))
    reps = reps_of_settings(house.configuration.settings, house.configuration.place, [])
    rules = compile_rules(house.configuration.settings, house.configuration.place, reps)
    ana = next(rep for rep in reps if rep.login == "ana")
    plan = decide(envelope, read_header(text), ana, rules)
    assert isinstance(plan, Accept)
    message = new_message(
        number=number,
        envelope=envelope,
        login="ana",
        accepted_at=house.clock.now(),
        content=text,
        message_id=f"<{number}@example.com>",
        subject="The offer",
        mode=Mode.API.value,
    )
    await house.runner.accept(message, list(plan.deliveries), ())
    return queue_id_of(number)


async def test_headers_only(tmp_path: Path, salesforce: Simulator) -> None:
    """headers@: the record has subject and people, and nothing of the body."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, CONTROLS) as house:
        await house.recorded(await sent(house, OUT, "headers@log.example.com"))
        (made,) = salesforce.rows("EmailMessage")
    assert made["Subject"] == "The offer"
    assert "here is the offer" not in str(made)
    assert "log.example.com" not in str(made)


async def test_a_record_that_was_named(tmp_path: Path, salesforce: Simulator) -> None:
    """rec+ID@: the record is related to what was named, also when the mail client wrote the id in small letters."""
    people(salesforce, 1)
    account = salesforce.add("Account", Name="North site")
    async with recording_house(tmp_path, salesforce, CONTROLS) as house:
        await house.recorded(await sent(house, OUT, f"rec+{account.lower()}@log.example.com"))
        (made,) = salesforce.rows("EmailMessage")
    assert made["RelatedToId"] == account


async def test_private(tmp_path: Path, salesforce: Simulator) -> None:
    """private@: nobody is looked up and nothing is written; the reason stands at the record."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, CONTROLS) as house:
        message = await sent(house, OUT, "private@log.example.com")
        found = await house.wait_for(message, State.SKIPPED)
        assert "private@" in found.reason
    assert salesforce.calls == []
