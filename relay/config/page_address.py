"""Where people reach the page, as the settings tell it: what links in mail begin with.

Pure. It is never taken from a request: whoever sends one chooses its Host field.
"""

from ipaddress import ip_address

from relay.address import ascii_domain
from relay.config.page import WebSettings

_STANDARD = {"http": 80, "https": 443}


def page_address(web: WebSettings, hostname: str | None) -> str:
    """Give where people reach the page, without a slash at its end; "" where the settings do not tell.

    It is web.public_url, else this machine on loopback, else server.hostname (`hostname`) at the page's own port.
    """
    if web.public_url is not None:
        return web.public_url.rstrip("/")
    if untold(web, hostname):
        return ""
    scheme = "https" if web.tls == "implicit" else "http"
    host = _name(web, hostname)
    host = host if host.isascii() else ascii_domain(host)
    port = "" if web.address.port == _STANDARD[scheme] else f":{web.address.port}"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{port}"


def untold(web: WebSettings, hostname: str | None) -> str:
    """Say why nobody can tell from the settings where people reach the page; "" when the settings tell it."""
    if web.public_url is not None:
        return ""
    if web.trusted_proxies:
        return "a proxy stands before the page"
    if web.address.port == 0:
        return "the page's port is chosen at the start"
    return "" if _name(web, hostname) else "server.hostname is not set"


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches a host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _name(web: WebSettings, hostname: str | None) -> str:
    """Give the name that the page is called by; "" where there is none."""
    host = web.address.host
    if is_loopback(host) or not _is_address(host):
        return host
    return (hostname or "").removesuffix(".")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
