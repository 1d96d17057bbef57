"""The page in a real browser, served over TLS: signing in, with and without JavaScript, in every language."""

from datetime import timedelta
from pathlib import Path

import pytest

from relay.ids import QueueId
from relay.queue.model import State
from relay.reminders.model import today_of
from relay.web.app import all_routes
from tests.support.browser import NARROW, WIDE, Browser
from tests.support.page import PASSWORD, SETTINGS, Page, open_page
from tests.support.page_mail import remind, sent

pytestmark = pytest.mark.peer("chromium")

ANYONE = ("/sign-in", "/forgot", "/nothing/here")
NO_PAGES = ("/list", "/export", "/state", "/oidc", "/sign-in", "/forgot", "/callback", "/connected")
"""What answers with a part of a page, a file, or by sending the browser elsewhere."""


def every_page() -> list[str]:
    """Give the path of every page that names nothing."""
    paths = [route.path for route in all_routes() if route.method == "GET" and "{" not in route.path]
    return [path for path in dict.fromkeys(paths) if not any(part in path for part in NO_PAGES)]


@pytest.mark.parametrize("javascript", [True, False])
async def test_signing_in_and_out(tmp_path: Path, browser: Browser, javascript: bool) -> None:
    """Login and password, then the page that was asked for; signed out, it is asked for again."""
    async with (
        open_page(tmp_path) as page,
        page.served() as base,
        browser.window(base, javascript=javascript) as window,
    ):
        await window.open("/settings/account")
        assert await window.heading() == "Sign in"
        await window.tab.get_by_label("Login").fill("ana")
        await window.tab.get_by_label("Password").fill(PASSWORD)
        await window.tab.get_by_role("button", name="Sign in").click()
        await window.tab.wait_for_url("**/settings/account")
        assert "Ana Berg" in await window.tab.locator("header").inner_text()
        await window.tab.get_by_role("button", name="Sign out", exact=True).click()
        await window.tab.wait_for_url("**/sign-in?said=signed_out")
        assert window.troubles == []
        assert all(cookie["secure"] for cookie in await window.context.cookies())


@pytest.mark.parametrize(
    ("language", "heading"), [("en", "Sign in"), ("sv", "Logga in"), ("es", "Iniciar sesión")]
)
async def test_the_language_of_the_browser(
    tmp_path: Path, browser: Browser, language: str, heading: str
) -> None:
    """Before anybody has signed in, the browser's language counts."""
    async with (
        open_page(tmp_path) as page,
        page.served() as base,
        browser.window(base, language=language) as window,
    ):
        await window.open("/sign-in")
        assert await window.heading() == heading


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [WIDE, NARROW])
async def test_nobody_is_kept_out(tmp_path: Path, browser: Browser, dark: bool, width: int) -> None:
    """axe-core finds nothing on any page, light and dark; nothing is wider than a window of 320 pixels."""
    async with open_page(tmp_path) as page, page.served() as base:
        bea = await page.signed_in("bea", scheme="https")
        async with browser.window(base, dark=dark, width=width) as window:
            for path in ANYONE:
                await window.open(path)
                assert (path, await window.violations(), await window.overflow()) == (path, [], 0)
            await window.enter(bea)
            window.troubles.clear()
            message = await _stocked(page)
            for path in [*every_page(), *ONE_THING, f"/messages/{message}"]:
                await window.open(path)
                assert (path, await window.violations(), await window.overflow()) == (path, [], 0)
            assert window.troubles == []


@pytest.mark.parametrize("language", ["sv", "es"])
async def test_nobody_is_kept_out_in_any_language(tmp_path: Path, browser: Browser, language: str) -> None:
    """For a rep whose language it is, the narrow page says so, nothing is too wide for it, and axe-core finds nothing."""
    settings = SETTINGS.replace("    name: Ana Berg\n", f"    name: Ana Berg\n    language: {language}\n")
    async with open_page(tmp_path, settings) as page, page.served() as base:
        ana = await page.signed_in("ana", scheme="https")
        async with browser.window(base, width=NARROW) as window:
            await window.enter(ana)
            sent_there = await ana.post("/settings/mail/test", recipient="customer@example.org")
            for path in [
                *(path for path in every_page() if not path.startswith("/admin")),
                sent_there.location,
            ]:
                await window.open(path)
                assert await window.tab.locator("html").get_attribute("lang") == language
                assert (path, await window.violations(), await window.overflow()) == (path, [], 0)


ONE_THING = ("/reminders/1", "/center?section=bounced", "/center?section=in_progress", "/reminders?show=done")


async def _stocked(page: Page) -> QueueId:
    """Give bea mail in every state and reminders on every day, with long words in them."""
    for to, logging in (
        (State.SENT, State.HELD),
        (State.DEFERRED, State.DEFERRED),
        (State.BOUNCED, State.SKIPPED),
        (State.EXPIRED, State.SENT),
    ):
        await sent(
            page, login="bea", subject="Donaudampfschifffahrtsgesellschaft " * 3, to=to, logging=logging
        )
    today = today_of(page.clock.now(), "UTC")
    for days in (-1, 0, 1):
        await remind(
            page, "Donaudampfschifffahrtsgesellschaftskapitän" * 2, today + timedelta(days=days), "bea"
        )
    return await sent(page, login="bea")
