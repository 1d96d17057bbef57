"""The settings as they are in force, as people may see them: nothing secret in them.

Pure.
"""

from collections.abc import Iterator

from relay.config.model import RelaySettings
from relay.config.outline import settings_of
from relay.config.types import Settings
from relay.directory.model import mask_address

_MASKED = "***"
_HASHES = frozenset({"password", "sha256"})


def effective(settings: RelaySettings, *, reveal: bool) -> dict[str, object]:
    """Give the settings as they are in force, without what is secret."""
    return _group(settings, reveal)


def _group(group: Settings, reveal: bool) -> dict[str, object]:
    """Give a group's settings by their names in the file; later versions' only when they were written."""
    dumped = group.model_dump(mode="json", by_alias=True)
    shown: dict[str, object] = {}
    for setting in settings_of(type(group)):
        value = getattr(group, setting.field)
        if setting.later and setting.field not in group.model_fields_set:
            continue
        if isinstance(value, Settings):
            shown[setting.name] = _named(value) if setting.kind == "secret" else _group(value, reveal)
        elif setting.group is not None and isinstance(value, tuple):
            shown[setting.name] = [_group(item, reveal) for item in value]
        elif setting.group is not None and isinstance(value, dict):
            shown[setting.name] = {name: _group(item, reveal) for name, item in value.items()}
        else:
            shown[setting.name] = _shown(setting.name, dumped[setting.name], reveal)
    return shown


def _named(reference: Settings) -> dict[str, object]:
    """Give where a secret is kept; its value is not read."""
    return {name: value for name, value in reference.model_dump().items() if value is not None}


def _shown(name: str, value: object, reveal: bool) -> object:
    if isinstance(value, str):
        if name in _HASHES:
            return _MASKED
        if name == "email_to_salesforce" and not reveal:
            return mask_address(value)
    return value


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Give each single setting by its path."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, item in enumerate(value):
            yield from leaves(item, f"{path}.{number}")
    else:
        yield path, value
