"""Reminders and Salesforce Tasks in step, both ways, at the simulated Salesforce over TLS."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from relay.reminders.calls import SyncRules
from relay.reminders.model import Link, Priority, State, SubjectRule, Tally, WithPerson
from relay.reminders.outgoing import OutgoingStore, decide_deletions
from tests.support.reminders import ANA, BO, Desk, desk
from tests.support.salesforce import people, salesforce

__all__ = ["salesforce"]


@pytest.fixture
async def at(salesforce: Simulator, tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a desk whose switch is on and whose first run is done."""
    async with desk(salesforce, tmp_path) as opened:
        yield opened


async def _started(at: Desk) -> None:
    await at.switch()
    assert await at.cycle() == Tally()


async def test_a_reminder_travels_out(at: Desk) -> None:
    """What is entered here after switching on is made in Salesforce, with its fields and its owner."""
    await _started(at)
    made = await at.add(
        "Call Anna", details="about the offer", due=date(2026, 11, 30), priority=Priority.HIGH
    )
    assert await at.cycle() == Tally(pushed=1)
    task = at.task()
    assert (task["Subject"], task["Description"], task["ActivityDate"]) == (
        "Call Anna",
        "about the offer",
        "2026-11-30",
    )
    assert (task["Priority"], task["Status"], task["OwnerId"]) == ("High", "Not Started", at.users[ANA])
    held = await at.only()
    assert (held.id, held.salesforce_id, held.sync(True)) == (made.id, task["Id"], Link.LINKED)
    assert await at.cycle() == Tally()


async def test_edit_complete_and_delete_travel_out(at: Desk) -> None:
    """Edits send the changed fields only, completing writes the closed status, deleting deletes."""
    await _started(at)
    made = await at.add("Call Anna")
    await at.cycle()
    at.salesforce.edit("Task", str(at.task()["Id"]), Priority="Low", Status="In Progress")
    await at.edit(made.id, title="Call Anna again", due=date(2026, 12, 1))
    assert (await at.cycle()).pushed == 1
    task = at.task()
    assert (task["Subject"], task["ActivityDate"]) == ("Call Anna again", "2026-12-01")
    assert (task["Priority"], task["Status"]) == ("Low", "In Progress")
    await at.edit(made.id, state=State.DONE)
    await at.cycle()
    assert at.task()["Status"] == "Completed"
    await at.delete(made.id)
    assert (await at.cycle()).deleted == 1
    assert not at.tasks()
    assert await at.cycle() == Tally()


async def test_create_edit_complete_and_delete_travel_in(at: Desk) -> None:
    """What is made, changed, completed and deleted in Salesforce shows here, with its person."""
    await _started(at)
    (person,) = people(at.salesforce, 1)
    task = at.seed(Subject="Send offer", Priority="High", WhoId=person, ActivityDate="2026-11-24")
    assert await at.cycle() == Tally(pulled=1)
    held = await at.only()
    assert (held.values.title, held.values.priority, held.values.due) == (
        "Send offer",
        Priority.HIGH,
        date(2026, 11, 24),
    )
    assert (held.person.id, held.person.name) == (person, "Person Number 1")
    at.salesforce.edit("Task", task, Subject="Send the offer", Status="Completed")
    assert await at.cycle() == Tally(pulled=1)
    held = await at.only()
    assert (held.values.title, held.values.state) == ("Send the offer", State.DONE)
    at.salesforce.remove("Task", task)
    assert await at.cycle() == Tally(deleted=1)
    assert not await at.reminders()


