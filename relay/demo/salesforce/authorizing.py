"""The web server flow of the simulated Salesforce: the consent page, its codes, and PKCE.

Source: RFC 6749 §4.1, RFC 7636; Salesforce help, "OAuth 2.0 Web Server Flow for Web App Integration".
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from urllib.parse import urlencode

from relay.demo.salesforce.messages import Answer, Request
from relay.demo.salesforce.records import Records

_LIFE = timedelta(minutes=15)
_HTML = {"Content-Type": "text/html;charset=UTF-8"}


class CodeRefused(Exception):
    """A code that gives no token; the text is Salesforce's."""


@dataclass(frozen=True, slots=True)
class _Code:
    user: str
    redirect_uri: str
    challenge: str
    made: float
    scope: str


class Authorizing:
    """Asks whoever is signed in (toggles.signed_in_as) whether the app may act for them (toggles.consent)."""

    def __init__(self, records: Records, client_id: str) -> None:
        self._records = records
        self._client_id = client_id
        self._codes: dict[str, _Code] = {}
        self._made = 0

    def reset(self) -> None:
        """Forget all codes."""
        self._codes.clear()

    def answer(self, request: Request, otherwise: str) -> Answer:
        """Answer /services/oauth2/authorize; `otherwise` is the id of who is signed in when no toggle says it."""
        asked = request.query
        problem = self._problem(asked)
        if problem:
            # Nobody is sent to an address that is not registered (RFC 6749 §4.1.2.1).
            return Answer(400, f"<title>{escape(problem)}</title>{escape(problem)}".encode(), _HTML)
        if asked.get("response_type") != "code":
            return _back(asked, {"error": "unsupported_response_type"})
        if self._records.toggles.require_pkce and not asked.get("code_challenge"):
            told = {"error": "invalid_request", "error_description": "missing required code challenge"}
            return _back(asked, told)
        if asked.get("code_challenge") and asked.get("code_challenge_method") != "S256":
            return _back(
                asked, {"error": "invalid_request", "error_description": "invalid code challenge method"}
            )
        match asked.get("decision") or self._records.toggles.consent:
            case "allow":
                return _back(asked, {"code": self._code(asked, self._user(otherwise))})
            case "deny":
                told = {"error": "access_denied", "error_description": "end-user denied authorization"}
                return _back(asked, told)
            case _:
                return Answer(200, _consent_page(asked), _HTML)

    def _problem(self, asked: dict[str, str]) -> str:
        if asked.get("client_id") != self._client_id:
            return "invalid_client_id"
        known = self._records.toggles.callback_urls
        where = asked.get("redirect_uri", "")
        if not where or (known and where not in known):
            return "redirect_uri_mismatch"
        return ""

    def _user(self, otherwise: str) -> str:
        wanted = self._records.toggles.signed_in_as
        for row in self._records.live("User"):
            if wanted and row.get("Username") == wanted:
                return str(row["Id"])
        return otherwise

    def _code(self, asked: dict[str, str], user: str) -> str:
        self._made += 1
        code = f"aPrx.relay{self._made:06d}.{user}"
        challenge = asked.get("code_challenge", "")
        scope = asked.get("scope", "")
        self._codes[code] = _Code(user, asked["redirect_uri"], challenge, self._now(), scope)
        return code

    def redeem(self, form: dict[str, str]) -> tuple[str, bool]:
        """Give the user of a code, once, and whether a refresh token goes with it. Raises CodeRefused."""
        code = self._codes.pop(form.get("code", ""), None)
        if code is None:
            raise CodeRefused("invalid authorization code")
        if self._now() - code.made > _LIFE.total_seconds():
            raise CodeRefused("expired authorization code")
        if form.get("redirect_uri") != code.redirect_uri:
            raise CodeRefused("redirect_uri must match configuration")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if code.challenge and not hmac.compare_digest(challenge.encode(), code.challenge.encode()):
            raise CodeRefused("invalid code verifier")
        scopes = code.scope.split()
        return code.user, not scopes or bool({"refresh_token", "offline_access", "full"} & set(scopes))

    def _now(self) -> float:
        return self._records.clock.now().timestamp()


def _back(asked: dict[str, str], told: dict[str, str]) -> Answer:
    """Send the browser back to the app, with the state that it brought."""
    state = {"state": asked["state"]} if "state" in asked else {}
    where = asked["redirect_uri"]
    joined = where + ("&" if "?" in where else "?") + urlencode(told | state)
    return Answer(302, b"", {"Location": joined, **_HTML})


def _consent_page(asked: dict[str, str]) -> bytes:
    links = "".join(
        f'<p><a id="{one}" href="/services/oauth2/authorize?{escape(urlencode(asked | {"decision": one}))}">{name}</a></p>'
        for one, name in (("allow", "Allow"), ("deny", "Deny"))
    )
    page = f'<!doctype html><html lang="en"><title>Allow Access?</title><h1>Allow Access?</h1>{links}</html>'
    return page.encode()
