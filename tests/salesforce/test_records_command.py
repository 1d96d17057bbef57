"""`relay records` while mail is recorded at the simulated Salesforce."""

import asyncio
from pathlib import Path

from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from relay.ids import QueueId
from relay.queue.model import State
from tests.support.command import Ran, relay
from tests.support.recording_house import OUT, RecordingHouse, mail_text, recording_house
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce

CORE = {"message", "delivery", "salesforce_id", "object", "related", "state", "reason"}


async def records(house: RecordingHouse, *arguments: str) -> Ran:
    """Run a command beside the service."""
    ran = await asyncio.to_thread(relay, "records", *arguments, "-c", str(house.configuration.path))
    house.runner.wake()
    return ran


async def test_they_are_listed_and_shown(tmp_path: Path, salesforce: Simulator) -> None:
    """A record that is there, and one that waits, with all that programs and people need."""
    (person,) = people(salesforce, 1)
    async with recording_house(tmp_path, salesforce) as house:
        made, strange = await house.accept(), await house.accept("stranger@new.example")
        await house.recorded(made)
        await house.held(strange)
        ran = await records(house, "list", "--json")
        (item,) = ran.items
        assert set(item) >= CORE
        assert (item["message"], item["state"], item["salesforce_id"]) == (strange, "held", None)
        assert item["unmatched"] == ["stranger@new.example"]
        ran = await records(house, "list", "--all", "--json", "--user", "ana")
        first = ran.items[0]
        assert (first["object"], first["related"], first["state"]) == ("EmailMessage", [person], "sent")
        assert first["salesforce_id"] == salesforce.rows("EmailMessage")[0]["Id"]
        shown = await records(house, "show", made)
        assert shown.code == 0
        assert str(first["salesforce_id"]) in shown.out
        assert person in shown.out
        assert (await records(house, "show", "0000000000000")).code == 1


async def test_retrying(tmp_path: Path, salesforce: Simulator) -> None:
    """What is held is made once somebody has mended it and says so."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, "  record: task") as house:
        salesforce.inject(
            Injected(
                Action.ANSWER,
                status=400,
                code="REQUIRED_FIELD_MISSING",
                message="x",
                path="/sobjects/Task/?$",
            )
        )
        message = await house.accept()
        await house.held(message)
        ran = await records(house, "retry", "--all", "--json")
        assert [one["message"] for one in ran.items] == [message]
        assert "REQUIRED_FIELD_MISSING" in str(ran.items[0]["reason"])
        assert str(ran.items[0]["reason"]).startswith("to be tried again; before: ")
        await house.recorded(message)


async def test_skipping(tmp_path: Path, salesforce: Simulator) -> None:
    """A record that nobody wants is skipped, and its mail is closed."""
    async with recording_house(tmp_path, salesforce) as house:
        message = await house.accept("stranger@new.example")
        await house.held(message)
        ran = await records(house, "skip", message, "--because", "private", "--json")
        assert [(one["state"], one["reason"]) for one in ran.items] == [("skipped", "private")]
        assert await house.events(message, "message.closed")


async def test_relating_what_waits(tmp_path: Path, salesforce: Simulator) -> None:
    """Unmatched mail is recorded on the contact that somebody names."""
    contact = salesforce.add("Contact", LastName="Other", Email="other@buyer.example")
    async with recording_house(tmp_path, salesforce) as house:
        message = await house.accept("stranger@new.example")
        await house.held(message)
        ran = await records(house, "relate", message, contact, "--json")
        assert ran.code == 0, ran.err
        if ran.items[0]["state"] != "sent":
            assert str(ran.items[0]["reason"]).startswith(f"to be recorded on {contact}; before: unmatched: ")
        await house.recorded(message)
        assert contact in (await house.row(message)).related


async def test_relating_what_is_there(tmp_path: Path, salesforce: Simulator) -> None:
    """A record that is there stands on an opportunity, too."""
    people(salesforce, 1)
    account = salesforce.add("Account", Name="Buyer")
    opportunity = salesforce.add(
        "Opportunity", Name="North", AccountId=account, StageName="Prospecting", CloseDate="2026-12-31"
    )
    async with recording_house(tmp_path, salesforce) as house:
        message = await house.accept()
        await house.recorded(message)
        ran = await records(house, "relate", message, opportunity, "--json")
        assert ran.code == 0, ran.err
        assert opportunity in ran.items[0]["related"]
        assert salesforce.rows("EmailMessage")[0]["RelatedToId"] == opportunity
        assert await house.events(message, "log.related")


async def test_undoing(tmp_path: Path, salesforce: Simulator) -> None:
    """What was made is deleted; the same mail is not recorded again, and the reason says so."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce) as house:
        message = await house.accept(message_id="<1@example.com>")
        await house.recorded(message)
        ran = await records(house, "undo", message, "--json")
        assert ran.code == 0, ran.err
        assert [one["state"] for one in ran.items] == ["undone"]
        assert salesforce.rows("EmailMessage") == []
        assert await house.events(message, "log.undone")
        again = await house.accept(message_id="<1@example.com>")
        found = await house.wait_for(again, State.SKIPPED)
        assert "undone" in found.reason
        assert salesforce.rows("EmailMessage") == []


