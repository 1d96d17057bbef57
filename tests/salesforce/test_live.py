"""The scenarios that only a real organisation can settle, run against one when its credentials are in the environment."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from relay.clock import SystemClock
from relay.config.recording import SalesforceAuthSettings
from relay.salesforce.client import LOOK_UP, NewRecord, SalesforceClient, SalesforceError
from relay.salesforce.exchange import SubRequest
from relay.salesforce.model import Fault, FaultKind, Made
from relay.salesforce.org import Organization
from tests.support.salesforce_client import client_settings, reference, salesforce_client

NAMES = ("RELAY_LIVE_SALESFORCE", "RELAY_LIVE_CLIENT_ID", "RELAY_LIVE_CLIENT_SECRET")
MISSING = [name for name in NAMES if not os.environ.get(name)]
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        bool(MISSING),
        reason=f"no Salesforce organisation to call: set {', '.join(MISSING)} (docs/salesforce.md)",
    ),
]
MARK = f"relay live test {SystemClock().now()}"


@pytest.fixture
async def client() -> AsyncIterator[SalesforceClient]:
    """Sign in with client credentials."""
    instance, app, secret = (os.environ[name] for name in NAMES)
    auth = SalesforceAuthSettings(client_id=app, client_secret=reference("live"))
    settings = client_settings(instance, None, auth=auth, timeout=60.0)
    async with salesforce_client(settings, secrets={"live": secret}) as one:
        yield one


async def clean(client: SalesforceClient, written: object) -> None:
    """Delete what a test made."""
    if isinstance(written, Made):
        await client.delete(LOOK_UP, [(written.object, written.id)])


async def test_who_and_what(client: SalesforceClient) -> None:
    """The user, the shape of the organisation and its limits can be read."""
    assert (await client.whoami()).user_id.startswith("005")
    shape = await Organization(client, SystemClock()).shape()
    assert shape.task is not None
    assert shape.closed_status
    usage = client.usage()
    assert usage is not None
    assert usage.maximum > 0


async def test_a_task(client: SalesforceClient) -> None:
    """A completed Task can be made and deleted; deleting it again counts as done."""
    shape = await Organization(client, SystemClock()).shape()
    (made,) = await client.create(
        LOOK_UP, [NewRecord("Task", {"Subject": MARK, "Status": shape.closed_status})]
    )
    assert isinstance(made, Made), made
    await clean(client, made)
    (again,) = await client.delete(LOOK_UP, [("Task", made.id)])
    assert isinstance(again, Made)
    assert again.found


async def test_what_is_refused(client: SalesforceClient) -> None:
    """Over-long subjects, ids of the wrong kind and unknown fields come back as the kinds that the table says."""
    too_long, wrong_id, no_field = [
        (await client.create(LOOK_UP, [NewRecord("Task", fields)]))[0]
        for fields in (
            {"Subject": "x" * 256},
            {"Subject": MARK, "WhoId": (await client.whoami()).user_id},
            {"Subject": MARK, "No_Such_Field__c": "x"},
        )
    ]
    kinds = [one.kind for one in (too_long, wrong_id, no_field) if isinstance(one, Fault)]
    assert kinds == [FaultKind.TOO_LONG, FaultKind.RULE, FaultKind.FIELD]


async def test_an_email_message_twice(client: SalesforceClient) -> None:
    """An EmailMessage with Status 3 is found by its Message-ID; the same again is not refused, so we must look first."""
    if (await Organization(client, SystemClock()).shape()).email_message is None:
        pytest.skip("Enhanced Email is off in this organisation")
    identifier = f"<{SystemClock().now()}@relay.example.com>"
    fields = {
        "Subject": MARK,
        "TextBody": "x",
        "FromAddress": "rep@example.com",
        "ToAddress": "somebody@customer.test",
        "Status": "3",
        "Incoming": False,
        "IsClientManaged": True,
        "MessageIdentifier": identifier,
    }
    (first,) = await client.create(LOOK_UP, [NewRecord("EmailMessage", fields)])
    (second,) = await client.create(LOOK_UP, [NewRecord("EmailMessage", fields)])
    try:
        assert isinstance(first, Made), first
        found = await client.query(f"SELECT Id FROM EmailMessage WHERE MessageIdentifier = '{identifier}'")
        assert first.id in [row["Id"] for row in found]
    finally:
        await clean(client, first)
        await clean(client, second)


async def test_a_composite_is_rolled_back(client: SalesforceClient) -> None:
    """With all_or_none the good part is a neighbour of the bad one, and is not there."""
    parts = [
        SubRequest("POST", "sobjects/Task", "good", {"Subject": MARK}),
        SubRequest("POST", "sobjects/Task", "bad", {"Subject": "x" * 256}),
    ]
    good, bad = await client.composite(LOOK_UP, parts, all_or_none=True)
    assert good.fault is not None
    assert good.fault.kind is FaultKind.NEIGHBOUR
    assert bad.fault is not None
    assert bad.fault.kind is FaultKind.TOO_LONG


async def test_windows(client: SalesforceClient) -> None:
    """Windows of changes: an hour is fine, a minute is refused."""
    now = datetime.fromtimestamp(client.server_now() / 1e6, UTC).replace(microsecond=0)

    async def deleted(span: timedelta) -> object:
        params = {"start": (now - span).isoformat(), "end": now.isoformat()}
        return await client.get("sobjects/Task/deleted/", params=params)

    assert await deleted(timedelta(hours=1))
    with pytest.raises(SalesforceError):
        await deleted(timedelta(seconds=10))


async def test_email_services_addresses(client: SalesforceClient) -> None:
    """The addresses can be read, or the refusal is one that leads to the steps by hand."""
    try:
        await client.query(
            "SELECT Id, LocalPart, EmailDomainName, AuthorizedSenders FROM EmailServicesAddress LIMIT 1"
        )
    except SalesforceError as error:
        kind = error.fault.kind
        assert kind in (FaultKind.PERMISSION, FaultKind.GONE, FaultKind.FIELD)
