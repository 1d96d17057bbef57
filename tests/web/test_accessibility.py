"""Nobody is kept out: axe-core on every page, for every role, language, theme and width; the keyboard; what tells of changes.

What cannot differ is looked at once: colours alone differ between light and dark, so that in the dark only contrast is
checked, at one width; the pages of an admin's or auditor's own mail are a rep's, so that they are looked at as a rep; a language
changes the length of words and what they are announced in, so that in Swedish and Spanish the narrow window is looked at.
"""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.async_api import expect

from relay.queue.model import State
from relay.reminders.model import today_of
from relay.web.app import all_routes
from tests.support.browser import NARROW, WIDE, Browser, Window
from tests.support.page import PASSWORD, SETTINGS, Page, open_page
from tests.support.page_mail import remind, sent
from tests.web.test_attention import held

pytestmark = pytest.mark.peer("chromium")

ANYONE = ("/sign-in", "/forgot", "/choose-password/x", "/nothing/here")
NO_PAGES = ("/list", "/export", "/state", "/oidc", "/sign-in", "/forgot", "/callback", "/connected")
"""What answers with a part of a page, a file, or by sending the browser elsewhere."""
STATES = ("/center?section=bounced", "/center?section=in_progress", "/center?q=offer", "/today?show=waiting")
STATES += (
    "/reminders/1",
    "/reminders?show=done",
    "/settings/salesforce/sync?tab=bcc",
    "/nothing/here",
    "/today?said=undone",
)
LONG = "Donaudampfschifffahrtsgesellschaftskapitän"
SOURCE = "From: ana@example.com\nTo: kim@buyer.example\nSubject: Offer\n\nHello\n"
HOUSE = {"admin": ("/admin", "/diagnostics", "/settings", "/center"), "auditor": ("/admin", "/diagnostics")}
"""Where the pages begin that show these roles something else than a rep."""
LOGINS = {"rep": "ana", "admin": "bea", "auditor": "cid"}


def pages_for(role: str) -> list[str]:
    """Give the path of every page that names nothing and that somebody in this role may see."""
    own = [
        one for one in all_routes() if one.method == "GET" and "{" not in one.path and one.access.allows(role)
    ]
    paths = [
        path for path in dict.fromkeys(one.path for one in own) if not any(no in path for no in NO_PAGES)
    ]
    if role != "rep":
        return [path for path in paths if path.startswith(HOUSE[role])]
    return [*paths, *STATES]


async def stock(page: Page, login: str) -> str:
    """Give somebody mail in every state, what failed, and reminders on every day, with long words in them; the last mail."""
    for to, logging in (
        (State.SENT, State.HELD),
        (State.DEFERRED, State.DEFERRED),
        (State.BOUNCED, State.SKIPPED),
        (State.EXPIRED, State.SENT),
    ):
        await sent(page, login=login, subject=f"{LONG} " * 3, to=to, logging=logging)
    await held(page, login=login)
    await held(
        page, login=login, fault=None, unmatched=(f"{LONG.lower().replace('ä', 'a')}@nowhere.example",)
    )
    today = today_of(page.clock.now(), "UTC")
    for days in (-1, 0, 1):
        await remind(page, LONG * 2, today + timedelta(days=days), login)
    return await sent(page, login=login)


def speaking(language: str) -> str:
    """Give the settings with people of this language."""
    return (
        "\n".join(
            line + (f"\n    language: {language}" if line.lstrip().startswith("addresses: [") else "")
            for line in SETTINGS.splitlines()
        )
        .replace("{login: be", f"{{language: {language}, login: be")
        .replace("{login: ci", f"{{language: {language}, login: ci")
    )


async def look(window: Window, width: int, *, dark: bool = False) -> None:
    """Have axe-core look at what is open, at this width; in the dark at contrast alone."""
    await window.tab.set_viewport_size({"width": width, "height": 900})
    await window.tab.emulate_media(color_scheme="dark" if dark else "light")
    found = await window.violations(["color-contrast"] if dark else None)
    where = (window.tab.url, width, "dark" if dark else "light")
    assert (where, found, await window.overflow()) == (where, [], 0)


async def look_all_over(window: Window, language: str) -> None:
    """Look at what is open, in every way in which it can differ."""
    assert await window.tab.locator("html").get_attribute("lang") == language
    levels = await window.tab.eval_on_selector_all(
        "h1, h2, h3, h4", "all => all.map(one => Number(one.tagName[1]))"
    )
    assert levels[0] == 1, levels
    assert levels.count(1) == 1, levels
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    await look(window, NARROW)
    if language == "en":
        await look(window, WIDE)
        await look(window, WIDE, dark=True)


@pytest.mark.parametrize("role", LOGINS)
@pytest.mark.parametrize("language", ["en", "sv", "es"])
async def test_nobody_is_kept_out(tmp_path: Path, browser: Browser, language: str, role: str) -> None:
    """axe-core finds nothing, headings are in order, and nothing is wider than a window of 320 pixels."""
    async with open_page(tmp_path, speaking(language)) as page, page.served() as base:
        visitor = await page.signed_in(LOGINS[role], scheme="https")
        message = await stock(page, LOGINS["rep" if role == "rep" else "admin"])
        async with browser.window(base, language=language) as window:
            for path in ANYONE if role == "rep" else ():
                await window.open(path)
                await look_all_over(window, language)
            await window.enter(visitor)
            for path in [*pages_for(role), f"/messages/{message}"]:
                await window.open(path)
                await look_all_over(window, language)


