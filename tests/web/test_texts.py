"""The texts: every language has the same keys with the same placeholders, and pages ask for no text that is not there."""

import re
import string
from pathlib import Path

import pytest

from relay.texts import LANGUAGES, preferred, read_texts, words

_HOUSE = Path(__file__).resolve().parents[2] / "relay"
_ASKED = re.compile(r"""(?:\bt|words|text)(?:\.count)?\(\s*"([a-z0-9_]+(?:\.[a-z0-9_]+)+)"\s*[,)]""")


def placeholders(text: str) -> set[str]:
    """Give the names that a text leaves open."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_every_language_has_the_same_texts(language: str) -> None:
    """The same keys, none of them empty, with the same placeholders."""
    english, other = read_texts("en"), read_texts(language)
    assert sorted(set(english) ^ set(other)) == []
    assert [key for key, text in other.items() if not text.strip()] == []
    assert [key for key in english if placeholders(english[key]) != placeholders(other[key])] == []


def test_pages_ask_for_texts_that_are_there() -> None:
    """A key written in a template or in code is one of the files'."""
    texts = words("en")
    files = [*(_HOUSE / "web").rglob("*.html"), *(_HOUSE / "web").rglob("*.py")]
    asked = {(key, path.name) for path in files for key in _ASKED.findall(path.read_text())}
    assert len(asked) > 30
    missing = {one for one in asked if not texts.has(one[0]) and not texts.has(f"{one[0]}.other")}
    assert missing == set()


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("sv-SE,sv;q=0.9,en;q=0.8", "sv"),
        ("de, es;q=0.5, en;q=0.4", "es"),
        ("en;q=0.2, sv;q=0", "en"),
        ("fr", "en"),
        ("", "en"),
        ("sv;q=banana, es", "es"),
        ("," * 10_000, "en"),
    ],
)
def test_the_browser_says_which_language(header: str, language: str) -> None:
    """Of the languages asked for, the first that we have, by weight."""
    assert preferred(header) == language


def test_a_text_that_is_not_there_is_seen() -> None:
    """A key that no file has is shown as it is rather than as nothing; an unknown language is English."""
    assert words("en")("no.such.key") == "no.such.key"
    assert words("xx").language == "en"
    assert words("sv").count("sign_in.blocked", 1) != words("sv").count("sign_in.blocked", 2)
