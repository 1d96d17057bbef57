"""A disk that fails on demand: an SQLite file system layer that can refuse to write or to flush.

Put in front of the real one with `FaultyDisk.installed()`, it serves every database opened meanwhile.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw


class FaultyDisk(apsw.VFS):
    """Passes everything on to the real file system, until it is told what to fail with."""

    def __init__(self) -> None:
        self.write_error: type[apsw.Error] | None = None
        """What every write to a write-ahead log fails with."""
        self.sync_error: type[apsw.Error] | None = None
        """What every flush of a write-ahead log fails with."""
        self.real = apsw.vfs_names()[0]
        super().__init__("faulty", self.real, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> "FaultyFile":  # noqa: N802 - SQLite's own name
        """Open a file that asks this disk before it writes or flushes."""
        return FaultyFile(self, name, flags)

    @classmethod
    @contextmanager
    def installed(cls) -> Iterator["FaultyDisk"]:
        """Give the disk, in use for all databases opened in the block; close them before it ends."""
        disk = cls()
        try:
            yield disk
        finally:
            disk.unregister()


class FaultyFile(apsw.VFSFile):
    """A file on the faulty disk."""

    def __init__(self, disk: FaultyDisk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        self._fails = bool(flags[0] & apsw.SQLITE_OPEN_WAL)
        super().__init__(disk.real, name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - SQLite's own name
        """Write, or fail as told."""
        if self._fails and self._disk.write_error is not None:
            raise self._disk.write_error("the disk was told to fail")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's own name
        """Flush, or fail as told."""
        if self._fails and self._disk.sync_error is not None:
            raise self._disk.sync_error("the disk was told to fail")
        super().xSync(flags)
