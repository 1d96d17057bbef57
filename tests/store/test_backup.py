"""A backup holds all there was at one moment, and nothing that is damaged is put back."""

import asyncio
import hashlib
import io
import json
import stat
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import apsw
import pytest

from relay.errors import CommandError
from relay.maillog.store import MailLog
from relay.queue.model import State
from relay.queue.restoring import look_into, reason_of, restore
from relay.queue.selection import Selection
from relay.queue.store import QueueStore
from relay.storage.backup import back_up
from relay.storage.lease import StateLock
from relay.storage.spool import SPOOL_NAME, Spool
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase
from tests.support.builders import lease, log_copy, new_message, record, to_recipient
from tests.support.clock import FakeClock

MADE_AT = "2026-11-22T18:00:00.000Z"
LARGE = b"large content\r\n" * 10_000


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def _state(folder: Path) -> tuple[SqliteDatabase, str]:
    """Make a state folder with a message under way, one with spooled content, and one that is closed."""
    database = await SqliteDatabase.open(folder / DATABASE_NAME, create=True)
    store = QueueStore()
    spooled = Spool(folder / SPOOL_NAME).create()
    spooled.write(LARGE)
    await spooled.sync()
    plans = [
        (new_message(number=1), [to_recipient(), log_copy(), record()], lease()),
        (new_message(number=2, spool_name=spooled.name), [to_recipient()], None),
        (new_message(number=3), [to_recipient(skipped="a dry run")], None),
    ]
    for message, plan, held in plans:
        await database.write(partial(store.accept, message=message, plan=plan, lease=held))
    return database, spooled.name


def _back_up(folder: Path, file: Path, *, replace: bool = False) -> None:
    back_up(folder, file, QueueStore().spool_names, MADE_AT, "relay.example.com", replace=replace)


async def _made(tmp_path: Path) -> Path:
    """Make a backup of such a folder."""
    database, _ = await _state(tmp_path / "state")
    await asyncio.to_thread(_back_up, tmp_path / "state", tmp_path / "backup")
    await database.close()
    return tmp_path / "backup"


async def test_what_was_open_is_held_after_a_restore(tmp_path: Path) -> None:
    """Every delivery that is not final is held with the backup's date, whoever had claimed it; content is there."""
    database, name = await _state(tmp_path / "state")
    file, into = tmp_path / "backup", tmp_path / "new"
    await asyncio.to_thread(_back_up, tmp_path / "state", file)
    await database.close()
    restored = await restore(file, into, "ops", FakeClock())
    assert restored.standing.counts == {"held": 4}
    again = await SqliteDatabase.open(into / DATABASE_NAME, create=False)
    everything = Selection(states=tuple(State))
    listed = await again.read(lambda tx: QueueStore().list(tx, everything, 100))
    assert sorted(one.state for one in listed) == ["held"] * 4 + ["skipped"]
    assert {one.reason for one in listed if one.state == "held"} == {f"restored from a backup of {MADE_AT}"}
    events = await again.read(lambda tx: MailLog().of_message(tx, listed[0].message))
    assert events == []  # the event is the queue's, not a message's
    released = await again.write(lambda tx: QueueStore().release(tx, Selection(), 10**15))
    assert len(released) == 4
    await again.close()
    assert (into / SPOOL_NAME / name).read_bytes() == LARGE
    assert reason_of(restored.manifest).endswith(MADE_AT)


