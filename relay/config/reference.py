"""Print the pages that come from the model: config.example.yaml, docs/configuration.md and the JSON Schema.

Pure but for `python -m relay.config.reference FOLDER`, which writes the first two.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from relay.config.model import RelaySettings
from relay.config.outline import Setting, settings_of, walk
from relay.config.sample import plain_default, sample
from relay.config.types import Settings
from relay.config.writing import flow

SAMPLE = "config.example.yaml"
PAGE = "docs/configuration.md"

_HEAD = """\
# Settings

This page is printed from the program (`make docs`); [config.example.yaml](../config.example.yaml) shows every setting in place.

The relay reads one YAML file: the one given with `-c`, else `$RELAY_CONFIG`, else `/etc/relay/config.yaml`, else `./config.yaml`.
`relay check` tells every problem at once, each as `file:line:column: path: what is wrong; what would be right`, and exits with 78.
`relay config show` prints what is in force and where each value was written; `relay config schema` prints a JSON Schema for editors.

## How values are written

| kind | written as |
|---|---|
| text | as it stands; quotes are needed only where YAML needs them |
| number | digits |
| true or false | `true` or `false`; `yes`, `on` and the like are refused |
| duration | a number and a unit: `500ms`, `30s`, `15m`, `2h`, `5d` |
| size | a number and a unit: `512B`, `64KiB`, `25MiB`, `1GiB` |
| rate | a count and a unit: `200/h`, `30/m`; `0/h` is no limit |
| host:port | `127.0.0.1:2587`, `[::]:465` |
| secret | where it is kept, never the secret itself: `{file: key.pem}`, `{env: RELAY_KEY}` or `{credential: relay.key}` (systemd's `LoadCredential=`) |

- Every value is read as the text that was written, and the setting decides what it means: `off`, `007` and `12:30` are no surprises.
- Names of files are relative to the settings file. One newline at the end of a secret's file is not part of the secret.
- An unknown setting, a setting that is written twice, an unknown tag, a second document: each is an error.
- Aliases (`&name`, `*name`) are read, merge keys (`<<`) are not. A file may have 8 MiB and 300 000 values, aliases counted.
- `include` names further files by globs. Such a file holds `users:` alone, and its users are added to those of the main file.
- A rep is in one place only: the same login, address or app password twice is an error that names both places.
- Globs are over addresses: `*` stands for any characters, `?` for one; a glob without `@` is one over the domain. Case does not count.
- Subject patterns are regular expressions, searched for anywhere in the decoded subject; case does not count. They run in time linear
  in the subject; what needs looking back or ahead is refused.
"""
_LATER = """\
## Settings of later versions

These are read and checked, so that a file can be written for the whole product, but this version does not act on them and warns where
one is set: {names}.
`server.store: postgresql` is refused for now. Mode `both` is refused for good: Salesforce
would hold the mail twice, once by the log copy and once by the API.
"""


def page() -> str:
    """Give the text of docs/configuration.md."""
    parts = [_HEAD, *_groups(RelaySettings, "", "The whole file")]
    later = ", ".join(f"`{path}`" for path, setting in walk(RelaySettings) if setting.later)
    return "\n".join([*parts, _LATER.format(names=later)])


def _groups(group: type[Settings], path: str, sentence: str) -> Iterator[str]:
    """Give a section for a group and then for each group in it."""
    settings = [setting for setting in settings_of(group) if not setting.later]
    title = f"`{path}`" if path else sentence
    rows = [_row(setting, path) for setting in settings]
    lead = f"{sentence}\n\n" if path else ""
    yield (
        f"## {title}\n\n{lead}| setting | kind | default | what it is |\n|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )
    for setting in settings:
        if setting.group is not None and setting.kind == "group":
            yield from _groups(setting.group, _below(path, setting), setting.sentence)


def _below(path: str, setting: Setting) -> str:
    own = f"{path}.{setting.name}" if path else setting.name
    match setting.shape:
        case "list":
            return f"{own}[]"
        case "map":
            return f"{own}.NAME"
        case _:
            return own


def _row(setting: Setting, path: str) -> str:
    default = "**required**" if setting.required else _default(setting)
    kind = {"one": setting.kind, "list": f"list of {setting.kind}", "map": f"{setting.kind} by name"}[
        setting.shape
    ]
    name = (
        f"[`{setting.name}`](#{_anchor(_below(path, setting))})"
        if setting.kind == "group"
        else f"`{setting.name}`"
    )
    return f"| {name} | {_cell(kind)} | {default} | {_cell(setting.sentence)} |"


def _default(setting: Setting) -> str:
    if setting.kind == "group" and setting.shape == "one":
        return "none" if setting.default is None else "as below"
    if setting.default is None:
        return "none"
    return f"`{_cell(flow(plain_default(setting)))}`" if setting.default != () else "none"


def _anchor(title: str) -> str:
    """Give the fragment that a heading gets on common forges."""
    return "".join(letter for letter in title.lower() if letter.isalnum() or letter in "-_")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema of the settings file, for editors."""
    schema = RelaySettings.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Settings of the relay"
    # Editors read `version: 1` as a number; the relay reads its text.
    version = schema["properties"]["version"]
    schema["properties"]["version"] = {"description": version["description"], "enum": [1, "1"]}
    return schema


def write_pages(folder: Path) -> None:
    """Write the pages into a checkout."""
    (folder / SAMPLE).write_text(sample(), encoding="utf-8")
    (folder / PAGE).parent.mkdir(exist_ok=True)
    (folder / PAGE).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
