"""A disk that forgets at the crash whatever was not synced, as one without power does.

On SIGUSR1 every write to a database file since its last sync is undone, spool files that were not synced together with
their folder are gone, and the process dies.
"""

import contextlib
import os
import signal
import threading
from pathlib import Path
from typing import Any, NoReturn

import apsw

from tests.support.crashing import at, die

_LOCK = threading.Lock()
_WRITES: dict[str, list[tuple[int, bytes, int]]] = {}
"""By file, for each write since its last sync: where it was, what stood there, and how long the file was."""
_UNSYNCED: set[Path] = set()
"""Spool files."""


class LosingDisk(apsw.VFS):
    """The real file system, with a memory of what was not synced."""

    def __init__(self) -> None:
        self.real = apsw.vfs_names()[0]
        super().__init__("losing", self.real, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> "LosingFile":  # noqa: N802 - SQLite's own name
        return LosingFile(self, name, flags)


class LosingFile(apsw.VFSFile):
    """A file on it."""

    def __init__(self, disk: LosingDisk, name: Any, flags: list[int]) -> None:
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        super().__init__(disk.real, name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - SQLite's own name
        with _LOCK:
            with open(self._name, "rb") as file:
                size = file.seek(0, 2)
                before = os.pread(file.fileno(), len(data), offset)
            _WRITES.setdefault(self._name, []).append((offset, before, size))
            super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's own name
        with _LOCK:
            super().xSync(flags)
            _WRITES.pop(self._name, None)


def _forget(name: str) -> None:
    """Have a file be as it was at its last sync; one that is gone needs nothing."""
    with contextlib.suppress(FileNotFoundError), open(name, "rb+") as file:
        for offset, before, size in reversed(_WRITES[name]):
            os.pwrite(file.fileno(), before, offset)
            file.truncate(size)


DISKS: list[LosingDisk] = []
"""Kept as long as the process: SQLite works through it."""


def _watch_spool() -> None:
    from relay.storage.spool import SpoolFile

    write, flush = SpoolFile.write, SpoolFile._flush

    def write_(self: Any, chunk: bytes) -> None:
        _UNSYNCED.add(self._path)
        write(self, chunk)

    def flush_(self: Any, descriptor: int) -> None:
        flush(self, descriptor)
        with _LOCK:
            _UNSYNCED.discard(self._path)

    SpoolFile.write, SpoolFile._flush = write_, flush_  # type: ignore[method-assign]


def _power_fails() -> NoReturn:
    signal.sigwait({signal.SIGUSR1})
    _LOCK.acquire()  # for good: nothing is written any more
    for name in _WRITES:
        _forget(name)
    for path in _UNSYNCED:
        path.unlink(missing_ok=True)
    die()


@at("power")
def _lose_power() -> None:
    """Be ready to lose power."""
    DISKS.append(LosingDisk())
    _watch_spool()
    # Threads inherit what is blocked: nobody but the one that waits for it gets the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    threading.Thread(target=_power_fails, daemon=True).start()
