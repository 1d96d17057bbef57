"""Mail is recorded in Salesforce as the settings say: on the right people, once, and every other end has its reason."""

import asyncio
from pathlib import Path

import pytest

from relay.delivery_kind import Role
from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from relay.queue.model import State
from relay.queue.selection import Selection
from relay.salesforce.background import add_late_recipients, rematch
from tests.support.couriers import BUSY, REFUSED, SENT
from tests.support.recording_house import OUT, RecordingHouse, mail_text, recording_house
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce

STRANGER = "stranger@new.example"
DAY = 86_400


async def background(house: RecordingHouse) -> None:
    """Do what is done in the background."""
    tools = house.recording._tools
    assert tools is not None
    await rematch(tools)
    await add_late_recipients(tools)


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
        assert (row.salesforce_id, row.related) == (made["Id"], (person,))
        assert str(made["Id"]) in delivery.reason
        (told,) = await house.events(message, "log.succeeded")
        assert told.data["record"] == made["Id"]
        (closed,) = await house.events(message, "message.closed")
        assert closed.data["logged"] == "sent"


async def test_as_each_rep(tmp_path: Path, salesforce: Simulator) -> None:
    """With JWT a record is made by the rep's own user."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, kind="jwt") as house:
        await house.recorded(await house.accept(), await house.accept(login="bo"))
        users = {row["Id"]: row["Username"] for row in salesforce.rows("User")}
        makers = {users[row["CreatedById"]] for row in salesforce.rows("EmailMessage")}
        assert makers == {"ana@example.com.crm", "bo@example.com.crm"}


async def test_only_who_has_the_mail_is_recorded(tmp_path: Path, salesforce: Simulator) -> None:
    """A recipient whose mail bounced is not on the record."""
    (first, _) = people(salesforce, 2)
    async with recording_house(tmp_path, salesforce) as house:
        house.courier.answers["person2@buyer.example"] = REFUSED
        message = await house.accept(OUT, "person2@buyer.example")
        await house.recorded(message)
        (made,) = salesforce.rows("EmailMessage")
        assert list(made["ToIds"]) == [first]  # type: ignore[call-overload]
        assert "person2" not in str(made.get("ToAddress"))


async def test_nobody_received_it(tmp_path: Path, salesforce: Simulator) -> None:
    """Mail that bounced everywhere is skipped with that reason, and Salesforce is not asked."""
    async with recording_house(tmp_path, salesforce) as house:
        house.courier.answers[OUT] = REFUSED
        message = await house.accept()
        found = await house.wait_for(message, State.SKIPPED)
        assert found.reason == "nobody received it"
        assert salesforce.calls == []


async def test_the_undo_window(tmp_path: Path, salesforce: Simulator) -> None:
    """With a delay nothing is made before it is over."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, "  delay: 1h") as house:
        message = await house.accept()
        found = await house.wait_for(message, State.QUEUED)
        assert salesforce.calls == []
        assert found.next_attempt_at is not None
        house.later(3601)
        await house.recorded(message)


async def test_unmatched_mail_is_held_and_matched_again(tmp_path: Path, salesforce: Simulator) -> None:
    """Nobody has the address: held for its rep to see; once somebody has it, it is recorded on them."""
    async with recording_house(tmp_path, salesforce) as house:
        message = await house.accept(STRANGER)
        found = await house.held(message)
        assert found.reason.startswith("unmatched: ")
        assert (await house.events(message, "log.unmatched"))[0].data["recipients"] == [STRANGER]
        house.later(400)
        await background(house)
        assert (await house.delivery(message)).state is State.HELD
        contact = salesforce.add("Contact", LastName="Stranger", Email=STRANGER)
        house.later(3600)
        await background(house)
        await house.recorded(message)
        assert (await house.row(message)).related == (contact,)


