"""The command center: mail in sections with quick actions, searches and columns of one's own, and what is due beside it."""

from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from relay.delivery_kind import Role
from relay.ids import QueueId, number_of
from relay.queue.model import State
from relay.reminders.model import today_of
from tests.support.page import SETTINGS, Page, open_page
from tests.support.page_mail import remind, sent


def rows(text: str) -> list[str]:
    """Give the rows of the list of mail."""
    return text.partition("<tbody>")[2].partition("</tbody>")[0].split("<tr>")[1:]


async def state_of(page: Page, message: QueueId, role: Role) -> State:
    """Give how the delivery of a role stands."""
    found = await page.house.database.read(lambda tx: page.house.store.message(tx, message))
    assert found is not None
    return next(one.state for one in found.deliveries if one.role is role)


async def test_mail_stands_in_the_section_of_its_recipients_with_its_logging_as_a_column(
    tmp_path: Path,
) -> None:
    """Delivered, In progress, Failed and Bounced (product row 34); what the logging came to stands beside it."""
    where = {
        "delivered": State.SENT,
        "in_progress": State.DEFERRED,
        "failed": State.EXPIRED,
        "bounced": State.BOUNCED,
    }
    async with open_page(tmp_path) as page:
        for section, state in where.items():
            await sent(page, subject=f"Mail {section}", to=state, logging=State.HELD)
        ana = await page.signed_in("ana")
        for section in where:
            (row,) = rows((await ana.get(f"/center?section={section}")).text)
            assert f"Mail {section}" in row
            assert "Needs you" in row


async def test_a_row_has_at_most_two_quick_actions(tmp_path: Path) -> None:
    """Whatever the state (row 35)."""
    async with open_page(tmp_path) as page:
        for to in (State.SENT, State.DEFERRED, State.EXPIRED, State.BOUNCED):
            for logging in (State.SENT, State.HELD, State.DEFERRED, State.SKIPPED):
                await sent(page, to=to, logging=logging)
        ana = await page.signed_in("ana")
        for section in ("delivered", "in_progress", "failed", "bounced"):
            found = rows((await ana.get(f"/center?section={section}")).text)
            assert len(found) == 4
            for row in found:
                doing = row.partition('<td class="do">')[2]
                assert 1 <= doing.count("<button") + doing.count('class="button"') <= 2, row


async def test_mail_is_archived_and_taken_back(tmp_path: Path) -> None:
    """What is put aside is in its own section alone, and comes back from there."""
    async with open_page(tmp_path) as page:
        message = await sent(page, subject="Old offer")
        ana = await page.signed_in("ana")
        answer = await ana.follow(
            await ana.post("/center/archive", message=message, here="section=delivered")
        )
        assert "Put aside." in answer.text
        assert "Old offer" not in answer.text
        assert "Old offer" in (await ana.get("/center?section=archived")).text
        await ana.post("/center/unarchive", message=message)
        assert "Old offer" in (await ana.get("/center")).text
        assert "Old offer" not in (await ana.get("/center?section=archived")).text


@pytest.mark.parametrize(
    ("what", "role", "to", "logging"),
    [
        ("delivery", Role.RECIPIENT, State.DEFERRED, State.SENT),
        ("log", Role.LOG_COPY, State.SENT, State.HELD),
        ("log", Role.LOG_COPY, State.SENT, State.DEFERRED),
    ],
)
async def test_delivery_and_log_are_tried_again_from_the_row(
    tmp_path: Path, what: str, role: Role, to: State, logging: State
) -> None:
    """It is due at once, the service is woken, and who did it is kept."""
    async with open_page(tmp_path) as page:
        message = await sent(page, to=to, logging=logging)
        ana = await page.signed_in("ana")
        await ana.post("/center/retry", message=message, what=what)
        assert await state_of(page, message, role) in (State.QUEUED, State.DEFERRED)
        assert page.actions.woken == 1
        assert any("delivery.re" in line for line in await page.audited())


