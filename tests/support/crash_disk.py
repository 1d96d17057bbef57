"""A disk that a process dies at: in a write to SQLite's write-ahead log, before its flush, or after it; or one that stands still."""

import os
import threading
from dataclasses import replace
from typing import Any

import apsw

from tests.support.crashing import STUCK, Seen, at, die


class CrashingDisk(apsw.VFS):
    """The real file system, but for one write or flush of the write-ahead log."""

    def __init__(self, unit: str, *, torn: bool, flushed: bool) -> None:
        self.real = apsw.vfs_names()[0]
        self.unit, self.torn, self.flushed = unit, torn, flushed
        super().__init__("crashing", self.real, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> "CrashingFile":  # noqa: N802 - SQLite's own name
        return CrashingFile(self, name, flags)


class CrashingFile(apsw.VFSFile):
    """A file on it."""

    def __init__(self, disk: CrashingDisk, name: Any, flags: list[int]) -> None:
        self._disk, self._wal = disk, bool(flags[0] & apsw.SQLITE_OPEN_WAL)
        super().__init__(disk.real, name, flags)

    @property
    def reached(self) -> bool:
        """Tell whether this is the log, and the victim's unit is in it."""
        return self._wal and getattr(Seen, self._disk.unit) is True

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - SQLite's own name
        super().xWrite(data, offset)
        if self.reached and self._disk.torn:
            Seen.writes += 1
            if Seen.writes == 3:  # the second page's head is written, and nothing behind it
                die()

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's own name
        if self.reached and not self._disk.torn and not self._disk.flushed:
            die()
        super().xSync(flags)
        if self.reached and self._disk.flushed:
            die()


DISKS: list[CrashingDisk] = []
"""Kept as long as the process: SQLite works through it."""


@at("slow commit")
def _slow_commit() -> None:
    """Have the flush of the commit with the victim take for ever, and a client's answer no more than four seconds."""
    from relay.submission import limits, listener

    class Stuck(CrashingDisk):
        def xOpen(self, name: Any, flags: list[int]) -> CrashingFile:  # noqa: N802 - SQLite's own name
            return StuckFile(self, name, flags)

    class StuckFile(CrashingFile):
        def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's own name
            if self.reached:
                Seen.accepting = False
                threading.Event().wait(float(os.environ[STUCK]))
            apsw.VFSFile.xSync(self, flags)

    DISKS.append(Stuck("accepting", torn=False, flushed=False))
    original = limits.limits_of

    def shorter(settings: Any) -> Any:
        return replace(original(settings), answer=4.0)

    vars(listener)["limits_of"] = shorter
