"""One relay serves a state folder, and a crash leaves nothing locked."""

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest

from relay.errors import CommandError
from relay.storage.lease import LOCK_NAME, StateLock, boot_id, holder

HOLD = (
    "import sys, pathlib\n"
    "from relay.storage.lease import StateLock\n"
    "with StateLock(pathlib.Path(sys.argv[1])):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)


async def test_a_second_service_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    """Exit code 75 and the holder's process id; after a kill -9 the lock is free."""
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, str(tmp_path),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert other.stdout is not None
    assert await asyncio.wait_for(other.stdout.readline(), 20) == b"held\n"
    with pytest.raises(CommandError, match=f"process {other.pid}") as caught, StateLock(tmp_path):
        pass
    assert caught.value.exit_code == 75
    other.kill()
    await other.communicate()
    with StateLock(tmp_path):
        assert (tmp_path / LOCK_NAME).read_text() == f"{os.getpid()}\n"


def test_who_holds_the_lock_can_be_asked(tmp_path: Path) -> None:
    """The process id while it is held, and nobody before and after; asking takes nothing."""
    assert holder(tmp_path) is None
    with StateLock(tmp_path):
        assert holder(tmp_path) == os.getpid()
    assert holder(tmp_path) is None
    with StateLock(tmp_path):
        assert (tmp_path / LOCK_NAME).read_text() == f"{os.getpid()}\n"


def test_the_lock_is_taken_again_after_it_was_let_go(tmp_path: Path) -> None:
    """The file stays behind, empty and 0600, in a folder made 0700."""
    folder = tmp_path / "state"
    for _ in range(2):
        with StateLock(folder):
            pass
    assert (folder / LOCK_NAME).read_text() == ""
    assert stat.S_IMODE((folder / LOCK_NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    """A link in its place is not followed: exit code 77."""
    (tmp_path / LOCK_NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CommandError) as caught, StateLock(tmp_path):
        pass
    assert caught.value.exit_code == 77
    assert not (tmp_path / "elsewhere").exists()


def test_a_boot_has_one_name() -> None:
    """It is the same every time it is asked for."""
    assert boot_id() == boot_id()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    """Root starting the service on the service user's folder leaves no file there that the user cannot open."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    with pytest.raises(CommandError) as caught, StateLock(folder):
        pass
    assert caught.value.exit_code == 77
    assert os.listdir(folder) == []


@pytest.mark.parametrize("folder", ["file", "file/state"])
def test_a_state_folder_that_cannot_be_is_told_itself(tmp_path: Path, folder: str) -> None:
    """Exit code 77 and what is wrong with the folder, not with a file in it that nobody has heard of."""
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError) as caught, StateLock(tmp_path / folder):
        pass
    assert caught.value.exit_code == 77
    assert str(caught.value) == (f"{tmp_path / folder} is no folder: something else is in its place")


def test_a_state_folder_that_may_not_be_made_says_who_must(tmp_path: Path) -> None:
    """As for /var/lib/relay, when the first start is somebody's own."""
    place = tmp_path / ("x" * 300)
    with pytest.raises(CommandError, match="cannot be made") as caught, StateLock(place):
        pass
    assert caught.value.exit_code == 77
    assert str(caught.value).endswith("make it for the user that the relay runs as")