async def test_what_forms_answer_keeps_nobody_out(tmp_path: Path, browser: Browser) -> None:
    """A wrong password, a decision that was tried, a preview, a new app password, a code that is awaited, a test that is walked."""
    async with open_page(tmp_path) as page, page.served() as base, browser.window(base) as window:
        tab = window.tab
        await window.open("/sign-in")
        for password in ("wrong", PASSWORD):
            await tab.locator("#login").fill("ana")
            await tab.locator("#password").fill(password)
            await tab.locator("main button.primary").click()
            if password == "wrong":
                await expect(tab.get_by_role("alert")).to_be_visible()
                await look_all_over(window, "en")
        await tab.wait_for_url("**/today")
        for path, field, value, button in (
            ("/try", "#text", SOURCE, "form[action='/try'] button"),
            ("/settings/exclusions", "textarea >> nth=0", "*@bank.example", "button[value='try']"),
            ("/settings/mail", "#name", "Telephone", "form[action$='tokens'] button"),
            ("/settings/addresses", "#address", "other@example.com", "form[action$='add'] button"),
            ("/settings/mail", "#recipient", "customer@example.org", "form[action$='test'] button"),
        ):
            await window.open(path)
            await tab.locator(field).fill(value)
            await tab.locator(button).click()
            await tab.wait_for_load_state()
            await look_all_over(window, "en")


FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0'], iframe"
MARK = f"""() => {{
  const all = [...document.querySelectorAll("{FOCUSABLE}")];
  const shown = all.filter(one => !one.disabled && one.checkVisibility({{visibilityProperty: true}}));
  const groups = {{}};
  return shown.filter(one => one.type !== "radio" || (groups[one.name] ??= []).push(one) === 1)
    .map((one, at) => {{ const walk = one.type === "radio" ? one.name : String(at); one.dataset.walk = walk; return [walk, one.outerHTML.slice(0, 120)]; }});
}}"""
WHERE = """() => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  if (one === document.body) return null;
  return {walk: one.type === "radio" ? one.name : one.dataset.walk, html: one.outerHTML.slice(0, 120),
          ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
          seen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth};
}"""


@pytest.mark.parametrize("width", [WIDE, NARROW])
async def test_the_keyboard_reaches_everything(tmp_path: Path, browser: Browser, width: int) -> None:
    """By Tab alone: every control of every page, in view and with a ring; the first leads past the menu, to the content."""
    async with open_page(tmp_path) as page, page.served() as base:
        bea = await page.signed_in("bea", scheme="https")
        message = await stock(page, "bea")
        async with browser.window(base, width=width) as window:
            await window.enter(bea)
            for path in [*dict.fromkeys([*pages_for("admin"), *pages_for("rep")]), f"/messages/{message}"]:
                await window.open(path)
                await walk(window, path)


async def walk(window: Window, path: str) -> None:
    """Press Tab until every control of the page was reached."""
    controls: list[tuple[str, str]] = await window.tab.evaluate(MARK)
    reached = set()
    for step in range(3 * len(controls)):  # a date takes several
        await window.tab.keyboard.press("Tab")
        here = await window.tab.evaluate(WHERE)
        if here is None:
            break
        if step == 0:
            assert 'class="jump"' in here["html"], (path, here)
        assert here["ring"], (path, here)
        assert here["seen"], (path, here)
        reached.add(here["walk"])
    missed = [control for at, control in controls if at not in reached]
    assert not missed, (path, missed)


async def test_the_first_link_leads_to_the_content(tmp_path: Path, browser: Browser) -> None:
    """Past the menu: the next Tab is in the page's own part."""
    async with open_page(tmp_path) as page, page.served() as base, browser.window(base) as window:
        await window.enter(await page.signed_in("ana", scheme="https"))
        await window.open("/try")
        await window.tab.keyboard.press("Tab")
        await window.tab.keyboard.press("Enter")
        await expect(window.tab.locator("main")).to_be_focused()
        await window.tab.keyboard.press("Tab")
        assert await window.tab.evaluate(
            "() => document.querySelector('main').contains(document.activeElement)"
        )


@pytest.mark.parametrize(("path", "told"), [("/today", "Needs you 1"), ("/center", "Delivered 2")])
async def test_what_changes_by_itself_is_told_and_takes_no_focus(
    tmp_path: Path, browser: Browser, path: str, told: str
) -> None:
    """A list that renews itself says politely how many there are now, and the keyboard stays where it was."""
    async with open_page(tmp_path) as page, page.served() as base, browser.window(base) as window:
        await window.enter(await page.signed_in("ana", scheme="https"))
        first = await sent(page, subject="The first")
        await window.open(path)
        link = window.tab.locator(f"#mail-{first}")
        await link.focus()
        await sent(page, subject="The second", logging=State.HELD)
        await expect(window.tab.get_by_role("link", name="The second").first).to_be_visible()
        await expect(window.tab.locator("#news")).to_contain_text(told)
        await expect(link).to_be_focused()
        assert window.troubles == []
