"""Every setting: its name, its kind, its default and one sentence that explains it.

Pure. The sample file, the reference page and the JSON Schema are printed from this model
(relay.config.reference); relay.config.loader builds it from YAML.
"""

from typing import Annotated, Literal

from pydantic import Field

from relay.config.coming import PostgresqlSettings
from relay.config.crm import BccSettings, ExcludeSettings, LoggingSettings, Mode, TokenSettings, UserSettings
from relay.config.page import OidcSettings, ReminderSettings, UserReminderSettings, WebSettings
from relay.config.receiving import (
    AuthSettings,
    ConnectionSettings,
    FailureSettings,
    LimitSettings,
    ListenerSettings,
    TlsSettings,
    TrustSettings,
)
from relay.config.recording import (
    CaptureSettings,
    ControlSettings,
    MatchSettings,
    SalesforceAuthSettings,
    SalesforceLimits,
    SalesforceSettings,
)
from relay.config.sending import (
    DeliveryRetrySettings,
    LoggingRetrySettings,
    NoticeSettings,
    ResolverSettings,
    RetrySettings,
    RouteChoice,
    RouteLimits,
    RouteSettings,
    RouteTimeouts,
    UpstreamAuthSettings,
    UpstreamSettings,
)
from relay.config.types import (
    Duration,
    Later,
    Listen,
    SecretReference,
    Settings,
    read_duration,
    read_socket_address,
)

__all__ = [
    "AuthSettings",
    "BccSettings",
    "CaptureSettings",
    "ConnectionSettings",
    "ControlSettings",
    "DeliveryRetrySettings",
    "ExcludeSettings",
    "FailureSettings",
    "LimitSettings",
    "ListenerSettings",
    "LoggingRetrySettings",
    "LoggingSettings",
    "LogsSettings",
    "MatchSettings",
    "MetricsSettings",
    "Mode",
    "NoticeSettings",
    "OidcSettings",
    "PostgresqlSettings",
    "RelaySettings",
    "ReminderSettings",
    "ResolverSettings",
    "RetentionSettings",
    "RetrySettings",
    "RouteChoice",
    "RouteLimits",
    "RouteSettings",
    "RouteTimeouts",
    "SalesforceAuthSettings",
    "SalesforceLimits",
    "SalesforceSettings",
    "SecretReference",
    "ServerSettings",
    "TlsSettings",
    "TokenSettings",
    "TrustSettings",
    "UpstreamAuthSettings",
    "UpstreamSettings",
    "UserReminderSettings",
    "UserSettings",
    "WebSettings",
]


class ServerSettings(Settings):
    """The relay as a host."""

    hostname: str | None = None
    """The name in the greeting, in EHLO and in Received; this machine's when not given."""
    state_dir: str = "/var/lib/relay"
    """The folder for the queue, the spool and the admin socket; relative to this file."""
    store: Literal["sqlite", "postgresql"] = "sqlite"
    """Where the queue is kept: sqlite for one node; postgresql is for a later version."""
    postgresql: Annotated[PostgresqlSettings | None, Later()] = None
    """The database of several nodes."""


class MetricsSettings(Settings):
    """Metrics and health."""

    address: Listen | None = read_socket_address("127.0.0.1:9600")
    """host:port for /metrics, /livez and /readyz; null: none."""


class LogsSettings(Settings):
    """What is written to standard error."""

    format: Literal["auto", "text", "json"] = "auto"
    """auto: text on a terminal, JSON otherwise."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe line that is written."""
    addresses: Literal["full", "domain", "hash"] = "full"
    """How addresses are written: in full, their domain only, or a keyed hash."""
    subjects: Literal["omit", "full"] = "omit"
    """Whether subjects are written."""


class RetentionSettings(Settings):
    """How long things are kept."""

    content: str = "until_done"
    """until_done: content goes when the last delivery ends; or a number of days such as 3d."""
    events: Duration = read_duration("400d")
    """How long the mail log is kept."""


class RelaySettings(Settings):
    """The whole settings file."""

    version: Literal["1"]
    """The version of this format."""
    server: ServerSettings = ServerSettings()
    """The relay as a host."""
    listeners: Annotated[tuple[ListenerSettings, ...], Field(min_length=1)]
    """The ports that mail comes in by."""
    tls: TlsSettings | None = None
    """The certificate; needed when a listener uses TLS."""
    auth: AuthSettings = AuthSettings()
    """Signing in."""
    upstream: UpstreamSettings
    """Where mail goes next."""
    notices: NoticeSettings = NoticeSettings()
    """The relay's own mail."""
    logging: LoggingSettings = LoggingSettings()
    """How mail gets into the CRM."""
    metrics: MetricsSettings = MetricsSettings()
    """Metrics and health."""
    logs: LogsSettings = LogsSettings()
    """What is written to standard error."""
    limits: LimitSettings = LimitSettings()
    """What a client may ask of the relay."""
    retry: RetrySettings = RetrySettings()
    """When what was deferred is tried again."""
    retention: RetentionSettings = RetentionSettings()
    """How long things are kept."""
    salesforce: SalesforceSettings | None = None
    """The Salesforce organisation."""
    reminders: ReminderSettings = ReminderSettings()
    """Reminders kept in step with Salesforce Tasks."""
    web: WebSettings | None = WebSettings()
    """The web page; null: none."""
    users: tuple[UserSettings, ...] = ()
    """The reps."""
    include: tuple[str, ...] = ()
    """Globs of further files, whose users are added."""
