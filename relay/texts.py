"""The words of the page and of the relay's own mail to people, by key and language.

Read once, when first asked for, from relay/locales/LANGUAGE/*.toml: plain files, one for each page, with keys such as
`sign_in.title`. English stands in for what a language lacks; a test sees to it that nothing does.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib import resources

LANGUAGES = ("en", "sv", "es")
DEFAULT = "en"
_LONGEST_HEADER = 500
_NEVER = "—"
_KIB = 1024
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_HALF_YEAR = 183


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The texts of one language. A value, shared by all who read it."""

    language: str
    texts: Mapping[str, str]
    english: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """Give a text with its placeholders filled; a key that no file has is given back, so that it is seen."""
        text = self.texts.get(key) or self.english.get(key)
        return key if text is None else text.format_map(values) if values else text

    def has(self, key: str) -> bool:
        """Tell whether there is such a text."""
        return key in self.texts or key in self.english

    def count(self, key: str, number: int, **values: object) -> str:
        """Give `key.one` or `key.other`, with {count} filled."""
        return self(f"{key}.{'one' if number == 1 else 'other'}", count=self.number(number), **values)

    def number(self, value: float, digits: int = 0) -> str:
        """Write a number with the marks of the language, such as 12,345.6."""
        marks = str.maketrans({",": self("number.group"), ".": self("number.point")})
        return f"{value:,.{digits}f}".translate(marks)

    def size(self, octets: int) -> str:
        """Write a size, such as 64 KiB or 1.5 MiB."""
        if octets < _KIB:
            return f"{octets} B"
        if octets < _KIB * _KIB:
            return f"{self.number(octets / _KIB)} KiB"
        return f"{self.number(octets / _KIB / _KIB, 1)} MiB"

    def span(self, seconds: int) -> str:
        """Write a while in one unit, such as 45 s, 12 min or 3 days."""
        if seconds < 2 * _MINUTE:
            return self("span.seconds", count=seconds)
        if seconds < 2 * _HOUR:
            return self("span.minutes", count=seconds // _MINUTE)
        if seconds < 2 * _DAY:
            return self("span.hours", count=seconds // _HOUR)
        return self.count("span.days", seconds // _DAY)

    def day(self, when: datetime) -> str:
        """Write a date in words, such as 22 November 2026."""
        return self("date.day", day=when.day, month=self(f"date.month.{when.month}"), year=when.year)

    def moment(self, when: datetime | None) -> str:
        """Write date and time of day, such as 22 November 2026, 14:05; a dash for never."""
        return _NEVER if when is None else self("date.moment", day=self.day(when), clock=_clock(when))

    def brief(self, when: datetime, now: datetime) -> str:
        """Write an instant as shortly as can be: 14:05 when it is of the same day, else 20 Nov 14:05, or 20 Nov 2025."""
        if when.date() == now.date():
            return _clock(when)
        day = f"{when.day} {self(f'date.month.{when.month}')[:3]}"
        return f"{day} {_clock(when)}" if abs((now - when).days) < _HALF_YEAR else f"{day} {when.year}"


def _clock(when: datetime) -> str:
    """Write a time of day; in the hour that clocks show twice, when they are set back, with the zone: 02:30 CET."""
    twice = when.utcoffset() != when.replace(fold=1 - when.fold).utcoffset()
    return f"{when:%H:%M %Z}" if twice else f"{when:%H:%M}"


@lru_cache(maxsize=len(LANGUAGES))
def words(language: str) -> Words:
    """Give the texts of a language; English for one that is not known."""
    if language not in LANGUAGES:
        return words(DEFAULT)
    return Words(language, read_texts(language), read_texts(DEFAULT))


def read_texts(language: str) -> dict[str, str]:
    """Read the files of a language. Raises ValueError when two of them have the same key."""
    found: dict[str, str] = {}
    folder = resources.files("relay") / "locales" / language
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".toml"):
            for key, text in _flat(tomllib.loads(file.read_text("utf-8")), ""):
                if key in found:
                    raise ValueError(f"{language}/{file.name}: {key} is there twice")
                found[key] = text
    return found


def _flat(table: Mapping[str, object], above: str) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        key = f"{above}.{name}" if above else name
        if isinstance(value, dict):
            yield from _flat(value, key)
        else:
            yield key, str(value)


def preferred(accept_language: str) -> str:
    """Choose the language that a browser asks for first among ours (RFC 9110 §12.5.4)."""
    wanted: list[tuple[float, int, str]] = []
    for at, part in enumerate(accept_language[:_LONGEST_HEADER].split(",")):
        tag, _, parameter = part.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        weight = _weight(parameter.strip())
        if language in LANGUAGES and weight > 0:
            wanted.append((-weight, at, language))
    return min(wanted)[2] if wanted else DEFAULT


def _weight(parameter: str) -> float:
    if not parameter.startswith("q="):
        return 1.0
    try:
        return float(parameter[2:])
    except ValueError:
        return 0.0
