"""What is written as YAML is read back as the same text."""

import pytest

from relay.config.tree import plain, read_tree
from relay.config.writing import block, flow, scalar


@pytest.mark.parametrize(
    "text",
    ["off", "a b", "127.0.0.1:25", "null", "~", "", "- a", "#x", "a: b", "a #b", "'", '"', "*@x", "&a", "!b", "@x", "ö", "a ", " a",
     "[x]", "{x}", "a,b", "%x", "|", ">", "?", "-", "x\ny", "\\", "$argon2id$v=19$m=1,t=2,p=1$a$b", "1.2"],
)  # fmt: skip
def test_a_text_is_read_back(text: str) -> None:
    """Alone, in a list and in a mapping on one line."""
    root, problems = read_tree(f"a: {scalar(text)}\nb: {flow([text, {'c': text}])}\n", "f")
    assert root is not None
    assert not problems
    assert plain(root) == {"a": text, "b": [text, {"c": text}]}


def test_a_block_is_read_back_and_each_line_knows_its_setting() -> None:
    """Lists of mappings, nested mappings, short lists and secrets."""
    value = {
        "a": {"b": "1", "c": ["x", "y"]},
        "d": [{"e": "2", "f": {"g": "3"}}, {"e": None}],
        "k": {"file": "p"},
    }
    lines = list(block(value))
    root, problems = read_tree("\n".join(line for line, _ in lines), "f")
    assert root is not None
    assert not problems
    assert plain(root) == value
    assert lines == [
        ("a:", "a"),
        ("  b: 1", "a.b"),
        ("  c: [x, y]", "a.c"),
        ("d:", "d"),
        ("  - e: 2", "d.0.e"),
        ("    f:", "d.0.f"),
        ("      g: 3", "d.0.f.g"),
        ("  - e: null", "d.1.e"),
        ("k: {file: p}", "k"),
    ]


def test_yes_and_no_are_written_as_the_relay_reads_them() -> None:
    """The two words, and numbers as digits."""
    assert (scalar(True), scalar(False), scalar(3)) == ("true", "false", "3")
