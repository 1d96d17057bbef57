"""Signing in at the simulated Salesforce: the token endpoint, sessions, and who one is.

Source: Salesforce reference §5.1 and §7.1.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from relay.demo.salesforce import ids
from relay.demo.salesforce.authorizing import Authorizing, CodeRefused
from relay.demo.salesforce.messages import Answer, Request
from relay.demo.salesforce.records import Records, Row
from relay.demo.salesforce.refusals import Refusal

CLIENT_ID = "3MVG9relayDemoConsumerKey"
CLIENT_SECRET = "demo-consumer-secret-1F8B"  # noqa: S105 - of the simulated organisation
ORGANIZATION = ids.made("00D", 1)
_AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LONGEST_ASSERTION = timedelta(minutes=5)
_INVALID = "INVALID_SESSION_ID"


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)  # once a process: it takes long


def private_key_pem() -> str:
    """Give the private key whose certificate the app has."""
    return (
        _key()
        .private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        .decode()
    )


class OAuthError(Exception):
    """What the token endpoint refuses, with OAuth's error (RFC 6749 §5.2)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


@dataclass(slots=True)
class _Session:
    user: str
    used: float
    calls: int = 0
    expired: bool = False
    """On command; nobody's mistake."""
    connected: bool = False
    """It belongs to a refresh token."""


