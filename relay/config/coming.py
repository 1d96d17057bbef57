"""The settings of what later versions do: they are read and checked, and a warning says that nothing acts on them.

Pure. A field marked `Later` is left out of the sample file; the reference page lists it apart.
"""

from typing import Literal

from pydantic import Field

from relay.config.types import (
    Duration,
    Flag,
    Listen,
    SecretReference,
    Settings,
    Size,
    read_duration,
    read_size,
    read_socket_address,
)


class PostgresqlSettings(Settings):
    """The database of several nodes."""

    dsn: SecretReference
    """Where it is and how to sign in, as libpq reads it."""


class SalesforceAuthSettings(Settings):
    """How the relay signs in at Salesforce."""

    kind: Literal["client_credentials", "jwt", "refresh_token"] = "client_credentials"
    """client_credentials, jwt or refresh_token."""
    client_id: str
    """The consumer key of the app in Salesforce."""
    client_secret: SecretReference | None = None
    """Its consumer secret."""
    username: str | None = None
    """For jwt: the Salesforce user; each rep's own when not given."""
    private_key: SecretReference | None = None
    """For jwt: the key (PEM) that the app's certificate belongs to."""
    refresh_token: SecretReference | None = None
    """For refresh_token: the token."""


class SalesforceSettings(Settings):
    """The Salesforce organisation."""

    instance: str
    """Its address, such as https://example.my.salesforce.com."""
    api_version: str = "67.0"
    """The version of its API."""
    auth: SalesforceAuthSettings
    """How the relay signs in."""
    tls_ca: str | None = None
    """A CA of one's own (PEM); the system's otherwise."""


class CaptureSettings(Settings):
    """What of a message is recorded."""

    body: Literal["full", "text", "headers"] = "full"
    """full, text or headers."""
    attachments: Literal["none", "names", "files"] = "none"
    """none, names or files."""
    attachments_total: Size = read_size("20MiB")
    """The most that the files of one message may come to."""
    bcc_recipients: Flag = False
    """Whether blind copies are recorded."""


class MatchSettings(Settings):
    """How recipients are found in Salesforce."""

    objects: tuple[Literal["contact", "lead"], ...] = ("contact", "lead")
    """What is searched; the order is the preference."""
    several: Literal["most_recent_activity", "most_activity", "oldest", "newest", "mine_first", "all"] = (
        "most_recent_activity"
    )
    """Which one is taken when several have the address."""
    nobody: Literal["hold", "unrelated", "create_lead", "create_contact", "skip"] = "hold"
    """What is done when nobody has it."""
    rematch: Duration = read_duration("7d")
    """How long mail that matched nobody is matched again."""
    opportunities: Literal["off", "latest_open", "all_open", "only_if_one"] = "latest_open"
    """Which open opportunities the record is related to."""
    maximum_recipients: int = Field(default=200, ge=1)
    """The most recipients that are looked up for one message."""


class ControlSettings(Settings):
    """Addresses that tell the relay what to do with one message."""

    domain: str | None = None
    """private@, log@, headers@, rec+ID@ and task+3d@ of this domain, in Bcc; null: none."""


class ReminderSettings(Settings):
    """Reminders kept in step with Salesforce Tasks."""

    sync: Literal["off", "two_way"] = "off"
    """off or two_way; a rep's own setting overrides."""
    every: Duration = read_duration("5m")
    """How often."""
    first_import: Literal["last_24h", "all_open"] = "all_open"
    """What the first synchronisation takes over."""


class UserReminderSettings(Settings):
    """A rep's own reminders."""

    sync: Literal["off", "two_way"] = "off"
    """off or two_way."""


class WebSettings(Settings):
    """The web page."""

    address: Listen = read_socket_address("127.0.0.1:8025")
    """host:port; plain HTTP on loopback only."""
    tls: Literal["none", "implicit"] = "none"
    """none or implicit."""
    public_url: str | None = None
    """The address that people reach the page at."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks of reverse proxies, in CIDR form."""