async def test_undoing_twice(tmp_path: Path, salesforce: Simulator) -> None:
    """What is undone, and what nothing was made of, is told to be so; Salesforce is not asked again."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce) as house:
        message, strange = await house.accept(), await house.accept("stranger@new.example")
        await house.recorded(message)
        await house.held(strange)
        first = await records(house, "undo", message, strange)
        assert (first.code, first.err) == (0, "")
        asked = len(salesforce.calls)
        ran = await records(house, "undo", message, strange)
        assert ran.code == 0
        assert f"{message}: it is undone already" in ran.err
        related = await records(house, "relate", message, "003000000000001AAA")
        assert (related.code, related.out) == (1, "")
        assert "it is undone, and what was taken back is not made again" in related.err
        assert f"{strange}: nothing was made of it: it is cancelled" in ran.err
        assert len(salesforce.calls) == asked


async def test_undoing_when_salesforce_is_away(tmp_path: Path, salesforce: Simulator) -> None:
    """The tombstone is there at once; the record is deleted when it is undone once more."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce) as house:
        message = await house.accept()
        await house.recorded(message)
        salesforce.inject(Injected(Action.ANSWER, method="DELETE"))
        ran = await records(house, "undo", message)
        assert ran.code == 1
        assert "SERVER_UNAVAILABLE" in ran.err
        assert len(salesforce.rows("EmailMessage")) == 1
        assert (await records(house, "undo", message)).code == 0
        assert salesforce.rows("EmailMessage") == []


async def test_undoing_in_time(tmp_path: Path, salesforce: Simulator) -> None:
    """Within logging.delay nothing was made yet: it is cancelled."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, "  delay: 1h") as house:
        message = await house.accept()
        await house.wait_for(message, State.QUEUED)
        assert (await records(house, "undo", message)).code == 0
        assert (await house.delivery(message)).state is State.CANCELLED
        assert salesforce.calls == []


async def test_what_an_add_in_logged_is_left(tmp_path: Path, salesforce: Simulator) -> None:
    """Undoing deletes only what the relay has made."""
    people(salesforce, 1)
    salesforce.add("EmailMessage", MessageIdentifier="<1@example.com>", Subject="x", Status="3")
    async with recording_house(tmp_path, salesforce, "  already_logged: check") as house:
        message = await house.accept(message_id="<1@example.com>")
        await house.recorded(message)
        assert (await records(house, "undo", message)).code == 0
        assert len(salesforce.rows("EmailMessage")) == 1


def box(folder: Path) -> Path:
    """Write an mbox with two mails of ana, one of somebody else's."""
    first = mail_text("ana", [OUT], "<one@example.com>", "First").replace(b"\r\n", b"\n")
    second = mail_text("ana", [OUT], "<two@example.com>", "Second").replace(b"\r\n", b"\n")
    other = mail_text("zoe", [OUT], "<three@example.com>", "Third").replace(b"\r\n", b"\n")
    line = b"From MAILER Mon Sep 21 14:13:20 2026\n"
    path = folder / "sent.mbox"
    path.write_bytes(b"\n".join(line + one for one in (first, second, other)))
    return path