async def test_first_run_takes_and_pushes_nothing_old(at: Desk) -> None:
    """The first run takes the last day and all open Tasks; what stood here before is never pushed, edited or not."""
    old = at.seed(Subject="Old and open")
    closed = at.seed(Subject="Old and done", Status="Completed")
    at.salesforce.advance(timedelta(days=3))
    at.clock.advance(3 * 86_400)
    at.seed(Subject="New and done", Status="Completed")
    before = await at.add("Stood here before", on=False)
    await at.switch()
    await at.edit(before.id, title="Stood here before, edited")
    tally = await at.cycle()
    assert tally == Tally(pulled=2)
    assert {one.values.title for one in await at.reminders()} == {
        "Old and open",
        "New and done",
        "Stood here before, edited",
    }
    await at.edit(before.id, title="Edited once more")
    await at.cycle()
    assert {str(task["Id"]) for task in at.tasks()} >= {old, closed}
    assert len(at.tasks()) == 3
    held = next(one for one in await at.reminders() if one.id == before.id)
    assert held.sync(True) is Link.NEVER_PUSH
    await at.database.write(lambda tx: at.store.send(tx, before.id, at.clock.now()))
    assert (await at.cycle()).pushed == 1
    assert len(at.tasks()) == 4


async def test_first_run_of_the_last_day(at: Desk) -> None:
    """With last_24h older open Tasks stay where they are until somebody changes them."""
    at.rules = SyncRules(all_open=False)
    old = at.seed(Subject="Old and open")
    at.salesforce.advance(timedelta(days=3))
    at.clock.advance(3 * 86_400)
    at.seed(Subject="New")
    await at.switch()
    assert await at.cycle() == Tally(pulled=1)
    at.salesforce.edit("Task", old, Subject="Old and touched")
    assert await at.cycle() == Tally(pulled=1)


async def test_logs_masters_and_archived_tasks_stay_out(at: Desk) -> None:
    """E-mails, finished calls and archived Tasks are no reminders."""
    at.seed(Subject="Email: Offer", TaskSubtype="Email", Status="Completed")
    at.seed(Subject="Called", TaskSubtype="Call", Status="Completed")
    at.seed(Subject="To call", TaskSubtype="Call")
    at.seed(Subject="Everybody's", OwnerId=at.users[BO])
    await at.switch()
    assert await at.cycle() == Tally(pulled=1)
    assert (await at.only()).values.title == "To call"


async def test_later_change_wins_and_the_other_is_in_the_history(at: Desk) -> None:
    """A field that both sides changed is the later one's; what lost is kept in the history."""
    await _started(at)
    made = await at.add("Call Anna")
    await at.cycle()
    task = str(at.task()["Id"])
    at.salesforce.edit("Task", task, Subject="From Salesforce", Description="and details")
    at.clock.advance(60)
    at.salesforce.advance(timedelta(seconds=60))
    await at.edit(made.id, title="From here")
    assert await at.cycle() == Tally(pulled=1, pushed=1, conflicts=1)
    assert at.task()["Subject"] == "From here"
    held = await at.only()
    assert (held.values.title, held.values.details) == ("From here", "and details")
    (line,) = await at.database.read(lambda tx: at.store.history(tx, made.id))
    assert (line.lost.field, line.lost.lost, line.lost.kept) == ("title", "From Salesforce", "From here")


async def test_reassigned_task_leaves_or_moves(at: Desk) -> None:
    """A Task given to a teammate in step comes to the teammate; one given to a stranger leaves."""
    at.on = {ANA, BO}
    await at.switch(BO)
    await _started(at)
    first, second = at.seed(Subject="To Bo"), at.seed(Subject="To a stranger")
    await at.cycle()
    at.salesforce.edit("Task", first, OwnerId=at.users[BO])
    at.salesforce.edit("Task", second, OwnerId=at.salesforce.integration_user)
    await at.cycle()
    assert not await at.reminders()
    assert (await at.only(BO)).values.title == "To Bo"


async def test_assigning_here_changes_the_owner_there(at: Desk) -> None:
    """A reminder given to a teammate here has the teammate's user as its owner there."""
    at.on = {ANA, BO}
    await at.switch(BO)
    await _started(at)
    made = await at.add("Call Anna")
    await at.cycle()
    await at.database.write(lambda tx: at.store.assign(tx, made.id, BO, at.clock.now()))
    await at.cycle()
    assert at.task()["OwnerId"] == at.users[BO]
    assert (await at.only(BO)).sync(True) is Link.LINKED
    assert await at.cycle() == Tally()