class Auth:
    """The tokens of the organisation."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.url = ""
        self.requests = 0
        self.run_as = ""
        """The id of the user that client credentials sign in as."""
        self._sessions: dict[str, _Session] = {}
        self._refresh: dict[str, str] = {}
        self._made = 0
        self.authorizing = Authorizing(records, CLIENT_ID)

    def reset(self) -> None:
        """Forget all tokens."""
        self._sessions.clear()
        self._refresh.clear()
        self.authorizing.reset()
        self.requests = 0

    def expire(self) -> None:
        """Make all access tokens die."""
        for session in self._sessions.values():
            session.expired = True

    def refresh_token(self, user: str) -> str:
        """Give a new refresh token of a user, as one who has just connected gets."""
        self._made += 1
        token = f"5Aep861relay{self._made:06d}{user}"
        self._refresh[token] = user
        return token

    def refresh_tokens(self) -> set[str]:
        """Give the refresh tokens that work."""
        return set(self._refresh)

    def user_of(self, request: Request) -> str:
        """Give the id of who calls, and count the call against the token. Raises Refusal 401 or 403."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        session = self._sessions.get(token) if scheme.lower() in ("bearer", "oauth") else None
        if session is None:
            raise Refusal(401, _INVALID, "Session expired or invalid")
        self._must_live(session)
        session.calls += 1
        session.used = self._now()
        self._must_have_api(session.user)
        return session.user

    def kill(self, request: Request) -> None:
        """Make the token of a request die, for all calls that follow."""
        token = request.headers.get("authorization", "").partition(" ")[2]
        if token in self._sessions:
            self._sessions[token].expired = True

    def _must_live(self, session: _Session) -> None:
        toggles = self._records.toggles
        idle = self._now() - session.used
        used_up = toggles.token_calls is not None and session.calls >= toggles.token_calls
        if session.expired or used_up or idle > toggles.token_life.total_seconds():
            raise Refusal(401, _INVALID, "Session expired or invalid", provoked=True)

    def _must_have_api(self, user: str) -> None:
        toggles = self._records.toggles
        if not toggles.api_enabled:
            message = "The REST API is not enabled for this Organization."
            raise Refusal(403, "API_DISABLED_FOR_ORG", message, provoked=True)
        row = self._records.get(user) or {}
        if row.get("Username") in toggles.api_disabled_users:
            raise Refusal(403, "API_CURRENTLY_DISABLED", "API is disabled for this User", provoked=True)
        if not row.get("IsActive"):
            raise Refusal(401, _INVALID, "Session expired or invalid", provoked=True)

    def answer_token(self, request: Request) -> Answer:
        """Answer the token endpoint."""
        self.requests += 1
        form = request.form()
        try:
            return Answer(200, self._granted(request, form))
        except OAuthError as error:
            return Answer(400, {"error": error.error, "error_description": str(error)})

    def _granted(self, request: Request, form: dict[str, str]) -> Row:
        match form.get("grant_type"):
            case "client_credentials":
                self._must_be_the_app(*_credentials(request, form))
                return self._token(self.run_as)
            case "authorization_code":
                return self._redeemed(request, form)
            case "refresh_token":
                return self._refreshed(request, form)
            case grant if grant == _JWT:
                return self._token(self._asserted(form.get("assertion", "")))
            case "password" if self._records.toggles.password_login:
                self._must_be_the_app(*_credentials(request, form))
                return self._token(self._user_named(form.get("username", "")))
            case _:
                raise OAuthError("unsupported_grant_type", "grant type not supported")

    def _must_be_the_app(self, client: str, secret: str | None) -> None:
        if client != CLIENT_ID:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        if secret is not None and not hmac.compare_digest(secret.encode(), CLIENT_SECRET.encode()):
            raise OAuthError("invalid_client", "invalid client credentials")

    def answer_authorize(self, request: Request) -> Answer:
        """Answer the browser that an app sent here to ask for access."""
        return self.authorizing.answer(request, self.run_as)

    def _redeemed(self, request: Request, form: dict[str, str]) -> Row:
        client, secret = _credentials(request, form)
        self._must_be_the_app(client, secret or None)
        try:
            user, lasting = self.authorizing.redeem(form)
        except CodeRefused as refused:
            raise OAuthError("invalid_grant", str(refused)) from None
        answer = self._token(user, connected=lasting)
        return answer | {"refresh_token": self.refresh_token(user)} if lasting else answer

    def _refreshed(self, request: Request, form: dict[str, str]) -> Row:
        client, secret = _credentials(request, form)
        self._must_be_the_app(client, secret or None)  # a public app has no secret to show
        given = form.get("refresh_token", "")
        user = self._refresh.get(given)
        if user is None:
            raise OAuthError("invalid_grant", "expired access/refresh token")
        answer = self._token(user, connected=True)
        if self._records.toggles.rotate_refresh_tokens:
            del self._refresh[given]
            answer["refresh_token"] = self.refresh_token(user)
        return answer

    def _asserted(self, assertion: str) -> str:
        """Give the user of a JWT (RFC 7523); its `exp` may be a number or, as simple-salesforce writes it, a string."""
        options = {"verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_nbf": False}
        try:
            claims = jwt.decode(assertion, _key().public_key(), algorithms=["RS256"], options=options)  # type: ignore[arg-type]  # its TypedDict
            ends = float(claims.get("exp", 0))
        except (jwt.InvalidTokenError, ValueError, TypeError) as error:
            raise OAuthError("invalid_grant", "invalid assertion") from error
        if claims.get("iss") != CLIENT_ID:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        if claims.get("aud") not in (*_AUDIENCES, self.url):
            raise OAuthError("invalid_grant", "audience is invalid")
        # Against the clock underneath: who signs in does not know that the simulator's was moved.
        now = self._records.clock.unmoved().timestamp()
        if not now < ends <= now + _LONGEST_ASSERTION.total_seconds():
            raise OAuthError("invalid_grant", "expired authorization code or assertion")
        return self._user_named(str(claims.get("sub", "")), pre_approved=True)

    def _user_named(self, username: str, *, pre_approved: bool = False) -> str:
        for row in self._records.live("User"):
            if str(row.get("Username", "")).lower() == username.lower():
                break
        else:
            raise OAuthError("invalid_grant", "authentication failure")
        if not row.get("IsActive"):
            raise OAuthError("invalid_grant", "inactive user")
        if pre_approved and row["Username"] in self._records.toggles.unapproved_users:
            raise OAuthError("invalid_grant", "user hasn't approved this consumer")
        return str(row["Id"])

    def _token(self, user: str, *, connected: bool = False) -> Row:
        self._made += 1
        username = str((self._records.get(user) or {}).get("Username"))
        organization = self._records.toggles.users_elsewhere.get(username, ORGANIZATION)
        token = f"{organization[:15]}!AQ{self._made:06d}.{user}"
        self._sessions[token] = _Session(user, self._now(), connected=connected)
        return {
            "access_token": token,
            "signature": base64.b64encode(f"signature {self._made}".encode()).decode(),
            "scope": "api",
            "instance_url": self.url,
            "id": f"https://login.salesforce.com/id/{organization}/{user}",
            "token_type": "Bearer",
            "issued_at": str(int(self._now() * 1000)),
            "api_instance_url": "https://api.salesforce.com",
        }

    def answer_revoke(self, request: Request) -> Answer:
        """Revoke an access or refresh token."""
        token = (request.form() | request.query).get("token", "")
        user = self._refresh.pop(token, None)
        known = [self._sessions.pop(token, None), user]
        for session in self._sessions.values():  # a refresh token takes its access tokens along
            session.expired = session.expired or (session.connected and session.user == user)
        if not any(known):
            return Answer(400, {"error": "unsupported_token_type", "error_description": "invalid token"})
        return Answer(200)

    def answer_identity(self, request: Request) -> Answer:
        """Say who the caller is, as userinfo and the identity URL do."""
        try:
            row = self._records.get(self.user_of(request)) or {}
        except Refusal as refusal:
            body = b"Missing_OAuth_Token" if not request.headers.get("authorization") else b"Bad_OAuth_Token"
            return Answer(403, body, {"Content-Type": "text/html"}, errors=(refusal,))
        user = str(row["Id"])
        return Answer(
            200,
            {
                "sub": f"https://login.salesforce.com/id/{ORGANIZATION}/{user}",
                "user_id": user,
                "organization_id": ORGANIZATION,
                "preferred_username": row.get("Username"),
                "username": row.get("Username"),
                "nickname": row.get("Alias"),
                "name": row.get("Name"),
                "display_name": row.get("Name"),
                "email": row.get("Email"),
                "active": row.get("IsActive"),
                "zoneinfo": row.get("TimeZoneSidKey"),
                "language": row.get("LanguageLocaleKey"),
                "locale": row.get("LocaleSidKey"),
                "user_type": "STANDARD",
                "urls": {"rest": f"{self.url}/services/data/v{{version}}/"},
            },
        )

    def _now(self) -> float:
        return self._records.clock.now().timestamp()


def _credentials(request: Request, form: dict[str, str]) -> tuple[str, str]:
    """Give client id and secret, of the Basic header or of the form."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client, _, secret = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise OAuthError("invalid_client", "invalid client credentials") from error
        return client, secret
    return form.get("client_id", ""), form.get("client_secret", "")
