"""Run the `relay` command in this process and catch what it prints."""

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relay.cli.main import main


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, read as JSON."""
        return json.loads(self.out)

    @property
    def items(self) -> list[dict[str, Any]]:
        """The items of a listing."""
        items: list[dict[str, Any]] = self.json["items"]
        return items


def relay(*arguments: str | Path) -> Ran:
    """Run `relay` with these arguments."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with _arguments(arguments), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return Ran(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _arguments(arguments: tuple[str | Path, ...]) -> Iterator[None]:
    before = sys.argv
    sys.argv = ["relay", *map(str, arguments)]
    try:
        yield
    finally:
        sys.argv = before
