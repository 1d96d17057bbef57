"""A key in state_dir stays the same from start to start, and is nobody else's to read."""

import os
import stat
from pathlib import Path

import pytest

from relay.errors import CommandError
from relay.storage.keys import lasting_key


def test_the_key_lasts(tmp_path: Path) -> None:
    """Made once, 0600, whole, with nothing beside it; the same ever after."""
    path = tmp_path / "logs.key"
    key = lasting_key(path)
    assert len(key) == 32
    assert lasting_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["logs.key"]
    assert lasting_key(tmp_path / "other.key") != key


def test_what_a_killed_start_has_left_is_no_obstacle(tmp_path: Path) -> None:
    """A key begun and not finished, by whatever process id (in a container it is always the same), is made anew."""
    path = tmp_path / "logs.key"
    for left in ("logs.key.new", f"logs.key.{os.getpid()}"):
        (tmp_path / left).write_bytes(b"begun")
    assert len(lasting_key(path)) == 32
    assert not (tmp_path / "logs.key.new").exists()


def test_a_key_that_others_could_change_is_not_used(tmp_path: Path) -> None:
    """Exit code 77."""
    path = tmp_path / "logs.key"
    lasting_key(path)
    path.chmod(0o622)
    with pytest.raises(CommandError) as caught:
        lasting_key(path)
    assert caught.value.exit_code == 77


def test_what_is_no_key_is_told(tmp_path: Path) -> None:
    """A file that was cut off is not taken for a key."""
    path = tmp_path / "logs.key"
    path.touch(mode=0o600)
    with pytest.raises(CommandError, match="not a key"):
        lasting_key(path)
