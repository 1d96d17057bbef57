"""The systemd unit: what it says goes together with what the commands need."""

import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "systemd" / "relay.service"


def _service() -> dict[str, str]:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names of settings have capitals
    parser.read(UNIT, encoding="utf-8")
    return dict(parser["Service"])


def test_commands_can_work_as_the_service_s_user() -> None:
    """A dynamic user's state folder lies below /var/lib/private (systemd.exec(5)), where no command gets in."""
    service = _service()
    assert service["User"] == "relay"
    assert "DynamicUser" not in service
    assert service["StateDirectoryMode"] == "0700"


@pytest.mark.peer("systemd")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    """Every setting is known and well formed; the program need not be installed."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text("utf-8").replace("/usr/bin/relay", "/bin/true"), "utf-8")
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    told = [line for line in ran.stderr.splitlines() if UNIT.name in line]
    assert told == []
