"""Every setting: its name, its kind, its default and one sentence that explains it.

Pure. The sample file, the reference page and the JSON Schema are printed from this model
(relay.config.reference); relay.config.loader builds it from YAML.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from relay.config.types import (
    Duration,
    Flag,
    Listen,
    Port,
    RateLimit,
    SecretReference,
    Settings,
    Size,
    read_duration,
    read_rate,
    read_size,
    read_socket_address,
)


class Mode(StrEnum):
    """How a rep's mail gets into the CRM."""

    BCC = "bcc"
    API = "api"
    OBSERVE = "observe"
    OFF = "off"


class ServerSettings(Settings):
    """The relay as a host."""

    hostname: str | None = None
    """The name in the greeting, in EHLO and in Received; this machine's when not given."""
    state_dir: str = "/var/lib/relay"
    """The folder for the queue, the spool and the admin socket; relative to this file."""
    store: Literal["sqlite", "postgresql"] = "sqlite"
    """Where the queue is kept: sqlite for one node."""


class TrustSettings(Settings):
    """The proofs that a gateway's client must give, all of those named."""

    networks: tuple[str, ...] = ()
    """Client networks in CIDR form."""
    client_certificate_names: tuple[str, ...] = ()
    """Host names of which the client's verified certificate must carry one."""


class ListenerSettings(Settings):
    """One port that mail comes in by."""

    name: str
    """How logs and pages call this listener."""
    address: Listen
    """host:port to listen on."""
    tls: Literal["none", "starttls", "implicit"] = "starttls"
    """none, starttls (port 587) or implicit (port 465)."""
    auth: Literal["none", "optional", "required"] = "required"
    """Whether clients sign in; none needs trust."""
    trust: TrustSettings | None = None
    """For auth: none, what proves a client."""
    user_from: Literal["envelope_sender"] = "envelope_sender"
    """For auth: none, what names the rep."""
    unknown_sender: Literal["forward", "refuse"] = "forward"
    """For auth: none, what to do with mail of somebody who is not a rep."""
    client_ca: str | None = None
    """The CA (PEM) that client certificates are checked against."""


class TlsSettings(Settings):
    """The certificate that listeners show."""

    certificate: str
    """The certificate chain (PEM)."""
    private_key: SecretReference
    """Its private key (PEM)."""
    minimum_version: Literal["1.2", "1.3"] = "1.2"
    """The oldest TLS version that is spoken."""


class FailureSettings(Settings):
    """When wrong passwords lock a login or a network out."""

    max: int = Field(default=8, ge=3)
    """Wrong passwords allowed."""
    per: Duration = read_duration("10m")
    """The span they are counted in."""
    block: Duration = read_duration("15m")
    """How long the lock lasts."""


class AuthSettings(Settings):
    """Signing in."""

    require_tls: Flag = True
    """false lets passwords cross in clear text, with a warning."""
    failures: FailureSettings = FailureSettings()
    """Counted per login and per network."""
    cache: Duration = read_duration("10m")
    """How long a proven password is remembered, in memory, as a keyed hash."""


class UpstreamAuthSettings(Settings):
    """How the relay signs in at the next hop."""

    kind: Literal["none", "password"] = "none"
    """none or password."""
    username: str | None = None
    """The login at the next hop."""
    password: SecretReference | None = None
    """Its password."""


class RouteLimits(Settings):
    """What the next hop may be asked at once."""

    connections: int = Field(default=10, ge=1, le=1000)
    """Connections kept to this hop."""
    recipients: int = Field(default=100, ge=1, le=10000)
    """Recipients in one transaction."""


class RouteTimeouts(Settings):
    """How long each stage may take (RFC 5321 §4.5.3.2)."""

    connect: Duration = read_duration("30s")
    """TCP and TLS."""
    command: Duration = read_duration("5m")
    """Greeting, EHLO, MAIL, RCPT."""
    data: Duration = read_duration("2m")
    """The answer to DATA."""
    block: Duration = read_duration("3m")
    """Each block of content to be taken."""
    end: Duration = read_duration("10m")
    """The answer to the final dot."""


