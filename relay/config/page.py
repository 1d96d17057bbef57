"""The settings of the web page and of the reminders that it shows.

Pure.
"""

from typing import Annotated, Literal

from pydantic import Field

from relay.config.types import (
    Duration,
    Flag,
    Listen,
    SecretReference,
    Settings,
    read_duration,
    read_socket_address,
)


class ReminderSettings(Settings):
    """Reminders kept in step with Salesforce Tasks."""

    sync: Literal["off", "two_way"] = "off"
    """off or two_way; a rep's own setting overrides."""
    every: Duration = read_duration("5m")
    """How often Salesforce is asked what has changed there."""
    first_import: Literal["last_24h", "all_open"] = "all_open"
    """What the first synchronisation takes over; all_open: besides the last 24 hours, every open task."""
    subject_sync: Literal["auto", "both", "out", "none"] = "auto"
    """Which way titles travel: both, out or none; auto: both, or out when logging.subject is a template."""
    deletions: Annotated[int, Field(ge=1)] = 25
    """More deletions than this in one go, and more than 30 % of a rep's, wait until somebody confirms them."""
    overdue: Flag = True
    """Whether the command center shows what is overdue beside what is due today and tomorrow."""


class UserReminderSettings(Settings):
    """A rep's own reminders."""

    sync: Literal["off", "two_way"] = "off"
    """off or two_way."""


class OidcSettings(Settings):
    """Signing in at the page through an identity provider (OpenID Connect)."""

    issuer: str
    """Its address, such as https://login.microsoftonline.com/TENANT/v2.0 or https://accounts.google.com."""
    client_id: str
    """The client id that it gave the relay."""
    client_secret: SecretReference
    """The client secret."""
    addresses: Literal["verified", "all"] = "verified"
    """Which addresses of its people are believed: verified ones; all: where its admins alone enter them (one Entra tenant)."""
    name: str = "your company account"
    """What the button says: Sign in with …."""
    tls_ca: str | None = None
    """A CA of one's own (PEM); the system's otherwise."""


class WebSettings(Settings):
    """The web page."""

    address: Listen = read_socket_address("127.0.0.1:8025")
    """host:port; plain HTTP on loopback only."""
    tls: Literal["none", "implicit"] = "none"
    """none or implicit (with tls.certificate)."""
    public_url: str | None = None
    """The address that people reach the page at; mailed links begin with it. Otherwise: loopback, or server.hostname."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks of reverse proxies, in CIDR form."""
    passwords: Flag = True
    """Whether people may sign in with login and password."""
    oidc: OidcSettings | None = None
    """Signing in through an identity provider."""
    session: Duration = read_duration("12h")
    """How long somebody stays signed in."""
    may_change: tuple[Literal["mode", "addresses", "exclude", "reminders", "capture"], ...] = (
        "mode",
        "addresses",
        "exclude",
        "reminders",
    )
    """What reps may change for themselves on the page; admins may lock any of it for all."""
    may_disable: Flag = True
    """Whether admins may disable reps of the settings on the page, and enable them again."""
    digest: str = "17:30"
    """When the daily digest goes out to those who need it, in the rep's time zone; `off`: never."""
