"""The simulator's token endpoint grants and refuses as Salesforce's does."""

import base64
import hashlib
import time
from datetime import timedelta
from urllib.parse import parse_qsl

import jwt
import pytest
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceExpiredSession, SalesforceRefusedRequest

from relay.demo.salesforce.simulator import Simulator
from tests.support.salesforce import REP_USERNAME, rep
from tests.support.salesforce_plain import connected, refusal, session, token
from tests.support.salesforce_plain import salesforce as salesforce

_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def _assertion(salesforce: Simulator, **changes: object) -> dict[str, str]:
    claims = {
        "iss": salesforce.client_id,
        "sub": REP_USERNAME,
        "aud": "https://login.salesforce.com",
        "exp": int(time.time()) + 180,
        **changes,
    }
    return {
        "grant_type": _JWT,
        "assertion": jwt.encode(claims, salesforce.private_key_pem, algorithm="RS256"),
    }


def test_client_credentials_sign_in_as_the_integration_user(salesforce: Simulator) -> None:
    """The answer has the instance, and userinfo says who it is."""
    granted = token(salesforce)
    assert granted["instance_url"] == salesforce.url
    with session(salesforce) as http:
        http.headers["Authorization"] = f"Bearer {granted['access_token']}"
        who = http.get(f"{salesforce.url}/services/oauth2/userinfo", timeout=10).json()
    assert who["user_id"] == salesforce.integration_user
    assert who["organization_id"] == salesforce.organization_id
    assert salesforce.calls == []
    assert salesforce.token_requests == 1


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "nobody"}, "invalid_client_id"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "nothing"}, "invalid_grant"),
    ],
)
def test_what_is_wrong_is_told_as_oauth_tells_it(
    salesforce: Simulator, form: dict[str, str], error: str
) -> None:
    """400 with error and error_description."""
    good = {
        "grant_type": "client_credentials",
        "client_id": salesforce.client_id,
        "client_secret": salesforce.client_secret,
    }
    answer = token(salesforce, **{**good, **form})
    assert (answer["status"], answer["error"]) == (400, error)


@pytest.mark.parametrize("seconds", [180, "180"])
def test_a_jwt_signs_in_as_its_user(salesforce: Simulator, seconds: object) -> None:
    """`exp` may be a number, or a string as simple-salesforce writes it."""
    user = rep(salesforce)
    ends: object = int(time.time()) + int(str(seconds))
    granted = token(salesforce, **_assertion(salesforce, exp=str(ends) if isinstance(seconds, str) else ends))
    assert granted["id"].endswith(user)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1},
        {"exp": 4_000_000_000},
        {"aud": "https://elsewhere.example"},
        {"sub": "nobody@example.com"},
    ],
)
def test_a_jwt_that_is_wrong_is_refused(salesforce: Simulator, changes: dict[str, object]) -> None:
    """Expired, too long, for somebody else or of nobody: invalid_grant."""
    rep(salesforce)
    assert token(salesforce, **_assertion(salesforce, **changes))["error"] == "invalid_grant"


def test_a_jwt_needs_the_right_key_an_active_user_and_approval(salesforce: Simulator) -> None:
    """A tampered signature, an inactive user and one who has not approved the app are refused."""
    user = rep(salesforce)
    good = _assertion(salesforce)
    assert (
        token(salesforce, grant_type=_JWT, assertion=good["assertion"][:-8] + "AAAAAAAA")["error"]
        == "invalid_grant"
    )
    salesforce.toggles.unapproved_users = frozenset({REP_USERNAME})
    assert "approved" in token(salesforce, **good)["error_description"]
    salesforce.toggles.unapproved_users = frozenset()
    salesforce.edit("User", user, IsActive=False)
    assert token(salesforce, **good)["error_description"] == "inactive user"