async def test_unmatched_mail_of_many_is_one_question(tmp_path: Path, salesforce: Simulator) -> None:
    """However many mails wait for a match, one call asks for all."""
    async with recording_house(tmp_path, salesforce, start=False) as house:
        messages = [await house.accept(f"stranger{n}@new.example") for n in range(30)]
        house.start()
        for one in messages:
            await house.held(one)
        salesforce.clear_calls()
        house.later(600)
        await background(house)
        assert len(salesforce.calls) == 1


async def test_unmatched_mail_is_skipped_in_the_end(tmp_path: Path, salesforce: Simulator) -> None:
    """After logging.match.rematch it is skipped, with the reason, and the message is closed."""
    async with recording_house(tmp_path, salesforce) as house:
        message = await house.accept(STRANGER)
        await house.held(message)
        house.later(7 * DAY + 60)
        await background(house)
        found = await house.wait_for(message, State.SKIPPED)
        assert STRANGER in found.reason
        assert await house.events(message, "message.closed")


async def test_what_a_person_holds_is_not_matched_again(tmp_path: Path, salesforce: Simulator) -> None:
    """A record that somebody holds by hand stays so, also when a match would be found."""
    async with recording_house(tmp_path, salesforce) as house:
        message = await house.accept(STRANGER)
        held = Selection(message=message, states=(State.HELD,))
        await house.held(message)
        await house.database.write(lambda tx: house.queue.release(tx, held, house.clock.now()))
        await house.database.write(
            lambda tx: house.queue.hold(tx, Selection(message=message, states=(State.QUEUED,)), "by hand")
        )
        salesforce.add("Contact", LastName="Stranger", Email=STRANGER)
        if (await house.delivery(message)).reason == "by hand":
            house.later(3600)
            await background(house)
            assert (await house.delivery(message)).state is State.HELD


async def test_whom_the_page_made_a_lead_is_known_at_once(tmp_path: Path, salesforce: Simulator) -> None:
    """Once it is told to forget an address, recording finds who has it now, and says no more that nobody has."""
    async with recording_house(tmp_path, salesforce) as house:
        message = await house.accept(STRANGER)
        await house.wait_for(message, State.HELD)
        lead = salesforce.add("Lead", LastName="Stranger", Company="Buyer", Email=STRANGER)
        house.recording.forget([STRANGER])
        again = await house.accept(STRANGER, subject="Once more")
        await house.wait_for(again, State.SENT)
        assert (await house.row(again)).related[0] == lead


@pytest.mark.parametrize(
    ("nobody", "made"), [("unrelated", 1), ("skip", 0), ("create_lead", 1), ("create_contact", 1)]
)
async def test_nobody_has_the_address(tmp_path: Path, salesforce: Simulator, nobody: str, made: int) -> None:
    """logging.match.nobody says what happens: without a relation, not at all, on a new lead or contact."""
    async with recording_house(tmp_path, salesforce, f"  match: {{nobody: {nobody}}}") as house:
        message = await house.accept(STRANGER)
        found = await house.wait_for(message, State.SENT, State.SKIPPED)
        assert found.state is (State.SENT if made else State.SKIPPED)
        assert len(salesforce.rows("EmailMessage")) == made
        new = {"create_lead": "Lead", "create_contact": "Contact"}.get(nobody)
        if new:
            (person,) = salesforce.rows(new)
            assert person["Email"] == STRANGER
            assert (await house.row(message)).related[0] == person["Id"]


async def test_observing(tmp_path: Path, salesforce: Simulator) -> None:
    """In mode observe everything is decided, nothing is written, and the reason says on whom it would have been."""
    (person,) = people(salesforce, 1)
    async with recording_house(tmp_path, salesforce) as house:
        message = await house.accept(mode="observe")
        found = await house.wait_for(message, State.SKIPPED)
        assert found.reason == f"observed only: it would have been logged on contact {person}"
        assert not salesforce.rows("EmailMessage")
        assert not await house.rows(message)