async def test_nobody_does_anything_to_anothers_mail(tmp_path: Path) -> None:
    """Neither a rep nor an admin, and nothing is learned of whether it exists."""
    async with open_page(tmp_path) as page:
        message = await sent(page, logging=State.HELD)
        for login in ("bo", "bea", "cid"):
            other = await page.signed_in(login)
            for path in ("/center/archive", "/center/unarchive", "/center/retry"):
                assert (await other.post(path, message=message)).status == 404
            assert (await other.get(f"/reminders/new?message={message}")).status == 404
        assert await state_of(page, message, Role.LOG_COPY) is State.HELD


async def test_an_admin_views_as_somebody_else_and_that_is_kept(tmp_path: Path) -> None:
    """Row 38: admins alone; there is nothing to press there."""
    async with open_page(tmp_path) as page:
        await sent(page, subject="Offer of ana")
        for login, status in (("bea", 200), ("bo", 404), ("cid", 404)):
            answer = await (await page.signed_in(login)).get("/center?as=ana")
            assert answer.status == status
            assert ("Offer of ana" in answer.text) == (status == 200)
            assert "/center/archive" not in answer.text
        assert await page.audited() == ["bea center.viewed ana"]


async def test_the_search_finds_by_recipient_subject_day_and_logging(tmp_path: Path) -> None:
    """Row 37: date, who, status and log state, alone and together."""
    async with open_page(tmp_path) as page:
        await sent(page, subject="Old offer")
        page.clock.advance(5 * 86_400)
        await sent(page, subject="New offer", logging=State.HELD)
        today = today_of(page.clock.now(), "UTC")
        ana = await page.signed_in("ana")
        for query, found in (
            ("q=OLD", ["Old"]),
            ("q=customer", ["New", "Old"]),
            ("q=nobody", []),
            ("logged=needs_you", ["New"]),
            (f"since={today - timedelta(days=1)}", ["New"]),
            (f"until={today - timedelta(days=2)}", ["Old"]),
            (f"q=offer&logged=logged&until={today}", ["Old"]),
            ("since=nonsense&until=99999-01-01", ["New", "Old"]),
        ):
            text = (await ana.get(f"/center?{query}")).text
            assert [row for row in ("New", "Old") if f">{row} offer</a>" in text] == found, query


