"""Signing in at the simulated Salesforce, in each of the three ways."""

import asyncio
from datetime import timedelta

import pytest

from relay.config.recording import SalesforceAuthSettings
from relay.demo.salesforce.simulator import Simulator
from relay.directory.model import Rep
from relay.ids import Login
from relay.salesforce.client import LOOK_UP, NewRecord, SalesforceError
from relay.salesforce.model import FaultKind, Made
from tests.support.clock import FakeClock
from tests.support.salesforce import REP_USERNAME, rep, watched
from tests.support.salesforce import salesforce as salesforce  # the fixture
from tests.support.salesforce_client import salesforce_client
from tests.support.salesforce_org import by_credentials, by_jwt, by_refresh_token, org_settings, secrets_of

ANA = Rep(Login("ana"), (), salesforce_username=REP_USERNAME)


async def test_client_credentials(salesforce: Simulator) -> None:
    """One integration user reads and writes for all."""
    async with salesforce_client(org_settings(salesforce), secrets=secrets_of(salesforce)) as client:
        who = await client.whoami()
        assert (who.user_id, who.organization_id) == (salesforce.integration_user, salesforce.organization_id)
        assert who.username == "integration@relay.demo"
        assert client.identity_of(ANA) == LOOK_UP


async def test_jwt_as_the_rep(salesforce: Simulator) -> None:
    """Written as the rep, the record belongs to the rep and was created by the rep; look-ups are the integration user's."""
    user = rep(salesforce)
    settings = org_settings(salesforce, by_jwt(salesforce), look_up_as=by_credentials(salesforce))
    async with salesforce_client(settings, secrets=secrets_of(salesforce)) as client:
        identity = client.identity_of(ANA)
        (made,) = await client.create(identity, [NewRecord("Task", {"Subject": "Offer"})])
        assert isinstance(made, Made)
        row = salesforce.row(made.id)
        assert (row["OwnerId"], row["CreatedById"]) == (user, user)
        assert (await client.whoami()).user_id == salesforce.integration_user
        assert (await client.whoami(identity)).username == REP_USERNAME


async def test_jwt_without_somebody_to_look_up(salesforce: Simulator) -> None:
    """Where look_up_as is not given, the rep who is named first looks up for all."""
    rep(salesforce)
    settings = org_settings(salesforce, by_jwt(salesforce))
    async with salesforce_client(settings, secrets=secrets_of(salesforce)) as client:
        client.stand_in_by([ANA])
        assert (await client.whoami()).username == REP_USERNAME
    async with salesforce_client(settings, secrets=secrets_of(salesforce)) as client:
        with pytest.raises(SalesforceError):
            await client.whoami()
    async with salesforce_client(settings, secrets=secrets_of(salesforce)) as client:
        client.identity_of(ANA)
        assert (await client.whoami()).username == REP_USERNAME


async def test_jwt_as_one_user(salesforce: Simulator) -> None:
    """With a username in the settings everybody is that user."""
    rep(salesforce)
    settings = org_settings(salesforce, by_jwt(salesforce, REP_USERNAME))
    async with salesforce_client(settings, secrets=secrets_of(salesforce)) as client:
        assert client.identity_of(Rep(Login("ben"), ())) == LOOK_UP
        assert (await client.whoami()).username == REP_USERNAME


class Kept:
    """Keeps refresh tokens in memory."""

    def __init__(self) -> None:
        self.tokens: dict[tuple[str, str], str] = {}

    async def load(self, identity: str, origin: str) -> str | None:
        """Give the newest."""
        return self.tokens.get((identity, origin))

    async def organization(self, origin: str) -> str | None:
        """Give none: there was no Connect."""
        return None

    async def save(self, identity: str, origin: str, token: str, organization: str = "") -> None:
        """Keep it."""
        self.tokens[identity, origin] = token

    async def drop(self, identity: str, origin: str = "") -> None:
        """Forget it."""
        self.tokens = {key: token for key, token in self.tokens.items() if key[0] != identity}


