"""Compile the modules that a message passes through, with mypyc and the C compiler of this Python.

    python -m compiling [--into FOLDER] [--fast]

`--fast` has the C compiler do without optimisation, which is enough for tests.
"""

import argparse
import ast
import contextlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from compiling.modules import MODULES
from compiling.plain import plain
from relay.compiled import FOLDER, LIST, ROOT, digest

SUFFIX = str(sysconfig.get_config_var("EXT_SUFFIX"))
_GROUP = "relay"
"""mypyc puts the code of all modules into one library of this name; each module's own only hands it out."""
_FLAGS = shlex.split(f"{sysconfig.get_config_var('CFLAGS')} {sysconfig.get_config_var('CCSHARED')}")


class Library(Protocol):
    """What setuptools knows of a library that is to be built."""

    name: str
    sources: list[str]
    include_dirs: list[str]


def main() -> int:
    """Compile; 0, or 1 with the reason on standard error."""
    parser = argparse.ArgumentParser(prog="compiling", description=__doc__)
    parser.add_argument("--into", type=Path, default=FOLDER)
    parser.add_argument("--fast", action="store_true")
    chosen = parser.parse_args()
    if missing := _missing():
        print(f"{missing}: nothing was compiled; the relay works without", file=sys.stderr)
        return 1
    return make(chosen.into.absolute(), "-O0" if chosen.fast else "-O2")


def _missing() -> str:
    compiler = shlex.split(str(sysconfig.get_config_var("CC")))[0]
    if shutil.which(compiler) is None:
        return f"there is no C compiler ({compiler})"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "there is no Python.h (Debian: python3-dev)"
    return ""


def make(into: Path, optimised: str) -> int:
    """Compile into a folder, which takes the place of what was there once all is done."""
    sources = {path.relative_to(ROOT).as_posix(): digest(path) for path in closure(MODULES)}
    with tempfile.TemporaryDirectory(prefix="compiling-") as folder:
        work, made = Path(folder, "work"), Path(folder, "made")
        made.mkdir()
        _copy(work)
        libraries = _translate(work)
        compiled = _compile(libraries, optimised)
        for library in libraries:
            _run(
                "LDSHARED",
                *(compiled[one] for one in library.sources),
                "-o",
                f"{made / library.name}{SUFFIX}",
            )
        os.chdir(ROOT)
        shutil.rmtree(into, ignore_errors=True)
        shutil.copytree(made, into)
    # Last: without it nothing of the rest is used.
    listed = {"suffix": SUFFIX, "modules": [one.name for one in libraries], "sources": sources}
    (into / LIST).write_text(json.dumps(listed, indent=1))
    print(f"{len(MODULES)} modules compiled into {into}")
    return 0


def closure(modules: Iterable[str]) -> list[Path]:
    """Give the files of modules and of all they import of the relay: what they were compiled against."""
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
        if name in found or not path.exists():
            continue
        found[name] = path
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("relay"):
                waiting += [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
    return sorted(found.values())


def _copy(work: Path) -> None:
    """Copy the sources, and write those that are compiled as mypyc can do it."""
    shutil.copytree(ROOT / "relay", work / "relay", ignore=shutil.ignore_patterns("__pycache__", "_compiled"))
    shutil.copy(ROOT / "pyproject.toml", work)
    for module in MODULES:
        path = work.joinpath(*module.split(".")).with_suffix(".py")
        path.write_text(plain(path.read_text()))


def _translate(work: Path) -> Sequence[Library]:
    """Have mypyc write the C code; what it has to say is only of interest when it fails."""
    from mypyc.build import mypycify  # no part of what the relay runs with

    os.chdir(work)
    files = [f"{module.replace('.', '/')}.py" for module in MODULES]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            return mypycify(
                ["--config-file", "pyproject.toml", "--no-warn-unused-ignores", *files],
                multi_file=True,
                group_name=_GROUP,
            )
    except SystemExit:
        print(said.getvalue(), file=sys.stderr)
        raise


def _compile(libraries: Sequence[Library], optimised: str) -> dict[str, str]:
    """Compile all C files, as many at once as there are processors; give the object file of each."""
    folders = {f"-I{folder}" for one in libraries for folder in one.include_dirs}
    folders.add(f"-I{sysconfig.get_path('include')}")

    def compile_one(source: str) -> str:
        _run("CC", *_FLAGS, optimised, "-g0", "-w", *folders, "-c", source, "-o", f"{source}.o")
        return f"{source}.o"

    sources = sorted({source for one in libraries for source in one.sources})
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as several:
        return dict(zip(sources, several.map(compile_one, sources), strict=True))


def _run(tool: str, *arguments: str) -> None:
    """Run a tool of the compiler that this Python was made with."""
    subprocess.run([*shlex.split(str(sysconfig.get_config_var(tool))), *arguments], check=True)


if __name__ == "__main__":
    sys.exit(main())
