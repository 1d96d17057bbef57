"""Sync settings against a simulated Salesforce: the connection, fetching the address, and the tests after a Save."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from relay.config.secrets import read_secret
from relay.demo.salesforce.simulator import Simulator
from relay.salesforce.client import SalesforceClient
from tests.support.page import BCC, SETTINGS, Page, open_page
from tests.support.salesforce import rep, salesforce, settings

__all__ = ["salesforce"]

SYNC = "/settings/salesforce/sync"
DOMAIN = "zz9y8x7w6v5u4t3s2r1q0p.1r-abcdea2.na139.le.salesforce.com"


@pytest.fixture
def user(salesforce: Simulator) -> str:
    """Ana's user in Salesforce."""
    return rep(salesforce)


def has_address(salesforce: Simulator, user: str, senders: str, domain: str = DOMAIN) -> None:
    """Give the user an Email to Salesforce address."""
    salesforce.add(
        "EmailServicesAddress",
        DeveloperName="EmailToSalesforce",
        LocalPart="emailtosalesforce",
        EmailDomainName=domain,
        AuthorizedSenders=senders,
        IsActive=True,
        RunAsUserId=user,
    )


@asynccontextmanager
async def connected_page(folder: Path, salesforce: Simulator, user: str) -> AsyncIterator[Page]:
    """Give the page of a relay that is connected; ana is this user."""
    text = SETTINGS.replace("    name: Ana Berg\n", f"    name: Ana Berg\n    salesforce_user_id: {user}\n")
    async with open_page(folder, text + settings(salesforce, folder)) as page:
        configuration = page.actions.configuration()
        assert configuration.settings.salesforce is not None
        client = SalesforceClient(
            configuration.settings.salesforce,
            resolve=configuration.resolve,
            secret=lambda reference: read_secret(reference, configuration.path.parent),
            clock=page.clock,
        )
        page.actions.client = client
        try:
            yield page
        finally:
            await client.close()


async def test_the_connection_is_told(tmp_path: Path, salesforce: Simulator, user: str) -> None:
    """As whom, to which organisation, whether Enhanced Email is on, and the day's calls."""
    async with connected_page(tmp_path, salesforce, user) as page:
        ana = await page.signed_in("ana")
        shown = (await ana.get(SYNC)).text
        assert "Connected as" in shown
        assert salesforce.url in shown
        assert "used" in shown
        salesforce.toggles.api_enabled = False
        salesforce.expire_tokens()
        shown = (await ana.get(SYNC)).text
        assert "Needs attention" in shown
        assert "Try now" not in shown
        bea = await page.signed_in("bea")
        assert "Try now" in (await bea.get(SYNC)).text
        salesforce.toggles.api_enabled = True
        assert (await bea.post(f"{SYNC}/connection")).status == 303
        assert "Connected as" in (await bea.get(SYNC)).text


async def test_the_address_is_fetched_when_bcc_is_activated(
    tmp_path: Path, salesforce: Simulator, user: str
) -> None:
    """Fetch takes the address that Salesforce has for this user; the test then compares the senders."""
    has_address(salesforce, user, "ana@example.com, example.org")
    async with connected_page(tmp_path, salesforce, user) as page:
        ana = await page.signed_in("ana")
        answer = await ana.post(f"{SYNC}/bcc", do="fetch")
        shown = (await ana.follow(answer)).text
        assert "fetched from Salesforce" in shown
        assert "takes mail from all your acceptable addresses" in shown
        own = page.rep("ana").email_to_salesforce
        assert own is not None
        assert own.reveal() == f"emailtosalesforce@{DOMAIN}"
        assert DOMAIN not in shown


@pytest.mark.parametrize(
    ("senders", "domain", "text"),
    [
        ("other@example.com", BCC.partition("@")[2], "does not take mail from ana@example.com"),
        ("", BCC.partition("@")[2], "takes mail from anybody"),
        ("example.com", BCC.partition("@")[2], "takes mail from all your acceptable addresses"),
        ("ana@example.com", DOMAIN, "another address for you"),
    ],
)
async def test_what_differs_from_salesforce_is_told(
    tmp_path: Path, salesforce: Simulator, user: str, senders: str, domain: str, text: str
) -> None:
    """A sender that is missing there, an empty list, another address: the test says so, and what to do."""
    has_address(salesforce, user, senders, domain)
    async with connected_page(tmp_path, salesforce, user) as page:
        ana = await page.signed_in("ana")
        assert text in (await ana.get(f"{SYNC}?tab=bcc&tested=bcc")).text


async def test_an_address_that_does_not_come_leads_to_the_steps(
    tmp_path: Path, salesforce: Simulator, user: str
) -> None:
    """With no address in Salesforce the steps for the user and for the admin stand there."""
    async with connected_page(tmp_path, salesforce, user) as page:
        bo = await page.signed_in("bo")
        answer = await bo.post(f"{SYNC}/bcc", do="activate")
        assert answer.status == 422
        for label in (
            "My Settings",
            "My Email to Salesforce",
            "My Acceptable Email Addresses",
            "Save Changes",
        ):
            assert label in answer.text
        for label in ("Email Administration", "Active"):
            assert label in answer.text


async def test_activating_the_api_tests_it_at_once(tmp_path: Path, salesforce: Simulator, user: str) -> None:
    """Signing in, what can be searched, what mail becomes, and the rep's own user are looked at."""
    async with connected_page(tmp_path, salesforce, user) as page:
        ana, bo = await page.signed_in("ana"), await page.signed_in("bo")
        shown = (await ana.follow(await ana.post(f"{SYNC}/api", do="activate"))).text
        assert page.rep("ana").mode == "api"
        for text in ("Signing in works", "Contact can be searched", "logged as an email", "in Salesforce."):
            assert text in shown
        assert "does not work" not in shown
        assert (await bo.post(f"{SYNC}/api", do="activate")).status == 422
        salesforce.edit("User", user, IsActive=False)
        assert "is not active" in (await ana.get(f"{SYNC}?tab=api&tested=api")).text
