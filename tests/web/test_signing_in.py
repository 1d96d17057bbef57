"""Signing in and out: who gets in, who is kept out, and what an attacker can do with cookies and forms."""

import re
from pathlib import Path

import pytest

from tests.support.page import APP_PASSWORD, PASSWORD, link_in, open_page


async def test_a_password_signs_in_and_a_sign_out_ends_it(tmp_path: Path) -> None:
    """Login and password give a session; after signing out the cookie is worth nothing, wherever it was copied to."""
    async with open_page(tmp_path) as page:
        ana = page.visitor()
        shown = await ana.get("/sign-in")
        assert shown.status == 200
        answer = await ana.post("/sign-in", login="Ana", password=PASSWORD)
        assert (answer.status, answer.location) == (303, "/")
        copied = dict(ana.cookies)
        assert "Ana Berg" in (await ana.get("/settings/account")).text
        assert (await ana.post("/sign-out")).location.startswith("/sign-in")
        thief = page.visitor(cookies=copied)
        assert (await thief.get("/settings")).location.startswith("/sign-in?next=")
        assert await page.audited() == ["ana sign_in ana", "ana sign_out ana"]


@pytest.mark.parametrize(
    ("login", "password"),
    [("ana", "wrong"), ("nobody", PASSWORD), ("dan", PASSWORD), ("ana", APP_PASSWORD), ("", "")],
)
async def test_what_proves_nobody_signs_nobody_in(tmp_path: Path, login: str, password: str) -> None:
    """A wrong password, an unknown or disabled login, and an app password give no session."""
    async with open_page(tmp_path) as page:
        visitor = page.visitor()
        await visitor.get("/sign-in")
        answer = await visitor.post("/sign-in", login=login, password=password)
        assert answer.status == 422
        assert "relay" not in visitor.cookies
        assert (await visitor.get("/settings")).status == 303
