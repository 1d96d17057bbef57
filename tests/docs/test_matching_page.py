"""docs/matching.md says what matching and composing do."""

from pathlib import Path
from typing import get_args

from relay.config.placeholders import PLACEHOLDERS
from relay.config.recording import MatchSettings
from relay.salesforce.rule_examples import read_examples

PAGE = (Path(__file__).resolve().parents[2] / "docs/matching.md").read_text()


def test_every_placeholder_is_there() -> None:
    """Each with what it gives, in the same words as in the code."""
    for name, gives in PLACEHOLDERS.items():
        assert f"| `{name}` | {gives} |" in PAGE


def test_every_value_of_the_settings_is_there() -> None:
    """Each way of choosing is named."""
    for name in ("several", "nobody", "opportunities"):
        for value in get_args(MatchSettings.model_fields[name].annotation):
            assert f"`{value}`" in PAGE, value


def test_the_examples_can_be_read() -> None:
    """The YAML on the page is what `relay test` takes."""
    text = PAGE.partition("```yaml\n")[2].partition("```")[0]
    assert len(read_examples(text, "matching.md")) == 2
