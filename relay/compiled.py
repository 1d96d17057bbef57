"""Loads the compiled form of modules, where there is one and it was made from exactly these sources.

`make fast` writes it into relay/_compiled: one library for each module, and a list of every source file that they were
made from, with its digest. Python by itself prefers a library beside a source whatever its age; so they stand apart, and
are used only when all sources are unchanged. After an edit the relay runs interpreted, and says so.
"""

import json
import logging
import os
import sys
from collections.abc import Mapping
from enum import Enum
from hashlib import blake2b
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path

CHOSEN = "RELAY_COMPILED"
"""The variable that names another folder of compiled modules, or says "no"."""
LIST = "list.json"
ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "relay" / "_compiled"


class Form(Enum):
    """How the modules on the path of mail run."""

    INTERPRETED = "interpreted"
    STALE = "interpreted, since what `make fast` compiled was made from other sources or for another Python: run it again"
    COMPILED = "compiled"


class Finder(MetaPathFinder):
    """Finds the compiled modules before Python finds their sources."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Give where a module is loaded from when it is a compiled one."""
        file = self._files.get(name)
        if file is None:
            return None
        return spec_from_file_location(name, file, loader=ExtensionFileLoader(name, str(file)))


def digest(source: Path) -> str:
    """Give the digest of a source file, "" when it is gone."""
    try:
        return blake2b(source.read_bytes(), digest_size=16).hexdigest()
    except OSError:
        return ""


def find(folder: Path, root: Path = ROOT) -> tuple[Form, Mapping[str, Path]]:
    """Give the form that modules can be loaded in, and where the compiled ones are."""
    try:
        made = json.loads((folder / LIST).read_bytes())
        suffix, sources, modules = made["suffix"], made["sources"], made["modules"]
    except FileNotFoundError:
        return Form.INTERPRETED, {}
    except (OSError, ValueError, KeyError):
        return Form.STALE, {}
    if suffix not in EXTENSION_SUFFIXES or any(
        digest(root / source) != known for source, known in sources.items()
    ):
        return Form.STALE, {}
    return Form.COMPILED, {name: folder / f"{name}{suffix}" for name in modules}


def use() -> Form:
    """Have the compiled modules loaded from now on, where that is possible; before any of them is imported."""
    chosen = os.environ.get(CHOSEN, "")
    if chosen == "no":
        return Form.INTERPRETED
    form, files = find(Path(chosen) if chosen else FOLDER)
    if files:
        sys.meta_path.insert(0, Finder(files))
    return form


def tell(logger: logging.Logger, form: Form) -> None:
    """Log the form."""
    logger.log(logging.WARNING if form is Form.STALE else logging.INFO, "modules are %s", form.value)
