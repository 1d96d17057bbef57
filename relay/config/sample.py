"""Print config.example.yaml: every setting that this version acts on, with its default and its sentence.

Pure. A setting without a default stands as a comment, with an example; what is required has an example as its value.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from relay.config.model import RelaySettings
from relay.config.outline import Setting, settings_of
from relay.config.types import Settings
from relay.config.writing import flow

_WIDTH = 110
_HEAD = """\
# Every setting of the relay with its default and what it is for. Keep what you change, delete the rest: a setting
# that is not written has its default. `relay check` tells what is wrong with a file and what would be right.
#
# Durations: 30s 15m 2h 5d. Sizes: 64KiB 25MiB. Rates: 200/h. Yes and no: true and false, nothing else.
# Secrets are never written here, but named: {file: key.pem}, {env: RELAY_KEY} or {credential: relay.key} (systemd).
# File names are relative to this file. A line such as `# name: value` is an example of what has no default.
"""
# No password has this hash: a sample that is put to use as it stands lets nobody in.
_ARGON2ID = "$argon2id$v=19$m=65536,t=3,p=4$bm9ib2R5J3Mgc2FsdA$" + "A" * 43
_TOKEN = "6f0c2b1d5e3a4f798091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7"  # noqa: S105 - a made-up hash

EXAMPLES: Mapping[str, object] = {
    "version": 1,
    "server.hostname": "relay.example.com",
    "listeners.*.name": "submission",
    "listeners.*.address": "127.0.0.1:2587",
    "listeners.*.trust": {"networks": ["192.0.2.0/28"]},
    "listeners.*.client_ca": "clients.pem",
    "tls.certificate": "cert.pem",
    "tls.private_key": {"file": "key.pem"},
    "upstream.default": "main",
    "upstream.routes.*.host": "smtp.example.com",
    "upstream.routes.*.tls_ca": "ca.pem",
    "upstream.routes.*.auth.username": "relay@example.com",
    "upstream.routes.*.auth.password": {"file": "upstream.password"},
    "upstream.select": [{"sender_domain": "example.org", "route": "main"}],
    "upstream.resolver.nameservers": ["192.0.2.53"],
    "notices.route": "main",
    "notices.postmaster": "postmaster@example.com",
    "logging.exclude.internal_domains": ["example.net"],
    "logging.exclude.recipients": ["*@bank.example"],
    "logging.exclude.senders": ["ceo@example.com"],
    "logging.exclude.subjects": [r"^\[private\]"],
    "logging.controls.domain": "log.example.com",
    "salesforce.instance": "https://example.my.salesforce.com",
    "salesforce.auth.client_id": "3MVG9EXAMPLE",
    "salesforce.auth.client_secret": {"file": "salesforce.secret"},
    "salesforce.auth.username": "integration@example.com",
    "salesforce.auth.private_key": {"file": "salesforce.key"},
    "salesforce.auth.audience": "https://login.salesforce.com",
    "salesforce.auth.refresh_token": {"file": "salesforce.token"},
    "salesforce.look_up_as": {"client_id": "3MVG9EXAMPLE", "client_secret": {"file": "salesforce.secret"}},
    "salesforce.tls_ca": "ca.pem",
    "salesforce.proxy": "http://proxy.example.com:3128",
    "web.public_url": "https://relay.example.com",
    "web.trusted_proxies": ["192.0.2.10/32"],
    "web.oidc": {
        "issuer": "https://accounts.google.com",
        "client_id": "relay",
        "client_secret": {"file": "oidc.secret"},
    },
    "users.*.reminders": {"sync": "two_way"},
    "users.*.login": "ana",
    "users.*.name": "Ana Andersson",
    "users.*.password": _ARGON2ID,
    "users.*.tokens": [{"name": "Laptop", "sha256": _TOKEN}],
    "users.*.addresses": ["ana@example.com", "ana.andersson@example.com"],
    "users.*.email_to_salesforce": "emailtosalesforce@a1b2.le.salesforce.com",
    "users.*.salesforce_user_id": "005000000000001AAA",
    "users.*.salesforce_username": "ana@example.com",
    "users.*.mode": "off",
    "users.*.exclude": {"recipients": ["*@family.example"]},
    "include": ["users.d/*.yaml"],
}
"""A value for each setting that is required, has no default or is an empty list."""

# Written out in the sample though there is a default: without them nothing could be shown.
_WRITTEN = frozenset(
    {
        "logging.controls.domain",
        "salesforce.auth.client_secret",
        "server.hostname",
        "upstream.routes.*.host",
        "users.*.email_to_salesforce",
        "users.*.password",
    }
)
_GROUPS_WRITTEN = frozenset({"listeners", "salesforce", "tls", "upstream.routes", "users", "web"})


def sample() -> str:
    """Give the text of config.example.yaml."""
    return _HEAD + "\n".join(_group(RelaySettings, "", "")).rstrip() + "\n"


def _group(group: type[Settings], path: str, indent: str) -> Iterator[str]:
    for setting in settings_of(group):
        if setting.later:
            continue
        if not indent:
            yield ""
        yield from _sentence(setting, indent)
        yield from _setting(setting, f"{path}.{setting.name}" if path else setting.name, indent)


def _sentence(setting: Setting, indent: str) -> list[str]:
    told = len(setting.options) < 2 or all(word in setting.sentence for word in setting.options)
    options = "" if told else f" One of: {', '.join(setting.options)}."
    words = f"{setting.sentence}{options}{' Required.' if setting.required else ''}"
    lead = f"{indent}# "
    return textwrap.wrap(words, _WIDTH, initial_indent=lead, subsequent_indent=lead)


def _setting(setting: Setting, path: str, indent: str) -> Iterator[str]:
    if setting.group is not None and setting.kind == "group":
        if setting.shape == "one" and (
            setting.default is not None or path in _GROUPS_WRITTEN or setting.required
        ):
            yield f"{indent}{setting.name}:"
            yield from _group(setting.group, path, f"{indent}  ")
            return
        if path in _GROUPS_WRITTEN:
            yield f"{indent}{setting.name}:"
            yield from _items(setting, path, f"{indent}  ")
            return
    yield from _value(setting, path, indent)


def _items(setting: Setting, path: str, indent: str) -> Iterator[str]:
    """Write one item of a list or map of groups."""
    assert setting.group is not None
    if setting.shape == "map":
        yield f"{indent}main:"
        yield from _group(setting.group, f"{path}.*", f"{indent}  ")
        return
    dash = True
    for line in _group(setting.group, f"{path}.*", f"{indent}  "):
        comment = line.lstrip().startswith("#")
        yield f"{indent}- {line.lstrip()}" if dash and not comment else line
        dash = dash and comment


def _value(setting: Setting, path: str, indent: str) -> Iterator[str]:
    if setting.required or path in _WRITTEN:
        yield f"{indent}{setting.name}: {flow(EXAMPLES[path])}"
        return
    default = setting.default
    if default is None:
        yield f"{indent}# {setting.name}: {flow(EXAMPLES.get(path))}"
    else:
        such = f"  # such as {flow(EXAMPLES[path])}" if default == () and path in EXAMPLES else ""
        yield f"{indent}{setting.name}: {flow(plain_default(setting))}{such}"


def plain_default(setting: Setting) -> object:
    """Give a default as it is written in the file."""
    if isinstance(setting.default, Sequence) and not isinstance(setting.default, str):
        return [setting.write(item) for item in setting.default]
    return None if setting.default is None else setting.write(setting.default)
