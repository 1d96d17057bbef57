"""Which command was typed is found before all of them are loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

from relay.cli.main import command_of
from relay.cli.straight import typed_plainly


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


@pytest.mark.parametrize(
    ("typed", "files"),
    [
        ("serve", []),
        ("-c relay.yaml serve", ["relay.yaml"]),
        ("-crelay.yaml serve --config other.yaml", ["relay.yaml", "other.yaml"]),
        ("serve --config=relay.yaml", ["relay.yaml"]),
        ("-c serve serve", ["serve"]),
        ("serve --help", None),
        ("serve -c", None),
        ("serve serve", None),
        ("serve --config", None),
        ("--version serve", None),
        ("-c serve check", None),
        ("check", None),
        ("", None),
    ],
)
def test_only_serve_and_its_files_are_plain(typed: str, files: list[str] | None) -> None:
    """Whatever else is typed, help and mistakes too, is for the command line's library."""
    assert typed_plainly(typed.split()) == (None if files is None else [Path(one) for one in files])


def test_a_setting_that_is_wrong_ends_serve_as_it_ends_other_commands(tmp_path: Path) -> None:
    """Problems are told one a line on standard error, with exit code 78 and no traceback, however serve was typed."""
    config = tmp_path / "config.yaml"
    config.write_text("version: 1\nnonsense: true\n")
    told = [
        subprocess.run(
            [sys.executable, "-m", "relay", *typed], capture_output=True, text=True, check=False, timeout=60
        )
        for typed in (["serve", "-c", str(config)], ["serve", "--config", str(config), "--help"])
    ]
    plain, helped = told
    assert (plain.returncode, plain.stdout) == (78, "")
    assert f"{config}:2:1" in plain.stderr
    assert "Traceback" not in plain.stderr
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "Take mail, keep it, forward it" in helped.stdout


def test_serve_without_settings_says_where_it_looked(tmp_path: Path) -> None:
    """A file that is not there is told in one line, with exit code 78."""
    done = subprocess.run(
        [sys.executable, "-m", "relay", "-c", str(tmp_path / "none.yaml"), "serve"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 78
    assert "none.yaml" in done.stderr
    assert "Traceback" not in done.stderr