async def test_a_search_is_kept_under_a_name_and_forgotten(tmp_path: Path) -> None:
    """It is one's own, and leads to the same search."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        answer = await ana.follow(
            await ana.post("/center/searches", name="Mine", query="section=bounced&q=anna", here="q=anna")
        )
        assert "The search is saved." in answer.text
        assert 'href="/center?section=bounced&amp;q=anna">Mine<' in answer.text
        assert ">Mine<" not in (await (await page.signed_in("bo")).get("/center")).text
        await ana.post("/center/searches/drop", name="Mine")
        assert ">Mine<" not in (await ana.get("/center")).text


async def test_columns_and_rows_are_kept_per_section_and_person(tmp_path: Path) -> None:
    """Row 36: chosen per folder, with the number of rows."""
    async with open_page(tmp_path) as page:
        for _ in range(30):
            await sent(page)
        ana = await page.signed_in("ana")
        assert len(rows((await ana.get("/center")).text)) == 25
        await ana.post("/center/view", section="delivered", columns=["mode", "id"], rows="50")
        chosen, other = (await ana.get("/center")).text, (await ana.get("/center?section=failed")).text
        assert len(rows(chosen)) == 30
        head = chosen.partition("<thead>")[2].partition("</thead>")[0]
        assert "Mode" in head
        assert "Date sent" not in head
        assert 'value="mode" checked' not in other


async def test_older_mail_is_a_link_away(tmp_path: Path) -> None:
    """Page after page, each message once."""
    async with open_page(tmp_path) as page:
        for number in range(60):
            await sent(page, subject=f"Offer {number:02}")
        ana = await page.signed_in("ana")
        seen: list[str] = []
        link = "/center"
        while link:
            text = (await ana.get(link)).text
            seen += [row.partition("Offer ")[2][:2] for row in rows(text)]
            before, older, _ = text.partition("Older mail</a>")
            link = before.rpartition('href="')[2].partition('"')[0].replace("&amp;", "&") if older else ""
        assert seen == [f"{number:02}" for number in reversed(range(60))]


async def test_the_list_is_answered_204_until_something_changes(tmp_path: Path) -> None:
    """A reminder that is added shows, too."""
    async with open_page(tmp_path) as page:
        await sent(page)
        ana = await page.signed_in("ana")
        first = await ana.get("/center/list")
        asked = first.text.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
        assert (await ana.get(asked)).status == 204
        await ana.post("/reminders", title="Call Anna", due=str(today_of(page.clock.now(), "UTC")))
        assert "Call Anna" in (await ana.get(asked)).text


def due(text: str) -> dict[str, list[str]]:
    """Give the titles below each heading of the reminders."""
    part = text.partition('id="due-heading"')[2]
    found: dict[str, list[str]] = {}
    for piece in part.split("<h3>")[1:]:
        titles = [one.partition(">")[2].partition("<")[0] for one in piece.split('<a href="/reminders/')[1:]]
        found[piece.partition(" <span")[0]] = titles
    return found


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "UTC", "America/Los_Angeles"])
async def test_what_is_due_today_and_tomorrow_goes_by_the_reps_own_zone(tmp_path: Path, zone: str) -> None:
    """Row 22: today and tomorrow, overdue apart, nothing later, nothing undated."""
    settings = SETTINGS.replace("    name: Ana Berg\n", f"    name: Ana Berg\n    time_zone: {zone}\n")
    async with open_page(tmp_path, settings) as page:
        today = today_of(page.clock.now(), zone)
        for days in (-1, 0, 1, 2):
            await remind(page, f"In {days}", today + timedelta(days=days))
        await remind(page, "Undated", None)
        found = due((await (await page.signed_in("ana")).get("/center")).text)
    assert found == {"Overdue": ["In -1"], "Due today": ["In 0"], "Due tomorrow": ["In 1"]}


async def test_a_setting_turns_overdue_off(tmp_path: Path) -> None:
    """Then the command center shows what the documented one does."""
    async with open_page(tmp_path, SETTINGS + "reminders: {overdue: false}\n") as page:
        await remind(page, "Late", date(2020, 1, 1))
        assert "Late" not in (await (await page.signed_in("ana")).get("/center")).text


async def test_a_follow_up_in_some_weeks_shows_on_the_open_page(tmp_path: Path) -> None:
    """It is on no list of what is due, but it stands with its mail."""
    async with open_page(tmp_path) as page:
        message = await sent(page)
        ana = await page.signed_in("ana")
        first = await ana.get("/center/list")
        asked = first.text.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
        await ana.post("/reminders", title="Call Anna", due="2030-01-01", message=message)
        assert (await ana.get(asked)).status == 200


async def test_a_change_far_back_shows_on_the_open_page(tmp_path: Path) -> None:
    """What was looked through for the list is looked at again, however far back: no more, and no less."""
    async with open_page(tmp_path) as page:
        old = await sent(page, subject="Failed long ago", to=State.EXPIRED)
        for _ in range(205):
            await sent(page)
        ana = await page.signed_in("ana")
        first = await ana.get("/center/list?section=failed")
        assert "Failed long ago" in first.text
        asked = first.text.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
        assert (await ana.get(asked)).status == 204
        change = "UPDATE delivery SET reason = 'otherwise' WHERE message = ?"
        await page.house.database.write(lambda tx: tx.execute(change, (number_of(old),)))
        assert (await ana.get(asked)).status == 200


async def test_a_name_for_a_list_that_we_never_gave_gets_the_list(tmp_path: Path) -> None:
    """Whatever stands in the link, the answer is the list."""
    async with open_page(tmp_path) as page:
        await sent(page)
        ana = await page.signed_in("ana")
        for name in ("", "-", "9-abc", "²-x", "7" * 100):
            assert (await ana.get(f"/center/list?version={quote(name)}")).status == 200
