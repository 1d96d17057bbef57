"""Lay what people changed on the page over what the settings and the store say, and keep where each value comes from.

Pure. The settings say what may be changed (`web.may_change`); a change that they do not allow any more, or that an
admin has locked, stays stored and does not count.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from relay.address import Address, comparable_any_case
from relay.config.crm import ExcludeSettings, Mode
from relay.config.loader import Configuration
from relay.config.model import RelaySettings, UserReminderSettings, UserSettings, WebSettings
from relay.config.recording import CaptureSettings
from relay.config.types import Settings
from relay.directory.model import BccAddress, Rep, Token, login_key

PERSONAL: Mapping[str, str] = {
    "mode": "mode",
    "email_to_salesforce": "mode",
    "exclude": "exclude",
    "reminders": "reminders",
    "capture": "capture",
    "language": "",
    "time_zone": "",
}
"""What a rep may change, and the word of web.may_change that allows it; "": always."""

DISABLED = "disabled"
"""What an admin may change for a rep of the settings, where web.may_disable allows it."""

FOR_ALL = (
    "logging.mode",
    "logging.record",
    "logging.subject",
    "logging.capture",
    "logging.match",
    "logging.exclude",
    "reminders.sync",
)
"""What an admin may change for all on the page: these settings and those below them."""

_LISTS = ("recipients", "senders", "subjects")


@dataclass(frozen=True, slots=True)
class Change:
    """One setting that somebody changed. `value` is what JSON holds."""

    key: str
    value: object = field(repr=False)
    at: int
    by: str

    @property
    def origin(self) -> str:
        """Say where the value comes from, as places in the settings are said."""
        return f"page: {self.by}"


@dataclass(frozen=True, slots=True)
class Changes:
    """All that was changed on the page, by login key."""

    settings: Mapping[str, Sequence[Change]] = field(default_factory=dict)
    """Under "": what was changed for all."""
    locked: frozenset[str] = frozenset()
    addresses: Mapping[str, Sequence[Address]] = field(default_factory=dict)
    tokens: Mapping[str, Sequence[Token]] = field(default_factory=dict, repr=False)
    revoked: frozenset[str] = frozenset()
    """The SHA-256 of app passwords that work no more."""
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def for_all(self) -> Sequence[Change]:
        """Give what was changed for all."""
        return self.settings.get("", ())


def allowed(key: str, settings: RelaySettings, locked: Collection[str]) -> bool:
    """Tell whether a rep may change this for themselves now."""
    word = PERSONAL[key]
    return not word or (word in may_change(settings) and word not in locked)


def may_change(settings: RelaySettings) -> tuple[str, ...]:
    """Give what the settings let reps change; that there is no page just now takes nothing back."""
    return (settings.web or WebSettings()).may_change


def merged_reps(reps: Sequence[Rep], changes: Changes, settings: RelaySettings) -> list[Rep]:
    """Give the reps with what was changed. An address that another rep was entered with stays that rep's."""
    taken = {comparable_any_case(address) for rep in reps for address in rep.addresses}
    return [_merged(rep, changes, settings, taken) for rep in reps]


def _merged(rep: Rep, changes: Changes, settings: RelaySettings, taken: Collection[str]) -> Rep:
    key = login_key(rep.login)
    rep = _with_credentials(rep, key, changes)
    if "addresses" in may_change(settings):
        more = tuple(one for one in changes.addresses.get(key, ()) if comparable_any_case(one) not in taken)
        marks = tuple(
            (f"addresses.{at}", "page: verified")
            for at in range(len(rep.addresses), len(rep.addresses + more))
        )
        rep = replace(rep, addresses=rep.addresses + more, changed=rep.changed + marks)
    for change in changes.settings.get(key, ()):
        if _counts(change, settings, changes.locked) and not _needs_salesforce(change, settings):
            rep = _with_change(rep, change)
    return rep


def may_disable(settings: RelaySettings) -> bool:
    """Tell whether admins may disable reps of the settings on the page."""
    return (settings.web or WebSettings()).may_disable


def _counts(change: Change, settings: RelaySettings, locked: Collection[str]) -> bool:
    if change.key == DISABLED:
        return may_disable(settings)
    return change.key in PERSONAL and allowed(change.key, settings, locked)


def _needs_salesforce(change: Change, settings: RelaySettings) -> bool:
    """Tell whether somebody chose what the settings have no organisation for any more."""
    return change.key == "mode" and change.value in ("api", "observe") and settings.salesforce is None


def _with_credentials(rep: Rep, key: str, changes: Changes) -> Rep:
    kept = [one for one in (*rep.tokens, *changes.tokens.get(key, ())) if one.sha256 not in changes.revoked]
    password = changes.passwords.get(key, rep.password)
    if len(kept) == len(rep.tokens) and password == rep.password:
        return rep
    return replace(rep, tokens=tuple(kept), password=password)


def _with_change(rep: Rep, change: Change) -> Rep:
    """Lay one change over a rep; a value that cannot be used (of another version) is left out."""
    try:
        merged = _applied(rep, change.key, change.value)
    except (ValidationError, ValueError):
        return rep
    if change.key == "exclude":
        return replace(merged, changed=rep.changed + _marks(rep, merged, change.origin))
    return replace(merged, changed=(*rep.changed, (change.key, change.origin)))


