"""Regular expressions over subjects that answer in time linear in the subject, and all together in a bounded time.

Pure. Python's `re` can take longer than the age of the universe over `(a+)+$`; one such setting would stop all
mail. Patterns that cannot grow are given to `re`; all others run here as a Thompson automaton, which reads each
character once. What needs looking back or ahead is refused.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from relay.errors import RelayError

MAXIMUM_PATTERN = 500
"""Characters of a pattern."""
MAXIMUM_STATES = 1000
"""States of an automaton; a count such as {1,50} multiplies them."""
MAXIMUM_SUBJECT = 998
"""Characters of a subject that are looked at."""
MAXIMUM_EFFORT = 100_000
"""States that are looked at for one subject, by all patterns together: a fifth of a second at the worst."""
_MAXIMUM_DEPTH = 50
_MAXIMUM_PATHS = 32
_TOO_MANY = 1000
_CHEAP = 5_000
_STEPS = 300
"""So many steps of `re` take as long as one state here."""

_TOKEN = re.compile(
    r"""(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])
      | (?P<look>\(\?(?!:|P<\w+>|i\)))
      | (?P<flag>\(\?i\))
      | (?P<open>\((?:\?:|\?P<\w+>)?)
      | (?P<close>\))
      | (?P<bar>\|)
      | (?P<repeat>(?:[*+?]|\{\d+\}|\{\d*,\d+\}|\{\d+,\})(?P<style>[+?]?))
      | (?P<place>[\^$]|\\[AZbB])
      | (?P<class>\\[dDwWsStnrfv]|\\[^A-Za-z0-9])
      | (?P<unknown>\\.?)
      | (?P<plain>.)""",
    re.VERBOSE | re.DOTALL,
)


class PatternError(RelayError):
    """The pattern cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class _Character:
    """One character that fits the pattern of a single one."""

    fits: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class _Place:
    """A place between two characters: ^ $ or a word's edge."""

    kind: str


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: "tuple[_Node, ...]"


@dataclass(frozen=True, slots=True)
class _Choice:
    options: "tuple[_Node, ...]"


@dataclass(frozen=True, slots=True)
class _Repeat:
    part: "_Node"
    least: int
    most: int | None


_Node = _Character | _Place | _Sequence | _Choice | _Repeat


@dataclass(frozen=True, slots=True)
class _State:
    """A state of the automaton: a test to pass, and where it leads; without a test it leads there at once."""

    test: _Character | _Place | None
    out: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SubjectPattern:
    """A compiled pattern and the rule it comes from."""

    rule: str
    quick: re.Pattern[str] | None
    """For `re`, where the text is not too long for it."""
    weight: int
    """Steps that `re` takes at most at each place where it begins, for each length of the one repeat."""
    anchored: bool
    """Whether it begins at one place alone."""
    grows: bool
    """Whether there is a repeat."""
    states: tuple[_State, ...]
    start: int

    def search(self, text: str, effort: int) -> tuple[bool, int]:
        """Say whether the pattern occurs in a text, case does not count, and what is left of the effort.

        Less than nothing is left when that did not do: then it may occur all the same.
        """
        tries = (1 if self.anchored else len(text)) * (len(text) if self.grows else 1)
        if self.grows and not self.anchored:
            tries = tries // 2 + 1  # what begins later has less to grow into
        cost = self.weight * tries // _STEPS + 1
        if self.quick is not None and cost <= _CHEAP:
            return effort >= cost and self.quick.search(text) is not None, effort - cost
        here: set[int] = set()
        for at in range(len(text) + 1):
            here = self._reached({*here, self.start}, text, at)
            effort -= len(here)
            if 0 in here or effort < 0:
                return 0 in here, effort
            here = {one for state in here for one in self._after(state, text[at : at + 1])}
        return False, effort

    def _reached(self, states: set[int], text: str, at: int) -> set[int]:
        """Add every state that is reached without reading a character."""
        reached: set[int] = set()
        waiting = list(states)
        while waiting:
            number = waiting.pop()
            state = self.states[number]
            if number in reached:
                continue
            reached.add(number)
            if state.test is None or (isinstance(state.test, _Place) and _is_at(state.test.kind, text, at)):
                waiting.extend(state.out)
        return reached

    def _after(self, number: int, character: str) -> tuple[int, ...]:
        state = self.states[number]
        fits = isinstance(state.test, _Character) and character and state.test.fits(character)
        return state.out if fits else ()


@dataclass(frozen=True, slots=True)
class Found:
    """What a subject came to."""

    rule: str
    too_costly: bool = False
    """The patterns from this one on could not be compared with it, since they take too long."""


def find_subject(patterns: Sequence[SubjectPattern], subject: str) -> Found | None:
    """Give the first pattern that occurs in the first 998 characters of a subject, or at which the effort ended."""
    text, effort = subject[:MAXIMUM_SUBJECT], MAXIMUM_EFFORT
    for pattern in patterns:
        fits, effort = pattern.search(text, effort)
        if fits or effort < 0:
            return Found(pattern.rule, not fits)
    return None


