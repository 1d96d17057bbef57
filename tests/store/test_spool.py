"""What the spool promises: nothing is heard of before it is on the disk, nothing is removed that belongs to a message."""

import asyncio
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.errors import StorageFull, StorageUnavailable
from relay.storage.spool import LONGEST_WRITING, Spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Give a spool in a folder that is not there yet."""
    made = Spool(tmp_path / "state" / "spool")
    yield made
    made.close()


def files(tmp_path: Path) -> list[str]:
    """Give the names of the files in the spool."""
    folder = tmp_path / "state" / "spool"
    return os.listdir(folder) if folder.is_dir() else []


async def test_what_was_written_is_read(spool: Spool) -> None:
    """All chunks in order, byte for byte."""
    file = spool.create()
    for chunk in (b"one", b"", b"\x00\xff" * 100_000):
        file.write(chunk)
    await file.sync()
    with spool.open(file.name) as reading:
        assert reading.read() == b"one" + b"\x00\xff" * 100_000


async def test_an_empty_file_is_a_file(spool: Spool) -> None:
    """Synced without a single octet it can be read: empty."""
    file = spool.create()
    await file.sync()
    with spool.open(file.name) as reading:
        assert reading.read() == b""


async def test_nothing_is_made_before_the_first_octet(spool: Spool, tmp_path: Path) -> None:
    """A session that never gets to large content leaves no trace."""
    spool.create().abandon()
    assert files(tmp_path) == []


async def test_files_are_ours_alone_whatever_the_umask(spool: Spool, tmp_path: Path) -> None:
    """With umask 0 the folder is 0700 and the file 0600."""
    old = os.umask(0)
    try:
        file = spool.create()
        file.write(b"x")
        await file.sync()
    finally:
        os.umask(old)
    folder = tmp_path / "state" / "spool"
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(folder / file.name).st_mode) == 0o600


def test_names_cannot_be_guessed(spool: Spool) -> None:
    """128 bits of chance: no two are alike."""
    names = {spool.create().name for _ in range(1000)}
    assert len(names) == 1000
    assert all(len(name) == 32 for name in names)


async def test_an_abandoned_file_is_gone(spool: Spool, tmp_path: Path) -> None:
    """Before and after the flush, and twice."""
    for flushed in (False, True):
        file = spool.create()
        file.write(b"x")
        if flushed:
            await file.sync()
        assert files(tmp_path) == [file.name]
        file.abandon()
        file.abandon()
        assert files(tmp_path) == []


async def test_a_session_cancelled_while_it_flushes_can_abandon(spool: Spool, tmp_path: Path) -> None:
    """The flush keeps its file open to the end; the file is gone after it."""
    file = spool.create()
    file.write(b"x" * 1_000_000)
    flush = asyncio.create_task(file.sync())
    await asyncio.sleep(0)
    flush.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flush
    file.abandon()
    assert files(tmp_path) == []


@pytest.mark.parametrize("name", ["../relay.db", "", "a" * 31, "/etc/passwd", "a/" * 16, "." * 32])
def test_a_name_leads_nowhere_else(spool: Spool, name: str) -> None:
    """What is not a spool file's name is refused, not opened and not removed."""
    with pytest.raises(StorageUnavailable):
        spool.open(name)
    with pytest.raises(StorageUnavailable):
        spool.remove(name)


def test_a_file_that_is_not_there(spool: Spool) -> None:
    """Opening it says so in the relay's own words; removing it is no trouble."""
    with pytest.raises(StorageUnavailable):
        spool.open("a" * 32)
    spool.remove("a" * 32)


async def test_the_sweep_takes_old_files_nobody_knows(spool: Spool, tmp_path: Path) -> None:
    """A file of a message stays however old, a young one stays whoever's it is; the rest goes."""
    names = []
    before = Spool(tmp_path / "state" / "spool")
    for age in (0, 100, 100):
        file = before.create()
        file.write(b"x")
        await file.sync()
        path = tmp_path / "state" / "spool" / file.name
        os.utime(path, (path.stat().st_mtime - age,) * 2)
        names.append(file.name)
    young, old, known = names
    limit = (tmp_path / "state" / "spool" / young).stat().st_mtime - 50
    assert spool.sweep({known}, limit) == 1
    assert sorted(files(tmp_path)) == sorted([young, known])
    assert old not in files(tmp_path)


async def test_the_sweep_leaves_alone_what_this_process_has_begun(tmp_path: Path) -> None:
    """However the clock is set; a day later by the clock that nobody sets, it is an orphan like any other."""
    seconds = [1000.0]
    spool = Spool(tmp_path / "spool", lambda: seconds[0])
    file = spool.create()
    file.write(b"x")
    await file.sync()
    assert spool.sweep(set(), float("inf")) == 0
    seconds[0] += LONGEST_WRITING
    assert spool.sweep(set(), float("inf")) == 1
    spool.close()


def test_sweeping_before_there_is_a_spool(spool: Spool) -> None:
    """There is nothing to do."""
    assert spool.sweep(set(), float("inf")) == 0


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.ENOSPC, StorageFull), (errno.EIO, StorageUnavailable)]
)
async def test_a_disk_that_fails(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[Exception]
) -> None:
    """A full disk is StorageFull, any other trouble StorageUnavailable: in writing and in flushing."""

    def fails(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    file, other = spool.create(), spool.create()
    other.write(b"x")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fails)
        patch.setattr(os, "fsync", fails)
        with pytest.raises(expected):
            file.write(b"x")
        with pytest.raises(expected):
            await other.sync()
    file.abandon()
    other.abandon()
