"""`relay config show` and `relay config schema`: the settings as they are in force, and the form they have."""

import json as json_text
from collections.abc import Iterator
from typing import Annotated

import typer

from relay.cli.common import ConfigOption, JsonOption, load_configuration
from relay.cli.show import print_json
from relay.config.loader import Configuration
from relay.config.model import RelaySettings
from relay.config.outline import settings_of
from relay.config.types import Settings
from relay.config.writing import block
from relay.directory.model import mask_address

_MASKED = "***"
_HASHES = frozenset({"password", "sha256"})
_PLACE_COLUMN = 64


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(no_args_is_help=True, help="The settings: what is in force, and the form they have.")
    group.command("show")(show)
    group.command("schema")(schema)
    app.add_typer(group, name="config")


def show(
    context: typer.Context,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show Email to Salesforce addresses in full: they are secrets.")
    ] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Print all settings with where each was written; what was not written has its default."""
    configuration = load_configuration(context, config)
    values = effective(configuration.settings, reveal=reveal)
    if json:
        items = [
            {"path": path, "value": value, "place": configuration.place(path)}
            for path, value in _leaves(values, "")
        ]
        print_json("relay.config/1", items)
        return
    for line, path in block(values):
        print(f"{line:<{_PLACE_COLUMN}} # {_place(configuration, path)}")


def schema() -> None:
    """Print the JSON Schema of the settings, for editors that complete and underline."""
    from relay.config.reference import json_schema

    print(json_text.dumps(json_schema(), indent=2, ensure_ascii=False))


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


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}.{number}")
    else:
        yield path, value


def _place(configuration: Configuration, path: str) -> str:
    return configuration.place(path)
