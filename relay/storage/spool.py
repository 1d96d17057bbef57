"""The spool: a folder for content that is too large for the database, written while it arrives.

A file is flushed to the disk, off the event loop, before the queue hears of it. From then on only the queue or the
sweep may remove it. Files are 0600 with unguessable names; whatever is not known to the queue is removed by age.
"""

import asyncio
import errno
import logging
import os
import secrets
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from relay.errors import StorageError, StorageFull, StorageUnavailable
from relay.storage.connection import sync_folder

logger = logging.getLogger(__name__)

INLINE_LIMIT = 65536
"""Content up to this many octets is kept in the database; larger content goes to the spool."""
SPOOL_NAME = "spool"
"""The folder's name in state_dir."""
LONGEST_WRITING = 24 * 3600.0
"""Seconds for which the sweep leaves a file alone that was begun in this process, whatever the clock says."""
_NAME_LENGTH = 32


def _storage_error(exc: OSError) -> StorageError:
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"the spool is full: {exc.strerror}")
    return StorageUnavailable(f"the spool does not answer: {exc.strerror}")


class Spool:
    """The folder of spool files. `monotonic` gives seconds that run on evenly when the clock is set."""

    def __init__(self, folder: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._monotonic = monotonic
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="relay-spool")
        self._begun: dict[str, float] = {}

    def create(self) -> "SpoolFile":
        """Give a new file under an unguessable name; it appears on the disk with its first octets."""
        name = secrets.token_hex(_NAME_LENGTH // 2)
        self._begun[name] = self._monotonic()
        return SpoolFile(self._folder, name, self._threads, self._forget)

    def _forget(self, name: str) -> None:
        self._begun.pop(name, None)

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading. Raises StorageUnavailable when it cannot be read."""
        try:
            descriptor = os.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as exc:
            raise _storage_error(exc) from exc
        return os.fdopen(descriptor, "rb")

    def remove(self, name: str) -> None:
        """Remove a file, if it is there; one that cannot be removed now is left to the sweep."""
        _remove(self._path(name))
        self._forget(name)

    def sweep(self, known: Collection[str], older_than: float) -> int:
        """Remove files that are not `known` and were last written before `older_than`; give how many.

        `older_than` is an instant in POSIX seconds. Ask the queue for the known names first, then sweep: a file that
        comes in between is too young. Where the clock was set forward, what is being written looks old and is not:
        files begun in this process stay for LONGEST_WRITING.
        """
        since = self._monotonic() - LONGEST_WRITING
        for name in [name for name, begun in list(self._begun.items()) if begun <= since]:
            self._forget(name)
        removed = 0
        for entry in os.scandir(self._folder) if self._folder.is_dir() else ():
            if entry.name in known or entry.name in self._begun:
                continue
            if _age_passed(entry, older_than):
                self._folder.joinpath(entry.name).unlink(missing_ok=True)
                removed += 1
        return removed

    def close(self) -> None:
        """Finish the flushes under way and let go of the threads."""
        self._threads.shutdown(wait=True)

    def _path(self, name: str) -> Path:
        if len(name) != _NAME_LENGTH or not name.isalnum():
            raise StorageUnavailable(f"{name!r} is not the name of a spool file")
        return self._folder / name


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        logger.warning("a spool file is left to the sweep, since it cannot be removed now: %s", exc)


def _age_passed(entry: "os.DirEntry[str]", older_than: float) -> bool:
    try:
        return (
            entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < older_than
        )
    except FileNotFoundError:
        return False


class SpoolFile:
    """One file that is being written, by one session."""

    def __init__(
        self, folder: Path, name: str, threads: ThreadPoolExecutor, ended: Callable[[str], None]
    ) -> None:
        self.name = name
        self._ended = ended
        self._folder = folder
        self._path = folder / name
        self._threads = threads
        self._descriptor = -1

    def write(self, chunk: bytes) -> None:
        """Append the octets; they reach the system's cache, so this is quick. Raises StorageFull, StorageUnavailable."""
        try:
            if self._descriptor < 0:
                self._descriptor = self._create()
            written = os.write(self._descriptor, chunk)
            while written < len(chunk):
                written += os.write(self._descriptor, memoryview(chunk)[written:])
        except OSError as exc:
            raise _storage_error(exc) from exc

    def _create(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return os.open(self._path, flags, 0o600)
        except FileNotFoundError:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(self._folder.parent)
            return os.open(self._path, flags, 0o600)

    async def sync(self) -> None:
        """Flush the file and its folder to the disk and close it; then the queue may hear of it.

        Raises StorageFull or StorageUnavailable; then the file is not to be relied on.
        """
        try:
            if self._descriptor < 0:
                self._descriptor = self._create()
            # The thread owns the descriptor from here: a caller who is cancelled must not close it under its hands.
            descriptor, self._descriptor = self._descriptor, -1
            await asyncio.get_running_loop().run_in_executor(self._threads, self._flush, descriptor)
        except OSError as exc:
            raise _storage_error(exc) from exc

    def _flush(self, descriptor: int) -> None:
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(self._folder)

    def abandon(self) -> None:
        """Remove the file: its message will not be accepted. Never call it once the queue was handed the name.

        Raises nothing: a session must end in good order whatever the disk does; the sweep has what is left.
        """
        if self._descriptor >= 0:
            with suppress(OSError):  # what was not written is of no use any more
                os.close(self._descriptor)
            self._descriptor = -1
        _remove(self._path)
        self._ended(self.name)
