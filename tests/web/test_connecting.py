"""Connect and Disconnect on the page against a simulated Salesforce, and what a stranger's answer cannot do."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from relay.config.secrets import read_secret
from relay.demo.salesforce.simulator import Simulator
from relay.salesforce.client import SalesforceClient
from relay.salesforce.token_store import StoredTokens
from relay.web.pages.connecting import CALLBACK
from tests.support.browser import Browser
from tests.support.builders import new_message, record, to_recipient
from tests.support.page import SETTINGS, Answer, Page, Visitor, open_page
from tests.support.salesforce import REP_USERNAME, rep, salesforce, settings
from tests.support.salesforce_plain import session

__all__ = ["salesforce"]

SYNC = "/settings/salesforce/sync"
KEPT = "SELECT identity, refresh_token FROM salesforce_token"


@asynccontextmanager
async def unconnected_page(folder: Path, salesforce: Simulator, kind: str = "connect") -> AsyncIterator[Page]:
    """Give the page of a relay that nobody has connected yet; ana is a user of Salesforce."""
    user = rep(salesforce)
    text = SETTINGS.replace("    name: Ana Berg\n", f"    name: Ana Berg\n    salesforce_user_id: {user}\n")
    async with open_page(folder, text + "web: {}\n" + settings(salesforce, folder, kind=kind)) as page:
        configuration = page.actions.configuration()
        assert configuration.settings.salesforce is not None
        client = SalesforceClient(
            configuration.settings.salesforce,
            resolve=configuration.resolve,
            secret=lambda reference: read_secret(reference, configuration.path.parent),
            clock=page.clock,
            tokens=StoredTokens(page.house.database, page.clock),
        )
        page.actions.client = client
        try:
            yield page
        finally:
            await client.close()


async def sent_there(visitor: Visitor, whose: str = "organization") -> str:
    """Press Connect; give the address at Salesforce that the page sends the browser to."""
    answer = await visitor.post(f"{SYNC}/connect", whose=whose)
    assert answer.status == 200, answer.text
    found = re.search(r'id="go"[^>]* href="([^"]+)"', answer.text)
    assert found is not None
    url = unescape(found[1])
    assert answer.header("refresh") == f"0; url={url}"
    return url


def consent(salesforce: Simulator, url: str) -> str:
    """Do as the browser does at Salesforce; give the path that it is sent back to."""
    with session(salesforce) as http:
        answer = http.get(url, allow_redirects=False, timeout=10)
    where = answer.headers["Location"]
    assert where.startswith(f"http://localhost{CALLBACK}?")
    return where.removeprefix("http://localhost")


async def connected(salesforce: Simulator, visitor: Visitor, whose: str = "organization") -> Answer:
    """Connect; give what the page answers at the end."""
    return await visitor.get(consent(salesforce, await sent_there(visitor, whose)))


async def kept(page: Page) -> dict[str, str]:
    """Give the refresh tokens of the store by identity."""
    rows = await page.house.database.read(lambda tx: tx.execute(KEPT, ()))
    return {str(identity): str(token) for identity, token in rows}


async def test_an_admin_connects_and_disconnects(
    tmp_path: Path, salesforce: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Connect leads to Salesforce and back, the page shows as whom; Disconnect asks, revokes, and leaves nothing."""
    caplog.set_level("DEBUG")
    async with unconnected_page(tmp_path, salesforce) as page:
        bea = await page.signed_in("bea")
        assert "Connect to Salesforce" in (await bea.get(SYNC)).text
        url = await sent_there(bea)
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert url.startswith(f"{salesforce.url}/services/oauth2/authorize?")
        assert asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"] == f"http://localhost{CALLBACK}"
        assert set(asked["scope"].split()) == {"api", "refresh_token"}
        back = consent(salesforce, url)
        answer = await bea.get(back)
        assert (answer.status, answer.location) == (303, f"{SYNC}?said=connected")
        shown = (await bea.follow(answer)).text
        assert "Salesforce is connected." in shown
        assert "integration@relay.demo" in shown
        (refresh,) = (await kept(page)).values()
        assert page.actions.woken == 1

        asking = await bea.follow(await bea.post(f"{SYNC}/disconnect", whose="organization"))
        assert "Nothing is logged for anybody" in asking.text
        assert await kept(page) != {}
        answer = await bea.post(f"{SYNC}/disconnect", whose="organization", confirm="yes")
        assert answer.location == f"{SYNC}?said=disconnected"
        shown = (await bea.follow(answer)).text
        assert "Not connected" in shown
        assert await kept(page) == {}
        with session(salesforce) as http:
            form = {
                "grant_type": "refresh_token",
                "client_id": salesforce.client_id,
                "refresh_token": refresh,
            }
            assert (
                http.post(f"{salesforce.url}/services/oauth2/token", data=form, timeout=10).status_code == 400
            )
        assert await page.audited() == [
            "bea salesforce.connected *",
            "bea salesforce.settled *",
            "bea salesforce.disconnected *",
        ]
        details = str(
            await page.house.database.read(lambda tx: tx.execute("SELECT detail FROM page_audit", ()))
        )
        code = parse_qs(urlsplit(back).query)["code"][0]
        for secret in (refresh, code):
            assert secret not in details + shown + caplog.text


