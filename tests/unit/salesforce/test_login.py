"""Tests for relay.salesforce.login and tokens: what is posted to sign in, and how tokens are kept."""

import threading

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from relay.config.recording import SalesforceAuthSettings
from relay.salesforce.exchange import LOOK_UP, SalesforceError
from relay.salesforce.login import Login, Token, audience, form, token_of
from relay.salesforce.tokens import NOBODY, WRITER, TokenProvider
from tests.support.salesforce_client import client_settings, read, reference

NOW = 1_790_000_000_000_000
URL = "https://acme.my.salesforce.com"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
SECRETS = read({"secret": "hush", "key": PEM, "bad": "no key", "refresh": "r1"})


def auth(kind: str, **more: object) -> SalesforceAuthSettings:
    """Make the settings of a sign-in."""
    return SalesforceAuthSettings.model_validate({"kind": kind, "client_id": "app", **more})


def test_client_credentials() -> None:
    """The app signs in with its key and secret (RFC 6749 §4.4)."""
    settings = auth("client_credentials", client_secret=reference("secret"))
    fields = form(Login(settings, URL), SECRETS, None, NOW)
    assert fields == {"grant_type": "client_credentials", "client_id": "app", "client_secret": "hush"}


def test_jwt_bearer() -> None:
    """The assertion is signed with RS256, names app, user and audience, and its exp is a number (RFC 7519 §4.1.4)."""
    settings = auth("jwt", private_key=reference("key"))
    fields = form(Login(settings, URL, "ana@example.com"), SECRETS, None, NOW)
    assert fields["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(
        fields["assertion"],
        KEY.public_key(),
        algorithms=["RS256"],
        audience="https://login.salesforce.com",
        options={"verify_exp": False},
    )
    assert claims == {
        "iss": "app",
        "sub": "ana@example.com",
        "aud": "https://login.salesforce.com",
        "exp": 1_790_000_180,
    }


def test_refresh_token() -> None:
    """The token of the settings is used until Salesforce has replaced it (RFC 6749 §6)."""
    settings = auth("refresh_token", refresh_token=reference("refresh"))
    assert form(Login(settings, URL), SECRETS, None, NOW)["refresh_token"] == "r1"
    assert form(Login(settings, URL), SECRETS, "r2", NOW)["refresh_token"] == "r2"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (auth("jwt", private_key=reference("bad")), "LOGIN_KEY_UNUSABLE"),
        (auth("jwt", private_key=reference("lost")), "LOGIN_SECRET_MISSING"),
        (auth("jwt"), "LOGIN_SECRET_MISSING"),
        (auth("client_credentials", client_secret=reference("lost")), "LOGIN_SECRET_MISSING"),
        (auth("refresh_token"), "NOT_CONNECTED"),
    ],
)
def test_secrets_that_cannot_be_used(settings: SalesforceAuthSettings, code: str) -> None:
    """A key or secret that is not there, or is none, is a failed sign-in that names the setting, not its value."""
    with pytest.raises(SalesforceError) as caught:
        form(Login(settings, URL, "ana@example.com"), SECRETS, None, NOW)
    assert caught.value.fault.code == code
    assert "no key" not in str(caught.value)


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        (URL, "https://login.salesforce.com"),
        ("https://acme--dev.sandbox.my.salesforce.com", "https://test.salesforce.com"),
        ("https://acme--dev.my.salesforce.com", "https://test.salesforce.com"),
        ("https://test.salesforce.com", "https://test.salesforce.com"),
        ("https://127.0.0.1:8443/", "https://127.0.0.1:8443"),
    ],
)
def test_the_audience(instance: str, expected: str) -> None:
    """Production and sandboxes have their audiences; another server is its own; the setting wins."""
    assert audience(auth("jwt"), instance) == expected
    assert audience(auth("jwt", audience="https://x.test"), instance) == "https://x.test"


def test_the_answer() -> None:
    """User and organisation are in the identity URL; a token never shows in a repr."""
    token = token_of(
        {
            "access_token": "00D!secret",
            "instance_url": URL,
            "id": "https://login.salesforce.com/id/00D000000000001AAA/005000000000001AAA",
            "refresh_token": "r2",
        },
        URL,
    )
    assert (token.organization_id, token.user_id) == ("00D000000000001AAA", "005000000000001AAA")
    assert "secret" not in repr(token)
    assert "r2" not in repr(token)


