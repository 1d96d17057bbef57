"""The same scenarios against the simulated Salesforce and, with its credentials in the environment, a real organisation.

All that is made has MARK in it, and is deleted at the end of its test, whether that went well or not.
"""

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from relay.clock import SystemClock
from relay.config.recording import SalesforceAuthSettings
from relay.demo.salesforce.simulator import started
from relay.salesforce.client import LOOK_UP, NewRecord, SalesforceClient, SalesforceError
from relay.salesforce.exchange import SubRequest
from relay.salesforce.model import Fault, FaultKind, Made
from relay.salesforce.org import Organization
from tests.support.eventually import eventually
from tests.support.raw_client import RawClient
from tests.support.running import RunningRelay, Settings, running_relay
from tests.support.salesforce_client import client_settings, reference, salesforce_client

NAMES = ("RELAY_LIVE_SALESFORCE", "RELAY_LIVE_CLIENT_ID", "RELAY_LIVE_CLIENT_SECRET")
MISSING = [name for name in NAMES if not os.environ.get(name)]
REAL = [
    pytest.mark.live,
    pytest.mark.skipif(
        bool(MISSING),
        reason=f"no Salesforce organisation to call: set {', '.join(MISSING)} (docs/salesforce.md)",
    ),
]
MARK = f"relay live test {SystemClock().now()}"
OWN = (
    ("ContentDocument", "Title"),
    ("EmailMessage", "Subject"),
    ("Task", "Subject"),
    ("Contact", "LastName"),
)
"""What is made here, and where MARK is in it."""


@dataclass(frozen=True, slots=True)
class Place:
    """An organisation, and the app that signs in with client credentials."""

    instance: str
    client_id: str
    secret: str
    ca: Path | None = None

    def written(self, folder: Path, user: str) -> Settings:
        """Give the settings of a relay that records there what ana sends."""
        (folder / "salesforce.secret").write_text(self.secret)
        secret = {"file": str(folder / "salesforce.secret")}
        auth = {"kind": "client_credentials", "client_id": self.client_id, "client_secret": secret}
        authority = {"tls_ca": str(self.ca)} if self.ca else {}
        return {
            "salesforce": {"instance": self.instance, "auth": auth, **authority},
            "logging": {"mode": "api", "already_logged": "check", "capture": {"attachments": "files"}},
            "users": [{"login": "ana", "addresses": ["ana@example.com"], "salesforce_user_id": user}],
        }


@pytest.fixture(params=["simulated", pytest.param("real", marks=REAL)])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Give the simulated Salesforce, and the real organisation of the environment."""
    if request.param == "real":
        yield Place(*(os.environ[name] for name in NAMES))
        return
    with started() as salesforce:
        yield Place(salesforce.url, salesforce.client_id, salesforce.client_secret, salesforce.ca_file)
        assert not [row for object, _ in OWN for row in salesforce.rows(object)], "something was left behind"


@pytest.fixture
async def client(place: Place) -> AsyncIterator[SalesforceClient]:
    """Sign in; in the end everything that has MARK in it is deleted."""
    auth = SalesforceAuthSettings(client_id=place.client_id, client_secret=reference("live"))
    settings = client_settings(place.instance, place.ca, auth=auth, timeout=60.0)
    async with salesforce_client(settings, secrets={"live": place.secret}) as one:
        try:
            yield one
        finally:
            for object, field in OWN:
                await swept(one, object, field)


async def swept(client: SalesforceClient, object: str, field: str) -> None:
    """Delete what has MARK in it; an organisation without the object has none."""
    with contextlib.suppress(SalesforceError):
        if own := await found(client, object, field):
            await client.delete(LOOK_UP, [(object, id) for id in own])
            assert await found(client, object, field) == []


async def found(client: SalesforceClient, object: str, field: str) -> list[str]:
    """Give the ids of the records that have MARK in this field."""
    rows = await client.query(f"SELECT Id FROM {object} WHERE {field} LIKE '%{MARK}%'")
    return [str(row["Id"]) for row in rows]


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
    (gone,) = await client.delete(LOOK_UP, [("Task", made.id)])
    assert isinstance(gone, Made)
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
    assert isinstance(first, Made), first
    assert isinstance(second, Made), second
    rows = await client.query(f"SELECT Id FROM EmailMessage WHERE MessageIdentifier = '{identifier}'")
    assert {first.id, second.id} == {row["Id"] for row in rows}


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
    assert await found(client, "Task", "Subject") == []


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


def _mail(to: str) -> bytes:
    name = f"{MARK}.txt"
    lines = [
        "From: ana@example.com", f"To: {to}", f"Subject: {MARK}", f"Message-ID: <{SystemClock().now()}@relay.example.com>",
        "Date: Mon, 09 Nov 2026 09:14:03 +0100", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "",
        "--b", "Content-Type: text/plain", "", "The offer.",
        "--b", "Content-Type: text/plain", f'Content-Disposition: attachment; filename="{name}"', "", "one", "--b--", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


def _submitted(relay: RunningRelay, to: str, mail: bytes) -> str:
    """Submit a mail, wait until its record is final, and give its queue id."""
    with RawClient(relay.gateway) as smtp:
        smtp.say("EHLO client.test")
        answer = smtp.submit("ana@example.com", [to], mail)
    assert answer.startswith(b"250"), answer
    message = answer.decode().split()[-1]
    eventually(lambda: relay.states(message).get("salesforce") in ("sent", "skipped", "held"), limit=120.0)
    return message


@pytest.mark.timeout(600)
async def test_a_mail_is_recorded_once_and_undone(
    client: SalesforceClient, place: Place, tmp_path: Path
) -> None:
    """From a mail client to Salesforce: on its contact, with its file, once however often it is sent, and taken back."""
    to = f"relay-live-{SystemClock().now()}@example.org"
    (person,) = await client.create(LOOK_UP, [NewRecord("Contact", {"LastName": MARK, "Email": to})])
    assert isinstance(person, Made), person
    user = (await client.whoami()).user_id
    shape = await Organization(client, SystemClock()).shape()
    object = "Task" if shape.email_message is None else "EmailMessage"
    mail = _mail(to)
    with running_relay(tmp_path, place.written(tmp_path, user)) as relay:
        message = _submitted(relay, to, mail)
        _submitted(relay, to, mail)
        assert relay.mail_for(to).content.endswith(mail)
        (made,) = await found(client, object, "Subject")
        on = await client.query(f"SELECT Id FROM Task WHERE WhoId = '{person.id}'")
        assert len(on) == 1
        links = await client.query(f"SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId = '{made}'")
        assert len(links) == 1
        undone = relay.service.run("records", "undo", message)
        assert undone.returncode == 0, undone.stderr
        assert await found(client, object, "Subject") == []
