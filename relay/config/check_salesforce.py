"""Check how the relay reaches Salesforce: the address of the organisation, and what each way of signing in needs.

Pure.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from relay.config.draft import Draft
from relay.config.explain import Finding
from relay.config.model import Mode
from relay.config.recording import SalesforceAuthSettings
from relay.config.tree import Path

_VERSION = re.compile(r"(\d{2,3})\.0")
_OLDEST = 31
"""The oldest version that Salesforce supports (Platform API retirement, Summer '25)."""
_TOKEN_HOSTS = ("login.salesforce.com", "test.salesforce.com")


def check_salesforce(draft: Draft) -> Iterator[Finding]:
    """Check the organisation, when there is one, then what the reps lack for it."""
    salesforce = draft.settings.salesforce
    if salesforce is None:
        return
    path: Path = ("salesforce",)
    yield from _instance(salesforce.instance, salesforce.auth, (*path, "instance"))
    version = _VERSION.fullmatch(salesforce.api_version)
    if version is None or int(version[1]) < _OLDEST:
        yield Finding((*path, "api_version"), f'"{salesforce.api_version}" must be a version such as 67.0')
    if salesforce.proxy is not None and urlsplit(salesforce.proxy).scheme not in ("http", "https"):
        yield Finding((*path, "proxy"), "must be an address such as http://proxy.example.com:3128")
    yield from _auth(salesforce.auth, (*path, "auth"))
    yield from _connecting(draft, salesforce.auth, (*path, "auth"))
    if salesforce.look_up_as is not None:
        if salesforce.look_up_as.kind == "refresh_token" and salesforce.look_up_as.refresh_token is None:
            yield Finding(
                (*path, "look_up_as", "refresh_token"),
                "is required: Connect on the page is for salesforce.auth",
            )
        if salesforce.look_up_as.each_rep:
            yield Finding(
                (*path, "look_up_as", "each_rep"), "is for salesforce.auth: one user looks up for all"
            )
        yield from _auth(salesforce.look_up_as, (*path, "look_up_as"))
        if salesforce.look_up_as.kind == "jwt" and salesforce.look_up_as.username is None:
            yield Finding((*path, "look_up_as", "username"), "is required: one user looks up for all reps")
    limits = salesforce.limits
    if limits.stop_background_at > limits.stop_logging_at:
        yield Finding(
            (*path, "limits", "stop_background_at"),
            f"is above stop_logging_at ({limits.stop_logging_at}): reminders would go on when recording has stopped",
            "warning",
        )
    yield from _usernames(draft, salesforce.auth, finder=salesforce.look_up_as is not None)


def _instance(text: str, auth: SalesforceAuthSettings, path: Path) -> Iterator[Finding]:
    try:
        parts = urlsplit(text)
        whole = bool(parts.hostname) and parts.path in ("", "/") and not (parts.query or parts.fragment)
        whole = whole and parts.username is None and (parts.port is None or parts.port > 0)
    except ValueError:
        yield Finding(path, f'"{text}" is not an address such as https://example.my.salesforce.com')
        return
    if parts.scheme == "http":
        yield Finding(path, "must begin with https://: tokens are never sent in clear text")
    elif parts.scheme != "https" or not whole:
        yield Finding(path, f'"{text}" is not an address such as https://example.my.salesforce.com')
    elif parts.hostname in _TOKEN_HOSTS and auth.kind == "client_credentials":
        yield Finding(path, "client_credentials work only at your own domain, https://….my.salesforce.com")


def _auth(auth: SalesforceAuthSettings, path: Path) -> Iterator[Finding]:
    given = ((*path, "kind"),)
    match auth.kind:
        case "client_credentials" if auth.client_secret is None:
            yield Finding(
                (*path, "client_secret"),
                "is required for client_credentials: the consumer secret",
                given=given,
            )
        case "jwt" if auth.private_key is None:
            yield Finding(
                (*path, "private_key"), "is required for jwt: the key of the app's certificate", given=given
            )
        case _:
            pass


def _connecting(draft: Draft, auth: SalesforceAuthSettings, path: Path) -> Iterator[Finding]:
    """Check that somebody can connect who is to connect on the page."""
    given = ((*path, "kind"),)
    connecting = auth.kind == "refresh_token" and auth.refresh_token is None
    if auth.each_rep and not connecting:
        yield Finding(
            (*path, "each_rep"), "is only for kind refresh_token without a refresh_token", given=given
        )
    if connecting and draft.settings.web is None:
        yield Finding(
            (*path, "refresh_token"),
            "is required without a page (web:) to connect on: the token itself",
            given=given,
        )


def _usernames(draft: Draft, auth: SalesforceAuthSettings, *, finder: bool) -> Iterator[Finding]:
    """Check that each rep who is signed in as has a username in Salesforce."""
    if auth.kind != "jwt" or auth.username is not None:
        return
    recorded = False
    for number, user in zip(draft.numbered("users"), draft.settings.users, strict=True):
        if (user.mode or draft.settings.logging.mode) is not Mode.API:
            continue
        recorded = True
        if user.salesforce_username is None:
            yield Finding(
                ("users", number, "salesforce_username"),
                "is required: salesforce.auth is jwt without a username, so this rep signs in as himself or herself",
                given=(("salesforce", "auth", "username"),),
            )
    if recorded and not finder:
        yield Finding(
            ("salesforce",),
            "has no look_up_as: the first rep with a salesforce_username looks people up for all",
            "warning",
        )
