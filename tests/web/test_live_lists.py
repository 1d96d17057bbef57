"""*Needs attention* and *Diagnostics* renew themselves in a real browser, and leave alone whoever works in them."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.support.browser import Browser
from tests.support.page import SETTINGS, open_page
from tests.web.test_attention import held

pytestmark = pytest.mark.peer("chromium")

PATHS = ("/attention", "/diagnostics")
LISTS = (("ana", "/attention"), ("ana", "/diagnostics"), ("bea", "/diagnostics"))
"""Those of a rep, and everybody's of an admin."""


@pytest.mark.parametrize(("login", "path"), LISTS)
async def test_what_fails_is_shown_while_the_page_is_open(
    tmp_path: Path, browser: Browser, login: str, path: str
) -> None:
    """It is told politely, and the keyboard stays where it was."""
    async with open_page(tmp_path) as page, page.served() as base, browser.window(base) as window:
        await window.enter(await page.signed_in(login, scheme="https"))
        _, first = await held(page, login=login)
        await window.open(path)
        retry = window.tab.locator(f"#retry-{first}")
        await retry.focus()
        _, second = await held(page, login=login)
        await expect(window.tab.locator(f"#retry-{second}")).to_be_visible()
        await expect(window.tab.locator("#news")).to_have_text("2 mails need attention.")
        await expect(window.tab.locator("#held")).to_be_empty()
        await expect(retry).to_be_focused()
        assert window.troubles == []


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "The list has changed. 2 mails need attention. Show it as it is now"),
        ("sv", "Listan har ändrats. 2 mejl behöver åtgärd. Visa den som den är nu"),
        ("es", "La lista ha cambiado. 2 correos requieren atención. Mostrarla como está ahora"),
    ],
)
async def test_what_somebody_types_is_kept(
    tmp_path: Path, browser: Browser, language: str, told: str
) -> None:
    """That the list has changed is only said, once; it is shown when that is asked for, or nothing is typed any more."""
    settings = SETTINGS.replace("- login: ana\n", f"- login: ana\n    language: {language}\n")
    async with open_page(tmp_path, settings) as page, page.served() as base, browser.window(base) as window:
        await window.enter(await page.signed_in("ana", scheme="https"))
        _, first = await held(page)
        await window.open("/attention")
        field, notice = window.tab.locator(f"#record{first}"), window.tab.locator("#held")
        await field.fill("003xx")
        _, second = await held(page)
        await expect(notice).to_have_text(told)
        await expect(field).to_have_value("003xx")
        await expect(field).to_be_focused()
        await expect(window.tab.locator(f"#record{second}")).to_have_count(0)
        assert await window.violations() == []
        async with window.tab.expect_response(lambda answer: "/attention/list" in answer.url) as answer:
            pass
        assert (await answer.value).status == 204
        await field.blur()
        async with window.tab.expect_response(lambda answer: "/attention/list" in answer.url):
            pass
        await expect(field).to_have_value("003xx")
        await field.fill("")
        await field.blur()
        await expect(window.tab.locator(f"#record{second}")).to_be_visible()
        await expect(notice).to_be_empty()
        await window.tab.locator(f"#record{second}").fill("003yy")
        await held(page)
        await notice.get_by_role("link").click()
        await expect(window.tab.locator(".troubles > li")).to_have_count(3)
        assert window.troubles == []


@pytest.mark.parametrize("login", ["ana", "bea"])
async def test_what_somebody_reads_stays_open(tmp_path: Path, browser: Browser, login: str) -> None:
    """What Salesforce said, once unfolded, is not folded under the eyes of who reads it."""
    async with open_page(tmp_path) as page, page.served() as base, browser.window(base) as window:
        await window.enter(await page.signed_in(login, scheme="https"))
        await held(page)
        await window.open("/diagnostics")
        await window.tab.locator("#troubles summary").click()
        await held(page)
        await expect(window.tab.locator("#held")).to_contain_text("The list has changed.")
        await expect(window.tab.locator("#troubles samp")).to_be_visible()
        await window.tab.locator("#troubles summary").click()
        await window.tab.locator("#troubles summary").blur()
        await expect(window.tab.locator("#troubles samp")).to_have_count(2)
        assert window.troubles == []


@pytest.mark.parametrize("path", PATHS)
async def test_without_javascript_it_is_the_same_list(tmp_path: Path, browser: Browser, path: str) -> None:
    """As it was when the page was loaded, and nothing is said of changes."""
    async with (
        open_page(tmp_path) as page,
        page.served() as base,
        browser.window(base, javascript=False) as window,
    ):
        await window.enter(await page.signed_in("ana", scheme="https"))
        _, first = await held(page)
        await window.open(path)
        await expect(window.tab.locator("#held")).not_to_be_in_viewport()
        await window.tab.locator(f"#retry-{first}").click()
        await window.tab.wait_for_url("**said=retried")
        assert window.troubles == []