async def test_a_backup_and_what_is_restored_are_private(tmp_path: Path) -> None:
    """The file is 0600, the folder 0700 with files of 0600, whatever the umask."""
    file = await _made(tmp_path)
    await restore(file, tmp_path / "new", "ops", FakeClock())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for path in [tmp_path / "new", *(tmp_path / "new").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


async def test_nothing_is_left_beside(tmp_path: Path) -> None:
    """Neither the backup nor the restore leaves anything but its result."""
    file = await _made(tmp_path)
    await look_into(file)
    await restore(file, tmp_path / "new", "ops", FakeClock())
    assert _names(tmp_path) == {"state", "backup", "new"}
    assert _names(tmp_path / "new") == {DATABASE_NAME, SPOOL_NAME, "relay.lock"}
    assert not [name for name in _names(tmp_path / "state") if name.startswith(".")]


async def test_messages_that_close_meanwhile_do_not_spoil_it(tmp_path: Path) -> None:
    """Backups made while messages with spool files come and go are each whole."""
    database, _ = await _state(tmp_path / "state")
    spool = Spool(tmp_path / "state" / SPOOL_NAME)
    store = QueueStore(spool)
    ended = asyncio.Event()

    async def traffic() -> int:
        number = 10
        while not ended.is_set():
            number += 1
            spooled = spool.create()
            spooled.write(LARGE)
            await spooled.sync()
            message = new_message(number=number, spool_name=spooled.name)
            accept = partial(store.accept, message=message, plan=[to_recipient()], lease=None)
            (delivery,) = await database.write(accept)
            await database.write(
                lambda tx, key=delivery.id: store.cancel(tx, Selection(ids=(key,)), "come and gone")
            )
        return number

    going = asyncio.create_task(traffic())
    for number in range(8):
        file = tmp_path / f"backup-{number}"
        await asyncio.to_thread(_back_up, tmp_path / "state", file)
        found = await look_into(file)
        assert found.manifest.missing == ()
        assert found.standing.counts["queued"] in (1, 2)
    ended.set()
    assert await going > 10
    await database.close()


async def test_a_backup_never_overwrites_by_accident(tmp_path: Path) -> None:
    """A file that is there stays, unless it is to be replaced."""
    file = await _made(tmp_path)
    before = file.read_bytes()
    with pytest.raises(CommandError, match="is there already"):
        _back_up(tmp_path / "state", file)
    assert file.read_bytes() == before
    _back_up(tmp_path / "state", file, replace=True)
    assert (await look_into(file)).standing.counts["queued"] == 1


def test_without_a_database_there_is_no_backup(tmp_path: Path) -> None:
    """Exit code 75, and no file."""
    (tmp_path / "state").mkdir(mode=0o700)
    with pytest.raises(CommandError) as caught:
        _back_up(tmp_path / "state", tmp_path / "backup")
    assert caught.value.exit_code == 75
    assert not (tmp_path / "backup").exists()


async def test_a_missing_spool_file_is_told_and_the_rest_saved(tmp_path: Path) -> None:
    """A store that has lost a file can still be backed up and restored; the manifest names what is missing."""
    database, name = await _state(tmp_path / "state")
    await database.close()
    (tmp_path / "state" / SPOOL_NAME / name).unlink()
    _back_up(tmp_path / "state", tmp_path / "backup")
    assert (await look_into(tmp_path / "backup")).manifest.missing == (name,)
    await restore(tmp_path / "backup", tmp_path / "new", "ops", FakeClock())


@pytest.mark.parametrize("name", ["mail", "relay.db", "spool"])
async def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path, name: str) -> None:
    """Whatever is in it; nothing is added, either."""
    file = await _made(tmp_path)
    into = tmp_path / "new"
    into.mkdir(mode=0o700)
    (into / name).mkdir()
    (into / name / "kept").write_text("precious")
    with pytest.raises(CommandError, match="is not empty"):
        await restore(file, into, "ops", FakeClock())
    assert [path.name for path in into.iterdir()] == [name]
    assert (into / name / "kept").read_text() == "precious"


async def test_a_folder_that_a_service_works_in_is_left_alone(tmp_path: Path) -> None:
    """Exit code 75 that names the process."""
    file = await _made(tmp_path)
    with StateLock(tmp_path / "new"), pytest.raises(CommandError, match="process") as caught:
        await restore(file, tmp_path / "new", "ops", FakeClock())
    assert caught.value.exit_code == 75


def _rewritten(file: Path, change: Callable[[str, bytes], bytes | None]) -> None:
    """Write the tar anew with some member changed, or left out where the change gives None."""
    out = io.BytesIO()
    with tarfile.open(file) as old, tarfile.open(fileobj=out, mode="w") as new:
        for info in old:
            reader = old.extractfile(info)
            assert reader is not None
            content = change(info.name, reader.read())
            if content is not None:
                info.size = len(content)
                new.addfile(info, io.BytesIO(content))
    file.write_bytes(out.getvalue())


