"""Listings on a terminal of 80 columns: nothing runs over its edge, and nothing is missing."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

from tests.cli.conftest import Desk
from tests.support.command import relay

_WIDTH = 80


def _on_a_terminal(*arguments: str) -> list[str]:
    """Give what the command prints on one, line by line."""
    keyboard, screen = pty.openpty()
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 24, _WIDTH, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    command = [sys.executable, "-m", "relay", *arguments]
    with subprocess.Popen(
        command, stdout=screen, stdin=subprocess.DEVNULL, env={**environment, "NO_COLOR": "1", "TERM": "dumb"}
    ) as process:
        os.close(screen)
        seen = b""
        while True:
            try:
                seen += (piece := os.read(keyboard, 65536))
            except OSError:  # the command has closed it
                break
            if not piece:
                break
    os.close(keyboard)
    assert process.returncode == 0
    return seen.decode().splitlines()


@pytest.mark.parametrize(
    "command", [("queue", "list"), ("queue", "shape"), ("user", "list"), ("records", "list")], ids=" ".join
)
def test_a_listing_keeps_to_the_terminal(desk: Desk, command: tuple[str, ...]) -> None:
    """Each line fits, and all words of the listing as a program gets it are there."""
    whole = relay(*command, "-c", desk.config)
    shown = _on_a_terminal(*command, "-c", str(desk.config))
    assert max(map(len, shown)) <= _WIDTH
    rows = {word for line in whole.out.splitlines()[1:] for word in line.split()} - {"-"}
    assert rows <= set(" ".join(shown).split())


def test_a_reason_stands_below_its_row(desk: Desk) -> None:
    """Where the columns take all the room."""
    shown = _on_a_terminal("queue", "list", "-c", str(desk.config))
    assert "  reason  451 4.7.1 Greylisted, try later" in shown
    assert max(map(len, relay("queue", "list", "-c", desk.config).out.splitlines())) > _WIDTH
