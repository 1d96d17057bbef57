"""Who may ask for what: every route with every role, and forms that come from elsewhere."""

import re
from pathlib import Path

import pytest

from relay.web.access import Access, PageRoute
from relay.web.app import all_routes
from tests.support.page import ROLES, Page, Visitor, open_page

ROUTES = all_routes()


def target(route: PageRoute) -> str:
    """Give a path of the route; what its parts name does not exist."""
    return re.sub(r"{[^}]+}", "0000000000000", route.path)


async def visitor(page: Page, who: str) -> Visitor:
    """Give a browser of somebody, or of nobody."""
    return page.visitor() if who == "nobody" else await page.signed_in(who)


ALLOWED = {
    Access.ANYONE: {"nobody", "ana", "bea", "cid"},
    Access.SIGNED_IN: {"ana", "bea", "cid"},
    Access.ADMIN: {"bea"},
    Access.OVERSIGHT: {"bea", "cid"},
}


@pytest.mark.parametrize("who", ["nobody", *ROLES])
async def test_every_route_lets_in_whom_its_table_names(tmp_path: Path, who: str) -> None:
    """A role that a route does not name gets 403, nobody is sent to sign in, and no handler runs."""
    async with open_page(tmp_path) as page:
        for route in ROUTES:
            browser = await visitor(page, who)
            await browser.get("/sign-in")
            if route.method == "GET":
                answer = await browser.get(target(route))
            else:
                answer = await browser.post(target(route))
            told = (route.method, route.path, who, answer.status)
            if who in ALLOWED[route.access]:
                assert answer.status not in (401, 500), told
                assert answer.status != 403 or route.path == "/sign-in", told
            elif who == "nobody":
                assert answer.location.startswith("/sign-in"), told
            else:
                assert answer.status == 403, told


def test_nothing_but_signing_in_is_for_anyone() -> None:
    """The list of what nobody needs a session for is short, and known."""
    open_to_all = {route.path for route in ROUTES if route.access is Access.ANYONE}
    assert open_to_all <= {
        "/sign-in",
        "/sign-in/oidc",
        "/sign-in/oidc/callback",
        "/forgot",
        "/choose-password/{code}",
        "/calendar/{token}",
    }


def test_every_path_and_method_is_declared_once() -> None:
    """No page stands in another's way."""
    declared = [(route.method, route.path) for route in ROUTES]
    assert len(declared) == len(set(declared))


POSTS = [route for route in ROUTES if route.method == "POST"]


async def test_no_form_is_taken_from_another_site(tmp_path: Path) -> None:
    """A form with a good token is refused when the browser says that another site sent it (CSRF)."""
    async with open_page(tmp_path) as page:
        for route in POSTS:
            browser = await page.signed_in("bea")
            fields = {"form_token": browser.token}
            for elsewhere in (
                {"origin": "https://evil.example"},
                {"origin": "null"},
                {"sec_fetch_site": "cross-site"},
                {"sec_fetch_site": "same-site"},
                {"origin": "http://localhost:99"},
                {"origin": "https://localhost"},
            ):
                answer = await browser.post_with(target(route), fields, **elsewhere)
                assert answer.status == 403, (route.path, elsewhere)


async def test_no_form_is_taken_without_its_token(tmp_path: Path) -> None:
    """Without a token, with a wrong one, or with that of another session, a form is refused (CSRF)."""
    async with open_page(tmp_path) as page:
        other = await page.signed_in("ana")
        for route in POSTS:
            browser = await page.signed_in("bea")
            for fields in ({}, {"form_token": ""}, {"form_token": "0" * 64}, {"form_token": other.token}):
                answer = await browser.post_with(target(route), fields)
                assert answer.status == 403, (route.path, fields)


async def test_a_stranger_s_form_cannot_sign_a_victim_in(tmp_path: Path) -> None:
    """Signing in, too, needs the token of this very browser: nobody is signed in to another's account unawares."""
    async with open_page(tmp_path) as page:
        attacker, victim = page.visitor(), page.visitor()
        await attacker.get("/sign-in")
        await victim.get("/sign-in")
        fields = {"form_token": attacker.token, "login": "ana", "password": "x"}
        assert (await victim.post_with("/sign-in", fields)).status == 403


async def test_get_changes_nothing(tmp_path: Path) -> None:
    """No form can be sent by a link: a path that takes forms answers GET with the form, or not at all."""
    async with open_page(tmp_path) as page:
        shown = {route.path for route in ROUTES if route.method == "GET"}
        bea = await page.signed_in("bea")
        for route in POSTS:
            answer = await bea.get(target(route) + "?login=ana&mode=off")
            assert answer.status == 405 or route.path in shown, route.path
        assert await page.audited() == []


async def test_where_there_is_nothing_the_menu_is_still_there(tmp_path: Path) -> None:
    """An address that no page has says so in the language of who is signed in, with the way back."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        await ana.post("/settings/account", language="sv", time_zone="UTC")
        lost = await ana.get("/nothing/here")
        assert lost.status == 404
        assert '<html lang="sv">' in lost.text
        assert 'href="/today"' in lost.text
        stranger = await page.visitor().get("/nothing/here")
        assert (stranger.status, 'href="/today"' in stranger.text) == (404, False)
