"""Reminders on the page: add, edit, complete, put off, assign, delete, follow a mail up; the card of the sync; the calendar."""

import asyncio
import hashlib
import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from relay.ids import queue_id_of
from relay.reminders.model import (
    Link,
    Priority,
    Reminder,
    ReminderId,
    RepKey,
    State,
    Tally,
    today_of,
)
from relay.reminders.store import Edit, NewReminder, ReminderStore, Wanted
from relay.reminders.switches import SwitchStore
from tests.support.builders import new_message, to_recipient
from tests.support.page import SETTINGS, Page, open_page

ANA = RepKey("ana")
WITH_SALESFORCE = (
    SETTINGS
    + """\
salesforce:
  instance: https://example.my.salesforce.com
  auth: {kind: client_credentials, client_id: id, client_secret: {env: HOME}}
"""
)


async def of(page: Page, rep: str = "ana") -> list[Reminder]:
    """Give a rep's reminders."""
    wanted = Wanted(RepKey(rep), tuple(State))
    return await page.house.database.read(lambda tx: ReminderStore().list(tx, wanted))


async def only(page: Page, rep: str = "ana") -> Reminder:
    """Give a rep's one reminder."""
    (found,) = await of(page, rep)
    return found


async def add(page: Page, title: str = "Call Anna", due: date | None = None) -> ReminderId:
    """Enter one of ana's."""
    new = NewReminder(ANA, title, due=due)
    one = await page.house.database.write(
        lambda tx: ReminderStore().add(tx, new, on=False, now=page.clock.now())
    )
    return one.id


def today(page: Page) -> date:
    """Give which day it is where ana is."""
    return today_of(page.clock.now(), "UTC")


