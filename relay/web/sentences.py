"""Say in a reader's language what the machinery says in English: decisions, outcomes, explanations, problems of forms.

What is stored and logged stays English. A sentence is found by its English form in the table `sentence` of the locales,
its blanks are filled again, and blanks that hold sentences are translated, too. What somebody else said - the reply of a
server, Salesforce's own words - stays as it is and is marked as foreign. Pure.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter

from markupsafe import Markup, escape

from relay.queue.playbook import playbook
from relay.salesforce.fault_words import EXPLANATIONS
from relay.texts import DEFAULT, Words, words

_STRICT = frozenset({"why", "people", "what"})
"""Blanks that hold a sentence of the table, or it is not this one."""
_LOOSE = frozenset({"reason", "place", "stage"})
"""Blanks that hold a sentence, or anything."""
_QUOTED = frozenset({"said", "reply", "detail"})
"""Blanks that hold somebody else's words."""
_TOKENS = frozenset({"id", "code", "count", "address", "setting", "octets"})
"""Blanks without white space."""
_GENERIC = 4
"""Letters of its own below which a sentence is tried last: hardly more than its blanks."""
_JOINTS = ("\n", "; ", ", ", " and ")
_AND = {"sv": " och ", "es": " y "}
_REPLY = re.compile(r"[245]\d\d(?: [245]\.\d{1,3}\.\d{1,3})? ")
_RECORD = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?", re.ASCII)
_LONGEST = 4000
_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of what is shown; foreign: as somebody else said it, in whatever language."""

    text: str
    foreign: bool = False


Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with blanks: the text before, between and behind them."""

    key: str
    literals: tuple[str, ...]
    blanks: tuple[str, ...]

    @property
    def letters(self) -> int:
        """Count what it says itself."""
        return sum(one.isalpha() for literal in self.literals for one in literal)

    def match(self, text: str) -> dict[str, str] | None:
        """Give what stands in the blanks, each as short as it can be; in linear time, whatever the text."""
        first, *between = self.literals
        last = between.pop()
        if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
            return None
        at, end, filled = len(first), len(text) - len(last), []
        for literal in between:
            found = text.find(literal, at + 1, end)
            if found < 0:
                return None
            filled.append(text[at:found])
            at = found + len(literal)
        filled.append(text[at:end])
        found_in = dict(zip(self.blanks, filled, strict=True))
        fits = all(value and (name not in _TOKENS or not _spaced(value)) for name, value in found_in.items())
        return found_in if fits else None


def _spaced(text: str) -> bool:
    return any(one.isspace() for one in text)


def _sentence(key: str, english: str) -> Sentence:
    literals, blanks = [""], []
    for literal, name, _, _ in Formatter().parse(english):
        literals[-1] += literal
        if name is not None:
            blanks.append(name)
            literals.append("")
    return Sentence(key, tuple(literals), tuple(blanks))


@dataclass(frozen=True, slots=True)
class Table:
    """All sentences: those without blanks by their text, the others with what they say most first."""

    whole: Mapping[str, str]
    telling: Sequence[Sentence]
    generic: Sequence[Sentence]
    opening: Mapping[str, Sequence[Sentence]]
    """Those of `telling` that a text may be, by its first character; "": of any other."""


@lru_cache(maxsize=1)
def table() -> Table:
    """Give the sentences in English."""
    plays = {f"play.{kind}": advice for kind, advice in playbook()}
    told = {key: text for key, text in words(DEFAULT).texts.items() if key.startswith("sentence.")}
    blank = [_sentence(key, text) for key, text in told.items() if "{" in text]
    whole = {text: key for key, text in {**EXPLANATIONS, **plays, **told}.items() if "{" not in text}
    ordered = sorted(blank, key=lambda one: -one.letters)
    telling = [one for one in ordered if one.letters >= _GENERIC]
    generic = [one for one in ordered if one.letters < _GENERIC]
    opening = {
        first: [one for one in telling if one.literals[0][:1] in ("", first)]
        for first in {one.literals[0][:1] for one in telling} | {""}
    }
    return Table(whole, telling, generic, opening)


