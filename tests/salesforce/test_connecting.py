"""Connecting by code and disconnecting: who writes then, what waits meanwhile, and what is left in the store."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from relay.directory.model import Rep
from relay.queue.model import State
from relay.salesforce.client import LOOK_UP, SalesforceClient, SalesforceError
from relay.salesforce.model import FaultKind
from tests.support.recording_house import RecordingHouse, recording_house
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce
from tests.support.salesforce_plain import session

BACK = "https://relay.example.com/settings/salesforce/connected"
VERIFIER = "verifier-" * 6
ELSEWHERE = "00D000000000999AAA"
"""Another organisation, which the same address serves."""


def code(salesforce: Simulator, client: SalesforceClient, username: str = "", scope: str = "") -> str:
    """Do as the browser of this user does at Salesforce; give the code it comes back with."""
    salesforce.toggles.signed_in_as = username
    url = client.authorize_url(BACK, "state", VERIFIER, sign_in_anew=False)
    with session(salesforce) as http:
        answer = http.get(
            url.replace("api+refresh_token", scope or "api+refresh_token"), allow_redirects=False, timeout=10
        )
    return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]


def client_of(house: RecordingHouse) -> SalesforceClient:
    """Give the client of the house."""
    client = house.recording.client
    assert client is not None
    return client


def rep_of(house: RecordingHouse, login: str) -> Rep:
    """Give a rep."""
    found = house.recording._directory().by_login(login)
    assert found is not None
    return found


async def connect(house: RecordingHouse, identity: str = LOOK_UP, username: str = "") -> None:
    """Connect an identity as this user."""
    client = client_of(house)
    await client.connect(code(house.salesforce, client, username), VERIFIER, BACK, identity)


async def refused(house: RecordingHouse, identity: str, username: str) -> str:
    """Fail to connect an identity as this user; give the fault's code."""
    with pytest.raises(SalesforceError) as caught:
        await connect(house, identity, username)
    return caught.value.fault.code


async def tokens(house: RecordingHouse) -> set[str]:
    """Give the refresh tokens of the store."""
    rows = await house.database.read(lambda tx: tx.execute("SELECT refresh_token FROM salesforce_token"))
    return {str(row[0]) for row in rows}


async def makers(house: RecordingHouse) -> list[str]:
    """Give the usernames of who made the EmailMessages, sorted."""
    users = {row["Id"]: str(row["Username"]) for row in house.salesforce.rows("User")}
    return sorted(users[row["CreatedById"]] for row in house.salesforce.rows("EmailMessage"))


async def test_mail_waits_until_somebody_connects_and_again_when_it_ends(
    tmp_path: Path, salesforce: Simulator
) -> None:
    """Not connected: records wait with that reason; connected: they are written as who connected; ended: they wait."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, kind="connect") as house:
        first = await house.accept()
        assert "NOT_CONNECTED" in (await house.wait_for(first, State.DEFERRED)).reason
        assert salesforce.token_requests == 0
        await connect(house, username="bo@example.com.crm")
        house.later(1000)
        await house.recorded(first)
        assert await makers(house) == ["bo@example.com.crm"]

        assert await client_of(house).disconnect(LOOK_UP)
        pause = client_of(house).paused(LOOK_UP)
        assert pause is not None
        assert (pause.kind, pause.fault.code) == (FaultKind.SIGN_IN, "NOT_CONNECTED")
        second = await house.accept()
        assert "not connected" in (await house.wait_for(second, State.DEFERRED)).reason
        assert await house.database.read(lambda tx: tx.execute("SELECT * FROM salesforce_token", ())) == []
        await connect(house)
        house.later(1000)
        await house.recorded(second)
        assert await makers(house) == ["bo@example.com.crm", "integration@relay.demo"]


async def test_each_rep_writes_as_oneself(tmp_path: Path, salesforce: Simulator) -> None:
    """With each_rep a record is made by who sent the mail; who has not connected waits, and keeps nobody waiting."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, kind="connect_each") as house:
        client = client_of(house)
        await connect(house)
        await connect(house, client.identity_of(rep_of(house, "ana")), "ana@example.com.crm")
        of_bo, of_ana = await house.accept(login="bo"), await house.accept()
        await house.recorded(of_ana)
        assert "NOT_CONNECTED" in (await house.wait_for(of_bo, State.DEFERRED)).reason
        assert await makers(house) == ["ana@example.com.crm"]
        await connect(house, client.identity_of(rep_of(house, "bo")), "bo@example.com.crm")
        house.later(1000)
        await house.recorded(of_bo)
        assert await makers(house) == ["ana@example.com.crm", "bo@example.com.crm"]


