"""Compiled modules are used when they are of these sources, and never otherwise; and the relay works with them."""

import json
import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from compiling.__main__ import closure
from compiling.modules import MODULES
from relay.compiled import CHOSEN, LIST, ROOT, Form, digest, find

WORKING = (
    "tests/unit/test_message.py",
    "tests/unit/test_address.py",
    "tests/unit/submission",
    "tests/unit/queue",
    "tests/smtp/test_dialogues.py",
    "tests/queue/test_runner.py",
    "tests/delivery/test_transactions.py",
    "tests/end_to_end/test_sessions.py",
    "tests/end_to_end/test_crash_calls.py::test_killed_before_a_call[while it talks]",
)
"""Tests that take a message all the way through the compiled modules, and kill the relay on its way."""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder as `make fast` leaves it, of one source."""
    (tmp_path / "relay").mkdir()
    source = tmp_path / "relay" / "mail.py"
    source.write_text("A = 1\n")
    folder = tmp_path / "compiled"
    folder.mkdir()
    listed = {
        "suffix": EXTENSION_SUFFIXES[0],
        "modules": ["relay.mail"],
        "sources": {"relay/mail.py": digest(source)},
    }
    (folder / LIST).write_text(json.dumps(listed))
    return folder


def test_unchanged_sources(made: Path) -> None:
    """What was compiled from these very sources is loaded."""
    form, files = find(made, made.parent)
    assert form is Form.COMPILED
    assert files == {"relay.mail": made / f"relay.mail{EXTENSION_SUFFIXES[0]}"}


@pytest.mark.parametrize("text", ["A = 2\n", None], ids=["edited", "deleted"])
def test_changed_sources(made: Path, text: str | None) -> None:
    """After an edit nothing compiled is loaded, however old or new the files are."""
    source = made.parent / "relay" / "mail.py"
    stamp = source.stat()
    source.write_text(text) if text else source.unlink()
    if text:
        os.utime(source, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert find(made, made.parent) == (Form.STALE, {})


def test_another_python(made: Path) -> None:
    """What was compiled for another Python is not loaded."""
    listed = json.loads((made / LIST).read_text())
    (made / LIST).write_text(json.dumps(listed | {"suffix": ".cpython-27-pdp11.so"}))
    assert find(made, made.parent) == (Form.STALE, {})


@pytest.mark.parametrize("text", ["", "{}", "[1"])
def test_a_damaged_list(made: Path, text: str) -> None:
    """A list that cannot be read stops nothing: the relay runs interpreted, and says so."""
    (made / LIST).write_text(text)
    assert find(made, made.parent) == (Form.STALE, {})


def test_nothing_compiled(tmp_path: Path) -> None:
    """Without `make fast` there is nothing to load, and nothing is wrong."""
    assert find(tmp_path, tmp_path) == (Form.INTERPRETED, {})


def test_an_import_counts() -> None:
    """An edit of a module that is not compiled, but that compiled ones import, counts as well."""
    files = {path.relative_to(ROOT).as_posix() for path in closure(MODULES)}
    assert {"relay/submission/protocol.py", "relay/errors.py", "relay/maillog/events.py"} <= files


@pytest.mark.timeout(900)
def test_the_relay_works_compiled(tmp_path: Path) -> None:
    """All modules compile, and mail passes through them as it does without."""
    folder = tmp_path / "compiled"
    _python("-m", "compiling", "--into", str(folder), "--fast")
    environment = os.environ | {CHOSEN: str(folder)}
    shown = _python("-c", "import relay.submission.protocol as p; print(p.__file__)", environment=environment)
    assert Path(shown.strip()).parent == folder
    _python("-m", "pytest", "-q", "-p", "no:cacheprovider", *WORKING, environment=environment)


def _python(*arguments: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout
