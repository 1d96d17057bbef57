"""The page as people meet it: Chromium, the real `relay serve` over TLS, mail over SMTP, and the simulated Salesforce."""

import asyncio
import smtplib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
import yaml
from playwright.async_api import expect

from relay.demo.salesforce.faults import Action, Injected, maintenance
from relay.demo.salesforce.simulator import Simulator
from relay.demo.service import free_ports
from relay.directory.passwords import hash_password
from tests.support.browser import Browser, Window, open_browser
from tests.support.eventually import eventually
from tests.support.running import PASSWORD, RunningRelay, running_relay, trusting
from tests.support.salesforce import people, rep, watched
from tests.support.salesforce import settings as salesforce_settings

pytestmark = pytest.mark.peer("chromium")

SECRET = "correct horse battery staple"
BCC = "emailtosalesforce@3-c7e5n3t2e4r8.c3.le.salesforce.example"
BUYER = "person1@buyer.example"
EMAIL = "EmailMessage"


@dataclass(frozen=True, slots=True)
class House:
    """A relay with its page, and Salesforce."""

    relay: RunningRelay
    salesforce: Simulator
    page: str
    ana: str
    """Ana's user in Salesforce."""

    def send(self, to: str, subject: str, login: str = "ana") -> None:
        """Send a mail as a mail client does."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = f"{login}@example.com", to, subject
        mail["Message-ID"] = f"<{subject.replace(' ', '-')}@example.com>"
        mail.set_content("Hello")
        with self.connected(login) as client:
            client.send_message(mail)

    def connected(self, login: str = "ana") -> smtplib.SMTP:
        """Give a connection that is signed in by app password. Raises SMTPAuthenticationError."""
        client = smtplib.SMTP("127.0.0.1", self.relay.submission, timeout=20)
        try:
            client.starttls(context=trusting(self.relay.ca))
            client.login(login, {"ana": PASSWORD, "bo": "bo-app-password-0002"}[login])
        except BaseException:
            client.close()
            raise
        return client

    def tasks(self) -> list[dict[str, object]]:
        """Give the open and completed to-dos in Salesforce, without what mail was logged as."""
        return [row for row in self.salesforce.rows("Task") if row.get("TaskSubtype") != "Email"]


async def soon(look: Callable[[], object]) -> None:
    """Wait until what is looked at, outside this process, is there."""
    await asyncio.to_thread(eventually, look)


def changes(salesforce: Simulator, folder: Path, port: int, ana: str) -> dict[str, object]:
    """Give the settings."""
    encoded = hash_password(SECRET.encode())
    base = {"password": encoded}
    return {
        **yaml.safe_load(salesforce_settings(salesforce, folder)),
        "web": {"address": f"127.0.0.1:{port}", "tls": "implicit"},
        "logging": {"mode": "off", "match": {"objects": ["contact"]}},
        "retry": {"logging": {"schedule": ["1s"], "give_up_after": "1d"}},
        "reminders": {"every": "1s"},
        "users": [
            {
                **base,
                "login": "ana",
                "name": "Ana Berg",
                "addresses": ["ana@example.com"],
                "mode": "api",
                "salesforce_user_id": ana,
                "tokens": [{"name": "Laptop", "sha256": _sha(PASSWORD)}],
            },
            {
                **base,
                "login": "bo",
                "addresses": ["bo@example.com"],
                "tokens": [{"name": "Laptop", "sha256": _sha("bo-app-password-0002")}],
            },
            {**base, "login": "bea", "addresses": ["bea@example.com"], "web_role": "admin"},
            {**base, "login": "sven", "addresses": ["sven@example.com"], "language": "sv"},
            {**base, "login": "eva", "addresses": ["eva@example.com"], "language": "es"},
        ],
    }


def _sha(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A relay, its page and Salesforce, for one test."""
    with watched() as salesforce:
        ana = rep(salesforce)
        (port,) = free_ports(1)
        with running_relay(tmp_path, changes(salesforce, tmp_path, port, ana)) as relay:
            yield House(relay, salesforce, f"https://127.0.0.1:{port}", ana)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium, for one test."""
    async with open_browser() as one:
        yield one


@asynccontextmanager
async def signed_in(
    house: House, browser: Browser, login: str, path: str, *, javascript: bool = True
) -> AsyncIterator[Window]:
    """Open a window, sign in by password, and go to a page; nothing may have gone wrong in it at the end."""
    async with browser.window(house.page, javascript=javascript) as window:
        await window.open(path)
        await window.tab.locator("#login").fill(login)
        await window.tab.locator("#password").fill(SECRET)
        await window.tab.locator("main button.primary").click()
        await window.tab.wait_for_url(f"**{path}")
        yield window
        assert window.troubles == []


async def shown(window: Window, text: str, path: str, *, javascript: bool = True) -> None:
    """Wait until the page shows a text: by itself, or without JavaScript when it is loaded anew."""
    found = window.tab.locator("main").get_by_text(text).first
    for _ in range(1 if javascript else 160):
        if not javascript:
            await window.open(path)
            if await found.count():
                return
            await asyncio.sleep(0.25)
            continue
        await expect(found).to_be_visible()
        return
    raise AssertionError(f"{text!r} never stood on {path}")


@pytest.mark.parametrize("javascript", [True, False])
async def test_bcc_is_activated_with_its_address_and_the_next_mail_has_the_log_copy(
    house: House, browser: Browser, javascript: bool
) -> None:
    """Sign in, tab Email to Salesforce (BCC), address, Activate; and off again."""
    path = "/settings/salesforce/sync?tab=bcc"
    async with signed_in(house, browser, "bo", path, javascript=javascript) as window:
        await window.tab.locator("#email_to_salesforce").fill(BCC)
        await window.tab.get_by_role("button", name="Activate", exact=True).click()
        await window.tab.wait_for_url("**said=**")
        await asyncio.to_thread(house.send, BUYER, "With a copy", "bo")
        copied = await asyncio.to_thread(house.relay.mail_for, BCC)
        assert b"With a copy" in copied.content
        assert BCC.encode() not in copied.content
        await window.tab.get_by_role("button", name="Deactivate").click()
        await window.tab.wait_for_url("**said=**")


@pytest.mark.parametrize("javascript", [True, False])
async def test_an_admin_saves_the_preferences_of_the_api_and_mail_goes_by_them(
    house: House, browser: Browser, javascript: bool
) -> None:
    """The subject of what is logged from then on is that of the saved template; every page shows where it comes from."""
    people(house.salesforce, 1)
    async with signed_in(
        house, browser, "bea", "/settings/salesforce/sync?tab=api", javascript=javascript
    ) as window:
        await window.tab.locator("#record").select_option("task")
        await window.tab.locator("[name=subject]").fill("[Relay] {subject}")
        await window.tab.locator("button[value=save]").click()
        await window.tab.wait_for_url("**said=saved**")
        assert await window.tab.locator("[name=subject]").input_value() == "[Relay] {subject}"
    await asyncio.to_thread(house.send, BUYER, "The offer")
    await soon(
        lambda: [row for row in house.salesforce.rows("Task") if row["Subject"] == "[Relay] The offer"]
    )


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_mail_arrives_is_logged_and_undone(house: House, browser: Browser, javascript: bool) -> None:
    """It shows by itself, leads to its record in Salesforce, and Undo deletes it there."""
    people(house.salesforce, 1)
    async with signed_in(house, browser, "ana", "/today", javascript=javascript) as window:
        await asyncio.to_thread(house.send, BUYER, "Live offer")
        await shown(window, "Live offer", "/today", javascript=javascript)
        await shown(window, "Open in Salesforce", "/today", javascript=javascript)
        (record,) = house.salesforce.rows(EMAIL)
        link = window.tab.get_by_role("link", name="Open in Salesforce Live offer")
        assert await link.get_attribute("href") == f"{house.salesforce.url}/{record['Id']}"
        await window.tab.get_by_role("button", name="Undo logging Live offer").click()
        await window.tab.wait_for_url("**said=undone")
        assert house.salesforce.rows(EMAIL) == []
        await shown(window, "Undone", "/today", javascript=javascript)


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_failed_log_is_shown_and_tried_again(
    house: House, browser: Browser, javascript: bool
) -> None:
    """Salesforce's own rule stands on Today and in the command center; once it is mended, Try again logs the mail."""
    people(house.salesforce, 1)
    rule = Injected(
        Action.ITEM,
        code="FIELD_CUSTOM_VALIDATION_EXCEPTION",
        message="Say why first",
        record="Ruled",
        times=None,
    )
    house.salesforce.inject(rule)
    async with signed_in(house, browser, "ana", "/today", javascript=javascript) as window:
        await asyncio.to_thread(house.send, BUYER, "Ruled out")
        await shown(window, "Say why first", "/today", javascript=javascript)
        await window.open("/center")
        assert "Needs you" in await window.tab.locator("#center").inner_text()
        house.salesforce.clear_faults()
        await window.tab.get_by_role("button", name="Log again Ruled out").click()
        await window.tab.wait_for_url("**said=retried**")
        await shown(window, "Open in Salesforce", "/center", javascript=javascript)
        assert len(house.salesforce.rows(EMAIL)) == 1


@pytest.mark.parametrize("javascript", [True, False])
async def test_an_unmatched_mail_is_related_by_hand(house: House, browser: Browser, javascript: bool) -> None:
    """Nobody has the address; the rep names a contact by its id, and the mail is logged there."""
    (contact,) = people(house.salesforce, 1)
    async with signed_in(house, browser, "ana", "/attention", javascript=javascript) as window:
        await asyncio.to_thread(house.send, "stranger@nowhere.example", "Who is it")
        await soon(lambda: "held" in house.relay.states("Who-is-it@example.com").values())
        await window.open("/attention")
        assert "Who is it" in await window.tab.locator("main").inner_text()
        await window.tab.get_by_label("Relate to").fill(contact)
        await window.tab.get_by_role("button", name="Relate", exact=True).click()
        await window.tab.wait_for_url("**said=related")
        await soon(lambda: house.salesforce.rows(EMAIL))


@pytest.mark.parametrize("javascript", [True, False])
async def test_an_admin_sees_what_fails_of_others(house: House, browser: Browser, javascript: bool) -> None:
    """On Diagnostics that was open before the mail was sent; without JavaScript, when it is opened again."""
    async with signed_in(house, browser, "bea", "/diagnostics", javascript=javascript) as window:
        await asyncio.to_thread(house.send, "stranger@nowhere.example", "Who is it")
        await shown(window, "Who is it", "/diagnostics", javascript=javascript)
        assert "ana" in await window.tab.locator("#troubles").inner_text()


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_revoked_app_password_ends_the_next_sign_in(
    house: House, browser: Browser, javascript: bool
) -> None:
    """It worked a moment ago; a new one would."""
    await asyncio.to_thread(lambda: house.connected().quit())
    async with signed_in(house, browser, "ana", "/settings/mail", javascript=javascript) as window:
        await window.tab.get_by_role("button", name="Laptop").click()
        await expect(window.tab.get_by_role("button", name="Laptop")).to_have_count(0)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            await asyncio.to_thread(house.connected)


async def test_a_rep_of_the_settings_is_disabled(house: House, browser: Browser) -> None:
    """At once: a connection that is signed in already takes no more mail, and the next sign-in fails, till enabled."""
    client = await asyncio.to_thread(house.connected)
    try:
        async with signed_in(house, browser, "bea", "/admin/users") as window:
            row = window.tab.get_by_role("row", name="ana@example.com")
            await row.locator("summary").click()
            await row.get_by_role("button", name="Disable").click()
            await window.tab.wait_for_url("**said=disabled")
            code, _ = await asyncio.to_thread(client.mail, "ana@example.com")
            assert code == 530
            with pytest.raises(smtplib.SMTPAuthenticationError):
                await asyncio.to_thread(house.connected)
            await row.locator("summary").click()
            await row.get_by_role("button", name="Enable").click()
            await window.tab.wait_for_url("**said=enabled")
        await asyncio.to_thread(lambda: house.connected().quit())
    finally:
        client.close()


@pytest.mark.parametrize("javascript", [True, False])
async def test_reminders_in_step_with_salesforce(house: House, browser: Browser, javascript: bool) -> None:
    """Switched on, the first sync seen, added here, completed there, deleted on either side, Salesforce down between."""
    salesforce, today = house.salesforce, datetime.now(UTC).date()
    there = salesforce.add(
        "Task", OwnerId=house.ana, Subject="From Salesforce", Status="Not Started", ActivityDate=str(today)
    )
    path = "/settings/salesforce/sync"
    async with signed_in(house, browser, "ana", path, javascript=javascript) as window:
        await window.tab.get_by_label("Sync both ways").check()
        await window.tab.locator("#tasks ~ form button.primary").click()
        await window.tab.wait_for_url("**said=saved")
        await shown(window, "In step with Salesforce", path, javascript=javascript)
        await window.open("/center")
        assert "From Salesforce" in await window.tab.locator("#center").inner_text()

        await _add(window, "Call Anna", str(today))
        await soon(lambda: [row for row in house.tasks() if row["Subject"] == "Call Anna"])
        (task,) = [row for row in house.tasks() if row["Subject"] == "Call Anna"]
        salesforce.edit("Task", str(task["Id"]), Status="Completed")
        done = "/reminders?show=done"
        await shown(window, "Call Anna", done, javascript=False)

        salesforce.inject(maintenance(times=None))
        await _add(window, "While it was down", str(today))
        assert all(row["Subject"] != "While it was down" for row in house.tasks())
        salesforce.clear_faults()
        await window.open(path)
        await window.tab.get_by_role("button", name="Sync now").click()
        await soon(lambda: [row for row in house.tasks() if row["Subject"] == "While it was down"])

        await window.open("/reminders")
        await window.tab.get_by_role("link", name="While it was down", exact=True).click()
        await window.tab.get_by_role("button", name="Delete").click()
        await window.tab.wait_for_url("**said=reminder_deleted")
        await soon(lambda: all(row["Subject"] != "While it was down" for row in house.tasks()))
        salesforce.remove("Task", there)
        for _ in range(160):
            await window.open("/reminders")
            if "From Salesforce" not in await window.tab.locator("main").inner_text():
                break
            await asyncio.sleep(0.25)
        else:
            raise AssertionError("what was deleted in Salesforce is still here")