def compile_subject(pattern: str, rule: str) -> SubjectPattern:
    """Compile one pattern. Raises PatternError for what is no regular expression, or one that is not offered."""
    if len(pattern) > MAXIMUM_PATTERN:
        raise PatternError(f"is longer than {MAXIMUM_PATTERN} characters")
    try:
        checked = re.compile(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError, FutureWarning) as exc:
        raise PatternError(f"is not a regular expression: {exc}") from exc
    node = _Reader(pattern).read()
    states: list[_State] = [_State(_Place("never"), ())]  # 0: the pattern has been found
    start = _build(node, 0, states)
    paths, repeats = _paths(node), [one for one in _repeats(node) if one.most != 1]
    quick = paths <= _MAXIMUM_PATHS and len(repeats) <= 1
    weight = paths * len(states) if quick else 0
    return SubjectPattern(
        rule, checked if quick else None, weight, _is_anchored(node), bool(repeats), tuple(states), start
    )


class _Reader:
    """Reads a pattern that `re` has accepted into nodes, by descent."""

    def __init__(self, pattern: str) -> None:
        self._tokens = list(_TOKEN.finditer(pattern))
        self._at = 0
        self._depth = 0

    def read(self) -> _Node:
        """Give the whole pattern as one node. Raises PatternError for what is not offered."""
        return self._choice()

    def _choice(self) -> _Node:
        self._depth += 1
        if self._depth > _MAXIMUM_DEPTH:
            raise PatternError("has too many groups within groups")
        options = [self._sequence()]
        while self._next_is("bar"):
            self._at += 1
            options.append(self._sequence())
        self._depth -= 1
        return options[0] if len(options) == 1 else _Choice(tuple(options))

    def _next_is(self, *kinds: str) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at].lastgroup in kinds

    def _sequence(self) -> _Node:
        parts: list[_Node] = []
        while self._at < len(self._tokens) and not self._next_is("bar", "close"):
            token = self._tokens[self._at]
            self._at += 1
            if token["repeat"]:
                parts.append(_repeated(parts.pop(), token))
            elif not token["flag"]:
                parts.append(self._part(token))
        return _Sequence(tuple(parts))

    def _part(self, token: re.Match[str]) -> _Node:
        if token["open"]:
            inner = self._choice()
            self._at += 1  # the closing parenthesis, which `re` has seen to
            return inner
        if token["look"] or token["unknown"]:
            raise PatternError(f"uses {token[0]}, which is not offered for subjects")
        return _Place(token[0]) if token["place"] else _Character(_single(token[0]))


def _repeated(part: _Node, token: re.Match[str]) -> _Repeat:
    if token["style"] == "+":
        raise PatternError(
            f"uses {token[0]}, which is not offered for subjects; write it without the second +"
        )
    counts = {"*": (0, None), "+": (1, None), "?": (0, 1)}
    text = token["repeat"].removesuffix("?") if len(token["repeat"]) > 1 else token["repeat"]
    if text in counts:
        return _Repeat(part, *counts[text])
    least, comma, most = text.strip("{}").partition(",")
    return _Repeat(part, int(least or 0), int(least) if not comma else int(most) if most else None)


@lru_cache(maxsize=1024)
def _single(pattern: str) -> Callable[[str], object]:
    """Give the test for one character, by the rules of `re`."""
    return re.compile(pattern, re.IGNORECASE | re.DOTALL).fullmatch


def _paths(node: _Node) -> int:
    """Count the ways through a node that `re` may try one after the other; the repeat of one character is one way."""
    match node:
        case _Character() | _Place():
            return 1
        case _Sequence(parts):
            return math.prod(min(_paths(part), _TOO_MANY) for part in parts)
        case _Choice(options):
            return sum(_paths(option) for option in options)
        case _Repeat(part, _, most):
            return (2 if most == 1 else 1) if isinstance(part, _Character) else _TOO_MANY


def _is_anchored(node: _Node) -> bool:
    first = node.parts[0] if isinstance(node, _Sequence) and node.parts else node
    return isinstance(first, _Place) and first.kind in ("^", r"\A")


def _repeats(node: _Node) -> list[_Repeat]:
    match node:
        case _Sequence(parts) | _Choice(parts):
            return [repeat for part in parts for repeat in _repeats(part)]
        case _Repeat(part):
            return [node, *_repeats(part)]
        case _Character() | _Place():
            return []


def _build(node: _Node, out: int, states: list[_State]) -> int:
    """Add the states of a node that go on to `out`, and give the first of them."""
    match node:
        case _Character() | _Place():
            return _add(_State(node, (out,)), states)
        case _Sequence(parts):
            for part in reversed(parts):
                out = _build(part, out, states)
            return out
        case _Choice(options):
            return _add(_State(None, tuple(_build(option, out, states) for option in options)), states)
        case _Repeat(part, least, most):
            return _build_repeat(part, least, most, out, states)


def _build_repeat(part: _Node, least: int, most: int | None, out: int, states: list[_State]) -> int:
    first = out
    if most is None:
        first = _add(_State(None, ()), states)
        states[first] = _State(None, (_build(part, first, states), out))
    for _ in range(0 if most is None else most - least):
        first = _add(_State(None, (_build(part, first, states), out)), states)
    for _ in range(least):
        before = first
        first = _build(part, first, states)
        if first == before:  # an empty group: any number of it is none
            break
    return first


def _add(state: _State, states: list[_State]) -> int:
    if len(states) >= MAXIMUM_STATES:
        raise PatternError("is too large; its repeat counts are too high")
    states.append(state)
    return len(states) - 1


def _is_at(kind: str, text: str, at: int) -> bool:
    match kind:
        case "^" | r"\A":
            return at == 0
        case "$" | r"\Z":
            return at == len(text)
        case r"\b" | r"\B":
            return (_is_word(text[at - 1 : at]) != _is_word(text[at : at + 1])) == (kind == r"\b")
        case _:
            return False


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
