"""Read the settings file and the files it includes, and tell where in them each setting stands."""

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from relay.config import tree
from relay.config.explain import Finding
from relay.config.tree import Node
from relay.errors import ConfigError, Problem

MAXIMUM_FILES = 10_000
_OF_INCLUDED = ("users",)


@dataclass(slots=True)
class Sources:
    """All that was read: one tree, with every user's own file remembered."""

    path: Path
    root: Node
    problems: list[Problem]
    files: list[str] = field(default_factory=list)
    """Every file that was read, in order, as problems name them."""
    users: list[tuple[str, int]] = field(default_factory=list)
    """For each user the file, and the number among the users of that file."""

    def plain(self) -> dict[str, tree.Plain]:
        """Give the settings without their places."""
        value = tree.plain(self.root)
        return value if isinstance(value, dict) else {}

    def problem(self, finding: Finding) -> Problem:
        """Tell where a finding stands."""
        line, column = tree.find(self.root, finding.path, key=finding.at_key)
        file, path = self._own(finding.path)
        return Problem(file, line, column, tree.path_text(path), finding.text, finding.severity)

    def place(self, path: tree.Path) -> str:
        """Give the "file:line" of a path or its nearest ancestor."""
        line, _ = tree.find(self.root, path, key=True)
        return f"{self._label(self._own(path)[0])}:{line}"

    def places(self) -> dict[str, str]:
        """Give the "file:line" of every setting that was written, by its path."""
        users = self.root.value.get("users") if isinstance(self.root.value, dict) else None
        found = dict(tree.places(self.root, self.path.name, skip="users" if self.users else None))
        if users is not None and isinstance(users.value, list):
            found["users"] = f"{self.path.name}:{self.root.keys['users'][0]}"
            for number, (node, (file, _)) in enumerate(zip(users.value, self.users, strict=True)):
                label = self._label(file)
                found[f"users.{number}"] = f"{label}:{node.line}"
                found.update(tree.places(node, label, f"users.{number}"))
        return found

    def sort(self, problems: list[Problem]) -> tuple[Problem, ...]:
        """Put problems in the order in which they are met when the files are read."""
        order = {file: number for number, file in enumerate(self.files)}
        return tuple(sorted(problems, key=lambda one: (order.get(one.file, 0), one)))

    def _own(self, path: tree.Path) -> tuple[str, tree.Path]:
        """Give the file that a path stands in, and the path as it counts there."""
        match path:
            case ("users", int(number), *rest) if number < len(self.users):
                file, own = self.users[number]
                return file, ("users", own, *rest)
            case _:
                return str(self.path), path

    def _label(self, file: str) -> str:
        """Name a file as rules do: relative to the folder of the settings."""
        if file == str(self.path):
            return self.path.name
        return os.path.relpath(file, self.path.parent)


def read_sources(path: Path) -> Sources:
    """Read the file and what it includes. Raises ConfigError when the main file holds no settings at all."""
    root, problems = _read_file(path)
    if root is None or not isinstance(root.value, dict):
        if not problems:
            what = "is empty; `relay config` commands and config.example.yaml show what it may hold"
            line, column = (root.line, root.column) if root else (1, 1)
            problems = [
                Problem(str(path), line, column, "", "must be a mapping of settings" if root else what)
            ]
        raise ConfigError(tuple(sorted(problems)))
    sources = Sources(path, root, problems, [str(path)])
    users = root.value.get("users")
    if users is None or isinstance(users.value, list):
        sources.users = [(str(path), number) for number in range(len(users.value or ()) if users else 0)]
        _include(sources, root.value)
    return sources


def _read_file(path: Path) -> tuple[Node | None, list[Problem]]:
    name = str(path)
    try:
        with path.open("rb") as file:
            octets = file.read(tree.MAXIMUM_OCTETS + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return None, [Problem(name, 1, 1, "", f"cannot be read: {reason}")]
    if len(octets) > tree.MAXIMUM_OCTETS:
        return None, [Problem(name, 1, 1, "", f"is larger than {tree.MAXIMUM_OCTETS // 1024**2} MiB")]
    try:
        text = octets.decode()
    except UnicodeDecodeError as error:
        line, column = tree.place_of(octets[: error.start].decode(), error.start)
        return None, [Problem(name, line, column, "", "is not UTF-8; save the file in that encoding")]
    return tree.read_tree(text, name)


def _include(sources: Sources, settings: dict[str, Node]) -> None:
    node = settings.get("include")
    if node is None or not isinstance(node.value, list):
        return
    merged: list[Node] = list(_items(settings.get("users")))
    for file in _matching(sources, node):
        root, problems = _read_file(file)
        sources.files.append(str(file))
        sources.problems += problems
        if root is None:
            continue
        users = _users_of(sources, root, str(file))
        sources.users += [(str(file), number) for number in range(len(users))]
        merged += users
    if merged or "users" in settings:
        place = settings.get("users", node)
        settings["users"] = Node(list(merged), place.line, place.column)
        sources.root.keys.setdefault("users", (place.line, place.column))


def _items(node: Node | None) -> list[Node]:
    return node.value if node is not None and isinstance(node.value, list) else []


def _matching(sources: Sources, node: Node) -> Iterator[Path]:
    """Give each included file once, in the order of the globs and then of the names."""
    seen = {sources.path.resolve()}
    for number, item in enumerate(node.value or ()):
        if not isinstance(item, Node) or not isinstance(item.value, str):
            continue  # pydantic says so
        at = (str(sources.path), item.line, item.column, f"include.{number}")
        found = _glob(sources.path.parent, item.value)
        if not found and not glob.has_magic(item.value):
            sources.problems.append(Problem(*at, f'"{item.value}" is no file'))
        for file in found:
            if len(seen) > MAXIMUM_FILES:
                sources.problems.append(Problem(*at, f"brings in more than {MAXIMUM_FILES} files"))
                return
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield file


def _glob(folder: Path, pattern: str) -> list[Path]:
    if not pattern or "\x00" in pattern:
        return []
    whole = os.path.join(glob.escape(str(folder)), pattern)
    return [Path(name) for name in sorted(glob.glob(whole)) if os.path.isfile(name)]


def _users_of(sources: Sources, root: Node, file: str) -> list[Node]:
    if not isinstance(root.value, dict):
        sources.problems.append(Problem(file, root.line, root.column, "", "must be a mapping with users:"))
        return []
    for name in root.value.keys() - set(_OF_INCLUDED):
        text = "may only stand in the main file; an included one holds users: alone"
        sources.problems.append(Problem(file, *root.keys[name], name, text))
    users = root.value.get("users")
    if users is not None and users.value is not None and not isinstance(users.value, list):
        sources.problems.append(Problem(file, users.line, users.column, "users", "must be a list of users"))
    return _items(users)
