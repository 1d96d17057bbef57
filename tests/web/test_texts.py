"""The texts: every language has the same keys with the same placeholders, and pages ask for no text that is not there."""

import re
import string
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from relay.queue.playbook import OTHER, PLAYS, playbook
from relay.salesforce.fault_words import EXPLANATIONS
from relay.salesforce.faults_table import explanation
from relay.salesforce.model import Category, Fault, FaultKind
from relay.texts import LANGUAGES, preferred, read_texts, words
from relay.web.attention import advice_of

_HOUSE = Path(__file__).resolve().parents[2] / "relay"
REFUSALS = (400, 403, 404, 405, 413, 429, 500, 503)
"""What the page answers when it refuses."""
_ASKED = re.compile(r"""(?:\bt|words|text)(?:\.count)?\(\s*"([a-z0-9_]+(?:\.[a-z0-9_]+)+)"\s*[,)]""")


def placeholders(text: str) -> set[str]:
    """Give the names that a text leaves open."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def in_english() -> dict[str, str]:
    """Give all English texts: those of the files, and those that have their place in code that prints them elsewhere."""
    plays = {f"play.{kind}": advice for kind, advice in playbook()}
    return {**read_texts("en"), **EXPLANATIONS, **plays}


def told_literally(text: str) -> set[str]:
    """Give what no language translates: commands, addresses, and names of settings."""
    return set(
        re.findall(
            r"`[^`]+`|https://\S+?(?=[,.]? )|\b(?:salesforce|logging|upstream|limits)\.[a-z_]+\w", text
        )
    )


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_every_language_has_the_same_texts(language: str) -> None:
    """The same keys, none of them empty, with the same placeholders."""
    english, other = in_english(), read_texts(language)
    assert sorted(set(english) ^ set(other)) == []
    # Thousands are set apart by a space in some languages.
    assert [key for key, text in other.items() if not text.strip() and key != "number.group"] == []
    assert [key for key in english if placeholders(english[key]) != placeholders(other[key])] == []


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_no_language_translates_commands_and_settings(language: str) -> None:
    """What is typed or looked for in the settings stands in every language as it is."""
    english, other = in_english(), read_texts(language)
    assert sum(len(told_literally(text)) for text in english.values()) > 40
    assert [key for key in english if told_literally(english[key]) != told_literally(other[key])] == []


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_explanations_and_advice_are_translated(language: str) -> None:
    """Each is given in the reader's language, and none is left in English."""
    fault = Fault(FaultKind.AGAIN, Category.INTERMITTENT, "UNABLE_TO_LOCK_ROW", "")
    texts = words(language).texts
    assert explanation(fault, texts) != explanation(fault)
    assert all(advice_of(play, texts) != play.advice for play in (*PLAYS, OTHER))
    assert all(advice_of(play, {}) == play.advice for play in PLAYS)
    assert [key for key, text in EXPLANATIONS.items() if texts[key] == text] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_refusal_and_every_mail_has_its_words(language: str) -> None:
    """An error page has its title and its text; a mail its subject, and a body with the link or code that it is for."""
    texts = read_texts(language)
    refusals = {f"error.{part}{status}" for status in REFUSALS for part in ("", "title_")}
    assert refusals - texts.keys() == set()
    for mail, needed in (("reset", "link"), ("invite", "link"), ("address", "code")):
        assert texts[f"mail.{mail}.subject"]
        assert needed in placeholders(texts[f"mail.{mail}.body"])
        assert placeholders(texts[f"mail.{mail}.subject"]) == set()


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


@pytest.mark.parametrize(
    ("language", "days", "told"),
    [("en", 0, "14:05"), ("en", 2, "22 Nov 14:05"), ("sv", 2, "22 nov 14:05"), ("es", 400, "20 oct 2025")],
)
def test_an_instant_in_a_list_is_as_short_as_its_distance_allows(language: str, days: int, told: str) -> None:
    """The time of day alone today, day and month for months, and the year beyond."""
    now = datetime(2026, 11, 24, 14, 5, tzinfo=UTC)
    assert words(language).brief(now - timedelta(days=days), now) == told