def _without_page(name: str, content: bytes) -> bytes:
    return b"\xff" * 4096 + content[4096:] if name == DATABASE_NAME else content


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_without_page, "damaged: relay.db is not what was written"),
        (lambda name, content: None if name.startswith("spool/") else content, "is missing"),
        (lambda name, content: content[:-1] if name.startswith("spool/") else content, "is not what"),
        (lambda name, content: None if name == "manifest.json" else content, "no manifest"),
        (lambda name, content: b"{}" if name == "manifest.json" else content, "no manifest"),
    ],
)
async def test_damage_is_found(
    tmp_path: Path, change: Callable[[str, bytes], bytes | None], told: str
) -> None:
    """By the check and by the restore, which leaves an empty folder."""
    file = await _made(tmp_path)
    _rewritten(file, change)
    with pytest.raises(CommandError, match=told):
        await look_into(file)
    with pytest.raises(CommandError, match=told):
        await restore(file, tmp_path / "new", "ops", FakeClock())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["relay.lock"]


async def test_a_database_that_was_damaged_before_is_found(tmp_path: Path) -> None:
    """Where every byte is as it was written, SQLite's own check still looks; so do the names of spool files."""
    file = await _made(tmp_path)
    broken = tmp_path / "broken.db"

    def lose_a_name(name: str, content: bytes) -> bytes:
        if name == DATABASE_NAME:
            broken.write_bytes(content)
            connection = apsw.Connection(str(broken))
            connection.execute("UPDATE content SET spool_name = ? WHERE spool_name IS NOT NULL", ("a" * 32,))
            connection.close()
            return broken.read_bytes()
        return content

    _rewritten(file, lose_a_name)
    _with_true_sums(file)
    with pytest.raises(CommandError, match="lacks 1 spool files"):
        await look_into(file)
    _rewritten(
        file,
        lambda name, content: (
            content[:8192] + b"\0" * 4096 + content[12288:] if name == DATABASE_NAME else content
        ),
    )
    _with_true_sums(file)
    with pytest.raises(CommandError, match="is damaged"):
        await look_into(file)


def _with_true_sums(file: Path) -> None:
    """Write the manifest anew, so that it fits what is in the file."""
    sums: dict[str, dict[str, object]] = {}

    def change(name: str, content: bytes) -> bytes:
        if name != "manifest.json":
            sums[name] = {"octets": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            return content
        manifest = json.loads(content)
        manifest["database"] = sums[DATABASE_NAME]
        return json.dumps(manifest).encode()

    _rewritten(file, change)


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "spool/../../evil", "extra"])
async def test_nothing_is_unpacked_outside(tmp_path: Path, name: str) -> None:
    """A member that does not belong into a backup makes it none."""
    file = tmp_path / "backup"
    with tarfile.open(file, "w") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    with pytest.raises(CommandError, match="does not belong"):
        await restore(file, tmp_path / "new", "ops", FakeClock())
    assert _names(tmp_path) == {"backup", "new"}
    assert _names(tmp_path / "new") == {"relay.lock"}


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 10240])
async def test_what_is_no_backup_is_told(tmp_path: Path, content: bytes) -> None:
    """An empty file, a text, an empty archive."""
    (tmp_path / "backup").write_bytes(content)
    with pytest.raises(CommandError):
        await look_into(tmp_path / "backup")


async def test_a_name_that_cannot_be_is_told_in_one_line(tmp_path: Path) -> None:
    """As in a folder that may not even be looked into: no traceback, and nothing is left behind."""
    place = tmp_path / "state"
    await (await SqliteDatabase.open(place / DATABASE_NAME, create=True)).close()
    with pytest.raises(CommandError, match="File name too long; no backup was made") as caught:
        back_up(place, tmp_path / ("x" * 300), lambda tx: [], "now", "relay.example.com")
    assert caught.value.exit_code == 75
    assert _names(tmp_path) == {"state"}
