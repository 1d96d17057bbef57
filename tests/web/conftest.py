"""A real browser for the tests of the page."""

from collections.abc import AsyncIterator

import pytest

from tests.support.browser import Browser, open_browser
from tests.support.salesforce import salesforce as salesforce


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium, for one test."""
    async with open_browser() as one:
        yield one