@lru_cache(maxsize=8192)
def _known(language: str, text: str, depth: int = 0) -> Pieces | None:
    """Translate a text that the table knows; None when it does not."""
    if len(text) > _LONGEST or depth > _DEPTH:
        return None
    found = table()
    key = found.whole.get(text)
    if key is not None:
        return (Piece(words(language)(key)),)
    return (
        _first(language, text, depth, found.opening.get(text[:1], found.opening[""]))
        or _joined(language, text, depth)
        or _first(language, text, depth, found.generic)
    )


def _first(language: str, text: str, depth: int, sentences: Sequence[Sentence]) -> Pieces | None:
    for sentence in sentences:
        blanks = sentence.match(text)
        if blanks is None:
            continue
        filled = {name: _filled(language, name, value, depth) for name, value in blanks.items()}
        if None not in filled.values():
            return tuple(_written(words(language)(sentence.key), filled))
    return None


def _filled(language: str, name: str, value: str, depth: int) -> Pieces | None:
    if name in _STRICT:
        return _known(language, value, depth + 1)
    if name in _LOOSE:
        return _known(language, value, depth + 1) or (Piece(value),)
    return (Piece(value, foreign=name in _QUOTED),)


def _written(template: str, filled: Mapping[str, Pieces | None]) -> Iterator[Piece]:
    for literal, name, _, _ in Formatter().parse(template):
        if literal:
            yield Piece(literal)
        if name is not None:
            yield from filled[name] or ()


def _joined(language: str, text: str, depth: int) -> Pieces | None:
    """Translate several sentences, or a list of records, of which each part is known."""
    for joint in _JOINTS:
        if joint not in text:
            continue
        parts = [_part(language, one, depth) for one in text.split(joint)]
        if None in parts:
            continue
        between = _AND.get(language, joint) if joint == " and " else joint
        pieces: list[Piece] = []
        for number, part in enumerate(parts):
            pieces += [Piece(between)] if number else []
            pieces += part or ()
        return tuple(pieces)
    return None


def _part(language: str, text: str, depth: int) -> Pieces | None:
    return (Piece(text),) if _RECORD.fullmatch(text) else _known(language, text, depth + 1)


def pieces(language: str, text: str) -> Pieces:
    """Give a text of the machinery in a language; what is not known is given as it is."""
    if language == DEFAULT or not text:
        return (Piece(text),)
    known = _known(language, text)
    if known is not None:
        return known
    code = _REPLY.match(text)
    if code is None:
        return (Piece(text),)
    # An SMTP reply: the relay's own is known, a server's stays as it was said.
    rest = _known(language, text[code.end() :])
    return (Piece(text, foreign=True),) if rest is None else (Piece(code[0]), *rest)


def is_known(text: str) -> bool:
    """Tell whether the table knows a text; an SMTP reply by what stands behind its codes."""
    code = _REPLY.match(text)
    return _known("sv", text[code.end() if code else 0 :]) is not None


def in_english(key: str, **values: object) -> str:
    """Give a sentence as it is stored: what the page itself gives as a reason."""
    return words(DEFAULT)(f"sentence.{key}", **values)


def plain(text_words: Words, text: str) -> str:
    """Give it as text, for mail and for blanks of other texts."""
    return "".join(piece.text for piece in pieces(text_words.language, text))


def markup(text_words: Words, text: object) -> Markup:
    """Give it as HTML, with what is foreign marked (HTML, the lang attribute; WCAG 3.1.2)."""
    told = pieces(text_words.language, str(text))
    return Markup("").join(_marked(piece) for piece in told)


def _marked(piece: Piece) -> Markup:
    return Markup('<span lang="en">{}</span>').format(piece.text) if piece.foreign else escape(piece.text)