class Endpoint:
    """Stands for the token endpoint: hands out t1, t2, …, and keeps what was posted."""

    def __init__(self, refresh: str | None = None) -> None:
        self.posted: list[dict[str, str]] = []
        self.refresh = refresh

    def __call__(self, url: str, fields: dict[str, str]) -> tuple[int, object, float | None]:
        self.posted.append(fields)
        answer = {"access_token": f"t{len(self.posted)}", "instance_url": URL}
        return 200, answer | ({"refresh_token": self.refresh} if self.refresh else {}), None


class Kept:
    """Keeps refresh tokens in memory."""

    def __init__(self) -> None:
        self.tokens: dict[tuple[str, str], str] = {}

    def load(self, identity: str, origin: str) -> str | None:
        return self.tokens.get((identity, origin))

    def save(self, identity: str, origin: str, token: str) -> None:
        self.tokens[identity, origin] = token

    def drop(self, identity: str) -> None:
        self.tokens = {key: token for key, token in self.tokens.items() if key[0] != identity}


def provider(settings: SalesforceAuthSettings, kept: Kept | None = None, **more: object) -> TokenProvider:
    """Make a provider of an organisation that is signed in to in this way."""
    whole = client_settings(URL, None, auth=settings, **more)  # type: ignore[arg-type]
    return TokenProvider(whole, SECRETS, lambda: NOW, kept=kept)


def test_a_token_is_kept_until_it_is_dead() -> None:
    """Tokens are fetched once; only the one that is dead is forgotten, not a newer one."""
    endpoint, tokens = Endpoint(), provider(auth("client_credentials", client_secret=reference("secret")))
    first = tokens.token(LOOK_UP, endpoint)
    assert tokens.token(LOOK_UP, endpoint) is first
    tokens.invalidate(LOOK_UP, first.access)
    second = tokens.token(LOOK_UP, endpoint)
    tokens.invalidate(LOOK_UP, first.access)
    assert tokens.token(LOOK_UP, endpoint) is second
    assert len(endpoint.posted) == 2


def test_threads_share_one_sign_in() -> None:
    """Threads that need the same token at the same time sign in once."""
    endpoint, tokens = Endpoint(), provider(auth("client_credentials", client_secret=reference("secret")))
    got: list[Token] = []
    threads = [threading.Thread(target=lambda: got.append(tokens.token(LOOK_UP, endpoint))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(got) == 8
    assert len(endpoint.posted) == 1


def test_a_replaced_refresh_token_is_used() -> None:
    """Rotation: the new token is kept before it is needed, and another one in the settings begins anew."""
    kept, endpoint = Kept(), Endpoint("r2")
    settings = auth("refresh_token", refresh_token=reference("refresh"))
    provider(settings, kept).token(LOOK_UP, endpoint)
    provider(settings, kept).token(LOOK_UP, endpoint)
    assert [one["refresh_token"] for one in endpoint.posted] == ["r1", "r2"]
    provider(auth("refresh_token", refresh_token=reference("secret")), kept).token(LOOK_UP, endpoint)
    assert endpoint.posted[-1]["refresh_token"] == "hush"


def test_who_signs_in_as_whom() -> None:
    """Look-ups go by look_up_as, writing by auth: as the rep, or as the one user of the settings."""
    as_rep = auth("jwt", private_key=reference("key"))
    finder = auth("client_credentials", client_secret=reference("secret"))
    both = provider(as_rep, look_up_as=finder)
    assert both.login_of(LOOK_UP).settings is finder
    assert both.login_of("ana@example.com").username == "ana@example.com"
    assert provider(finder, look_up_as=finder).login_of(WRITER).settings is finder
    fixed = auth("jwt", private_key=reference("key"), username="relay@example.com")
    assert provider(fixed).login_of(LOOK_UP).username == "relay@example.com"
    for identity in (LOOK_UP, f"{NOBODY}ana"):
        with pytest.raises(SalesforceError):
            provider(as_rep).login_of(identity)