async def test_a_connection_survives_a_restart_and_rotation(tmp_path: Path, salesforce: Simulator) -> None:
    """The token is in the store before it is used, is replaced there, and belongs to this app alone."""
    salesforce.toggles.rotate_refresh_tokens = True
    async with recording_house(tmp_path, salesforce, kind="connect") as house:
        await connect(house)
        salesforce.expire_tokens()
        assert (await client_of(house).whoami()).username == "integration@relay.demo"
    async with recording_house(tmp_path, salesforce, kind="connect") as house:
        assert (await client_of(house).whoami()).username == "integration@relay.demo"
        await house.database.write(
            lambda tx: tx.execute("UPDATE salesforce_token SET origin = 'another'", ())
        )
    async with recording_house(tmp_path, salesforce, kind="connect") as house:
        with pytest.raises(SalesforceError, match="NOT_CONNECTED"):
            await client_of(house).whoami()


async def test_a_connection_that_fails_leaves_the_one_before(tmp_path: Path, salesforce: Simulator) -> None:
    """A dead code, access without a refresh token, another user: refused, nobody is paused, what was there works on."""
    async with recording_house(tmp_path, salesforce, kind="connect") as house:
        client = client_of(house)
        await connect(house)
        told = []
        for given, user in (
            ("made-up", None),
            (code(salesforce, client, scope="api"), None),
            (code(salesforce, client), "005000000000999AAA"),
        ):
            with pytest.raises(SalesforceError) as caught:
                await client.connect(given, VERIFIER, BACK, LOOK_UP, user_id=user)
            told.append(caught.value.fault.code)
        assert told == ["INVALID_GRANT", "CONNECTED_WITHOUT_REFRESH", "CONNECTED_AS_ANOTHER"]
        assert client.paused() is None
        salesforce.expire_tokens()
        assert (await client.whoami()).username == "integration@relay.demo"


async def test_nobody_connects_a_user_of_another_organisation(tmp_path: Path, salesforce: Simulator) -> None:
    """Where one address serves all organisations the first connection says which it is, also after a restart."""
    salesforce.toggles.users_elsewhere = {"bo@example.com.crm": ELSEWHERE}
    async with recording_house(tmp_path, salesforce, kind="connect_each") as house:
        client = client_of(house)
        ana, bo = (client.identity_of(rep_of(house, login)) for login in ("ana", "bo"))
        assert await refused(house, ana, "ana@example.com.crm") == "CONNECTED_TOO_EARLY"
        await connect(house)
        await connect(house, ana, "ana@example.com.crm")
        before = await tokens(house)
        assert await refused(house, bo, "bo@example.com.crm") == "CONNECTED_ELSEWHERE"
        assert await refused(house, LOOK_UP, "bo@example.com.crm") == "CONNECTED_ELSEWHERE"
        assert await tokens(house) == before
        assert salesforce.refresh_tokens == before
        assert client.paused() is None
    async with recording_house(tmp_path, salesforce, kind="connect_each") as house:
        assert await refused(house, bo, "bo@example.com.crm") == "CONNECTED_ELSEWHERE"
        assert await tokens(house) == before


async def test_another_organisation_is_connected_once_the_first_is_disconnected(
    tmp_path: Path, salesforce: Simulator
) -> None:
    """Then those who are still connected to the first write no more, whatever token they hold."""
    async with recording_house(tmp_path, salesforce, kind="connect_each") as house:
        client = client_of(house)
        ana = client.identity_of(rep_of(house, "ana"))
        await connect(house)
        await connect(house, ana, "ana@example.com.crm")
        await client.disconnect(LOOK_UP)
        salesforce.toggles.users_elsewhere = {"bo@example.com.crm": ELSEWHERE}
        await connect(house, LOOK_UP, "bo@example.com.crm")
        with pytest.raises(SalesforceError, match="CONNECTED_ELSEWHERE"):
            await client.whoami(ana)
        assert await refused(house, ana, "ana@example.com.crm") == "CONNECTED_ELSEWHERE"


async def test_a_connection_ends_here_even_when_salesforce_cannot_be_told(
    tmp_path: Path, salesforce: Simulator
) -> None:
    """The token is forgotten all the same, and it is told that it lives on in Salesforce."""
    async with recording_house(tmp_path, salesforce, kind="connect") as house:
        client = client_of(house)
        await connect(house)
        salesforce.inject(Injected(action=Action.RESET_BEFORE, operation="revoke"))
        assert not await client.disconnect(LOOK_UP)
        assert await house.database.read(lambda tx: tx.execute("SELECT * FROM salesforce_token", ())) == []
        assert client.paused() is not None