async def test_reps_are_told_and_cannot_connect_for_all(tmp_path: Path, salesforce: Simulator) -> None:
    """A rep reads that an admin must connect, has no button, and a form of one's own making is refused."""
    async with unconnected_page(tmp_path, salesforce) as page:
        ana = await page.signed_in("ana")
        shown = (await ana.get(SYNC)).text
        assert "until your admin connects" in shown
        assert "Connect to Salesforce" not in shown
        for verb in ("connect", "disconnect"):
            assert (await ana.post(f"{SYNC}/{verb}", whose="organization", confirm="yes")).status == 403
            assert (await ana.post(f"{SYNC}/{verb}", whose="mine", confirm="yes")).status == 404


async def test_each_rep_connects_as_oneself(tmp_path: Path, salesforce: Simulator) -> None:
    """With each_rep a rep connects as the own user alone; the tokens of others are not touched."""
    async with unconnected_page(tmp_path, salesforce, "connect_each") as page:
        ana, bea = await page.signed_in("ana"), await page.signed_in("bea")
        assert "prompt=" not in await sent_there(ana, "mine")
        refused = await connected(salesforce, ana, "mine")  # the integration user is signed in there
        assert refused.status == 422
        assert "is another user" in refused.text
        assert await kept(page) == {}

        assert (await connected(salesforce, bea)).status == 303
        salesforce.toggles.signed_in_as = REP_USERNAME
        assert (await connected(salesforce, ana, "mine")).status == 303
        assert len(await kept(page)) == 2
        shown = (await ana.get(SYNC)).text
        assert REP_USERNAME in shown
        assert "looks people up" not in shown
        no_user = await bea.post(f"{SYNC}/connect", whose="mine")
        assert no_user.status == 422
        await ana.post(f"{SYNC}/disconnect", whose="mine", confirm="yes")
        assert list(await kept(page)) == [""]
        assert "Until you connect" in (await ana.get(SYNC)).text
        assert "integration@relay.demo" in (await bea.get(SYNC)).text


