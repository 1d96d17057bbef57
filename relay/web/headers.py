"""What every answer of the page carries: a strict Content-Security-Policy and its companions; and which hosts we are.

A page may loosen nothing; one that shows a mail's body in a frame sets a policy of its own, stricter in scripts.
"""

import re
from collections.abc import Callable, Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_ALWAYS = {
    "x-content-type-options": "nosniff",
    # Not no-referrer: with it Chromium sends `Origin: null` along with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_STRICT_TRANSPORT = "max-age=31536000"
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:/?#@\[\]\\]+)(?::[0-9]{1,5})?", re.I)


class SecurityHeaders:
    """Adds the headers to each answer, and answers nobody who calls us by a name that is not ours.

    The second is against DNS rebinding: a page of somebody else's whose name suddenly leads to this host.
    """

    def __init__(self, app: ASGIApp, hosts: Callable[[], Collection[str]]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        secure = scope["scheme"] == "https"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
                headers.setdefault("content-security-policy", POLICY)
                headers.setdefault("cache-control", "no-store")
                if secure:
                    headers.setdefault("strict-transport-security", _STRICT_TRANSPORT)
            await send(message)

        if host_name(Headers(scope=scope).get("host", "")) not in self._hosts():
            refusal = PlainTextResponse("This host is not known here: set web.public_url.\n", 400)
            await refusal(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


def host_name(host: str) -> str:
    """Give the name in a Host field (RFC 9110 §7.2) without its port; "" for what is not a name and a port alone.

    Links in mail are made of the field: `relay.example.com:x@evil.example` must lead nowhere.
    """
    found = _HOST.fullmatch(host)
    return found[1].lower() if found else ""
