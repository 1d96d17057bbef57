"""Work as a user to whom a folder is closed, also where the tests run as root."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOBODY = 65534


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Close the folder to everybody and give up what root may; both come back at the end."""
    mode, me = folder.stat().st_mode, os.geteuid()
    folder.chmod(0)
    try:
        if me == 0:
            os.seteuid(_NOBODY)
        yield
    finally:
        os.seteuid(me)
        folder.chmod(mode)
