"""The daily digest: only when something needs the person, once a day, also over restarts; and what admins are told."""

from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from relay.delivery_kind import Role
from relay.ids import QueueId, queue_id_of
from relay.maillog.events import DeliveryHeld
from relay.queue.model import Change, State
from relay.storage.database import Transaction
from relay.web.digest import Digest, due_day
from relay.web.store import PageStore
from tests.support.builders import lease, log_copy, new_message, to_recipient
from tests.support.page import SETTINGS, Page, open_page

HOUR = 3600.0
DAY = 24 * HOUR


class Desk:
    """What the digest's mail is sent with."""

    def __init__(self, page: Page) -> None:
        self.actions = page.actions
        self.clock = page.clock

    @property
    def configuration(self):  # type: ignore[no-untyped-def]  # as Sending has it
        """Give the settings in force."""
        return self.actions.configuration()


def digest_of(page: Page) -> Digest:
    """Make it, as a start of the service does."""
    return Digest(Desk(page), page.house.database, page.house.store, page.clock)


def to_clock(page: Page, hour: int, minute: int = 0) -> None:
    """Turn the clock on to the next time that it is so late (UTC)."""
    now = datetime.fromtimestamp(page.clock.now() // 1_000_000, UTC)
    ahead = (hour - now.hour) * HOUR + (minute - now.minute) * 60.0 - now.second
    page.clock.advance(ahead if ahead > 0 else ahead + DAY)


async def failed(
    page: Page,
    subject: str = "Offer",
    *,
    login: str = "ana",
    state: State = State.HELD,
    why: str = "it refused\r\nBcc: x",
) -> QueueId:
    """Put a message in whose recipient has it and whose logging is in this state."""
    number = page.actions.next_number()
    queue_id = queue_id_of(number)
    later = page.clock.now() + 10**9

    def keep(tx: Transaction) -> None:
        message = new_message(number=number, login=login, subject=subject, accepted_at=page.clock.now())
        given = page.house.store.accept(tx, message, [to_recipient(), log_copy()], lease=lease())
        changes = [
            Change(one.id, 1, State.SENT, None, "250")
            if one.role is Role.RECIPIENT
            else Change(one.id, 1, state, later if state is State.DEFERRED else None, why)
            for one in given
        ]
        page.house.store.settle(tx, queue_id, changes)
        event = DeliveryHeld(
            at=page.clock.now(),
            message=queue_id,
            role="log_copy",
            targets=("log copy",),
            reply="it refused",
            hop="",
            attempt=1,
        )
        page.house.mail_log.append(tx, [event])

    await page.house.database.write(keep)
    return queue_id


async def subjects(page: Page) -> list[str]:
    """Give the subjects of the relay's own mail."""
    return [str(one["Subject"]) for one in await page.mail() if one["Auto-Submitted"]]


async def test_a_failure_of_the_day_is_named_the_same_day_at_the_time_that_the_settings_say(
    tmp_path: Path,
) -> None:
    """Not before it; with subject and reason, in one line each, and the way to where it is seen to."""
    async with open_page(tmp_path) as page:
        to_clock(page, 9)
        await failed(page, "The offer")
        digest = digest_of(page)
        to_clock(page, 17, 29)
        assert await digest.step() == 0
        to_clock(page, 17, 30)
        assert await digest.step() == 1
        (mail,) = [one for one in await page.mail() if one["Auto-Submitted"]]
        assert mail["To"] == "ana@example.com"
        text = mail.get_content()
        assert "The offer: it refused Bcc: x" in text
        assert "/attention" in text


async def test_never_for_nothing(tmp_path: Path) -> None:
    """Nobody whose mail is logged, or who dismissed what failed, gets mail."""
    async with open_page(tmp_path) as page:
        await failed(page, state=State.SENT)
        await failed(page, login="bo")
        found = await page.house.database.read(
            lambda tx: tx.execute("SELECT id FROM delivery WHERE state = 'held'")
        )
        await page.house.database.write(
            lambda tx: PageStore().mark(tx, "bo", "dismissed", str(found[0][0]), page.clock.now())
        )
        to_clock(page, 18)
        assert await digest_of(page).step() == 0
        assert await subjects(page) == []


async def test_once_a_day_and_each_failure_once_also_over_restarts(tmp_path: Path) -> None:
    """However often it looks; what came later is named the next day, what was named is not named again."""
    async with open_page(tmp_path) as page:
        await failed(page)
        to_clock(page, 17, 31)
        assert [await digest_of(page).step() for _ in range(3)] == [1, 0, 0]
        await failed(page, "Another")
        assert await digest_of(page).step() == 0
        page.clock.advance(DAY)
        digest = digest_of(page)
        assert [await digest.step(), await digest.step()] == [1, 0]
        last = (await page.mail())[-1].get_content()
        assert "Another" in last
        assert "Offer" not in last
        page.clock.advance(DAY)
        assert await digest_of(page).step() == 0


async def test_what_fails_later_in_the_day_is_still_named_that_day(tmp_path: Path) -> None:
    """When no digest has gone out yet."""
    async with open_page(tmp_path) as page:
        to_clock(page, 17, 31)
        digest = digest_of(page)
        assert await digest.step() == 0
        page.clock.advance(HOUR)
        await failed(page)
        assert await digest.step() == 1


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_stop_in_the_middle_neither_repeats_nor_loses_it(tmp_path: Path, accepted: bool) -> None:
    """Stopped before the mail was durable it goes out after the start; stopped right after, it does not again."""

    class Stopped(Exception):
        """The process ends here."""

    async with open_page(tmp_path) as page:
        await failed(page)
        to_clock(page, 17, 31)
        digest, actions = digest_of(page), page.actions
        accept = actions.accept

        async def stopping(*parts) -> None:  # type: ignore[no-untyped-def]  # as Actions has it
            if accepted:
                await accept(*parts)
            raise Stopped

        actions.accept = stopping  # type: ignore[method-assign]
        with pytest.raises(Stopped):
            await digest.step()
        actions.accept = accept  # type: ignore[method-assign]
        again = digest_of(page)
        for _ in range(3):
            await again.step()
        assert len(await subjects(page)) == 1


async def test_it_is_in_the_reps_language_and_zone(tmp_path: Path) -> None:
    """Half past five where the rep is; the reasons, too, are told in the language."""
    settings = SETTINGS.replace(
        "    name: Ana Berg\n", "    name: Ana Berg\n    language: sv\n    time_zone: Asia/Tokyo\n"
    )
    async with open_page(tmp_path, settings) as page:
        why = "unmatched: nobody in Salesforce has kim@buyer.example; it is matched again"
        await failed(page, why=why)
        to_clock(page, 8, 29)
        digest = digest_of(page)
        assert await digest.step() == 0
        to_clock(page, 8, 30)
        assert await digest.step() == 1
        assert await subjects(page) == ["Ett mejl finns inte i CRM-systemet och behöver åtgärdas"]
        told = (await page.mail())[-1].get_content()
        assert "Offer: ingen träff: ingen i Salesforce har kim@buyer.example; en ny sökning görs" in told
        assert due_day(page.rep("ana"), page.clock.now(), time(17, 30)) is not None


async def test_off_means_off(tmp_path: Path) -> None:
    """A setting ends it."""
    async with open_page(tmp_path, SETTINGS + "web: {digest: 'off'}\n") as page:
        await failed(page)
        to_clock(page, 18)
        assert await digest_of(page).step() == 0


async def test_admins_are_told_once_a_day_when_logging_fails_for_an_hour(tmp_path: Path) -> None:
    """Not earlier, not while anything is logged, and not again that day, also over a restart."""
    async with open_page(tmp_path) as page:
        to_clock(page, 8)
        await failed(page, state=State.DEFERRED)
        digest = digest_of(page)
        page.clock.advance(0.9 * HOUR)
        assert await digest.step() == 0
        logged = await failed(page, state=State.SENT)
        assert logged
        page.clock.advance(0.5 * HOUR)
        assert await digest.step() == 0
        page.clock.advance(HOUR)
        assert await digest.step() == 1
        page.clock.advance(HOUR)
        assert [await digest.step(), await digest_of(page).step()] == [0, 0]
        (mail,) = [one for one in await page.mail() if one["Auto-Submitted"]]
        assert mail["To"] == "bea@example.com"
        assert "stood still for an hour" in mail["Subject"]


async def test_admins_are_told_why_in_their_language(tmp_path: Path) -> None:
    """The whole mail, not only its frame."""
    async with open_page(tmp_path) as page:
        bea = await page.signed_in("bea")
        await bea.post("/settings/account", language="sv", time_zone="Europe/Stockholm")
        to_clock(page, 8)
        await failed(page, state=State.DEFERRED)
        page.clock.advance(2 * HOUR)
        assert await digest_of(page).step() == 1
        (mail,) = [one for one in await page.mail() if one["Auto-Submitted"]]
        assert "Ett mejl har väntat på att loggas i en timme" in mail.get_content()


async def test_the_postmaster_is_told_where_the_settings_name_one(tmp_path: Path) -> None:
    """Instead of the page's admins."""
    settings = SETTINGS.replace(
        "notices: {from: postmaster@example.com}",
        "notices: {from: postmaster@example.com, postmaster: ops@example.com}",
    )
    async with open_page(tmp_path, settings) as page:
        to_clock(page, 8)
        await failed(page, state=State.DEFERRED)
        page.clock.advance(2 * HOUR)
        assert await digest_of(page).step() == 1
        assert (await page.mail())[-1]["To"] == "ops@example.com"


@pytest.mark.parametrize(
    ("web", "where"),
    [
        ("{}", "http://127.0.0.1:8025/attention"),
        ("{public_url: 'https://mail.example/'}", "https://mail.example/attention"),
        ("{trusted_proxies: [127.0.0.1/32]}", "on the page of the mail relay"),
    ],
)
async def test_the_digest_says_where_to_look(tmp_path: Path, web: str, where: str) -> None:
    """A link to what the settings say, and words where they do not tell the page's address."""
    async with open_page(tmp_path, SETTINGS + f"web: {web}\n") as page:
        await failed(page)
        to_clock(page, 18)
        assert await digest_of(page).step() == 1
        told = (await page.mail())[-1].get_content()
        assert f"See what can be done about each: {where}" in told.splitlines()
        assert ("://" in told) == ("://" in where)
