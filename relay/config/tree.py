"""Read YAML text into a tree of mappings, lists and raw text that remembers where everything stands.

Pure. Only this file imports PyYAML. Scalars stay the text that was written, so `off`, `12:30` and `007` mean what
the setting makes of them; plain `null`, `~` and nothing are None. Built from parser events rather than from
PyYAML's node graph: events need no recursion, so that depth, aliases and size are bounded while reading.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from relay.errors import Problem

MAXIMUM_OCTETS = 8 * 1024 * 1024
"""The largest settings file."""
MAXIMUM_DEPTH = 32
"""How deep mappings and lists may be nested; the settings need eight."""
MAXIMUM_NODES = 300_000
"""How many values a file may hold, each alias counted as what it stands for."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE_TAGS = frozenset({None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq"))})
# What YAML 1.1 forbids, and the line breaks of its own that no editor counts as lines.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_BREAKS = re.compile(r"\r\n|[\r\n]")
_NO_TEXT = frozenset({"", "~", "null"})

Value = str | list["Node"] | dict[str, "Node"] | None
Plain = str | list["Plain"] | dict[str, "Plain"] | None
Path = tuple[str | int, ...]


@dataclass(slots=True)
class Node:
    """A value with its place (1-based) and, for a mapping, the places of its keys."""

    value: Value
    line: int
    column: int
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    size: int = 1


class _Stop(Exception):
    """Reading cannot go on."""


@dataclass(slots=True)
class _Open:
    """A mapping or list that has not ended yet."""

    node: Node
    anchor: str | None
    key: tuple[str, int, int] | None = None
    dropped: bool = False
    """The value that comes next belongs to a key that was refused."""