async def test_what_an_add_in_has_logged(tmp_path: Path, salesforce: Simulator) -> None:
    """With `already_logged: check` mail that something else has logged is found, and not logged again."""
    people(salesforce, 1)
    there = salesforce.add("EmailMessage", MessageIdentifier="1@example.com", Subject="x", Status="3")
    async with recording_house(tmp_path, salesforce, "  already_logged: check") as house:
        message = await house.accept(message_id="<1@example.com>")
        (found,) = await house.recorded(message)
        assert "it was there already" in found.reason
        row = await house.row(message)
        assert (row.salesforce_id, row.found) == (there, True)
        assert len(salesforce.rows("EmailMessage")) == 1


async def test_the_same_mail_twice(tmp_path: Path, salesforce: Simulator) -> None:
    """A client that sends a mail with the same Message-ID again: it is in Salesforce once, and both say where."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce) as house:
        first = await house.accept(message_id="<1@example.com>")
        await house.recorded(first)
        second = await house.accept(message_id="<1@example.com>")
        (found,) = await house.recorded(second)
        (made,) = salesforce.rows("EmailMessage")
        assert str(made["Id"]) in found.reason


async def test_the_same_mail_twice_at_once(tmp_path: Path, salesforce: Simulator) -> None:
    """Two mails with the same Message-ID in one round: one is made, the other waits and finds it."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False) as house:
        both = [await house.accept(message_id="<1@example.com>") for _ in range(2)]
        house.start()
        await house.wait_for(both[1], State.SENT)
        await house.wait_for(both[0], State.DEFERRED, State.SENT)
        house.later(120)
        await house.recorded(*both)
        assert len(salesforce.rows("EmailMessage")) == 1


async def test_one_recipient_is_late(tmp_path: Path, salesforce: Simulator) -> None:
    """After wait_for_rest the record is made with who has the mail; who gets it later is added as a relation."""
    first, second = people(salesforce, 2)
    async with recording_house(tmp_path, salesforce) as house:
        house.courier.answers["person2@buyer.example"] = [BUSY, BUSY, BUSY, BUSY, SENT]
        message = await house.accept(OUT, "person2@buyer.example")
        async with asyncio.timeout(30):
            while (await house.delivery(message)).next_attempt_at is None:  # noqa: ASYNC110 - it is in the store
                await asyncio.sleep(0.01)
        house.later(601)
        await house.recorded(message)
        assert (await house.row(message)).related == (first,)
        async with asyncio.timeout(30):
            tried = 0
            while (late := (await house.deliveries(message))[1]).state is not State.SENT:
                if late.state is State.DEFERRED and late.attempts > tried:
                    tried = late.attempts
                    house.later(3600)
                await asyncio.sleep(0.01)
        await background(house)
        assert second in (await house.row(message)).related
        relations = {row["RelationId"] for row in salesforce.rows("EmailMessageRelation")}
        assert second in relations
        assert await house.events(message, "log.related")
        before = len(salesforce.rows("EmailMessageRelation"))
        await background(house)
        assert len(salesforce.rows("EmailMessageRelation")) == before


