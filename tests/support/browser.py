"""A real browser for tests of the page: Debian's Chromium driven by playwright, and axe-core to look with.

Use the fixture `browser` (tests/web/conftest.py) and mark the test with `peer("chromium")`.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import BrowserContext, ConsoleMessage, async_playwright, expect
from playwright.async_api import Page as Tab

from tests.conftest import program
from tests.support.page import Visitor

_AXE = Path(__file__).resolve().parents[1] / "web" / "axe"
_LIMIT = 120.0
_PATIENCE = 60_000.0
"""Milliseconds that a step waits for what must come."""
WIDE, NARROW = 1280, 320
expect.set_options(timeout=_PATIENCE)


@dataclass
class Window:
    """One browser window: a context of its own, with what went wrong in it."""

    context: BrowserContext
    tab: Tab
    base: str
    troubles: list[str] = field(default_factory=list)
    """Errors on the console and violations of the policy: a test ends with none."""

    async def open(self, path: str) -> None:
        """Go to a path of the page."""
        await self.tab.goto(self.base + path)

    async def enter(self, visitor: Visitor) -> None:
        """Take over the cookies of somebody who is signed in (page.signed_in("ana", scheme="https"))."""
        await self.context.add_cookies(
            [
                {"name": name, "value": value, "url": self.base, "secure": True}
                for name, value in visitor.cookies.items()
            ]
        )

    async def heading(self) -> str:
        """Give the page's heading."""
        return await self.tab.locator("h1").inner_text()

    async def violations(self, rules: Sequence[str] | None = None) -> list[str]:
        """Have axe-core look at the page, by these rules or by all; give what it finds, one line each."""
        # Through the debugging protocol, which the page's policy does not stop.
        if not await self.tab.evaluate("() => 'axe' in window"):
            await self.tab.evaluate((axe_folder() / "axe.min.js").read_text())
        only = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
        found: dict[str, Any] = await self.tab.evaluate("only => axe.run(document, only)", only)
        return [
            f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes']]}"
            for one in found["violations"]
        ]

    async def overflow(self) -> int:
        """Give how many pixels the page is wider than its window."""
        width: int = await self.tab.evaluate(
            "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return width


class Browser:
    """Chromium; opens windows."""

    def __init__(self, chromium: Chromium) -> None:
        self._chromium = chromium

    @asynccontextmanager
    async def window(
        self,
        base: str,
        *,
        javascript: bool = True,
        dark: bool = False,
        width: int = WIDE,
        language: str = "en",
    ) -> AsyncIterator[Window]:
        """Open a window on the page that is served at `base`; its certificate is a test's own."""
        context = await self._chromium.new_context(
            ignore_https_errors=True,
            java_script_enabled=javascript,
            color_scheme="dark" if dark else "light",
            viewport={"width": width, "height": 900},
            locale=language,
            reduced_motion="reduce",
        )
        context.set_default_timeout(_PATIENCE)
        tab = await context.new_page()
        window = Window(context, tab, base)
        tab.on("console", lambda message: _note(window, message))
        tab.on("pageerror", lambda error: window.troubles.append(str(error)))
        try:
            yield window
        finally:
            await context.close()


def _note(window: Window, message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        window.troubles.append(message.text)


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Start Chromium, and end it."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=program("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield Browser(chromium)
        finally:
            await chromium.close()


def axe_folder() -> Path:
    """Give the folder of axe-core, installed by whoever comes first; without it, the test is skipped or fails."""
    with (_AXE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        package = _AXE / "node_modules" / "axe-core"
        if not package.is_dir():
            done = subprocess.run(
                [program("npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
                cwd=_AXE,
                capture_output=True,
                timeout=_LIMIT,
                check=False,
                text=True,
            )
            if done.returncode:
                shutil.rmtree(_AXE / "node_modules", ignore_errors=True)
                _without("axe-core cannot be installed: " + done.stderr[-300:])
    return package


def _without(reason: str) -> None:
    if os.environ.get("RELAY_TEST_PEERS") == "required":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