async def _add(window: Window, title: str, due: str) -> None:
    await window.open("/reminders/new")
    await window.tab.locator("#title").fill(title)
    await window.tab.locator("#due").fill(due)
    await window.tab.get_by_role("button", name="Create").click()
    await window.tab.wait_for_url("**said=reminder_added")
    assert title in await window.tab.locator("#center").inner_text()


@pytest.mark.parametrize(
    ("login", "words"),
    [
        ("ana", ("Command center", "Today", "Needs attention", "Salesforce Sync Settings")),
        ("sven", ("Kommandocentral", "Idag", "Behöver åtgärd", "Synkroniseringsinställningar")),
        ("eva", ("Centro de mando", "Hoy", "Requiere atención", "sincronización")),
    ],
)
async def test_every_page_speaks_its_persons_language(
    house: House, browser: Browser, login: str, words: tuple[str, ...]
) -> None:
    """The headings of what a rep uses most, and the language that the document says it is in."""
    async with signed_in(house, browser, login, "/center") as window:
        for path, word in zip(
            ("/center", "/today", "/attention", "/settings/salesforce/sync"), words, strict=True
        ):
            await window.open(path)
            assert word.lower() in (await window.heading()).lower()
            language = await window.tab.locator("html").get_attribute("lang")
            assert language == {"ana": "en", "sven": "sv", "eva": "es"}[login]