async def test_emptied_bin_is_noticed(at: Desk) -> None:
    """A Task that is gone without a trace is noticed by looking at known ones again, without another call."""
    await _started(at)
    task = at.seed()
    await at.cycle()
    at.salesforce.remove("Task", task)
    at.salesforce.purge("Task", task)
    before = len(at.salesforce.calls)
    assert await at.cycle() == Tally(deleted=1)
    assert len(at.salesforce.calls) == before + 1


async def test_edited_after_the_deletion_stays(at: Desk) -> None:
    """What was deleted there before it was edited here stays here, alone, and says so."""
    await _started(at)
    task = at.seed()
    await at.cycle()
    at.salesforce.remove("Task", task)
    at.clock.advance(60)
    at.salesforce.advance(timedelta(seconds=60))
    held = await at.only()
    await at.edit(held.id, title="Still to be done")
    assert await at.cycle() == Tally(conflicts=1)
    held = await at.only()
    assert (held.salesforce_id, held.sync(True)) == (None, Link.CONFLICT)
    assert "deleted in Salesforce" in held.reason
    assert await at.cycle() == Tally()


async def test_storm_pauses_and_asks(at: Desk) -> None:
    """Many deletions at once wait for a word; keeping them leaves them here untied, confirming deletes them."""
    at.rules = SyncRules(deletions=3)
    tasks = [at.seed(Subject=f"Task {n}") for n in range(6)]
    await at.switch()
    await at.cycle()
    for task in tasks[:5]:
        at.salesforce.remove("Task", task)
    assert (await at.cycle()).deleted == 0
    standing = await at.database.read(lambda tx: at.switches.get(tx, ANA))
    assert (standing.storm, len(await at.reminders())) == (5, 6)
    calls = len(at.salesforce.calls)
    await at.cycle()
    assert len(at.salesforce.calls) == calls
    await at.database.write(lambda tx: decide_deletions(tx, ANA, confirmed=True))
    assert len(await at.reminders()) == 1
    assert await at.cycle() == Tally()


async def test_back_on_after_a_while(at: Desk) -> None:
    """Switched on again, what was deleted in the last 15 days goes, also when the gap was longer."""
    first, second = at.seed(Subject="One"), at.seed(Subject="Two")
    await at.switch()
    await at.cycle()
    await at.switch(on=False)
    at.salesforce.remove("Task", first)
    at.salesforce.advance(timedelta(days=2))
    at.clock.advance(2 * 86_400)
    await at.switch()
    assert await at.cycle() == Tally(deleted=1)
    await at.switch(on=False)
    at.salesforce.remove("Task", second)
    at.salesforce.advance(timedelta(days=40))
    at.clock.advance(40 * 86_400)
    await at.switch()
    assert await at.cycle() == Tally(deleted=1)


async def test_subject_rules(at: Desk) -> None:
    """Out: a title changed there does not come back, one changed here goes out; none: neither."""
    at.rules = SyncRules(SubjectRule.OUT)
    await _started(at)
    made = await at.add("Call Anna")
    await at.cycle()
    task = str(at.task()["Id"])
    at.salesforce.edit("Task", task, Subject="[Sales] Call Anna")
    assert await at.cycle() == Tally()
    assert (await at.only()).values.title == "Call Anna"
    await at.edit(made.id, title="Call Anna now")
    await at.cycle()
    assert at.task()["Subject"] == "Call Anna now"
    at.rules = SyncRules(SubjectRule.NONE)
    await at.edit(made.id, title="Only here")
    await at.cycle()
    assert at.task()["Subject"] == "Call Anna now"
    assert (await at.only()).sync(True) is Link.LINKED