def test_a_refresh_token_may_rotate(salesforce: Simulator) -> None:
    """With rotation the old one dies when the new one is given."""
    refresh = salesforce.refresh_token(rep(salesforce))
    form = {"grant_type": "refresh_token", "client_id": salesforce.client_id, "refresh_token": refresh}
    assert "refresh_token" not in token(salesforce, **form)
    salesforce.toggles.rotate_refresh_tokens = True
    rotated = token(salesforce, **form)["refresh_token"]
    assert token(salesforce, **form)["error"] == "invalid_grant"
    assert token(salesforce, **{**form, "refresh_token": rotated})["status"] == 200


def test_tokens_die_on_command_by_calls_and_by_age(salesforce: Simulator) -> None:
    """Then every call is 401 INVALID_SESSION_ID, which is nobody's mistake; a token of nobody's is one."""
    plain = connected(salesforce)
    salesforce.expire_tokens()
    assert refusal(SalesforceExpiredSession, plain.limits)[0] == "INVALID_SESSION_ID"
    salesforce.toggles.token_calls = 1
    plain = connected(salesforce)
    plain.limits()
    assert refusal(SalesforceExpiredSession, plain.limits)[0] == "INVALID_SESSION_ID"
    salesforce.toggles.token_calls = None
    plain = connected(salesforce)
    salesforce.advance(timedelta(hours=3))
    assert refusal(SalesforceExpiredSession, plain.limits)[0] == "INVALID_SESSION_ID"
    assert salesforce.refused == []
    stranger = Salesforce(
        session_id="x", instance_url=salesforce.url, version="67.0", session=session(salesforce)
    )
    assert refusal(SalesforceExpiredSession, stranger.limits)[0] == "INVALID_SESSION_ID"
    assert len(salesforce.refused) == 1


def test_a_revoked_token_is_dead(salesforce: Simulator) -> None:
    """200 once; then the token is nobody's."""
    plain = connected(salesforce)
    with session(salesforce) as http:
        url = f"{salesforce.url}/services/oauth2/revoke"
        assert http.post(url, data={"token": plain.session_id}, timeout=10).status_code == 200
        assert http.post(url, data={"token": plain.session_id}, timeout=10).status_code == 400
    assert refusal(SalesforceExpiredSession, plain.limits)[0] == "INVALID_SESSION_ID"


def test_an_api_that_is_switched_off_says_so(salesforce: Simulator) -> None:
    """403 with a code each for the organisation and for the user."""
    rep(salesforce)
    plain = connected(salesforce, **_assertion(salesforce))
    salesforce.toggles.api_disabled_users = frozenset({REP_USERNAME})
    assert refusal(SalesforceRefusedRequest, plain.limits)[0] == "API_CURRENTLY_DISABLED"
    salesforce.toggles.api_enabled = False
    assert refusal(SalesforceRefusedRequest, plain.limits)[0] == "API_DISABLED_FOR_ORG"


def test_private_records_are_seen_by_their_owner(salesforce: Simulator) -> None:
    """A rep sees his own contacts where they are private; the integration user sees all."""
    user = rep(salesforce)
    salesforce.add("Contact", LastName="Mine", OwnerId=user)
    salesforce.add("Contact", LastName="Other")
    salesforce.toggles.private_objects = frozenset({"Contact"})
    mine = connected(salesforce, **_assertion(salesforce))
    assert [row["Name"] for row in mine.query("SELECT Name FROM Contact")["records"]] == ["Mine"]
    assert connected(salesforce).query("SELECT Id FROM Contact")["totalSize"] == 2


VERIFIER = "v" * 43
CALLBACK = "https://relay.example.com/back"


