"""The settings of where mail goes next: routes, retries, and the relay's own mail.

Pure.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from relay.config.types import Duration, Port, RateLimit, SecretReference, Settings, read_duration, read_rate


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
    messages_per_minute: int = Field(default=0, ge=0, le=10000)
    """Messages in a minute of the mailbox that the relay signs in as; else of each sender; kind mx: to each host. 0: no limit."""
    recipients_per_day: int = Field(default=0, ge=0, le=10_000_000)
    """Recipients in 24 hours, counted likewise since the service started. 0: no limit."""


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
    """Its port; with kind mx 25 when not given."""
    tls: Literal["none", "opportunistic", "starttls", "implicit"] = "starttls"
    """starttls and implicit verify the certificate and never go on in clear text; with kind mx opportunistic when not given."""
    tls_ca: str | None = None
    """A CA of one's own (PEM); the system's otherwise."""
    addresses: Literal["any", "ipv4", "ipv6"] = "any"
    """Which addresses of a host are used."""
    auth: UpstreamAuthSettings = UpstreamAuthSettings()
    """Signing in at the smarthost."""
    limits: RouteLimits = RouteLimits()
    """What it may be asked at once."""
    timeouts: RouteTimeouts = RouteTimeouts()
    """How long each stage may take."""

    @model_validator(mode="before")
    @classmethod
    def _by_kind(cls, given: object) -> object:
        """Fill in what is usual between mail exchangers where nothing is given."""
        if isinstance(given, dict) and given.get("kind") == "mx":
            return {"port": 25, "tls": "opportunistic", **given}
        return given


class RouteChoice(Settings):
    """One rule that picks a route; all conditions named must hold."""

    sender_domain: str | None = None
    """The reverse-path's domain; *.example.com: every domain below example.com."""
    recipient_domain: str | None = None
    """The forward-path's domain, likewise."""
    sender: str | None = None
    """The reverse-path."""
    route: str
    """The route that is taken."""


class ResolverSettings(Settings):
    """Who is asked for the mail exchangers of a domain (kind mx)."""

    nameservers: tuple[str, ...] = ()
    """Their IP addresses; this machine's own (/etc/resolv.conf) when empty."""
    port: Port = 53
    """Their port."""
    timeout: Duration = read_duration("10s")
    """How long a question may take, further tries included."""


class UpstreamSettings(Settings):
    """Where mail goes next."""

    default: str
    """The route for mail that no rule picks one for."""
    routes: dict[str, RouteSettings]
    """The ways out, by name."""
    select: tuple[RouteChoice, ...] = ()
    """Rules, the first that fits wins."""
    resolver: ResolverSettings = ResolverSettings()
    """Who is asked for mail exchangers."""


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
