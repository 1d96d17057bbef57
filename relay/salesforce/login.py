"""What is posted to the token endpoint for each way of signing in, and what its answer gives.

Pure, but for reading the secrets it is handed readers for. RFC 6749 (client credentials §4.4, refresh §6), RFC 7523
(JWT bearer); Salesforce help, "OAuth Authorization Flows".
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import assert_never
from urllib.parse import urlencode, urlsplit

from relay.config.recording import SalesforceAuthSettings, SalesforceSettings
from relay.config.types import SecretReference
from relay.errors import CommandError
from relay.salesforce.exchange import SalesforceError
from relay.salesforce.faults_table import NOT_CONNECTED, local_fault
from relay.salesforce.model import Fault

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - a path
REVOKE_PATH = "/services/oauth2/revoke"
_AUTHORIZE_PATH = "/services/oauth2/authorize"
_SCOPE = "api refresh_token"
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_SECONDS = 180
PRODUCTION = "https://login.salesforce.com"
SANDBOX = "https://test.salesforce.com"


@dataclass(frozen=True, slots=True)
class Token:
    """What signs requests, and where they go."""

    access: str = field(repr=False)
    instance_url: str
    user_id: str = ""
    organization_id: str = ""
    refresh: str | None = field(default=None, repr=False)
    """A refresh token that replaces the one that was used; that one is dead."""


@dataclass(frozen=True, slots=True)
class Connected:
    """Who was connected."""

    user_id: str
    organization_id: str
    settled: bool
    """Whether this settled which organisation everybody's connection must be of."""


@dataclass(frozen=True, slots=True)
class Login:
    """One way of signing in, as one user."""

    settings: SalesforceAuthSettings
    instance: str
    username: str | None = None
    """For jwt: as whom."""


def form(
    login: Login, secret: Callable[[SecretReference], str], refresh_token: str | None, now: int
) -> dict[str, str]:
    """Give the fields to post. Raises SalesforceError when a secret cannot be read, or a key not be used."""
    settings = login.settings
    fields = {"client_id": settings.client_id}
    match settings.kind:
        case "client_credentials":
            fields |= {"grant_type": "client_credentials"}
        case "jwt":
            return {"grant_type": _JWT_BEARER, "assertion": _assertion(login, secret, now)}
        case "refresh_token":
            if refresh_token is None and settings.refresh_token is None:
                raise SalesforceError(not_connected())
            token = refresh_token or _read(secret, settings.refresh_token, "refresh_token")
            fields |= {"grant_type": "refresh_token", "refresh_token": token}
        case _:
            assert_never(settings.kind)
    if settings.client_secret is not None:
        fields["client_secret"] = _read(secret, settings.client_secret, "client_secret")
    return fields


def not_connected() -> Fault:
    """Make the fault of a sign-in that nobody has given the relay yet, or that was taken back."""
    return local_fault(NOT_CONNECTED, "not connected: somebody must press Connect on the page")


def connectable(settings: SalesforceAuthSettings) -> bool:
    """Tell whether this sign-in comes from Connect on the page."""
    return settings.kind == "refresh_token" and settings.refresh_token is None


@dataclass(frozen=True, slots=True)
class Code:
    """What a browser came back with from Salesforce, and what proves that we sent it there."""

    code: str = field(repr=False)
    verifier: str = field(repr=False)
    """PKCE's (RFC 7636 §4.1)."""
    redirect_uri: str


def code_form(
    settings: SalesforceAuthSettings, secret: Callable[[SecretReference], str], code: Code
) -> dict[str, str]:
    """Give the fields to post for a code (RFC 6749 §4.1.3). Raises SalesforceError when the secret cannot be read."""
    fields = {
        "grant_type": "authorization_code",
        "client_id": settings.client_id,
        "code": code.code,
        "code_verifier": code.verifier,
        "redirect_uri": code.redirect_uri,
    }
    if settings.client_secret is not None:
        fields["client_secret"] = _read(secret, settings.client_secret, "client_secret")
    return fields


def authorize_url(
    settings: SalesforceSettings, redirect_uri: str, state: str, verifier: str, *, sign_in_anew: bool
) -> str:
    """Give where a browser asks for access; the verifier stays here, its digest goes along (RFC 7636 §4.2).

    With `sign_in_anew` Salesforce asks who one is though somebody is signed in there.
    """
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": settings.auth.client_id,
        "redirect_uri": redirect_uri,
        "scope": _SCOPE,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    if sign_in_anew:
        query["prompt"] = "login"
    return f"{settings.instance.rstrip('/')}{_AUTHORIZE_PATH}?{urlencode(query)}"


def _assertion(login: Login, secret: Callable[[SecretReference], str], now: int) -> str:
    import jwt  # with cryptography: loaded when somebody signs in this way

    key = _read(secret, login.settings.private_key, "private_key")
    claims = {
        "iss": login.settings.client_id,
        "sub": login.username or "",
        "aud": audience(login.settings, login.instance),
        "exp": now // 1_000_000 + _ASSERTION_SECONDS,  # a number, as RFC 7519 §4.1.4 says
    }
    try:
        return jwt.encode(claims, key, algorithm="RS256")
    except (ValueError, TypeError, jwt.PyJWTError):
        raise SalesforceError(
            local_fault("LOGIN_KEY_UNUSABLE", "salesforce.auth.private_key is no RSA key in PEM form")
        ) from None


def audience(settings: SalesforceAuthSettings, instance: str) -> str:
    """Give whom a JWT is for: as set, else by the host: production, a sandbox, or a server that is not Salesforce's."""
    if settings.audience is not None:
        return settings.audience
    host = urlsplit(instance).hostname or ""
    if not host.endswith(".salesforce.com"):
        return instance.rstrip("/")
    return SANDBOX if ".sandbox." in host or "--" in host or host.startswith("test.") else PRODUCTION


def _read(secret: Callable[[SecretReference], str], reference: SecretReference | None, name: str) -> str:
    if reference is None:
        raise SalesforceError(local_fault("LOGIN_SECRET_MISSING", f"salesforce.auth.{name} is not given"))
    try:
        return secret(reference)
    except CommandError as error:
        raise SalesforceError(
            local_fault("LOGIN_SECRET_MISSING", f"salesforce.auth.{name}: {error}")
        ) from None


def token_of(answer: Mapping[str, object], instance: str) -> Token:
    """Read the token out of a good answer; where it names no instance, ours is meant. Raises SalesforceError."""
    access, url, refresh = answer.get("access_token"), answer.get("instance_url"), answer.get("refresh_token")
    if not isinstance(access, str) or not access:
        raise SalesforceError(local_fault("LOGIN_ANSWER_INCOMPLETE", "the answer holds no access_token"))
    where = url if isinstance(url, str) and url else instance
    if urlsplit(where).scheme != "https" or not urlsplit(where).hostname:
        raise SalesforceError(
            local_fault("LOGIN_ANSWER_INCOMPLETE", "the answer's instance_url is no https address")
        )
    organization, user = _ids(answer.get("id"))
    return Token(access, where, user, organization, refresh if isinstance(refresh, str) and refresh else None)


def _ids(identity: object) -> tuple[str, str]:
    """Take organisation and user out of the identity URL, https://login.salesforce.com/id/00D…/005…."""
    parts = identity.rstrip("/").split("/") if isinstance(identity, str) else []
    known = len(parts) > 2 and parts[-2].startswith("00D") and parts[-1].startswith("005")
    return (parts[-2], parts[-1]) if known else ("", "")