def _asked(salesforce: Simulator, **changes: str) -> dict[str, str]:
    """Give what a browser is sent to the consent page with."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    return {
        "response_type": "code",
        "client_id": salesforce.client_id,
        "redirect_uri": CALLBACK,
        "scope": "api refresh_token",
        "state": "s-1",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **changes,
    }


def _sent_back(salesforce: Simulator, **changes: str) -> dict[str, str]:
    """Go to the consent page; give what the browser is sent back with."""
    with session(salesforce) as http:
        answer = http.get(
            f"{salesforce.url}/services/oauth2/authorize",
            params=_asked(salesforce, **changes),
            allow_redirects=False,
            timeout=10,
        )
    assert answer.status_code == 302, answer.text
    where, _, query = answer.headers["Location"].partition("?")
    assert where == CALLBACK
    return dict(parse_qsl(query))


def _code_form(salesforce: Simulator, code: str, **changes: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": salesforce.client_id,
        "client_secret": salesforce.client_secret,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        **changes,
    }


def test_a_code_is_given_once_and_redeemed_once(salesforce: Simulator) -> None:
    """Who is signed in gives access; the state comes back, the code gives a token and a refresh token, once."""
    user = rep(salesforce)
    salesforce.toggles.signed_in_as = REP_USERNAME
    back = _sent_back(salesforce)
    assert back["state"] == "s-1"
    form = _code_form(salesforce, back["code"])
    granted = token(salesforce, **form)
    assert granted["id"].endswith(user)
    refreshed = token(
        salesforce,
        grant_type="refresh_token",
        client_id=salesforce.client_id,
        refresh_token=granted["refresh_token"],
    )
    assert refreshed["id"].endswith(user)
    assert token(salesforce, **form)["error"] == "invalid_grant"


def test_revoking_ends_the_connection(salesforce: Simulator) -> None:
    """A refresh token that is revoked gives no token any more, and takes its access tokens along."""
    granted = token(salesforce, **_code_form(salesforce, _sent_back(salesforce)["code"]))
    with session(salesforce) as http:
        form = {"token": granted["refresh_token"]}
        assert http.post(f"{salesforce.url}/services/oauth2/revoke", data=form, timeout=10).ok
        http.headers["Authorization"] = f"Bearer {granted['access_token']}"
        assert http.get(f"{salesforce.url}/services/oauth2/userinfo", timeout=10).status_code == 403
        assert not http.post(f"{salesforce.url}/services/oauth2/revoke", data=form, timeout=10).ok


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
        {"redirect_uri": "https://evil.example"},
        {"client_secret": "wrong"},
    ],
)
def test_a_code_belongs_to_who_asked_for_it(salesforce: Simulator, changes: dict[str, str]) -> None:
    """Another verifier (RFC 7636), callback or secret: no token."""
    code = _sent_back(salesforce)["code"]
    assert token(salesforce, **_code_form(salesforce, code, **changes))["status"] == 400


def test_a_code_ends_after_a_quarter_of_an_hour(salesforce: Simulator) -> None:
    """An old code is refused."""
    code = _sent_back(salesforce)["code"]
    salesforce.advance(timedelta(minutes=16))
    answer = token(salesforce, **_code_form(salesforce, code))
    assert answer["error_description"] == "expired authorization code"


def test_who_asks_wrongly_is_told(salesforce: Simulator) -> None:
    """Denied access, a missing challenge and the plain method are told at the callback; without the scope, no refresh token."""
    assert _sent_back(salesforce, code_challenge="")["error"] == "invalid_request"
    assert _sent_back(salesforce, code_challenge_method="plain")["error"] == "invalid_request"
    code = _sent_back(salesforce, scope="api")["code"]
    assert "refresh_token" not in token(salesforce, **_code_form(salesforce, code))
    salesforce.toggles.consent = "deny"
    assert _sent_back(salesforce)["error"] == "access_denied"


def test_nobody_is_sent_to_a_callback_that_is_not_registered(salesforce: Simulator) -> None:
    """Another callback, or an unknown app: a page says so, and nothing is sent anywhere."""
    salesforce.toggles.callback_urls = (CALLBACK,)
    with session(salesforce) as http:
        for changes in ({"redirect_uri": "https://evil.example"}, {"client_id": "another"}):
            answer = http.get(
                f"{salesforce.url}/services/oauth2/authorize",
                params=_asked(salesforce, **changes),
                allow_redirects=False,
                timeout=10,
            )
            assert answer.status_code == 400
            assert "Location" not in answer.headers
        salesforce.toggles.consent = "ask"
        page = http.get(f"{salesforce.url}/services/oauth2/authorize", params=_asked(salesforce), timeout=10)
        assert 'id="allow"' in page.text
