"""Signing in through an identity provider: who gets in, and what a lying provider or a stranger's link cannot do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Browser
from tests.support.page import SETTINGS, Page, Visitor, open_page
from tests.support.provider import CLIENT_ID, SECRET, LocalProvider, local_provider
from tests.support.submission import authority


@asynccontextmanager
async def page_and_provider(folder: Path, **more: str) -> AsyncIterator[tuple[Page, LocalProvider]]:
    """Give the page, and the provider that its settings name."""
    authority().cert_pem.write_to_path(str(folder / "ca.pem"))
    (folder / "oidc.secret").write_text(SECRET)
    (folder / "oidc.secret").chmod(0o600)
    async with local_provider() as provider:
        extra = "".join(f", {name}: {value}" for name, value in more.items())
        oidc = f'{{issuer: "{provider.issuer}", client_id: {CLIENT_ID}, client_secret: {{file: oidc.secret}}, tls_ca: ca.pem{extra}}}'
        async with open_page(folder, SETTINGS + f"web: {{oidc: {oidc}}}\n") as page:
            provider.now = page.clock.now() / 1_000_000
            yield page, provider


async def sent_back(visitor: Visitor, provider: LocalProvider, start: str = "/sign-in/oidc") -> str:
    """Follow the browser to the provider; give the path it comes back to."""
    answer = await visitor.get(start)
    assert answer.status == 303, answer.text
    return provider.visit(answer.location).removeprefix("http://localhost")


async def test_the_provider_signs_a_rep_in(tmp_path: Path) -> None:
    """A verified address that is one of a rep's signs the rep in and leads to where they wanted to go."""
    async with page_and_provider(tmp_path) as (page, provider):
        visitor = page.visitor()
        assert "Sign in with your company account" in (await visitor.get("/sign-in")).text
        back = await sent_back(visitor, provider, "/sign-in/oidc?next=/settings/account")
        asked = provider.asked[0]
        assert asked["code_challenge_method"] == "S256"
        assert set(asked["scope"].split()) == {"openid", "email", "profile"}
        assert asked["redirect_uri"] == "http://localhost/sign-in/oidc/callback"
        answer = await visitor.get(back)
        assert (answer.status, answer.location) == (303, "/settings/account")
        assert "Ana Berg" in (await visitor.follow(answer)).text
        assert await page.audited() == ["ana sign_in ana"]


async def test_a_known_subject_counts_more_than_an_address(tmp_path: Path) -> None:
    """Once seen, a person is known by the provider's subject: an address that moves on does not take the rep along."""
    async with page_and_provider(tmp_path) as (page, provider):
        first = page.visitor()
        await first.get(await sent_back(first, provider))
        provider.claims = {"sub": "s-1", "email": "bea@example.com", "email_verified": True}
        again = page.visitor()
        answer = await again.get(await sent_back(again, provider))
        assert "Ana Berg" in (await again.get("/settings/account")).text
        assert answer.status == 303


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "s-9", "email": "stranger@example.com", "email_verified": True},
        {"sub": "s-9", "email": "ana@example.com"},
        {"sub": "s-9", "email": "ana@example.com", "email_verified": False},
        {"sub": "s-9", "email": "dan@example.com", "email_verified": True},
        {"sub": "s-9"},
        {"sub": "s-9", "email": "not an address", "email_verified": True},
    ],
)
async def test_nobody_else_gets_in(tmp_path: Path, claims: dict[str, Any]) -> None:
    """No rep's address, an address that the provider did not verify, or a disabled rep's: no session."""
    async with page_and_provider(tmp_path) as (page, provider):
        provider.claims = claims
        visitor = page.visitor()
        answer = await visitor.get(await sent_back(visitor, provider))
        assert answer.status == 422
        assert "no rep here has that address" in answer.text
        assert "relay" not in visitor.cookies