async def test_past_mail(tmp_path: Path, salesforce: Simulator) -> None:
    """Mail of a mailbox is recorded without being sent, with the time it was sent at; imported twice, it is there once."""
    (person,) = people(salesforce, 1)
    path = box(tmp_path)
    async with recording_house(tmp_path, salesforce) as house:
        ran = await records(house, "import", str(path), "--as", "ana", "--json")
        assert ran.code == 0, ran.err
        assert [(one["subject"], one["state"]) for one in ran.items] == [
            ("First", "queued"),
            ("Second", "queued"),
            ("Third", "skipped"),
        ]
        messages = [QueueId(one["message"]) for one in ran.items[:2]]
        await house.recorded(*messages)
        made = salesforce.rows("EmailMessage")
        assert {row["Subject"] for row in made} == {"First", "Second"}
        assert all("2026-09-21T14:13:20" in str(row["MessageDate"]) for row in made)
        assert all(list(row["ToIds"]) == [person] for row in made)  # type: ignore[call-overload]
        assert house.courier.attempts == []


async def test_past_mail_that_is_known(tmp_path: Path, salesforce: Simulator) -> None:
    """What was imported or sent before is told to be known, as the message that it is, and nothing is asked of Salesforce."""
    people(salesforce, 1)
    path = box(tmp_path)
    async with recording_house(tmp_path, salesforce) as house:
        sent = await house.accept(message_id="<one@example.com>")
        await house.recorded(sent)
        first = await records(house, "import", str(path), str(path), "--as", "ana", "--json")
        second = QueueId(first.items[1]["message"])
        assert [(one["message"], one["state"]) for one in first.items] == [
            (sent, "known"), (second, "queued"), (None, "skipped"),
            (sent, "known"), (second, "known"), (None, "skipped"),
        ]  # fmt: skip
        await house.recorded(second)
        asked = len(salesforce.calls)
        again = await records(house, "import", str(path), "--as", "ana")
        assert again.code == 0, again.err
        assert "0 of 3 mails to be recorded, 2 known already" in again.err
        assert again.out.count("it is known already: sent") == 2
        assert len(salesforce.rows("EmailMessage")) == 2
        assert len(salesforce.calls) == asked


async def test_undoing_what_nobody_knows_of(tmp_path: Path, salesforce: Simulator) -> None:
    """The answer to a creation was lost: undoing looks for the record, and leaves none behind."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce) as house:
        await house.recorded(await house.accept())
        salesforce.inject(Injected(Action.RESET_AFTER_COMMIT, path=r"/composite/?$"))
        message = await house.accept()
        await house.tried(message)
        assert len(salesforce.rows("EmailMessage")) == 2
        ran = await records(house, "undo", message, "--json")
        assert ran.code == 0, ran.err
        assert len(salesforce.rows("EmailMessage")) == 1


async def test_undoing_as_each_rep(tmp_path: Path, salesforce: Simulator) -> None:
    """With nobody named to look up, what nobody knows of is looked for all the same, and deleted."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, kind="jwt") as house:
        message = await house.accept()
        await house.recorded(message)
        forget = (
            "UPDATE record SET state = 'started', salesforce_id = NULL, changed_at = changed_at - 3600000000"
        )
        await house.database.write(lambda tx: tx.execute(forget))
        ran = await records(house, "undo", message)
        assert ran.code == 0, ran.err
        assert not salesforce.rows("EmailMessage")


async def test_a_restored_backup(tmp_path: Path, salesforce: Simulator) -> None:
    """What was recorded after a backup was made is found when the backup is put back and released: not made again."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False) as house:
        message = await house.accept()
        async with asyncio.timeout(30):
            while (await house.delivery(message)).state is not State.QUEUED:  # noqa: ASYNC110 - it is in the store
                await asyncio.sleep(0.01)
        contact = salesforce.rows("Contact")[0]["Id"]
        salesforce.add(
            "EmailMessage",
            MessageIdentifier=(await house.delivery(message)).message_id,
            ToIds=[contact],
            Status="3",
            Subject="The offer",
        )
        await house.database.write(lambda tx: house.queue.hold_everything(tx, "restored from a backup of …"))
        await records(house, "retry", message)
        house.start()
        await house.recorded(message)
        assert len(salesforce.rows("EmailMessage")) == 1
