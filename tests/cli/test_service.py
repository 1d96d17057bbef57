"""`relay reload`, `relay stop`, `relay backup` and `relay restore` without a service: what they say and exit with."""

from pathlib import Path

import pytest

from relay.errors import CommandError
from relay.web.admin import ask
from tests.cli.conftest import Desk
from tests.support.command import relay
from tests.support.nobody import as_nobody
from tests.support.settings import GOOD, written


@pytest.mark.parametrize("command", ["reload", "stop"])
def test_without_a_service_they_say_so(tmp_path: Path, command: str) -> None:
    """Exit 69, one line that names the folder."""
    ran = relay(command, "-c", written(tmp_path))
    assert (ran.code, ran.out) == (69, "")
    assert str(tmp_path / "state") in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("method", ["/reload", "/status"])
def test_who_may_not_ask_is_not_told_that_no_service_runs(tmp_path: Path, method: str) -> None:
    """Exit 77: an operator who forgot sudo would look for a service that is well."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    with as_nobody(state), pytest.raises(CommandError, match="run this as its owner") as caught:
        ask(state, "POST", method)
    assert caught.value.exit_code == 77


@pytest.mark.parametrize("command", ["reload", "stop"])
def test_settings_that_cannot_be_read_are_told(tmp_path: Path, command: str) -> None:
    """Exit 78 with the place of the mistake, before anybody is asked for anything."""
    ran = relay(command, "-c", written(tmp_path, GOOD.replace("default: main", "default: elsewhere")))
    assert ran.code == 78
    assert "upstream.default" in ran.err
    assert ("a running service keeps the earlier ones" in ran.err) == (command == "reload")


def test_a_wait_that_is_no_span_is_wrong_usage(tmp_path: Path) -> None:
    """Exit 2."""
    ran = relay("stop", "--wait", "soon", "-c", written(tmp_path))
    assert ran.code == 2
    assert "number and a unit" in ran.err


def test_a_backup_can_be_made_and_checked_without_a_service(desk: Desk, tmp_path: Path) -> None:
    """The file is told with its size, the check with what is in it; nothing secret is printed."""
    file = tmp_path / "backup"
    made = relay("backup", file, "-c", desk.config)
    assert made.code == 0, made.err
    assert made.out.startswith(f"{file}: a database of ")
    again = relay("backup", file, "-c", desk.config)
    assert again.code == 1
    assert "--replace" in again.err
    checked = relay("restore", file, "--check", "--json")
    assert checked.code == 0, checked.err
    (item,) = checked.items
    assert item["restored"] is False
    assert sum(item["deliveries"].values()) == 3
    assert item["missing"] == []


def test_a_restore_holds_everything_and_json_says_so(desk: Desk, tmp_path: Path) -> None:
    """Into a new folder; a second time it is refused with 1."""
    file, into = tmp_path / "backup", tmp_path / "new"
    assert relay("backup", file, "-c", desk.config).code == 0
    ran = relay("restore", file, "--into", into, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["schema"] == "relay.restore/1"
    assert ran.items[0]["restored"] is True
    assert set(ran.items[0]["deliveries"]) == {"held"}
    refused = relay("restore", file, "--into", into)
    assert refused.code == 1
    assert "is not empty" in refused.err


def test_a_restore_says_where_to(tmp_path: Path) -> None:
    """Neither --into nor --check is wrong usage; a file that is not there is told."""
    assert relay("restore", tmp_path / "none").code == 2
    ran = relay("restore", tmp_path / "none", "--check")
    assert (ran.code, ran.err) == (1, f"relay: {tmp_path / 'none'} is not there\n")


def test_a_backup_of_nothing_is_told(tmp_path: Path) -> None:
    """Before the service has ever run there is nothing to back up: 75."""
    ran = relay("backup", tmp_path / "file", "-c", written(tmp_path))
    assert ran.code == 75
    assert not (tmp_path / "file").exists()