class _Builder:
    """Puts one document together from events; notes what is wrong and goes on where it can."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.root: Node | None = None
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._nodes = 0

    def feed(self, event: yaml.Event) -> None:
        """Take one event of the parser."""
        match event:
            case yaml.DocumentStartEvent() if self.root is not None:
                self._wrong(event, "a second document starts here; settings are one document")
                raise _Stop
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.SequenceStartEvent():
                self._open(event, Node([], *_place(event)))
            case yaml.MappingStartEvent():
                self._open(event, Node({}, *_place(event)))
            case yaml.CollectionEndEvent():
                self._close()
            case _:
                pass  # the stream's and the document's own beginning and end

    def _wrong(self, event: yaml.Event, text: str, path: str | None = None) -> None:
        line, column = _place(event)
        shown = path_text(self._path()) if path is None else path
        self.problems.append(Problem(self.file, line, column, shown, text))

    def _path(self) -> Path:
        steps: list[str | int] = []
        for frame in self._stack:
            if isinstance(frame.node.value, list):
                steps.append(len(frame.node.value))
            elif frame.key is not None:
                steps.append(frame.key[0])
        return tuple(steps)

    def _count(self, event: yaml.Event, size: int) -> None:
        self._nodes += size
        if self._nodes > MAXIMUM_NODES:
            self._wrong(event, f"there are more than {MAXIMUM_NODES} values, aliases counted; split the file")
            raise _Stop

    def _check_tag(self, event: yaml.NodeEvent, tag: str | None) -> None:
        if tag not in _CORE_TAGS:
            self._wrong(event, f"the tag {_short(str(tag))} is not known here; remove it")

    def _alias(self, event: yaml.AliasEvent) -> None:
        node = self._anchors.get(event.anchor or "")
        if node is None:
            self._wrong(event, f"*{event.anchor} stands for nothing; no &{event.anchor} ended before it")
            node = Node(None, *_place(event))
        self._count(event, node.size)
        self._add(event, node)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._count(event, 1)
        self._check_tag(event, event.tag)
        plain = event.implicit[0] and not event.style
        text = None if plain and event.value in _NO_TEXT else event.value
        node = Node(text, *_place(event))
        if event.anchor:
            self._anchors[event.anchor] = node
        self._add(event, node)

    def _open(self, event: yaml.CollectionStartEvent, node: Node) -> None:
        self._count(event, 1)
        self._check_tag(event, event.tag)
        if len(self._stack) >= MAXIMUM_DEPTH:
            self._wrong(event, f"is nested more than {MAXIMUM_DEPTH} levels deep")
            raise _Stop
        self._stack.append(_Open(node, event.anchor))

    def _close(self) -> None:
        frame = self._stack.pop()
        if frame.anchor:
            self._anchors[frame.anchor] = frame.node
        self._add(None, frame.node)

    def _add(self, event: yaml.Event | None, node: Node) -> None:
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        frame.node.size += node.size
        if isinstance(frame.node.value, list):
            frame.node.value.append(node)
        elif isinstance(frame.node.value, dict):
            if frame.key is None and not frame.dropped:
                self._key(frame, node)
            else:
                self._value(frame, frame.node.value, node)

    def _key(self, frame: _Open, node: Node) -> None:
        key = node.value
        if not isinstance(key, str):
            what = "is empty" if key is None else "is a mapping or a list"
            self._key_problem(node, f"a key {what}; it must be the name of a setting")
            frame.dropped = True
        elif key in frame.node.keys:
            line, column = frame.node.keys[key]
            frame.key = (key, node.line, node.column)
            self._key_problem(node, f"is set twice; the first is at {line}:{column}")
            frame.key, frame.dropped = None, True
        else:
            frame.key = (key, node.line, node.column)

    def _key_problem(self, node: Node, text: str) -> None:
        self.problems.append(Problem(self.file, node.line, node.column, path_text(self._path()), text))

    def _value(self, frame: _Open, mapping: dict[str, Node], node: Node) -> None:
        if frame.key is not None:
            name, line, column = frame.key
            mapping[name] = node
            frame.node.keys[name] = (line, column)
        frame.key, frame.dropped = None, False


def read_tree(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """Read one document. None without problems: there is nothing in it. Never raises."""
    if unprintable := _UNPRINTABLE.search(text.removeprefix("\ufeff")):
        offset = unprintable.start() + text.startswith("\ufeff")
        what = f"the character U+{ord(text[offset]):04X} may not stand in YAML; write it as an escape in double quotes"
        return None, [Problem(file, *place_of(text, offset), "", what)]
    builder = _Builder(file)
    try:
        for event in _events(text.removeprefix("\ufeff")):
            builder.feed(event)
    except _Stop:
        return None, builder.problems
    except yaml.MarkedYAMLError as error:
        return None, [*builder.problems, _syntax_problem(error, text, file)]
    except yaml.YAMLError as error:
        return None, [*builder.problems, Problem(file, 1, 1, "", f"is not YAML: {_short(str(error))}")]
    return builder.root, builder.problems


def _events(text: str) -> Iterator[yaml.Event]:
    yield from yaml.parse(text, Loader=_Loader)


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    lines = max(len(_BREAKS.split(text)) - (1 if text.endswith(("\n", "\r")) else 0), 1)
    marks = [mark for mark in (error.problem_mark, error.context_mark) if mark is not None]
    line, column = next(
        # The end of the file is told as the line behind the last one: then where it began says more.
        ((mark.line + 1, mark.column + 1) for mark in marks if mark.line < lines),
        (lines, 1),
    )
    if error.problem_mark is not None and text.removeprefix("\ufeff")[error.problem_mark.index :].startswith(
        "\t"
    ):
        return Problem(file, line, column, "", "is not YAML: here is a tab; indent with spaces")
    context = f" {error.context}" if error.context else ""
    return Problem(file, line, column, "", f"is not YAML: {error.problem or 'it cannot be read'}{context}")


def place_of(text: str, offset: int) -> tuple[int, int]:
    """Give the line and column (1-based) of an offset in a text."""
    before = _BREAKS.split(text[:offset])
    return len(before), len(before[-1]) + 1


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


def plain(node: Node) -> Plain:
    """Give the tree without its places: dict, list, str and None."""
    value = node.value
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [plain(child) for child in value]
    return value


def find(node: Node, path: Path, *, key: bool = False) -> tuple[int, int]:
    """Give the place of the value at a path - with `key`, of the last key -, or of its nearest ancestor."""
    place = (node.line, node.column)
    for index, step in enumerate(path):
        last = index == len(path) - 1
        if isinstance(node.value, dict) and isinstance(step, str) and step in node.value:
            if last and key:
                return node.keys[step]
            node = node.value[step]
        elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
        else:
            break
        place = (node.line, node.column)
    return place


def path_text(path: Path) -> str:
    """Write a path as it is shown: users.0.mode."""
    return ".".join(str(step) for step in path)


def places(node: Node, file: str, path: str = "", skip: str | None = None) -> Iterator[tuple[str, str]]:
    """Give the path and the place, "file:line", of every setting below a node but for the one to skip."""
    if isinstance(node.value, dict):
        for key, child in node.value.items():
            if key == skip:
                continue
            below = f"{path}.{key}" if path else key
            yield below, f"{file}:{node.keys[key][0]}"
            if not isinstance(child.value, str):
                yield from places(child, file, below)
    elif isinstance(node.value, list):
        for index, child in enumerate(node.value):
            below = f"{path}.{index}" if path else str(index)
            yield below, f"{file}:{child.line}"
            if not isinstance(child.value, str):
                yield from places(child, file, below)