async def test_renamed_statuses(at: Desk) -> None:
    """The organisation's own words are used, and IsClosed decides."""
    at.salesforce.toggles.status_values = (("Offen", False), ("Erledigt", True), ("Abgebrochen", True))
    at.salesforce.toggles.priority_values = (("Dringend", True), ("Üblich", False))
    await _started(at)
    made = await at.add("Call Anna", priority=Priority.HIGH)
    await at.cycle()
    assert (at.task()["Status"], at.task()["Priority"]) == ("Offen", "Dringend")
    await at.edit(made.id, state=State.DONE, priority=Priority.NORMAL)
    await at.cycle()
    assert (at.task()["Status"], at.task()["Priority"]) == ("Erledigt", "Üblich")
    at.salesforce.edit("Task", str(at.task()["Id"]), Status="Abgebrochen")
    assert await at.cycle() == Tally()


async def test_clock_of_salesforce_counts(at: Desk) -> None:
    """A clock here that is hours behind loses nothing: the mark is Salesforce's."""
    at.clock.advance(-6 * 3600)
    await _started(at)
    at.seed(Subject="One")
    assert await at.cycle() == Tally(pulled=1)
    at.clock.advance(-86_400)
    at.seed(Subject="Two")
    assert await at.cycle() == Tally(pulled=1)
    standing = await at.database.read(lambda tx: at.switches.get(tx, ANA))
    assert standing.watermark is not None
    told = datetime.fromtimestamp(standing.watermark / 1_000_000, UTC)
    assert abs(at.salesforce.now() - told) < timedelta(minutes=1)


async def test_person_is_found_by_address(at: Desk) -> None:
    """A reminder that knows its person by address alone is made on the contact, else the lead, who has it."""
    await _started(at)
    (contact,) = people(at.salesforce, 1)
    (lead,) = people(at.salesforce, 1, kind="Lead", domain="lead.example")
    for address in ("PERSON1@buyer.example", "person1@lead.example", "nobody@buyer.example"):
        await at.add(f"For {address}", person=WithPerson(email=address))
    await at.cycle()
    assert [task.get("WhoId") for task in at.tasks()] == [contact, lead, None]
    assert (await at.reminders())[0].person.name == "Person Number 1"
    assert await at.cycle() == Tally()


async def test_refused_is_told_and_kept(at: Desk) -> None:
    """What Salesforce refuses stays here as it is, with its words, and is sent again once it is changed."""
    await _started(at)
    at.salesforce.toggles.validation_rule = "forbidden"
    made = await at.add("forbidden")
    assert await at.cycle() == Tally(errors=1)
    held = await at.only()
    assert held.sync(True) is Link.ERROR
    assert held.reason
    await at.edit(made.id, title="allowed")
    assert (await at.cycle()).pushed == 1
    await at.edit(made.id, title="forbidden again", details="x")
    assert await at.cycle() == Tally(errors=1)
    assert (await at.only()).sync(True) is Link.CONFLICT
    assert await at.cycle() == Tally()
    assert (await at.only()).values.title == "forbidden again"
    at.salesforce.toggles.validation_rule = ""
    assert (await at.cycle(whole=True)).pushed == 1
    assert at.task()["Subject"] == "forbidden again"
    at.salesforce.clear_calls()


async def test_lost_answer_makes_no_second_task(at: Desk) -> None:
    """When the answer to a create is lost, the Task is found and not made again; also when it was edited meanwhile."""
    await _started(at)
    at.salesforce.inject(Injected(Action.RESET_AFTER_COMMIT, method="POST", operation="create"))
    made = await at.add("Call Anna", details="first")
    await at.outcome()
    assert (await at.only()).salesforce_id is None
    await at.edit(made.id, details="second")
    at.clock.advance(3600)
    at.salesforce.advance(timedelta(seconds=3600))
    await at.synchroniser().send()
    assert at.task()["Description"] == "second"
    assert (await at.only()).salesforce_id == at.task()["Id"]
    assert await at.cycle() == Tally()