async def test_an_organisation_is_settled_by_its_first_connection(
    tmp_path: Path, salesforce: Simulator
) -> None:
    """The audit says which, the page shows it, and a user of another one is refused in a plain sentence."""
    async with unconnected_page(tmp_path, salesforce, "connect_each") as page:
        ana, bea = await page.signed_in("ana"), await page.signed_in("bea")
        salesforce.toggles.signed_in_as = REP_USERNAME
        early = await connected(salesforce, ana, "mine")
        assert (early.status, await kept(page)) == (422, {})
        assert "An admin must connect the relay to the organisation first" in early.text
        salesforce.toggles.signed_in_as = ""
        assert (await connected(salesforce, bea)).status == 303
        assert salesforce.organization_id in (await bea.get(SYNC)).text
        before = await kept(page)

        salesforce.toggles.users_elsewhere = {REP_USERNAME: "00D000000000999AAA"}
        salesforce.toggles.signed_in_as = REP_USERNAME
        for visitor, whose in ((ana, "mine"), (bea, "organization")):
            answer = await connected(salesforce, visitor, whose)
            assert answer.status == 422
            assert "belongs to another organisation" in answer.text
        assert await kept(page) == before
        assert salesforce.refresh_tokens == set(before.values())
        assert await page.audited() == ["bea salesforce.connected *", "bea salesforce.settled *"]
        audit = (await bea.get("/admin/audit")).text
        assert "settled which Salesforce organisation is connected" in audit
        assert salesforce.organization_id in audit


async def test_a_state_works_once_in_one_session_for_a_while(tmp_path: Path, salesforce: Simulator) -> None:
    """A good answer in another browser or session, a second time, or too late connects nothing."""
    async with unconnected_page(tmp_path, salesforce) as page:
        bea, other = await page.signed_in("bea"), await page.signed_in("bea")
        back = consent(salesforce, await sent_there(other))
        assert (await bea.get(back)).status == 422  # an attacker's code in a victim's browser
        assert (await other.get(back)).status == 422  # used up by that
        back = consent(salesforce, await sent_there(bea))
        page.clock.advance(11 * 60)
        assert (await bea.get(back)).status == 422
        assert salesforce.token_requests == 0
        back = consent(salesforce, await sent_there(bea))
        assert (await bea.get(back)).status == 303
        before = await kept(page)
        assert (await bea.get(back)).status == 422
        assert await kept(page) == before
        assert "integration@relay.demo" in (await bea.get(SYNC)).text


@pytest.mark.parametrize("query", ["", "?code=x&state=y", "?code=x&state=", "?error=access_denied&state=y"])
async def test_an_answer_that_nobody_asked_for_is_refused(
    tmp_path: Path, salesforce: Simulator, query: str
) -> None:
    """Without a state that was given out nothing happens, and Salesforce is not even asked."""
    async with unconnected_page(tmp_path, salesforce) as page:
        bea = await page.signed_in("bea")
        assert (await bea.get(CALLBACK + query)).status == 422
        assert salesforce.token_requests == 0
        assert await page.audited() == []


async def test_a_state_of_another_kind_or_verifier_is_refused(tmp_path: Path, salesforce: Simulator) -> None:
    """A code that was got with another challenge, and a state given out for signing in, connect nothing."""
    async with unconnected_page(tmp_path, salesforce) as page:
        bea = await page.signed_in("bea")
        first, second = await sent_there(bea), await sent_there(bea)
        code = parse_qs(urlsplit(consent(salesforce, first)).query)["code"][0]
        state = parse_qs(urlsplit(second).query)["state"][0]
        assert (await bea.get(f"{CALLBACK}?code={code}&state={state}")).status == 422
        await page.house.database.write(lambda tx: tx.execute("UPDATE page_flow SET kind = 'oidc'", ()))
        state = parse_qs(urlsplit(first).query)["state"][0]
        assert (await bea.get(f"{CALLBACK}?code={code}&state={state}")).status == 422
        assert await kept(page) == {}


async def test_who_is_no_admin_any_more_does_not_connect(tmp_path: Path, salesforce: Simulator) -> None:
    """Who may connect is asked again at the return: a rep with an admin's flow is refused."""
    async with unconnected_page(tmp_path, salesforce) as page:
        bea, ana = await page.signed_in("bea"), await page.signed_in("ana")
        back = consent(salesforce, await sent_there(bea))
        await page.house.database.write(
            lambda tx: tx.execute("UPDATE page_session SET login_key = 'ana' WHERE login_key = 'bea'", ())
        )
        assert (await bea.get(back)).status == 403
        assert await kept(page) == {}
        assert ana.cookies