class RouteSettings(Settings):
    """One way out."""

    kind: Literal["smarthost", "mx"] = "smarthost"
    """smarthost: one given host takes everything. mx: the recipient domain's mail exchangers."""
    host: str | None = None
    """The smarthost's name."""
    port: Port = 587
    """Its port."""
    tls: Literal["none", "opportunistic", "starttls", "implicit"] = "starttls"
    """starttls and implicit verify the certificate and never go on in clear text."""
    tls_ca: str | None = None
    """A CA of one's own (PEM); the system's otherwise."""
    auth: UpstreamAuthSettings = UpstreamAuthSettings()
    """Signing in at the smarthost."""
    limits: RouteLimits = RouteLimits()
    """What it may be asked at once."""
    timeouts: RouteTimeouts = RouteTimeouts()
    """How long each stage may take."""


class RouteChoice(Settings):
    """One rule that picks a route; all conditions named must hold."""

    sender_domain: str | None = None
    """The reverse-path's domain."""
    recipient_domain: str | None = None
    """The forward-path's domain."""
    sender: str | None = None
    """The reverse-path."""
    route: str
    """The route that is taken."""


class UpstreamSettings(Settings):
    """Where mail goes next."""

    default: str
    """The route for mail that no rule picks one for."""
    routes: dict[str, RouteSettings]
    """The ways out, by name."""
    select: tuple[RouteChoice, ...] = ()
    """Rules, the first that fits wins."""


class NoticeSettings(Settings):
    """The relay's own mail: delivery reports."""

    from_: Annotated[str, Field(alias="from")] = "postmaster"
    """The From address of reports; a bare name gets the server's host name."""
    route: str | None = None
    """The way out for reports; the default route when not given."""
    postmaster: str | None = None
    """Who gets mail for <Postmaster>; the From address when not given."""
    reports_per_sender: RateLimit = read_rate("100/h")
    """Delivery reports to one sender; 0/h: no limit."""


class ExcludeSettings(Settings):
    """Which mail is forwarded but not logged."""

    internal: Literal["auto", "on", "off"] = "auto"
    """auto: recipients in a domain of the reps' own addresses (never a free-mail domain); on: only internal_domains; off."""
    internal_domains: tuple[str, ...] = ()
    """More domains that are ours."""
    recipients: tuple[str, ...] = ()
    """Globs over recipient addresses."""
    senders: tuple[str, ...] = ()
    """Globs over sender addresses."""
    subjects: tuple[str, ...] = ()
    """Regular expressions over the decoded subject."""
    automated: Flag = True
    """Skip automatic replies, lists, bulk mail and calendar answers."""
    when: Literal["all", "any"] = "all"
    """all: skip when every recipient is excluded; any: when one is."""


class BccSettings(Settings):
    """The log copy."""

    transaction: Literal["auto", "shared", "separate"] = "auto"
    """auto: shared with the recipients on smarthosts, separate on MX."""


class LoggingSettings(Settings):
    """How mail gets into the CRM."""

    mode: Mode = Mode.BCC
    """bcc, api, observe or off; a rep's own mode overrides."""
    unacceptable_sender: Literal["refuse", "forward"] = "refuse"
    """A sender that is not one of the rep's acceptable addresses: refuse (550 5.7.1), or forward without logging."""
    plus_addresses: Flag = False
    """true: ana+anything@ is as acceptable as ana@."""
    exclude: ExcludeSettings = ExcludeSettings()
    """Which mail is forwarded but not logged."""
    bcc: BccSettings = BccSettings()
    """The log copy."""


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


class ConnectionSettings(Settings):
    """Connections of clients."""

    total: int = Field(default=500, ge=1)
    """At once."""
    per_network: int = Field(default=100, ge=1)
    """At once from one network (IPv4 /32, IPv6 /64)."""


