"""The settings of how mail gets into the CRM, for all and for one rep.

Pure.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from relay.config.page import UserReminderSettings
from relay.config.recording import CaptureSettings, ControlSettings, MatchSettings
from relay.config.types import Duration, Flag, Settings, read_duration


class Mode(StrEnum):
    """How a rep's mail gets into the CRM."""

    BCC = "bcc"
    API = "api"
    OBSERVE = "observe"
    OFF = "off"


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
    fallback_after_api_failure: Flag = False
    """Whether a log copy is sent when the API has failed for good."""


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
    delay: Duration = read_duration("0s")
    """The time in which the making of a record can be undone."""
    wait_for_rest: Duration = read_duration("10m")
    """How long a record waits for the rest of the recipients once one has the mail."""
    already_logged: Literal["check", "trust"] = "trust"
    """check: look before the first create whether something else has logged the mail."""
    record: Literal["auto", "email_message", "task"] = "auto"
    """auto: an EmailMessage where Enhanced Email is on, a Task otherwise."""
    subject: str = "{subject}"
    """The subject of the record."""
    capture: CaptureSettings = CaptureSettings()
    """What of a message is recorded."""
    match: MatchSettings = MatchSettings()
    """How recipients are found in Salesforce."""
    controls: ControlSettings = ControlSettings()
    """Addresses that tell the relay what to do with one message."""


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
    reminders: UserReminderSettings | None = None
    """The rep's reminders; as the settings of all say when not given."""
    disabled: Flag = False
    """Whether the rep is kept from signing in and sending."""
