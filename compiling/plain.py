"""Writes values that are quick to make as mypyc can compile them: with an `__init__` of their own. Pure.

mypyc compiles a class to a C structure unless it has a decorator that mypyc does not know, and leaves the `__init__` of a
dataclass to the interpreter. No line moves, so that tracebacks show the line in the real source.
"""

import ast

_WAITING = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.YieldFrom)


def plain(source: str) -> str:
    """Give a source with `@quick` classes written out.

    Raises ValueError for one that is not as simple as they all are, and where mypyc would compile something else than is written.
    """
    lines = source.split("\n")
    tree = ast.parse(source)
    _refuse_waiting_in_finally(tree)
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Name) and decorator.id == "quick":
                    lines[decorator.lineno - 1] = ""
                    _put(lines, node.end_lineno or 0, f"    {_init(node)}")
    return "\n".join(lines)


def _refuse_waiting_in_finally(tree: ast.Module) -> None:
    """Since mypyc 2.4.1 uses the frame of a coroutine again, a `finally` that waits raises the error of an earlier call anew.

    An `async with`, a `with` around what waits, and an `except` that waits were tried in the same way, and are right.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Try | ast.TryStar):
            inner = [one for statement in node.finalbody for one in ast.walk(statement)]
            if waits := [one for one in inner if isinstance(one, _WAITING)]:
                raise ValueError(f"line {waits[0].lineno} waits in a finally, which mypyc gets wrong")


def _put(lines: list[str], at: int, line: str) -> None:
    """Write a line in place of the blank one that follows a class."""
    if "".join(lines[at : at + 1]):
        raise ValueError(f"line {at + 1} is not blank")
    lines[at : at + 1] = [line]


def _init(node: ast.ClassDef) -> str:
    if node.bases:
        raise ValueError(f"{node.name} has base classes")
    fields = [one for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)]
    names = [ast.unparse(one.target) for one in fields]
    parameters = ", ".join(["self", *map(_parameter, fields)])
    body = "; ".join(f"self.{name} = {name}" for name in names)
    return f"def __init__({parameters}) -> None: {body}  # type: ignore"


def _parameter(field: ast.AnnAssign) -> str:
    text = f"{ast.unparse(field.target)}: {ast.unparse(field.annotation)}"
    default = field.value
    if isinstance(default, ast.Call) and ast.unparse(default.func) == "field":
        default = next((one.value for one in default.keywords if one.arg == "default"), None)
    return text if default is None else f"{text} = {ast.unparse(default)}"