async def test_a_directory_of_ones_own_needs_no_verification(tmp_path: Path) -> None:
    """With addresses: all, as for one Entra tenant, which never says email_verified, the address alone counts."""
    async with page_and_provider(tmp_path, addresses="all") as (page, provider):
        provider.claims = {"sub": "s-1", "email": "ana@example.com"}
        visitor = page.visitor()
        assert (await visitor.get(await sent_back(visitor, provider))).status == 303
        assert "relay" in visitor.cookies


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://evil.example"},
        {"aud": "another-client"},
        {"aud": [CLIENT_ID, "another-client"]},
        {"exp": 1_000_000_000},
        {"iat": 4_000_000_000},
        {"exp": "never"},
    ],
)
async def test_an_id_token_that_is_not_for_this_sign_in_is_refused(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    """Another nonce, issuer, audience or time: no session (OpenID Connect Core §3.1.3.7)."""
    async with page_and_provider(tmp_path) as (page, provider):
        provider.changed = changed
        visitor = page.visitor()
        answer = await visitor.get(await sent_back(visitor, provider))
        assert answer.status == 422
        assert "relay" not in visitor.cookies


@pytest.mark.parametrize(("algorithm", "foreign_key"), [("none", False), ("HS256", False), ("RS256", True)])
async def test_a_signature_that_anybody_could_make_is_refused(
    tmp_path: Path, algorithm: str, foreign_key: bool
) -> None:
    """No signature, one by a shared secret, one by another key: no session."""
    async with page_and_provider(tmp_path) as (page, provider):
        provider.algorithm, provider.foreign_key = algorithm, foreign_key
        visitor = page.visitor()
        assert (await visitor.get(await sent_back(visitor, provider))).status == 422
        assert "relay" not in visitor.cookies


async def test_a_state_works_once_in_one_browser_for_a_while(tmp_path: Path) -> None:
    """A link with a good code sent to a victim signs nobody in: the state belongs to the browser that asked for it."""
    async with page_and_provider(tmp_path) as (page, provider):
        attacker, victim = page.visitor(), page.visitor()
        await victim.get("/sign-in")
        back = await sent_back(attacker, provider)
        assert (await victim.get(back)).status == 422
        assert "relay" not in victim.cookies
        assert (await attacker.get(back)).status == 422

        late = page.visitor()
        back = await sent_back(late, provider)
        page.clock.advance(11 * 60)
        assert (await late.get(back)).status == 422

        twice = page.visitor()
        back = await sent_back(twice, provider)
        assert (await twice.get(back)).status == 303
        assert (await page.visitor(cookies=dict(twice.cookies)).get(back)).status == 422


@pytest.mark.parametrize(
    "back",
    [
        "/sign-in/oidc/callback",
        "/sign-in/oidc/callback?code=x&state=y",
        "/sign-in/oidc/callback?error=access_denied&state=y",
        "/sign-in/oidc/callback?code=x&state=",
    ],
)
async def test_a_callback_that_nobody_asked_for_is_refused(tmp_path: Path, back: str) -> None:
    """Without a state that was given out nothing happens, and the provider is not even asked."""
    async with page_and_provider(tmp_path) as (page, provider):
        assert (await page.visitor().get(back)).status == 422
        assert provider.refused == []


async def test_another_issuer_in_the_callback_is_refused(tmp_path: Path) -> None:
    """An answer that says it is of another provider is not taken (RFC 9207, mix-up)."""
    async with page_and_provider(tmp_path) as (page, provider):
        visitor = page.visitor()
        back = await sent_back(visitor, provider)
        mixed = back.partition("&iss=")[0] + "&iss=https%3A%2F%2Fevil.example"
        assert (await visitor.get(mixed)).status == 422


async def test_a_provider_that_is_away_is_said_so(tmp_path: Path) -> None:
    """When it cannot be reached, the person reads that it did not work, and can try again."""
    async with page_and_provider(tmp_path) as (page, provider):
        provider.issuer = "https://elsewhere.example"
        answer = await page.visitor().get("/sign-in/oidc")
        assert answer.status == 422
        assert "did not work" in answer.text


@pytest.mark.parametrize(
    "where", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
async def test_the_way_back_leads_nowhere_else(tmp_path: Path, where: str) -> None:
    """What `next` says is a path of ours, or it is nothing (open redirect)."""
    async with page_and_provider(tmp_path) as (page, provider):
        visitor = page.visitor()
        back = await sent_back(visitor, provider, f"/sign-in/oidc?next={where}")
        assert (await visitor.get(back)).location == "/"


@pytest.mark.peer("chromium")
@pytest.mark.parametrize("javascript", [True, False])
async def test_a_real_browser_signs_in_through_the_provider(
    tmp_path: Path, browser: Browser, javascript: bool
) -> None:
    """By the button, over the provider's own page, back to where the rep wanted to go; both over TLS."""
    async with (
        page_and_provider(tmp_path) as (page, _),
        page.served() as base,
        browser.window(base, javascript=javascript) as window,
    ):
        await window.open("/settings/account")
        await window.tab.get_by_role("link", name="Sign in with your company account").click()
        await window.tab.wait_for_url("**/settings/account")
        assert "Ana Berg" in await window.tab.locator("header").inner_text()
        assert await page.audited() == ["ana sign_in ana"]