async def test_a_log_copy_instead(tmp_path: Path, salesforce: Simulator) -> None:
    """With fallback_after_api_failure a record that is refused for good ends, and a log copy is sent, once."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, "  bcc: {fallback_after_api_failure: true}") as house:
        salesforce.inject(
            Injected(
                Action.ITEM,
                code="FIELD_CUSTOM_VALIDATION_EXCEPTION",
                message="no",
                record="The offer",
                times=None,
            )
        )
        message = await house.accept()
        found = await house.wait_for(message, State.BOUNCED)
        assert "a log copy is sent instead" in found.reason
        copies = [one for one in await house.deliveries(message) if one.role is Role.LOG_COPY]
        assert len(copies) == 1
        async with asyncio.timeout(30):
            while not any(  # noqa: ASYNC110 - the queue tells of it
                "salesforce.com" in target for _, some in house.courier.attempts for target in some
            ):
                await asyncio.sleep(0.01)


MULTIPART = b"""From: Ana <ana@example.com>\r
To: person1@buyer.example\r
Subject: Two files\r
Message-ID: <files@example.com>\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/plain\r
\r
See the files.\r
--b\r
Content-Type: application/pdf\r
Content-Disposition: attachment; filename=offer.pdf\r
\r
one\r
--b\r
Content-Type: application/octet-stream\r
Content-Disposition: attachment; filename=setup.exe\r
\r
two\r
--b--\r
"""
FILES = "  capture: {attachments: files}"


async def test_files(tmp_path: Path, salesforce: Simulator) -> None:
    """Attachments are stored after the record; one that is refused undoes nothing, and is told of."""
    people(salesforce, 1)
    salesforce.toggles.blocked_extensions = frozenset({"exe"})
    async with recording_house(tmp_path, salesforce, FILES) as house:
        message = await house.accept(content=MULTIPART, message_id="<files@example.com>")
        (found,) = await house.recorded(message)
        assert len(salesforce.rows("EmailMessage")) == 1
        assert [row["PathOnClient"] for row in salesforce.rows("ContentVersion")] == ["offer.pdf"]
        assert "setup.exe" in found.reason
        assert "setup.exe" in (await house.row(message)).reason


async def test_a_file_is_not_stored_twice(tmp_path: Path, salesforce: Simulator) -> None:
    """The answer to a file is lost: the next attempt sees what is there, and adds only what is not."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, FILES) as house:
        salesforce.inject(Injected(Action.RESET_AFTER_COMMIT, path="ContentVersion"))
        message = await house.accept(content=MULTIPART, message_id="<files@example.com>")
        await house.tried(message)
        assert len(salesforce.rows("EmailMessage")) == 1
        house.later(60)
        await house.recorded(message)
        assert len(salesforce.rows("EmailMessage")) == 1
        names = sorted(str(row["PathOnClient"]) for row in salesforce.rows("ContentVersion"))
        assert names == ["offer.pdf", "setup.exe"]


async def test_only_blind_copies(tmp_path: Path, salesforce: Simulator) -> None:
    """Mail to blind copies alone is not recorded unless the settings say so, and the reason says why."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce) as house:
        blind = mail_text("ana", ["somebody@else.example"], "<b@example.com>", "Blind")
        message = await house.accept(OUT, content=blind, message_id="<b@example.com>")
        found = await house.wait_for(message, State.SKIPPED)
        assert "bcc_recipients" in found.reason


async def test_the_rep_is_gone(tmp_path: Path, salesforce: Simulator) -> None:
    """Mail of a rep who was removed meanwhile is held, not lost."""
    async with recording_house(tmp_path, salesforce) as house:
        message = await house.accept(login="nobody")
        assert "not known any more" in (await house.held(message)).reason


async def test_tasks(tmp_path: Path, salesforce: Simulator) -> None:
    """Where Enhanced Email is off a mail to two people is a completed Task for each."""
    salesforce.toggles.enhanced_email = False
    people(salesforce, 2)
    async with recording_house(tmp_path, salesforce) as house:
        message = await house.accept(OUT, "person2@buyer.example")
        await house.recorded(message)
        assert len(salesforce.rows("Task")) == 2
        assert {row.object for row in await house.rows(message)} == {"Task"}


@pytest.mark.parametrize("enhanced", [True, False])
async def test_a_person_account(tmp_path: Path, salesforce: Simulator, enhanced: bool) -> None:
    """Mail to a person account is recorded on its contact, and so on the account."""
    salesforce.toggles.person_accounts, salesforce.toggles.enhanced_email = True, enhanced
    account = salesforce.add("Account", Name="Lund", PersonEmail=OUT, IsPersonAccount=True)
    (contact,) = (row["Id"] for row in salesforce.rows("Contact"))
    async with recording_house(tmp_path, salesforce) as house:
        message = await house.accept(OUT)
        await house.recorded(message)
        row = await house.row(message)
        assert contact in row.related
        (task,) = salesforce.rows("Task")
        assert (task["WhoId"], task["AccountId"]) == (contact, account)