class LimitSettings(Settings):
    """What a client may ask of the relay."""

    message_size: Size = read_size("25MiB")
    """The largest message, announced by SIZE."""
    header_size: Size = read_size("1MiB")
    """The largest header section."""
    recipients: int = Field(default=100, ge=1, le=10000)
    """Recipients of one message."""
    messages_per_user: RateLimit = read_rate("200/h")
    """Messages of one rep; 0/h: no limit."""
    messages_per_session: int = Field(default=1000, ge=1)
    """Messages in one connection."""
    connections: ConnectionSettings = ConnectionSettings()
    """Connections of clients."""
    errors: int = Field(default=20, ge=3)
    """Refused commands before a client is hung up on."""
    junk_commands: int = Field(default=100, ge=10)
    """Commands that move no mail (NOOP, RSET, VRFY, EHLO) before a client is hung up on; counted anew at each message."""
    session_age: Duration = read_duration("1h")
    """The longest a connection may last outside a transaction."""
    idle: Duration = read_duration("5m")
    """The longest wait for the next command."""
    minimum_rate: Size = read_size("500B")
    """Octets a second that a client must send on average, with 100 s of credit."""
    received_hops: int = Field(default=50, ge=5)
    """Received fields after which a message is taken for looping."""
    line_endings: Literal["reject"] = "reject"
    """Bare CR, bare LF and NUL in content: reject (554 5.5.2)."""
    signed_bcc: Literal["refuse", "keep"] = "refuse"
    """A Bcc field named in a DKIM signature: refuse the message, or keep the field."""
    minimum_free_disk: Size = read_size("64MiB")
    """Below this much free disk new mail is answered 452."""


class DeliveryRetrySettings(Settings):
    """When a deferred recipient is tried again."""

    schedule: tuple[Duration, ...] = tuple(
        read_duration(x) for x in ("1m", "5m", "15m", "30m", "1h", "2h", "4h")
    )
    """Waits between attempts; the last one repeats."""
    give_up_after: Duration = read_duration("2d")
    """Then the recipient is expired and the sender told."""
    warn_after: Duration = read_duration("4h")
    """After this long the sender is told once that it is delayed; 0s: never."""


class LoggingRetrySettings(Settings):
    """When a deferred log copy or record is tried again."""

    schedule: tuple[Duration, ...] = tuple(read_duration(x) for x in ("30s", "2m", "10m", "30m", "1h", "4h"))
    """Waits between attempts; the last one repeats."""
    give_up_after: Duration = read_duration("7d")
    """Then it is expired; nobody's mail bounces for it."""


class RetrySettings(Settings):
    """When what was deferred is tried again."""

    delivery: DeliveryRetrySettings = DeliveryRetrySettings()
    """Recipients."""
    logging: LoggingRetrySettings = LoggingRetrySettings()
    """Log copies and records."""


class RetentionSettings(Settings):
    """How long things are kept."""

    content: str = "until_done"
    """until_done: content goes when the last delivery ends; or a number of days such as 3d."""
    events: Duration = read_duration("400d")
    """How long the mail log is kept."""


class TokenSettings(Settings):
    """An app password."""

    name: str
    """Which device it is for."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """The SHA-256 of the app password, in lower-case hex; `relay user token` prints it."""


class UserSettings(Settings):
    """One rep."""

    login: str
    """What the rep signs in with."""
    name: str | None = None
    """The rep's name."""
    password: str | None = None
    """An argon2id hash; `relay hash-password` prints it."""
    tokens: tuple[TokenSettings, ...] = ()
    """App passwords."""
    addresses: Annotated[tuple[str, ...], Field(min_length=1)]
    """The acceptable addresses: those the rep may send from."""
    email_to_salesforce: str | None = None
    """The rep's Email to Salesforce address (My Email to Salesforce in Salesforce's settings)."""
    salesforce_user_id: str | None = None
    """The rep's user id in Salesforce, 005…."""
    salesforce_username: str | None = None
    """The rep's user name in Salesforce."""
    mode: Mode | None = None
    """How this rep's mail is logged; logging.mode when not given."""
    exclude: ExcludeSettings | None = None
    """What of this rep's mail is not logged, on top of logging.exclude."""
    time_zone: str = "UTC"
    """The rep's time zone."""
    language: Literal["en", "sv", "es"] = "en"
    """The language of pages and reports."""
    web_role: Literal["rep", "admin", "auditor"] = "rep"
    """What the rep may do on the page."""


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
    users: tuple[UserSettings, ...] = ()
    """The reps."""
    include: tuple[str, ...] = ()
    """Globs of further files, whose users are added."""
