"""The page in a real browser, served over TLS: signing in, with and without JavaScript, in every language."""

from pathlib import Path

import pytest

from tests.support.browser import Browser
from tests.support.page import PASSWORD, open_page

pytestmark = pytest.mark.peer("chromium")


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
