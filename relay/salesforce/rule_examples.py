"""Examples of mail with what must become of it, written in YAML beside the settings: tests of the rules.

Pure. An example is decided by the rules alone; nothing is sent, and Salesforce is not asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from relay.config.tree import Node, Plain, find, plain, read_tree
from relay.directory.model import Directory, Rep
from relay.errors import AddressError, ConfigError, Problem
from relay.policy.rules import Rules
from relay.salesforce.explaining import Explanation, explain, tried
from relay.salesforce.recipients import address_key

_KEYS = frozenset({"name", "as", "from", "to", "cc", "bcc", "subject", "headers", "expect"})
_EXPECTED = frozenset({"outcome", "rule", "mode", "relate"})
_OUTCOMES = ("log", "skipped", "refused", "given")


@dataclass(frozen=True, slots=True)
class Example:
    """One mail, and what is expected of it."""

    name: str
    place: str
    """Where it is written: "relay-tests.yaml:12"."""
    rep: str
    sender: str | None
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    subject: str
    headers: Mapping[str, str]
    outcome: str
    rule: str
    mode: str
    relate: tuple[str, ...] | None
    """Exactly the recipients that the record is looked up for; None: not asked."""


@dataclass(frozen=True, slots=True)
class Result:
    """How an example came out."""

    example: Example
    problems: tuple[str, ...]
    """What is not as expected; empty: it passed."""
    explanation: Explanation | None


def read_examples(text: str, file: str) -> tuple[Example, ...]:
    """Read a file of examples. Raises ConfigError with every mistake in it, each with its place."""
    root, problems = read_tree(text, file)
    if problems:
        raise ConfigError(tuple(problems))
    reader = _Reader(file)
    examples = reader.examples(root)
    if reader.problems:
        raise ConfigError(tuple(reader.problems))
    return examples


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self.problems: list[Problem] = []

    def examples(self, root: Node | None) -> tuple[Example, ...]:
        tests = root.value.get("tests") if root is not None and isinstance(root.value, dict) else None
        if root is None or tests is None or not isinstance(tests.value, list):
            self._wrong(root, "", "must begin with `tests:` and a list of examples")
            return ()
        for key in root.keys:
            if key != "tests":
                self._wrong(root, key, "is not known here; there is only `tests`")
        return tuple(one for number, node in enumerate(tests.value) if (one := self._example(node, number)))

    def _wrong(self, node: Node | None, path: str, text: str) -> None:
        line, column = (node.line, node.column) if node is not None else (1, 1)
        self.problems.append(Problem(self._file, line, column, path, text))

    def _example(self, node: Node, number: int) -> Example | None:
        path, before = f"tests.{number}", len(self.problems)
        given = plain(node)
        if not isinstance(given, dict):
            self._wrong(node, path, "must be a mapping with as, to and expect")
            return None
        self._known(node, given, _KEYS, path)
        expect = given.get("expect")
        if not isinstance(expect, dict) or expect.get("outcome") not in _OUTCOMES:
            self._wrong_outcome(node, expect.get("outcome") if isinstance(expect, dict) else None, path)
            return None
        self._known(node, expect, _EXPECTED, f"{path}.expect")
        rep = self._text(node, given, "as", path)
        if not rep:
            self._wrong(node, f"{path}.as", "is required: the login of a rep")
        lists = {key: self._list(node, given, key, path) for key in ("to", "cc", "bcc")}
        if not any(lists.values()):
            self._wrong(node, f"{path}.to", "is required: somebody must get the mail")
        related = self._list(node, expect, "relate", f"{path}.expect") if "relate" in expect else None
        headers = given.get("headers")
        example = Example(
            name=self._text(node, given, "name", path) or f"example {number + 1}",
            place=f"{self._file}:{find(node, ())[0]}",
            rep=rep,
            sender=self._text(node, given, "from", path) or None,
            to=lists["to"],
            cc=lists["cc"],
            bcc=lists["bcc"],
            subject=self._text(node, given, "subject", path),
            headers={key: str(value or "") for key, value in headers.items()}
            if isinstance(headers, dict)
            else {},
            outcome=str(expect["outcome"]),
            rule=self._text(node, expect, "rule", f"{path}.expect"),
            mode=self._text(node, expect, "mode", f"{path}.expect"),
            relate=related,
        )
        return example if len(self.problems) == before else None

    def _wrong_outcome(self, node: Node, given: Plain, path: str) -> None:
        line, column = find(node, ("expect", "outcome"))
        known = ", ".join(_OUTCOMES)
        text = f'"{given}" is not one of {known}' if isinstance(given, str) else f"is required: {known}"
        self.problems.append(Problem(self._file, line, column, f"{path}.expect.outcome", text))

    def _known(self, node: Node, given: Mapping[str, Plain], known: frozenset[str], path: str) -> None:
        for key in given:
            if key not in known:
                self._wrong(node, f"{path}.{key}", f"is not known here; there are {', '.join(sorted(known))}")

    def _text(self, node: Node, given: Mapping[str, Plain], key: str, path: str) -> str:
        value = given.get(key)
        if value is None or isinstance(value, str):
            return value or ""
        self._wrong(node, f"{path}.{key}", "must be a text")
        return ""

    def _list(self, node: Node, given: Mapping[str, Plain], key: str, path: str) -> tuple[str, ...]:
        value = given.get(key)
        if value is None:
            return ()
        if isinstance(value, str):
            return (value,)
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(str(one) for one in value)
        self._wrong(node, f"{path}.{key}", "must be a list of addresses")
        return ()


def run_example(example: Example, directory: Directory, rules: Rules) -> Result:
    """Decide about one example, and say what is not as expected."""
    rep = directory.by_login(example.rep)
    if rep is None:
        return Result(example, (f"there is no rep {example.rep!r}",), None)
    try:
        mail = tried(_wire(example, rep), rep, (*example.to, *example.cc, *example.bcc), example.sender)
    except AddressError as error:
        return Result(example, (str(error),), None)
    explanation = explain(mail, rules)
    return Result(example, tuple(_differences(example, explanation)), explanation)


def _differences(example: Example, explanation: Explanation) -> list[str]:
    problems = []
    if explanation.outcome != example.outcome:
        problems.append(
            f"the outcome is {explanation.outcome}, not {example.outcome}: {explanation.why} [{explanation.rule}]"
        )
    if example.rule and not rule_fits(example.rule, explanation.rule):
        problems.append(f"the rule is {explanation.rule}, not {example.rule}")
    if example.mode and example.mode != explanation.mode:
        problems.append(f"the mode is {explanation.mode}, not {example.mode}")
    if example.relate is not None:
        wanted, found = (
            sorted(map(address_key, example.relate)),
            sorted(map(address_key, explanation.looked_up)),
        )
        if explanation.outcome != "log":
            found = []
        if wanted != found:
            problems.append(
                f"it is related to {', '.join(found) or 'nobody'}, not {', '.join(wanted) or 'nobody'}"
            )
    return problems


def rule_fits(expected: str, rule: str) -> bool:
    """Say whether a rule such as "logging.exclude.internal (config.yaml:31)" is meant by "exclude.internal"."""
    path = rule.partition(" (")[0]
    return f".{expected}." in f".{path}."


def _wire(example: Example, rep: Rep) -> bytes:
    fields = {
        "From": example.sender or str(rep.addresses[0]),
        "To": ", ".join(example.to),
        "Cc": ", ".join(example.cc),
        "Subject": example.subject,
        **example.headers,
    }
    lines = [f"{name}: {' '.join(value.split())}" for name, value in fields.items() if value]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace")


def run_examples(
    examples: Sequence[Example], directory: Directory, rules: Rules, wanted: Callable[[Example], bool]
) -> tuple[Result, ...]:
    """Decide about every example that is wanted."""
    return tuple(run_example(one, directory, rules) for one in examples if wanted(one))
