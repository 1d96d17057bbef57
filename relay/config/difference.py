"""Tell what a reload would change: which settings differ, and which of them can only change at a restart.

Pure. Nothing secret is shown: passwords, hashes and Email to Salesforce addresses are masked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from relay.config.loader import Configuration
from relay.config.model import ListenerSettings, RelaySettings
from relay.config.outline import Setting, settings_of
from relay.config.types import SecretReference, Settings
from relay.config.writing import flow

_MASKED = "***"
_SECRET = frozenset({"password", "sha256", "email_to_salesforce"})
_LONGEST = 120
_KEYS = {"users": "login", "tokens": "name"}
"""Lists whose items are known by a name rather than by their place."""
_UNTIL_RESTART = ("server.", "metrics.", "web.")


class Sign(StrEnum):
    """How a difference begins."""

    NEW = "+"
    GONE = "-"
    OTHER = "~"
    RESTART = "!"


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting, or one rep, that is not as it was."""

    sign: Sign
    what: str
    """A path such as logging.delay, or `user cecilia`."""
    change: str = ""
    """The values before and after, without what is secret."""

    def __str__(self) -> str:
        """Give the line that people see, such as `~ logging.delay 30s -> 60s`."""
        if self.sign is Sign.RESTART:
            return f"! {self.what} needs a restart"
        return f"{self.sign} {self.what} {self.change}".rstrip()


def differences(before: RelaySettings, after: RelaySettings) -> tuple[Difference, ...]:
    """Give what differs, in the order of the settings; what needs a restart is marked so."""
    found = [
        difference for difference in _group(before, after, "") if not difference.what.startswith("listeners")
    ]
    found = [_until_restart(one) if one.what.startswith(_UNTIL_RESTART) else one for one in found]
    if _needs_other_ports(before, after):
        found = [_until_restart(one) if one.what == "tls.minimum_version" else one for one in found]
    return (*_listeners(before.listeners, after.listeners), *found)


def in_force(before: Configuration, after: Configuration) -> Configuration:
    """Give the new settings as they hold without a restart: what cannot change stays as it was."""
    old, new = before.settings, after.settings
    named = {listener.name: listener for listener in new.listeners}
    update: dict[str, object] = {
        "server": old.server,
        "metrics": old.metrics,
        "web": old.web,
        "listeners": tuple(_kept(one, named.get(one.name)) for one in old.listeners),
    }
    if old.tls is not None and new.tls is None:
        update["tls"] = old.tls  # a port that is open goes on showing its certificate
    elif old.tls is not None and new.tls is not None and _needs_other_ports(old, new):
        update["tls"] = new.tls.model_copy(update={"minimum_version": old.tls.minimum_version})
    return replace(after, settings=new.model_copy(update=update))


def _needs_other_ports(before: RelaySettings, after: RelaySettings) -> bool:
    """Tell whether the TLS version changes for a port that was opened with it."""
    if before.tls is None or after.tls is None or before.tls.minimum_version == after.tls.minimum_version:
        return False
    return any(listener.tls == "implicit" for listener in before.listeners)


def _until_restart(difference: Difference) -> Difference:
    return replace(difference, sign=Sign.RESTART, change="")


# Listeners: a port that is open cannot move, nor change whether TLS comes first


def _listeners(
    before: tuple[ListenerSettings, ...], after: tuple[ListenerSettings, ...]
) -> Iterator[Difference]:
    old = {listener.name: listener for listener in before}
    for number, listener in enumerate(after):
        path = f"listeners.{number}"
        earlier = old.pop(listener.name, None)
        if earlier is None:
            yield Difference(Sign.RESTART, f"{path} ({listener.name}, which is new)")
            continue
        fixed = _fixed(earlier, listener)
        for one in _group(earlier, listener, path):
            yield _until_restart(one) if one.what.removeprefix(f"{path}.") in fixed else one
    for name in old:
        yield Difference(Sign.RESTART, f"closing listener {name}")


def _fixed(before: ListenerSettings, after: ListenerSettings) -> frozenset[str]:
    """Give the settings of a listener that stay as they are until a restart."""
    implicit = "implicit" in (before.tls, after.tls)
    return frozenset({"address", "tls", "client_ca"} if implicit else {"address"})


def _kept(before: ListenerSettings, after: ListenerSettings | None) -> ListenerSettings:
    if after is None:
        return before
    return after.model_copy(update={name: getattr(before, name) for name in _fixed(before, after)})


# Everything else


def _group(before: Settings | None, after: Settings | None, above: str) -> Iterator[Difference]:
    """Compare two groups of one kind, setting by setting."""
    kind = type(after if after is not None else before)
    assert issubclass(kind, Settings)
    for setting in settings_of(kind):
        path = f"{above}.{setting.name}" if above else setting.name
        old, new = getattr(before, setting.field, None), getattr(after, setting.field, None)
        if old != new:
            yield from _setting(setting, path, old, new)


def _setting(setting: Setting, path: str, old: object, new: object) -> Iterator[Difference]:
    if setting.group is None or setting.group is SecretReference:
        yield Difference(*_signed(path, _shown(setting, old), _shown(setting, new)))
    elif setting.shape == "map":
        yield from _items(setting, path, _mapping(old), _mapping(new))
    elif setting.shape == "list":
        yield from _items(setting, path, _named(setting, old), _named(setting, new))
    elif isinstance(old, Settings) and isinstance(new, Settings):
        yield from _group(old, new, path)
    else:
        yield Difference(Sign.GONE if new is None else Sign.NEW, path)


def _items(
    setting: Setting, path: str, old: Mapping[str, object], new: Mapping[str, object]
) -> Iterator[Difference]:
    for name in [*old, *(name for name in new if name not in old)]:
        what = f"user {name}" if path == "users" else f"{path}.{name}"
        before, after = old.get(name), new.get(name)
        if before is None or after is None:
            yield Difference(Sign.NEW if before is None else Sign.GONE, what)
        elif isinstance(before, Settings) and isinstance(after, Settings) and before != after:
            for one in _group(before, after, "" if path == "users" else what):
                yield replace(one, what=f"{what}: {one.what}") if path == "users" else one


def _named(setting: Setting, items: object) -> dict[str, object]:
    """Give a list's items by what they are known by: their name, or else their place."""
    if not isinstance(items, tuple):
        return {}
    key = _KEYS.get(setting.name)
    return {str(getattr(item, key) if key else number): item for number, item in enumerate(items)}


def _mapping(items: object) -> dict[str, object]:
    return dict(items) if isinstance(items, Mapping) else {}


def _signed(path: str, old: str, new: str) -> tuple[Sign, str, str]:
    return Sign.OTHER, path, f"{old} -> {new}"


def _shown(setting: Setting, value: object) -> str:
    """Write a value on one line as it stands in the file; nothing of a secret."""
    if value is None:
        return "null"
    if isinstance(value, SecretReference):
        return flow({name: item for name, item in value.model_dump().items() if item is not None})
    if setting.name in _SECRET:
        return _MASKED
    if isinstance(value, tuple):
        text = flow([setting.write(item) for item in value])
        return text if len(text) <= _LONGEST else f"({len(value)} values)"
    text = flow(setting.write(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