async def test_refresh_tokens_that_rotate(salesforce: Simulator) -> None:
    """A refresh token that was replaced is kept before the new session is used, and survives a restart."""
    salesforce.toggles.rotate_refresh_tokens = True
    token = salesforce.refresh_token(salesforce.integration_user)
    secrets = {**secrets_of(salesforce), "refresh": token}
    kept = Kept()
    for _ in range(2):
        settings = org_settings(salesforce, by_refresh_token(salesforce))
        async with salesforce_client(settings, secrets=secrets, tokens=kept) as client:
            await client.query("SELECT Id FROM User")
            salesforce.expire_tokens()
            await client.query("SELECT Id FROM User")
    assert len(kept.tokens) == 1
    assert token not in kept.tokens.values()


async def test_a_refresh_token_that_is_dead(salesforce: Simulator) -> None:
    """A refresh token that Salesforce does not know pauses the identity, and the words say to connect again."""
    secrets = {**secrets_of(salesforce), "refresh": "never-heard-of"}
    async with salesforce_client(
        org_settings(salesforce, by_refresh_token(salesforce)), secrets=secrets
    ) as client:
        with pytest.raises(SalesforceError) as caught:
            await client.query("SELECT Id FROM User")
        assert caught.value.fault.kind is FaultKind.SIGN_IN
        assert client.paused() is not None


def _wrong(salesforce: Simulator, kind: str) -> tuple[SalesforceAuthSettings, dict[str, str]]:
    secrets = secrets_of(salesforce)
    match kind:
        case "secret":
            return by_credentials(salesforce), {**secrets, "secret": "wrong"}
        case "client_id":
            return by_credentials(salesforce).model_copy(update={"client_id": "wrong"}), secrets
        case "audience":
            return by_jwt(salesforce, REP_USERNAME).model_copy(update={"audience": "https://x.test"}), secrets
        case "nobody":
            return by_jwt(salesforce, "nobody@example.com"), secrets
        case _:
            return by_jwt(salesforce, REP_USERNAME), secrets


@pytest.mark.parametrize("kind", ["secret", "client_id", "audience", "nobody", "unapproved", "inactive"])
async def test_sign_ins_that_are_refused(kind: str) -> None:
    """Each way to be refused is a fault of signing in; the identity is paused, tried again after its span, and works."""
    clock = FakeClock()
    with watched(clock) as salesforce:
        user = rep(salesforce)
        if kind == "unapproved":
            salesforce.toggles.unapproved_users = frozenset({REP_USERNAME})
        if kind == "inactive":
            salesforce.edit("User", user, IsActive=False)
        auth, secrets = _wrong(salesforce, kind)
        async with salesforce_client(org_settings(salesforce, auth), secrets=secrets, clock=clock) as client:
            for _ in range(3):
                with pytest.raises(SalesforceError) as caught:
                    await client.query("SELECT Id FROM User")
                assert caught.value.fault.kind is FaultKind.SIGN_IN
            assert salesforce.token_requests == 1
            assert salesforce.calls == []
            if kind in ("unapproved", "inactive"):
                salesforce.toggles.unapproved_users = frozenset()
                salesforce.edit("User", user, IsActive=True)
                clock.advance(301)
                assert await client.query("SELECT Id FROM User")
                assert client.paused() is None


async def test_many_at_once_sign_in_once(salesforce: Simulator) -> None:
    """However many calls find that the token is dead, one new token is fetched, and every call succeeds."""
    async with salesforce_client(org_settings(salesforce), secrets=secrets_of(salesforce)) as client:
        await client.query("SELECT Id FROM User")
        salesforce.expire_tokens()
        before = salesforce.token_requests
        found = await asyncio.gather(*(client.query("SELECT Id FROM User") for _ in range(20)))
        assert all(found)
        assert salesforce.token_requests == before + 1


async def test_a_session_that_times_out(salesforce: Simulator) -> None:
    """A token that dies of age is replaced without anybody noticing."""
    async with salesforce_client(org_settings(salesforce), secrets=secrets_of(salesforce)) as client:
        await client.query("SELECT Id FROM User")
        salesforce.advance(timedelta(hours=3))
        assert await client.query("SELECT Id FROM User")
    assert salesforce.token_requests == 2
