"""Which command was typed is found before all of them are loaded."""

import subprocess
import sys

import pytest

from relay.cli.main import command_of


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("serve", "serve"),
        ("-c relay.yaml serve", "serve"),
        ("--config relay.yaml serve -c other.yaml", "serve"),
        ("--config=relay.yaml queue list", "queue"),
        ("-crelay.yaml user list", "user"),
        ("-c serve check", "check"),
        ("--help", "--help"),
        ("-c", ""),
        ("", ""),
    ],
)
def test_the_command_is_the_first_that_is_no_option(typed: str, command: str) -> None:
    """-c and its file may stand before the command; a file named like a command is none."""
    assert command_of(typed.split()) == command


def test_the_service_loads_no_other_command() -> None:
    """`relay serve` is ready sooner and smaller by what the other commands bring in."""
    asked = "import sys; from relay.cli.main import build; build('serve'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    loaded = {one for one in done.stdout.split() if one.startswith("relay.cli.")}
    assert loaded == {"relay.cli.common", "relay.cli.main", "relay.cli.serve"}