async def test_what_salesforce_denies_is_told_and_changes_nothing(
    tmp_path: Path, salesforce: Simulator
) -> None:
    """Access that was not given, and a dead code: the page says so, and what was connected before stays."""
    async with unconnected_page(tmp_path, salesforce) as page:
        bea = await page.signed_in("bea")
        await connected(salesforce, bea)
        before = await kept(page)
        salesforce.toggles.consent = "deny"
        answer = await connected(salesforce, bea)
        assert answer.status == 422
        assert "Access was not given" in answer.text
        salesforce.toggles.consent = "allow"
        state = parse_qs(urlsplit(await sent_there(bea)).query)["state"][0]
        assert (await bea.get(f"{CALLBACK}?code=made-up&state={state}")).status == 422
        assert await kept(page) == before
        assert "integration@relay.demo" in (await bea.get(SYNC)).text


async def test_a_code_is_not_carried_into_our_addresses(tmp_path: Path, salesforce: Simulator) -> None:
    """Who comes back signed out is sent to sign in, without the code in the address."""
    async with unconnected_page(tmp_path, salesforce) as page:
        answer = await page.visitor().get(f"{CALLBACK}?code=c-1&state=s-1")
        assert answer.location == "/sign-in?next=%2Fsettings%2Fsalesforce%2Fconnected"


async def test_connecting_is_there_only_where_the_settings_leave_it_open(
    tmp_path: Path, salesforce: Simulator
) -> None:
    """With a token or another sign-in in the settings there is no button, and no way in."""
    async with unconnected_page(tmp_path, salesforce, "refresh_token") as page:
        bea = await page.signed_in("bea")
        shown = (await bea.get(SYNC)).text
        assert "Connect to Salesforce" not in shown
        assert "Disconnect" not in shown
        assert (await bea.post(f"{SYNC}/connect", whose="organization")).status == 404


async def test_what_waited_for_the_connection_is_tried_at_once(tmp_path: Path, salesforce: Simulator) -> None:
    """Records that wait are due as soon as somebody has connected, not a quarter of an hour later."""
    async with unconnected_page(tmp_path, salesforce) as page:
        house, number = page.house, page.house.runner.next_number()
        message = new_message(
            number=number, login="ana", accepted_at=page.clock.now(), content=b"Subject: x\r\n\r\nx\r\n"
        )
        await house.runner.accept(message, [to_recipient("x@buyer.example"), record("salesforce")], ())
        later = page.clock.now() + 900_000_000
        await house.database.write(
            lambda tx: tx.execute(
                "UPDATE delivery SET state = 'deferred', next_attempt_at = ? WHERE role = 'record'", (later,)
            )
        )
        await connected(salesforce, await page.signed_in("bea"))
        due = await house.database.read(
            lambda tx: tx.execute("SELECT next_attempt_at FROM delivery WHERE role = 'record'", ())
        )
        assert due == [(page.clock.now(),)]


@pytest.mark.peer("chromium")
@pytest.mark.parametrize("javascript", [True, False])
async def test_a_real_browser_goes_there_and_back(
    tmp_path: Path, salesforce: Simulator, browser: Browser, javascript: bool
) -> None:
    """The page's policy lets the browser go to Salesforce, and its cookie comes along when it returns."""
    async with (
        unconnected_page(tmp_path, salesforce) as page,
        page.served() as base,
        browser.window(base, javascript=javascript) as window,
    ):
        await window.enter(await page.signed_in("bea", scheme="https"))
        await window.open(SYNC)
        await window.tab.get_by_role("button", name="Connect to Salesforce").click()
        await window.tab.get_by_text("Salesforce is connected.").wait_for()
        assert "code=" not in window.tab.url
        assert "integration@relay.demo" in await window.tab.content()
        await window.tab.get_by_role("button", name="Disconnect").click()
        await window.tab.get_by_role("button", name="Disconnect").click()
        await window.tab.get_by_text("The connection was ended").wait_for()
        assert await kept(page) == {}