@pytest.mark.parametrize("late", [True, False])
async def test_a_create_that_may_still_be_carried_out_is_waited_for(at: Desk, late: bool) -> None:
    """Without our key nothing refuses a second one: it is made again once no call can be at work any more."""
    await _started(at)
    at.salesforce.inject(Injected(Action.RESET_BEFORE, method="POST", operation="create"))
    await at.add("Call Anna")
    await at.outcome()
    for _ in range(2):
        at.clock.advance(45)
        at.salesforce.advance(timedelta(seconds=45))
        await at.synchroniser().send()
        assert at.tasks() == []
    if late:
        at.seed(Subject="Call Anna")
    at.clock.advance(45)
    at.salesforce.advance(timedelta(seconds=45))
    await at.synchroniser().send()
    assert (await at.only()).salesforce_id == at.task()["Id"]
    assert await at.cycle() == Tally()


async def test_each_create_that_may_still_be_carried_out_is_waited_for(at: Desk) -> None:
    """The second call is lost as the first was: from its own start on nothing is made as long."""
    await _started(at)
    at.salesforce.inject(Injected(Action.RESET_BEFORE, method="POST", operation="create", times=2))
    await at.add("Call Anna")
    await at.outcome()
    at.clock.advance(135)
    at.salesforce.advance(timedelta(seconds=135))
    at.salesforce.clear_calls()
    await at.synchroniser().send()
    assert [call for call in at.salesforce.calls if call.operation == "create"]
    for _ in range(2):
        at.clock.advance(45)
        at.salesforce.advance(timedelta(seconds=45))
        await at.synchroniser().send()
        assert at.tasks() == []
    at.seed(Subject="Call Anna")
    at.clock.advance(45)
    at.salesforce.advance(timedelta(seconds=45))
    await at.synchroniser().send()
    assert (await at.only()).salesforce_id == at.task()["Id"]
    assert await at.cycle() == Tally()


async def test_salesforce_away_for_a_while(at: Desk) -> None:
    """With Salesforce down, what is done here waits, and nothing is lost or made twice."""
    await _started(at)
    made = await at.add("Before")
    await at.cycle()
    at.salesforce.inject(Injected(Action.RESET_BEFORE, times=None))
    await at.add("Meanwhile")
    await at.edit(made.id, state=State.DONE)
    outcome = await at.outcome()
    assert ANA in outcome.troubles
    assert {one.sync(True) for one in await at.reminders()} == {Link.PENDING}
    at.salesforce.clear_faults()
    at.clock.advance(7200)
    at.salesforce.advance(timedelta(seconds=7200))
    assert (await at.cycle()).pushed == 2
    assert sorted(str(task["Status"]) for task in at.tasks()) == ["Completed", "Not Started"]


async def test_thousands_of_characters_are_cut_once(at: Desk) -> None:
    """Details that Salesforce finds too long are cut, and the history has the whole."""
    await _started(at)
    at.salesforce.inject(
        Injected(
            Action.ITEM,
            object="Task",
            status=400,
            code="STRING_TOO_LONG",
            message="Comments: data value too large",
        )
    )
    made = await at.add("Call", details="x" * 32_000)
    await at.cycle()
    assert len(str(at.task()["Description"])) == 28_800
    (line,) = await at.database.read(lambda tx: at.store.history(tx, made.id))
    assert len(line.lost.lost) == 32_000
    assert await at.cycle() == Tally()


async def test_a_backup_put_back_makes_nothing_twice(at: Desk) -> None:
    """What was made after the backup is found when the backup is put back, and is not made again."""
    await _started(at)
    made = await at.add("Call Anna", due=date(2026, 11, 30))
    await at.cycle()
    task = str(at.task()["Id"])
    sql = (
        "UPDATE reminder SET salesforce_id = NULL, owner_id = NULL, base = NULL, link = 'pending', "
        "next_push_at = created_at, push_started_at = NULL WHERE id = ?"
    )
    await at.database.write(lambda tx: tx.execute(sql, (made.id,)))  # as it was before
    await at.database.write(OutgoingStore().doubt)
    await at.cycle()
    assert at.task()["Id"] == task
    assert (await at.only()).salesforce_id == task
    assert await at.cycle() == Tally()
