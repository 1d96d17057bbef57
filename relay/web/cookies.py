"""The page's two cookies, the token that each form carries, and whether a request comes from our own pages.

Pure. The session cookie names a session in the store; the browser cookie ties what is done before signing in to one
browser. A form's token is a digest of the cookie that goes with it: nobody who cannot read the cookie can make one.
"""

import hashlib
import hmac
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_SESSION = "relay"
_BROWSER = "relay-browser"


def cookie_name(kind: str, *, secure: bool) -> str:
    """Give a cookie's name. `__Host-` ties it to this very host over TLS (RFC 6265bis §4.1.3.2)."""
    return f"__Host-{kind}" if secure else kind


@dataclass(frozen=True, slots=True)
class Cookies:
    """What the browser sent of the two: each is "" when it was not sent or is none of ours."""

    session: str = ""
    browser: str = ""

    @property
    def bound(self) -> str:
        """Give what the forms of this browser are bound to."""
        return self.session or self.browser


def read_cookies(sent: Mapping[str, str], *, secure: bool) -> Cookies:
    """Pick our cookies out of those that were sent."""
    values = [sent.get(cookie_name(kind, secure=secure), "") for kind in (_SESSION, _BROWSER)]
    return Cookies(*(value if _SECRET.fullmatch(value) else "" for value in values))


def set_cookie(kind: str, value: str, *, secure: bool, seconds: int | None) -> str:
    """Write the value of a Set-Cookie field; `seconds` 0 takes the cookie away, None: until the browser is closed."""
    parts = [f"{cookie_name(kind, secure=secure)}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
    if seconds is not None:
        parts.append(f"Max-Age={seconds}")
    if secure:
        parts.append("Secure")
    return "; ".join(parts)


def session_cookie(value: str, *, secure: bool, seconds: int) -> str:
    """Write the session cookie."""
    return set_cookie(_SESSION, value, secure=secure, seconds=seconds)


def browser_cookie(value: str, *, secure: bool) -> str:
    """Write the browser cookie."""
    return set_cookie(_BROWSER, value, secure=secure, seconds=None)


def form_token(bound: str) -> str:
    """Give the token that forms of the browser with this cookie carry."""
    return hashlib.sha256(f"form {bound}".encode()).hexdigest()


def token_fits(bound: str, token: str) -> bool:
    """Tell whether a form's token belongs to the cookie that came with it."""
    return bool(bound) and hmac.compare_digest(form_token(bound).encode(), token.encode())


def from_elsewhere(headers: Mapping[str, str], own_origins: Collection[str]) -> bool:
    """Tell whether a browser says that another site made it send this.

    Fetch Metadata (Sec-Fetch-Site) and Origin (RFC 6454 §7) must both agree where they are sent; `null` is nobody's.
    """
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and origin.lower() not in own_origins
