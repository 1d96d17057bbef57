"""Settings, reps and rules for tests of policy: everything has a default, each test names only what it is about."""

from collections.abc import Mapping, Sequence

from relay.address import parse_mailbox
from relay.config.model import ExcludeSettings, Mode, RelaySettings
from relay.directory.model import BccAddress, Rep
from relay.ids import Login
from relay.message import Header, read_header
from relay.policy.rules import Rules, compile_rules

LOG_COPY = "emailtosalesforce@a1b2c3.le.salesforce.com"
PLACES = {
    "logging.mode": "config.yaml:12",
    "logging.unacceptable_sender": "config.yaml:13",
    "logging.exclude.internal": "config.yaml:15",
    "logging.exclude.recipients.0": "config.yaml:31",
    "users.0.mode": "users.d/ana.yaml:14",
}


def place(path: str) -> str:
    """Give where a setting stands in a made-up file, or "default"."""
    return PLACES.get(path, "default")


def settings(
    logging: Mapping[str, object] | None = None,
    users: Sequence[Mapping[str, object]] = (),
    limits: Mapping[str, object] | None = None,
) -> RelaySettings:
    """Give the smallest whole settings with these parts."""
    return RelaySettings.model_validate(
        {
            "version": "1",
            "server": {"hostname": "relay.example.com"},
            "listeners": [{"name": "submission", "address": "127.0.0.1:2587"}],
            "upstream": {"default": "main", "routes": {"main": {"host": "127.0.0.1"}}},
            "logging": dict(logging or {}),
            "users": [{"login": "ana", "addresses": ["ana@example.com"]}, *users],
            "limits": dict(limits or {}),
        }
    )


def rep(
    login: str = "ana",
    addresses: Sequence[str] = ("ana@example.com", "Ana.Andersson@example.com"),
    log_copy: str | None = LOG_COPY,
    mode: Mode | None = None,
    exclude: ExcludeSettings | None = None,
    origin: str = "relay user add",
) -> Rep:
    """Give a rep."""
    return Rep(
        login=Login(login),
        addresses=tuple(parse_mailbox(one, smtputf8=True) for one in addresses),
        email_to_salesforce=None if log_copy is None else BccAddress(log_copy),
        mode=mode,
        exclude=exclude,
        origin=origin,
    )


def rules(
    logging: Mapping[str, object] | None = None,
    reps: Sequence[Rep] | None = None,
    limits: Mapping[str, object] | None = None,
) -> Rules:
    """Compile rules for these settings and reps (ana and bo when not given)."""
    everybody = [rep(), rep("bo", ["bo@example.com"], None)] if reps is None else reps
    return compile_rules(settings(logging, limits=limits), place, everybody)


def header(*lines: str | bytes) -> Header:
    """Read a header section of these lines."""
    octets = (line.encode() if isinstance(line, str) else line for line in lines)
    return read_header(b"".join(line + b"\r\n" for line in octets) + b"\r\nbody\r\n")