async def test_the_form_has_the_documented_fields(tmp_path: Path) -> None:
    """Row 31: type, name, assignee, person, due date, priority, details."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        fields = {
            "kind": "Call",
            "title": "Call <Anna>",
            "person": "anna@customer.example",
            "due": "2026-12-01",
            "priority": "high",
            "details": "About\nprices",
        }
        answer = await ana.follow(await ana.post("/reminders", **fields))
        assert "The reminder is added." in answer.text
        one = await only(page)
        assert (one.kind, one.values.title, one.person.email) == (
            "Call",
            "Call <Anna>",
            "anna@customer.example",
        )
        assert (one.values.due, one.values.priority) == (date(2026, 12, 1), Priority.HIGH)
        assert one.values.details == "About\nprices"
        assert page.actions.woken == 1
        assert "Call &lt;Anna&gt;" in (await ana.get("/reminders")).text


async def test_a_form_that_is_sent_twice_adds_one_reminder(tmp_path: Path) -> None:
    """By a double click, by sending it again after a restart; changed and sent again it is another one."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        found = re.search(r'name="once" value="([^"]+)"', (await ana.get("/reminders/new")).text)
        assert found is not None
        form = {"title": "Call Anna", "once": found[1]}
        for answer in await asyncio.gather(*(ana.post("/reminders", **form) for _ in range(2))):
            assert answer.location.endswith("said=reminder_added")
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        assert (await ana.post("/reminders", **form)).location.endswith("said=reminder_added")
        await only(page)
        await ana.post("/reminders", **{**form, "title": "Call Bo"})
        assert "Call Bo" in (await ana.get("/reminders?show=undated")).text
        assert sum("reminder.added" in one for one in await page.audited()) == 2


async def test_a_reminder_for_a_teammate_is_the_teammates(tmp_path: Path) -> None:
    """Row 30: whose it is, and who entered it."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        await ana.post("/reminders", title="Call Anna", assignee="bo")
        assert (await only(page, "bo")).made_by == ANA
        assert await of(page) == []
        assert (await ana.post("/reminders", title="Call", assignee="dan")).status == 400


@pytest.mark.parametrize(
    ("fields", "told"), [({"title": ""}, "Give it a name."), ({"due": "tomorrow"}, "no day")]
)
async def test_a_wrong_form_is_shown_again(tmp_path: Path, fields: dict[str, str], told: str) -> None:
    """With what is wrong, and with what was typed."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        answer = await ana.post("/reminders", **({"title": "Call", "details": "typed"} | fields))
        assert answer.status == 422
        assert told in answer.text
        assert "typed" in answer.text
        assert await of(page) == []


async def test_working_on_a_reminder(tmp_path: Path) -> None:
    """Row 32: edit, change the due date, complete, reopen, put off, delete."""
    async with open_page(tmp_path) as page:
        number = await add(page, due=today(page) - timedelta(days=3))
        ana = await page.signed_in("ana")
        edit = {"title": "Write Anna", "due": "2027-01-02", "priority": "normal", "details": "x"}
        await ana.post(f"/reminders/{number}", **edit)
        values = (await only(page)).values
        assert (values.title, values.due, values.details) == ("Write Anna", date(2027, 1, 2), "x")
        await ana.post(f"/reminders/{number}/do", what="done")
        assert (await only(page)).values.state is State.DONE
        assert "Write Anna" in (await ana.get("/reminders?show=done")).text
        await ana.post(f"/reminders/{number}/do", what="reopen")
        assert (await only(page)).values.state is State.OPEN
        await ana.post(f"/reminders/{number}/do", what="snooze", days="7")
        assert (await only(page)).values.due == date(2027, 1, 9)
        await ana.post(f"/reminders/{number}/do", what="delete")
        assert await of(page) == []


async def test_saving_a_form_changes_what_was_changed_in_it_alone(tmp_path: Path) -> None:
    """What Salesforce changed after the form was opened stays, and long details are not cut by their line ends."""
    long = "\n".join(f"Line {number}" for number in range(3_000))
    async with open_page(tmp_path) as page:
        number = await add(page)
        await page.house.database.write(
            lambda tx: ReminderStore().edit(tx, number, Edit(details=long), page.clock.now())
        )
        ana = await page.signed_in("ana")
        shown = (await ana.get(f"/reminders/{number}")).text
        was = re.findall(r'name="was" value="([^"]+)"', shown)
        await page.house.database.write(
            lambda tx: ReminderStore().edit(tx, number, Edit(priority=Priority.HIGH), page.clock.now())
        )
        sent = {"details": long.replace("\n", "\r\n"), "due": "", "priority": "normal", "was": was}
        await ana.post(f"/reminders/{number}", title="Write Anna", **sent)
        values = (await only(page)).values
        assert (values.title, values.priority, values.details) == ("Write Anna", Priority.HIGH, long)


async def test_an_overdue_reminder_is_put_off_from_today(tmp_path: Path) -> None:
    """One day later means tomorrow, however long it has been due."""
    async with open_page(tmp_path) as page:
        number = await add(page, due=today(page) - timedelta(days=30))
        ana = await page.signed_in("ana")
        answer = await ana.post(
            f"/reminders/{number}/do", what="snooze", days="1", here="/center?section=failed"
        )
        assert (await only(page)).values.due == today(page) + timedelta(days=1)
        assert answer.location == "/center?said=saved&section=failed"


async def test_nobody_touches_anothers_reminder(tmp_path: Path) -> None:
    """Neither a rep nor an admin; it is not there for them, and an odd number is not there for anybody."""
    async with open_page(tmp_path) as page:
        number = await add(page)
        for login in ("bo", "bea", "cid"):
            other = await page.signed_in(login)
            assert (await other.get(f"/reminders/{number}")).status == 404
            assert (await other.post(f"/reminders/{number}", title="Mine")).status == 404
            for what in ("done", "delete", "snooze", "send"):
                assert (await other.post(f"/reminders/{number}/do", what=what)).status == 404
        ana = await page.signed_in("ana")
        for odd in ("x", "9" * 20, "-1", "0"):
            assert (await ana.get(f"/reminders/{odd}")).status == 404
        assert (await only(page)).values.title == "Call Anna"


@pytest.mark.parametrize("here", ["//evil.example/x", "https://evil.example", "/admin/queue", "javascript:x"])
async def test_a_form_leads_to_our_own_pages_alone(tmp_path: Path, here: str) -> None:
    """Whatever stands in it (open redirect)."""
    async with open_page(tmp_path) as page:
        number = await add(page)
        ana = await page.signed_in("ana")
        answer = await ana.post(f"/reminders/{number}/do", what="done", here=here)
        assert answer.location == "/center?said=reminder_done"


async def test_a_form_leads_back_to_any_search(tmp_path: Path) -> None:
    """What was searched for may be in any script; in the address it stands percent-encoded (RFC 3986 §2.1)."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        await ana.post("/reminders", title="Call")
        answer = await ana.post("/reminders/1/do", what="done", here="/reminders?q=€ 5\r\nx: y&show=%6f")
        assert answer.location == "/reminders?said=reminder_done&q=%E2%82%AC%205x:%20y&show=%6f"


async def test_a_sent_mail_is_followed_up(tmp_path: Path) -> None:
    """Row 33: the form is filled from the mail, and the reminder leads back to it."""
    async with open_page(tmp_path) as page:
        number = page.actions.next_number()
        message = new_message(number=number, subject="Offer", accepted_at=page.clock.now())
        await page.house.accept(to_recipient(), message=message)
        queue_id = queue_id_of(number)
        ana = await page.signed_in("ana")
        text = (await ana.get(f"/reminders/new?message={queue_id}")).text
        assert 'value="Follow up: Offer"' in text
        assert f'value="{today(page) + timedelta(days=1)}"' in text
        await ana.post("/reminders", title="Follow up: Offer", message=queue_id)
        one = await only(page)
        assert one.message == queue_id
        assert f"/messages/{queue_id}" in (await ana.get(f"/reminders/{one.id}")).text
        bo = await page.signed_in("bo")
        assert (await bo.post("/reminders", title="Mine", message=queue_id)).status == 404


# The card of Sync Settings


async def test_do_not_sync_is_chosen_by_default(tmp_path: Path) -> None:
    """Row 18."""
    async with open_page(tmp_path, WITH_SALESFORCE) as page:
        text = (await (await page.signed_in("ana")).get("/settings/salesforce/sync")).text
        card = text.partition('id="tasks"')[2]
        assert "Do not sync to Salesforce tasks" in card
        assert 'value="off" checked' in card
        assert "Sync now" not in card


async def test_save_starts_a_sync_at_once_and_what_stood_here_stays(tmp_path: Path) -> None:
    """Rows 18 and 20: a run is asked for by each Save, told to take a while, and older reminders are never pushed."""
    async with open_page(tmp_path, WITH_SALESFORCE) as page:
        await add(page)
        ana = await page.signed_in("ana")
        answer = await ana.follow(await ana.post("/settings/salesforce/sync/reminders", reminders="two_way"))
        assert "this will take a while" in answer.text
        standing = await page.house.database.read(lambda tx: SwitchStore().get(tx, ANA))
        assert (standing.running, standing.asked, page.actions.woken) == (True, 1, 1)
        assert (await only(page)).link is Link.NEVER_PUSH
        await ana.post("/settings/salesforce/sync/reminders", reminders="two_way")
        assert (await page.house.database.read(lambda tx: SwitchStore().get(tx, ANA))).asked == 2
        await ana.post("/reminders", title="New one")
        assert {one.values.title: one.link for one in await of(page)}["New one"] is Link.PENDING


async def test_progress_trouble_and_the_last_run_are_shown(tmp_path: Path) -> None:
    """The card asks for itself again while a run goes on, and not when none does."""
    switches = SwitchStore()
    async with open_page(tmp_path, WITH_SALESFORCE) as page:
        ana = await page.signed_in("ana")
        await ana.post("/settings/salesforce/sync/reminders", reminders="two_way")
        await page.house.database.write(lambda tx: switches.progress(tx, ANA, 400, 1000))
        text = (await ana.get("/settings/salesforce/sync/state")).text
        assert "400 of 1000" in text
        assert "hx-get" in text

        def ended(tx: object) -> None:
            now = page.clock.now()
            switches.ran(tx, ANA, now, now, first=True)  # type: ignore[arg-type]  # a Transaction
            switches.note(tx, ANA, Tally(pulled=7), now)  # type: ignore[arg-type]
            switches.answer(tx, ANA, 1, "{}")  # type: ignore[arg-type]

        await page.house.database.write(ended)
        text = (await ana.get("/settings/salesforce/sync/state")).text
        assert "7 from Salesforce" in text
        assert "hx-get" not in text
        await page.house.database.write(lambda tx: switches.trouble(tx, [ANA], "no Salesforce <user>"))
        assert "no Salesforce &lt;user&gt;" in (await ana.get("/settings/salesforce/sync/state")).text


@pytest.mark.parametrize(("what", "told"), [("confirm", "deleted here, too"), ("keep", "kept here")])
async def test_a_storm_of_deletions_is_decided(tmp_path: Path, what: str, told: str) -> None:
    """Nothing is kept in step until somebody says; then it goes on."""
    async with open_page(tmp_path, WITH_SALESFORCE) as page:
        ana = await page.signed_in("ana")
        await ana.post("/settings/salesforce/sync/reminders", reminders="two_way")
        await page.house.database.write(lambda tx: SwitchStore().storm(tx, ANA, 40, "40 of 50"))
        assert "40 tasks were deleted" in (await ana.get("/settings/salesforce/sync")).text
        answer = await ana.follow(await ana.post("/settings/salesforce/sync/deletions", what=what))
        assert told in answer.text
        assert (await page.house.database.read(lambda tx: SwitchStore().get(tx, ANA))).storm == 0


# The calendar


async def opened(page: Page) -> str:
    """Have ana open her calendar; give the path of its address."""
    ana = await page.signed_in("ana")
    text = (await ana.post("/settings/salesforce/sync/calendar")).text
    return "/calendar/" + text.partition("/calendar/")[2].partition('"')[0]


async def test_a_private_address_opens_the_calendar_to_whoever_has_it(tmp_path: Path) -> None:
    """Open, dated reminders of its rep alone; nobody has to sign in for it."""
    async with open_page(tmp_path) as page:
        await add(page, "Call Anna", date(2026, 12, 1))
        await add(page, "Some day")
        answer = await page.visitor().get(await opened(page))
        assert answer.header("content-type").startswith("text/calendar")
        assert "SUMMARY:Call Anna" in answer.text
        assert "DTSTART;VALUE=DATE:20261201" in answer.text
        assert "Some day" not in answer.text


async def test_a_new_address_closes_the_earlier_one_and_closing_it_closes_all(tmp_path: Path) -> None:
    """An address that was given away by mistake is worth nothing after that."""
    async with open_page(tmp_path) as page:
        first, second = await opened(page), await opened(page)
        anybody = page.visitor()
        assert [(await anybody.get(one)).status for one in (first, second)] == [404, 200]
        ana = await page.signed_in("ana")
        await ana.post("/settings/salesforce/sync/calendar/close")
        assert (await anybody.get(second)).status == 404


async def test_the_address_is_kept_as_a_hash_alone_and_never_shown_again(tmp_path: Path) -> None:
    """Who reads the database, or the page later, does not learn it."""
    async with open_page(tmp_path) as page:
        path = await opened(page)
        token = path.removeprefix("/calendar/").removesuffix(".ics")
        kept = await page.house.database.read(lambda tx: tx.execute("SELECT sha256 FROM reminder_feed"))
        assert kept == [(hashlib.sha256(token.encode()).hexdigest(),)]
        assert token not in (await (await page.signed_in("ana")).get("/settings/salesforce/sync")).text
        assert all(token not in line for line in await page.audited())
        for odd in ("x", "", "x.ics", "%2e%2e", "é" * 50):
            assert (await page.visitor().get(f"/calendar/{odd}")).status == 404
