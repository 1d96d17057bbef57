"""The settings of recording through the Salesforce API: the organisation, what is matched and what is captured.

Pure.
"""

from typing import Annotated, Literal

from pydantic import Field

from relay.config.types import Duration, Flag, SecretReference, Settings, Size, read_duration, read_size


class SalesforceAuthSettings(Settings):
    """How the relay signs in at Salesforce."""

    kind: Literal["client_credentials", "jwt", "refresh_token"] = "client_credentials"
    """client_credentials: one integration user; jwt: as each rep, or as `username`; refresh_token: who connected."""
    client_id: str
    """The consumer key of the app in Salesforce."""
    client_secret: SecretReference | None = None
    """Its consumer secret."""
    username: str | None = None
    """For jwt: the Salesforce user; each rep's own (users[].salesforce_username) when not given."""
    private_key: SecretReference | None = None
    """For jwt: the key (PEM) that the app's certificate belongs to."""
    audience: str | None = None
    """For jwt: https://login.salesforce.com, https://test.salesforce.com for sandboxes; by the instance when not given."""
    refresh_token: SecretReference | None = None
    """For refresh_token: the token; when not given, it comes from Connect on the page."""
    each_rep: Flag = False
    """For refresh_token without a token: each rep connects on the page, and what they send is recorded as themselves."""


class SalesforceLimits(Settings):
    """What the relay may ask of Salesforce."""

    concurrency: Annotated[int, Field(ge=1, le=25)] = 4
    """Calls at once."""
    stop_logging_at: Annotated[int, Field(ge=1, le=100)] = 95
    """Percent of the day's API calls, used by whomever, at which recording pauses; mail never does."""
    stop_background_at: Annotated[int, Field(ge=1, le=100)] = 80
    """Percent at which reminders and matching again pause."""


class SalesforceSettings(Settings):
    """The Salesforce organisation."""

    instance: str
    """Its address, such as https://example.my.salesforce.com; it may carry a port."""
    api_version: str = "67.0"
    """The version of its API."""
    auth: SalesforceAuthSettings
    """How the relay signs in."""
    look_up_as: SalesforceAuthSettings | None = None
    """Who looks people up for all reps; `auth` when not given."""
    limits: SalesforceLimits = SalesforceLimits()
    """What the relay may ask of it."""
    timeout: Duration = read_duration("60s")
    """How long one call may take; five times that with files."""
    tls_ca: str | None = None
    """A CA of one's own (PEM); the system's otherwise."""
    proxy: str | None = None
    """An HTTP proxy, http://host:port; the environment's settings are not followed."""


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
