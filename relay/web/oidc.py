"""Sign people in through an identity provider: OpenID Connect's code flow with state, nonce and PKCE.

Only this file imports authlib and calls providers, in a thread of its own with limits. Sources: OpenID Connect Core §3.1,
RFC 7636 (PKCE), RFC 9207 (iss), RFC 9700 (OAuth security).
"""

import asyncio
import hmac
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from relay.clock import Clock
from relay.config.page import OidcSettings
from relay.errors import RelayError

T = TypeVar("T")
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a key that the provider publishes: `none` and shared secrets are not among them."""
_LIMIT = 10.0
_WHOLE_LIMIT = 25.0
_KEPT_FOR = 3600.0
_SKEW = 120
_LARGEST = 1024 * 1024
_SCOPE = "openid email profile"


class SignInRefused(RelayError):
    """The provider's answer proves nobody; the text is for the program's log, not for the person."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and what must come back."""

    url: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the provider says somebody is."""

    issuer: str
    subject: str
    email: str
    verified: bool


class Provider:
    """One identity provider. Its description and keys are asked for when needed, and kept for an hour."""

    def __init__(self, settings: OidcSettings, secret: str, ca: Path | None, clock: Clock) -> None:
        self.settings = settings
        self._secret = secret
        self._ca = str(ca) if ca is not None else True
        self._clock = clock
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="oidc")

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def begin(self, redirect_uri: str) -> Begun:
        """Make what the browser is sent with. Raises SignInRefused when the provider cannot be reached."""
        return await self._in_thread(self._begin, redirect_uri)

    async def finish(self, redirect_uri: str, code: str, begun: Begun) -> Identity:
        """Turn the code into an identity. Raises SignInRefused."""
        return await self._in_thread(self._finish, redirect_uri, code, begun)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_WHOLE_LIMIT):
                return await loop.run_in_executor(self._threads, work, *arguments)
        except TimeoutError:
            raise SignInRefused("the provider does not answer in time") from None

    # In the thread

    def _begin(self, redirect_uri: str) -> Begun:
        endpoint = self._described("authorization_endpoint")
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        with self._session(redirect_uri) as session:
            url, _ = session.create_authorization_url(
                endpoint, state=state, nonce=nonce, code_verifier=verifier
            )
        return Begun(url, state, nonce, verifier)

    def _finish(self, redirect_uri: str, code: str, begun: Begun) -> Identity:
        from authlib.integrations.base_client import OAuthError
        from requests import RequestException

        endpoint = self._described("token_endpoint")
        try:
            with self._session(redirect_uri) as session:
                answer = session.fetch_token(
                    endpoint, code=code, code_verifier=begun.verifier, timeout=_LIMIT, verify=self._ca
                )
        except (OAuthError, RequestException, ValueError) as exc:
            raise SignInRefused(f"the provider does not take the code: {type(exc).__name__}") from exc
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise SignInRefused("the provider's answer holds no id_token")
        return self._identity(self._claims(token), begun.nonce)

    def _session(self, redirect_uri: str) -> Any:
        from authlib.integrations.requests_client import OAuth2Session

        session = OAuth2Session(
            self.settings.client_id,
            self._secret,
            scope=_SCOPE,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )
        session.trust_env = False
        return session

    def _described(self, name: str) -> str:
        """Give an endpoint out of the provider's description, which must name the issuer that the settings name."""
        issuer = self.settings.issuer.rstrip("/")
        described = self._fetch(f"{issuer}/.well-known/openid-configuration")
        if str(described.get("issuer", "")).rstrip("/") != issuer:
            raise SignInRefused("the provider's description is of another issuer")
        value = described.get(name)
        if not isinstance(value, str) or value.partition(":")[0] != issuer.partition(":")[0]:
            raise SignInRefused(f"the provider's description names no usable {name}")
        return value

    def _fetch(self, url: str, *, anew: bool = False) -> dict[str, Any]:
        import requests

        kept = self._kept.get(url)
        if kept is not None and not anew and kept[0] > self._clock.monotonic():
            return kept[1]
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.get(url, timeout=_LIMIT, verify=self._ca, allow_redirects=False, stream=True)
                octets = answer.raw.read(_LARGEST, decode_content=True)
                answer.raise_for_status()
                answer._content = octets  # requests reads a body whole or not at all; this one has a limit
                found = answer.json()
        except (requests.RequestException, ValueError) as exc:
            raise SignInRefused(f"{url} cannot be fetched: {type(exc).__name__}") from exc
        if not isinstance(found, dict):
            raise SignInRefused(f"{url} is no JSON object")
        self._kept[url] = (self._clock.monotonic() + _KEPT_FOR, found)
        return found

    def _claims(self, token: str) -> dict[str, Any]:
        """Check the signature with a key that the provider publishes; an unknown key is looked for once more."""
        import jwt

        try:
            head = jwt.get_unverified_header(token)
            key = self._key(head, anew=False) or self._key(head, anew=True)
            if key is None or head.get("alg") not in _ALGORITHMS:
                raise SignInRefused("the id_token is signed by nobody we know")
            # Time is checked below, by the relay's own clock.
            options: Any = {
                "require": ["exp", "iat", "iss", "aud", "sub"],
                "verify_exp": False,
                "verify_iat": False,
            }
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=[head["alg"]], audience=self.settings.client_id, options=options
            )
        except jwt.PyJWTError as exc:
            raise SignInRefused(f"the id_token cannot be used: {type(exc).__name__}") from exc
        return claims

    def _key(self, head: dict[str, Any], *, anew: bool) -> Any:
        import jwt

        published = self._fetch(self._described("jwks_uri"), anew=anew)
        for one in jwt.PyJWKSet.from_dict(published).keys:
            if head.get("kid") in (None, one.key_id) and one.algorithm_name == head.get("alg"):
                return one
        return None

    def _identity(self, claims: dict[str, Any], nonce: str) -> Identity:
        """Check the claims (OpenID Connect Core §3.1.3.7)."""
        now = self._clock.now() // 1_000_000
        if str(claims["iss"]).rstrip("/") != self.settings.issuer.rstrip("/"):
            raise SignInRefused("the id_token is of another issuer")
        audience = claims["aud"]
        if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != self.settings.client_id:
            raise SignInRefused("the id_token is for somebody else")
        if not isinstance(claims["exp"], int | float) or claims["exp"] + _SKEW < now:
            raise SignInRefused("the id_token is over")
        if not isinstance(claims["iat"], int | float) or claims["iat"] - _SKEW > now:
            raise SignInRefused("the id_token is from the future")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise SignInRefused("the id_token's nonce is another one")
        verified = claims.get("email_verified") in (True, "true")
        return Identity(self.settings.issuer, str(claims["sub"]), str(claims.get("email") or ""), verified)
