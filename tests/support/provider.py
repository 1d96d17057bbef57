"""An identity provider for tests: OpenID Connect over TLS on loopback, strict about PKCE, lying only where it is told to."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from relay.config.types import SocketAddress
from relay.web.health import HttpServer
from tests.support.submission import server_tls

CLIENT_ID, SECRET = "relay-page", "provider-secret-0001"


@lru_cache(maxsize=1)
def _keys() -> tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey]:
    """Give the provider's key, and somebody else's; made once in a test run."""
    return rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048)


@dataclass
class LocalProvider:
    """The provider. Everybody who comes is who it says: set what a test is about."""

    issuer: str = ""
    now: float = field(default_factory=time.time)
    claims: dict[str, Any] = field(
        default_factory=lambda: {"sub": "s-1", "email": "ana@example.com", "email_verified": True}
    )
    changed: dict[str, Any] = field(default_factory=dict)
    """Claims of the id_token that are made otherwise than they should be."""
    algorithm: str = "RS256"
    foreign_key: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    """What the browser was sent with."""
    refused: list[str] = field(default_factory=list)
    """Token requests that were refused, and why."""

    def __post_init__(self) -> None:
        self._key, self._other = _keys()
        self._codes: dict[str, dict[str, str]] = {}

    def app(self) -> Starlette:
        """Give what answers."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._describe),
                Route("/keys", self._keys),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    async def _describe(self, _request: Request) -> Response:
        ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return JSONResponse(
            {"issuer": self.issuer, **{name: f"{self.issuer}/{path}" for name, path in ends.items()}}
        )

    async def _keys(self, _request: Request) -> Response:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        return JSONResponse({"keys": [{**public, "kid": "k1", "alg": "RS256", "use": "sig"}]})

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        return RedirectResponse(self.answer(asked), 302)

    def answer(self, asked: dict[str, str]) -> str:
        """Give where the browser is sent back to, with a code."""
        self.asked.append(asked)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.issuer})}"

    def visit(self, url: str) -> str:
        """Do as a browser that is sent to `url` and signs in there; give where it is sent back to."""
        assert url.startswith(f"{self.issuer}/authorize?")
        return self.answer({name: values[0] for name, values in parse_qs(urlsplit(url).query).items()})

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        problem = self._problem(request, {name: str(value) for name, value in form.items()})
        if problem:
            self.refused.append(problem)
            return JSONResponse({"error": "invalid_grant"}, 400)
        asked = self._codes.pop(str(form["code"]))
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": int(self.now),
            "exp": int(self.now) + 600,
            "nonce": asked["nonce"],
            **self.claims,
            **self.changed,
        }
        key: Any = self._other if self.foreign_key else self._key
        if self.algorithm == "none":
            key = None
        elif self.algorithm == "HS256":
            key = "x" * 32
        token = jwt.encode(claims, key, algorithm=self.algorithm, headers={"kid": "k1"})
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": token})

    def _problem(self, request: Request, form: dict[str, str]) -> str:
        basic = base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
        asked = self._codes.get(form.get("code", ""))
        if request.headers.get("authorization") != f"Basic {basic}":
            return "the client's secret is wrong"
        if asked is None or form.get("redirect_uri") != asked["redirect_uri"]:
            return "the code is none of ours"
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() != asked.get("code_challenge"):
            return "the verifier does not fit"
        return ""


@asynccontextmanager
async def local_provider() -> AsyncIterator[LocalProvider]:
    """Run a provider on loopback."""
    provider = LocalProvider()
    server = HttpServer(provider.app(), tls=server_tls())
    bound = await server.start(SocketAddress("127.0.0.1", 0))
    assert isinstance(bound, SocketAddress)
    provider.issuer = f"https://localhost:{bound.port}"
    try:
        yield provider
    finally:
        await server.stop()
