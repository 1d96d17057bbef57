"""Whatever a settings file holds, it becomes a Configuration or a ConfigError."""

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.config.loader import load
from relay.config.model import RelaySettings
from relay.config.outline import walk
from relay.config.tree import plain, read_tree
from relay.config.writing import flow
from relay.errors import ConfigError
from tests.support.settings import GOOD

_WORDS = sorted({part for path, _ in walk(RelaySettings) for part in path.split(".")})
_NAMES = st.sampled_from([*_WORDS, "main", "nonsense", "<<"])
_TEXTS = st.one_of(
    st.sampled_from(["bcc", "off", "both", "30s", "25MiB", "127.0.0.1:25", "true", "yes", "-1", "1", "mx", "", "ana@example.com"]),
    st.text(max_size=12),
)  # fmt: skip
_TREES = st.recursive(
    _TEXTS | st.none(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(_NAMES, below, max_size=5),
    max_leaves=30,
)


def _lines(text: bytes) -> int:
    shown = text.decode("utf-8", "replace")
    return max(len(shown.splitlines()), 1)


def _check(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_bytes(text)
        try:
            problems = load(path).warnings
        except ConfigError as error:
            problems = error.problems
            assert problems
        for problem in problems:
            assert problem.file == str(path)
            assert 1 <= problem.line <= _lines(text)
            assert problem.column >= 1
            assert problem.text


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_any_text_is_settings_or_a_config_error(text: bytes) -> None:
    """Nothing else comes out of the loader, and the line of every problem is there."""
    _check(text)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(_NAMES, _TREES, max_size=8))
def test_any_tree_of_settings_is_settings_or_a_config_error(tree: dict[str, object]) -> None:
    """Known names with values of the wrong kind, too."""
    _check(
        "\n".join(f"{json.dumps(name)}: {flow(value)}" for name, value in tree.items()).encode(
            "utf-8", "replace"
        )
    )


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(GOOD)), st.integers(0, 20), st.sampled_from(list("{}[]:,-&*!|>'\"%@# \n\tax0é")))
def test_any_slip_of_the_finger_is_told_or_harmless(place: int, length: int, typed: str) -> None:
    """Good settings with something deleted and something typed."""
    _check((GOOD[:place] + typed + GOOD[place + length :]).encode())


@settings(max_examples=200, deadline=None)
@given(_TREES)
def test_what_is_written_is_read_back(tree: object) -> None:
    """Writing and reading a tree gives the same texts."""
    text = f"a: {flow(tree)}\n"
    root, problems = read_tree(text, "f")
    if problems:  # a character that YAML does not take, or one key twice
        return
    assert root is not None
    assert plain(root) == {"a": tree}
