"""YAML text becomes a tree that knows where everything stands."""

import pytest

from relay.config.tree import MAXIMUM_DEPTH, find, place_of, places, plain, read_tree


def _plain(text: str) -> object:
    root, problems = read_tree(text, "f")
    assert root is not None
    assert not problems
    return plain(root)


def _told(text: str) -> list[str]:
    return [str(problem) for problem in read_tree(text, "f")[1]]


@pytest.mark.parametrize(
    "text",
    ["off", "no", "12:30", "007", "00530000005", "1e3", "0x1f", "1.10", "2026-11-22", "=", "True", "Null"],
)
def test_scalars_stay_the_text_that_was_written(text: str) -> None:
    """None of YAML 1.1's readings of plain text happens."""
    assert _plain(f"a: {text}\n") == {"a": text}


@pytest.mark.parametrize("text", ["null", "~", ""])
def test_nothing_is_none(text: str) -> None:
    """Plain null, ~ and nothing are None, and quoted they are text."""
    assert _plain(f"a: {text}\n") == {"a": None}
    assert _plain(f"a: '{text}'\n") == {"a": text}


def test_lists_and_mappings_are_read_with_aliases() -> None:
    """An alias is what it stands for."""
    assert _plain("a: &x [1, {b: c}]\nd: *x\n") == {"a": ["1", {"b": "c"}], "d": ["1", {"b": "c"}]}


def test_a_key_that_is_set_twice_names_the_first() -> None:
    """A duplicate key is refused at its own place, with the place of the first."""
    assert _told("a: 1\nb:\n  c: 1\n  c: 2\n") == ["f:4:3: b.c: is set twice; the first is at 3:3"]


def test_the_first_of_two_is_kept() -> None:
    """What a refused key holds does not replace the first."""
    root, _ = read_tree("a: 1\na: {b: [c]}\nd: 2\n", "f")
    assert root is not None
    assert plain(root) == {"a": "1", "d": "2"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("? [a]\n: 1\n", "f:1:3: a key is a mapping or a list; it must be the name of a setting"),
        ("~: 1\n", "f:1:1: a key is empty; it must be the name of a setting"),
        ("a: !ruby b\n", "f:1:4: a: the tag !ruby is not known here; remove it"),
        ("a: !!int 3\n", "f:1:4: a: the tag tag:yaml.org,2002:int is not known here; remove it"),
        ("a: 1\n---\nb: 2\n", "f:2:1: a second document starts here; settings are one document"),
        ("a: *x\n", "f:1:4: a: *x stands for nothing; no &x ended before it"),
        ("a: &x [*x]\n", "f:1:8: a.0: *x stands for nothing; no &x ended before it"),
        (
            "a: 'x\nb: 1\n",
            "f:1:4: is not YAML: found unexpected end of stream while scanning a quoted scalar",
        ),
        ("a: 'ä'\nb:\n\tc: 1\n", "f:3:1: is not YAML: here is a tab; indent with spaces"),
        ("\ufeffa:\n\tc: 1\n", "f:2:1: is not YAML: here is a tab; indent with spaces"),
        ("a: b: c\n", "f:1:5: is not YAML: mapping values are not allowed in this context"),
        (
            "a: 1\nb: \x07\n",
            "f:2:4: the character U+0007 may not stand in YAML; write it as an escape in double quotes",
        ),
    ],
)
def test_what_is_not_settings_is_told_with_its_place(text: str, problem: str) -> None:
    """Each has a place and plain words."""
    assert _told(text) == [problem]


def test_depth_is_bounded() -> None:
    """A million brackets are refused at once, without reading them all."""
    root, problems = read_tree("[" * 1_000_000, "f")
    assert root is None
    assert f"more than {MAXIMUM_DEPTH} levels" in problems[0].text


def test_a_billion_laughs_are_not_laughed() -> None:
    """Aliases of aliases are counted as what they stand for."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    root, problems = read_tree("\n".join(lines), "f")
    assert root is None
    assert "more than 300000 values, aliases counted" in problems[0].text


def test_an_empty_text_is_nothing_and_no_problem() -> None:
    """The loader says what is wrong with an empty file."""
    assert read_tree("# nothing\n", "f") == (None, [])


def test_places_of_keys_values_and_items() -> None:
    """A value's place is its own, or its key's; what is not there has its parent's."""
    root, _ = read_tree("a:\n  b: [x,\n      y]\nc: 1\n", "f")
    assert root is not None
    assert find(root, ("a", "b", 1)) == (3, 7)
    assert find(root, ("a", "b"), key=True) == (2, 3)
    assert find(root, ("a", "nothing")) == (2, 3)
    assert find(root, ()) == (1, 1)
    assert dict(places(root, "f")) == {"a": "f:1", "a.b": "f:2", "a.b.0": "f:2", "a.b.1": "f:3", "c": "f:4"}


def test_a_byte_order_mark_is_read_over() -> None:
    """Editors on Windows write one."""
    assert _plain("\ufeffa: 1\n") == {"a": "1"}


def test_line_ends_of_all_systems_count() -> None:
    """CRLF is one line end."""
    assert place_of("a\r\nb\nc", 5) == (3, 1)
