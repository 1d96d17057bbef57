"""Read the texts of a page as people read or hear them, to compare its languages."""

import re
from collections.abc import Iterable, Sequence
from html.parser import HTMLParser

_SHOWN = ("title", "aria-label", "placeholder", "alt", "data-label", "data-done")
_UNREAD = frozenset({"script", "style", "code"})
_VOID = frozenset({"input", "link", "meta", "img", "br", "hr", "option", "path", "circle", "rect"})
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._unread: list[bool] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.found += [str(told[name]) for name in _SHOWN if told.get(name)]
        if tag not in _VOID:
            foreign = tag == "span" and told.get("lang") == "en"
            self._unread.append(tag in _UNREAD or foreign or any(self._unread[-1:]))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID and self._unread:
            self._unread.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and not any(self._unread[-1:]):
            self.found.append(" ".join(data.split()))


_LITERAL = re.compile(r"`[^`]*`|\S*(?:[@/_*]|\w[.:]\w|\d)\S*")
"""What no language changes: commands, addresses, names of settings, codes, and whatever holds a digit."""


def texts_of(html: str, written: Iterable[str] = ()) -> list[str]:
    """Give the texts and the labels of a page, but for code, what is marked as foreign, and what people had written."""
    parser = _Texts()
    parser.feed(html)
    users = re.compile("|".join(map(re.escape, written)) or "(?!)")
    return [users.sub("", text) for text in parser.found]


def runs(texts: Iterable[str], length: int) -> dict[tuple[str, ...], str]:
    """Give every run of so many words that stands in one text, with that text."""
    found: dict[tuple[str, ...], str] = {}
    for text in texts:
        spoken = [word.lower() for word in _WORD.findall(_LITERAL.sub(" ", text))]
        for at in range(len(spoken) - length + 1):
            found.setdefault(tuple(spoken[at : at + length]), text)
    return found
