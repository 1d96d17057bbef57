"""The sample, the reference page and the schema are what the model prints, and the sample loads."""

import json
from pathlib import Path

import pytest

from relay.config.loader import load
from relay.config.model import RelaySettings
from relay.config.outline import group_at, setting_at, walk
from relay.config.reference import PAGE, SAMPLE, json_schema, page, write_pages
from relay.config.sample import sample

ROOT = Path(__file__).resolve().parents[3]
LATER = [path for path, setting in walk(RelaySettings) if setting.later]
ACTED_ON = [path for path, _ in walk(RelaySettings) if not path.startswith(tuple(LATER))]


def test_the_committed_pages_are_current(tmp_path: Path) -> None:
    """`make docs` was run after the last change of the model."""
    write_pages(tmp_path)
    for name in (SAMPLE, PAGE):
        assert (ROOT / name).read_text(encoding="utf-8") == (tmp_path / name).read_text(encoding="utf-8"), (
            name
        )


def test_the_sample_loads_without_a_warning(tmp_path: Path) -> None:
    """It can be taken as it stands."""
    path = tmp_path / SAMPLE
    path.write_text(sample(), encoding="utf-8")
    assert load(path).warnings == ()


def test_the_sample_loads_with_its_examples_put_to_use(tmp_path: Path) -> None:
    """Each line such as `# name: value` is a setting that can be written so."""
    lines = []
    for line in sample().splitlines():
        bare = line.lstrip()
        name = bare.removeprefix("# ").partition(": ")[0]
        example = (
            bare.startswith("# ") and any(path.endswith(f".{name}") for path in ACTED_ON) and ": " in bare
        )
        lines.append(line.replace("# ", "", 1) if example and name.isidentifier() else line)
    path = tmp_path / SAMPLE
    path.write_text("\n".join(lines).replace("auth: required", "auth: none"), encoding="utf-8")
    configuration = load(path)
    assert configuration.settings.listeners[0].trust is not None
    assert configuration.settings.users[0].exclude is not None


@pytest.mark.parametrize("path", ACTED_ON)
def test_every_setting_is_in_the_sample_and_on_the_page(path: str) -> None:
    """With its sentence."""
    setting = setting_at(RelaySettings, tuple(path.split(".")))
    assert setting is not None
    assert setting.sentence.endswith((".", "…")), f"{path} has no sentence"
    assert f"{setting.name}:" in sample() or path.split(".")[-2] in (
        "private_key",
        "password",
        "*",
        "trust",
        "exclude",
        "look_up_as",
        "oidc",
    )
    assert f"`{setting.name}`" in page() or setting.name in ("file", "env", "credential")


@pytest.mark.parametrize("path", LATER)
def test_settings_of_later_versions_are_named_on_the_page(path: str) -> None:
    """So that nobody looks for what they do."""
    assert f"`{path}`" in page()


def test_every_link_of_the_page_has_its_heading() -> None:
    """A group's name leads to its section."""
    text = page()
    headings = {
        "".join(letter for letter in line.lower() if letter.isalnum() or letter in "-_")
        for line in text.splitlines()
        if line.startswith("## ")
    }
    for part in text.split("](#")[1:]:
        assert part.partition(")")[0] in headings


def test_the_schema_is_json_and_names_every_top_level_setting() -> None:
    """Editors complete and underline by it; durations are texts and the version may be a number."""
    schema = json.loads(json.dumps(json_schema()))
    assert set(schema["properties"]) == set(RelaySettings.model_fields)
    assert schema["additionalProperties"] is False
    assert schema["properties"]["version"]["enum"] == [1, "1"]
    assert schema["$defs"]["AuthSettings"]["properties"]["cache"]["type"] == "string"


def test_paths_lead_to_settings_and_groups() -> None:
    """Through lists and maps; what is not there leads nowhere."""
    route = group_at(RelaySettings, ("upstream", "routes", "main"))
    assert route is not None
    assert route.__name__ == "RouteSettings"
    assert group_at(RelaySettings, ("users",)) is None
    assert group_at(RelaySettings, ("nothing", "below")) is None
    item = setting_at(RelaySettings, ("users", 3, "addresses", 0))
    assert item is not None
    assert (item.name, item.shape, item.kind) == ("addresses", "list", "text")
