"""Check the settings of the web page: where it listens, how people reach it, and who signs them in.

Pure.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from relay.config.draft import Draft
from relay.config.explain import Finding
from relay.config.forms import network_problem
from relay.config.model import OidcSettings, WebSettings
from relay.config.page_address import is_loopback, untold

_CLOCK = re.compile(r"off|([01]\d|2[0-3]):[0-5]\d")


def check_page(draft: Draft) -> Iterator[Finding]:
    """Check the page's own settings, where there is a page."""
    web = draft.settings.web
    if web is None:
        return
    yield from _listens(draft, web)
    yield from _reached(web, draft.settings.server.hostname)
    if not _CLOCK.fullmatch(web.digest):
        yield Finding(("web", "digest"), f'"{web.digest}" must be off or a time of day such as 17:30')
    if web.oidc is not None:
        yield from _provider(web.oidc)
    elif not web.passwords:
        yield Finding(
            ("web", "passwords"), "false, and no oidc: nobody could sign in", given=(("web", "oidc"),)
        )


def _listens(draft: Draft, web: WebSettings) -> Iterator[Finding]:
    if web.tls == "implicit" and draft.settings.tls is None:
        yield Finding(
            ("web", "tls"),
            "implicit needs a certificate: write tls: {certificate: …, private_key: {file: …}} at the top level",
            given=(("tls",),),
        )
    if web.tls == "none" and not is_loopback(web.address.host):
        yield Finding(
            ("web", "address"),
            f"{web.address} is no loopback address: passwords would cross in clear text; write tls: implicit,"
            " or keep 127.0.0.1 behind a proxy that has the certificate",
            given=(("web", "tls"),),
        )
    for number, network in enumerate(web.trusted_proxies):
        if problem := network_problem(network):
            yield Finding(("web", "trusted_proxies", number), f'"{network}" {problem}')


def _reached(web: WebSettings, hostname: str | None) -> Iterator[Finding]:
    if why := untold(web, hostname):
        yield Finding(
            ("web", "public_url"),
            f"is not set, and {why}: no links are mailed; write public_url: https://HOST, as people enter it",
            "warning",
            given=(("web", "address"), ("web", "trusted_proxies"), ("server", "hostname")),
        )
    if web.public_url is None:
        return
    parts = urlsplit(web.public_url)
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not secure or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment:
        yield Finding(
            ("web", "public_url"), f'"{web.public_url}" must be https://host, without a path behind it'
        )


def _provider(oidc: OidcSettings) -> Iterator[Finding]:
    parts = urlsplit(oidc.issuer)
    if parts.scheme != "https" or not parts.hostname:
        yield Finding(("web", "oidc", "issuer"), f'"{oidc.issuer}" must be an https address')