def _applied(rep: Rep, key: str, value: object) -> Rep:
    match key:
        case "mode":
            return replace(rep, mode=Mode(str(value)))
        case "email_to_salesforce":
            return replace(rep, email_to_salesforce=BccAddress(str(value)) if value else None)
        case "exclude":
            return replace(rep, exclude=_more_exclusions(rep.exclude, ExcludeSettings.model_validate(value)))
        case "capture":
            return replace(rep, capture=CaptureSettings.model_validate(value))
        case "reminders":
            return replace(rep, reminders="two_way" if value == "two_way" else "off")
        case "language":
            return replace(rep, language=str(value))
        case "time_zone":
            return replace(rep, time_zone=str(value))
        case "disabled" if isinstance(value, bool):
            return replace(rep, disabled=value)
        case _:
            raise ValueError(key)


def _more_exclusions(entered: ExcludeSettings | None, own: ExcludeSettings) -> ExcludeSettings:
    """Add a rep's own patterns behind those that were entered; what else was entered stays."""
    written: dict[str, object] = (
        {} if entered is None else {name: getattr(entered, name) for name in entered.model_fields_set}
    )
    for name in _LISTS:
        more = tuple(getattr(own, name))
        if more:
            written[name] = (*(getattr(entered, name) if entered else ()), *more)
    return ExcludeSettings.model_validate(written)


def _marks(before: Rep, after: Rep, origin: str) -> tuple[tuple[str, str], ...]:
    """Name each pattern that came from the page, as rules are named: exclude.recipients.2."""
    found: list[tuple[str, str]] = [("exclude", origin)]
    for name in _LISTS:
        known = len(getattr(before.exclude, name)) if before.exclude else 0
        total = len(getattr(after.exclude, name)) if after.exclude else 0
        found += [(f"exclude.{name}.{at}", origin) for at in range(known, total)]
    return tuple(found)


# What was changed for all


def merged_configuration(configuration: Configuration, changes: Sequence[Change]) -> Configuration:
    """Give the settings with what was changed for all; `place` then tells who changed it."""
    if not changes:
        return configuration
    settings, places = configuration.settings, dict(configuration.places)
    for change in changes:
        if not may_be_changed_for_all(change.key):
            continue
        try:
            settings = with_setting(settings, change.key, change.value)
        except ValueError:
            continue  # of another version, or the settings no longer have a place for it
        for path in [path for path in places if path.startswith(f"{change.key}.")]:
            del places[path]
        places[change.key] = change.origin
    return replace(configuration, settings=settings, places=places)


def may_be_changed_for_all(key: str) -> bool:
    """Tell whether an admin may change this setting on the page."""
    return any(key == one or key.startswith(f"{one}.") for one in FOR_ALL)


def with_setting(settings: RelaySettings, key: str, value: object) -> RelaySettings:
    """Give the settings with one of them replaced. Raises ValueError when the value does not fit."""
    changed = _with(settings, key.split("."), value)
    assert isinstance(changed, RelaySettings)
    return changed


def _with(group: Settings, steps: Sequence[str], value: object) -> Settings:
    name = steps[0]
    if name not in type(group).model_fields:
        raise ValueError(f"there is no setting {name}")
    if len(steps) > 1:
        below = getattr(group, name)
        if not isinstance(below, Settings):
            raise ValueError(f"{name} holds no settings")
        return group.model_copy(update={name: _with(below, steps[1:], value)})
    checked = type(group).model_validate(
        {one: getattr(group, one) for one in group.model_fields_set} | {name: value}
    )
    return group.model_copy(update={name: getattr(checked, name)})


def merged_users(configuration: Configuration, reps: Sequence[Rep]) -> Configuration:
    """Give the settings with their reps as they are in force, for `relay config show`; `reps` are merged already."""
    users, places = list(configuration.settings.users), dict(configuration.places)
    merged = {login_key(rep.login): rep for rep in reps}
    for at, user in enumerate(users):
        rep = merged.get(login_key(user.login))
        if rep is None or not rep.changed:
            continue
        users[at] = user.model_copy(update=_in_force(user, rep))
        places |= {f"users.{at}.{name}": who for name, who in rep.changed}
    settings = configuration.settings.model_copy(update={"users": tuple(users)})
    return replace(configuration, settings=settings, places=places)


def _in_force(user: UserSettings, rep: Rep) -> dict[str, object]:
    bcc = rep.email_to_salesforce
    found: dict[str, object] = {
        "mode": rep.mode,
        "email_to_salesforce": None if bcc is None else bcc.reveal(),
        "exclude": rep.exclude,
        "language": rep.language,
        "time_zone": rep.time_zone,
        "addresses": tuple(map(str, rep.addresses)),
        "disabled": rep.disabled,
    }
    if rep.reminders is not None:
        found["reminders"] = UserReminderSettings(sync="two_way" if rep.reminders == "two_way" else "off")
    return {name: value for name, value in found.items() if value != getattr(user, name)}
