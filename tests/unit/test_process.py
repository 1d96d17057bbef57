"""The service as a process: what it is asked for, how parts are stopped, and what is told of a failed start."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from relay.errors import CommandError, ConfigError
from relay.process import Wishes, first_cause, tell_systemd, tell_systemd_of_reload, wait_for_end, within


async def test_the_second_wish_to_stop_is_a_hurry() -> None:
    """Once: stop in good order. Twice: without waiting."""
    wishes = Wishes()
    wishes.ask_to_stop()
    assert wishes.stop.is_set()
    assert not wishes.hurry.is_set()
    wishes.ask_to_stop()
    assert wishes.hurry.is_set()


class Part:
    """Something that takes as long to stop as it is given, and remembers what it was given."""

    def __init__(self) -> None:
        self.graces: list[float] = []

    async def stop(self, grace: float) -> None:
        """Take the whole grace."""
        self.graces.append(grace)
        await asyncio.sleep(grace)


async def test_a_hurry_ends_the_waiting_for_a_part() -> None:
    """The part is stopped again, with no grace."""
    hurry, part = asyncio.Event(), Part()
    stopping = asyncio.create_task(within(hurry, part.stop))
    await asyncio.sleep(0)
    hurry.set()
    async with asyncio.timeout(20):
        await stopping
    assert part.graces == [30.0, 0.0]


async def test_in_a_hurry_nothing_is_waited_for() -> None:
    """A part that is stopped after the second signal gets no grace at all."""
    hurry, part = asyncio.Event(), Part()
    hurry.set()
    await within(hurry, part.stop)
    assert part.graces == [0.0]


async def test_trouble_in_a_stop_is_not_swallowed() -> None:
    """Who stops the parts hears of it."""

    async def broken(_: float) -> None:
        raise CommandError("it does not stop")

    with pytest.raises(CommandError, match="does not stop"):
        await within(asyncio.Event(), broken)


def test_the_first_cause_can_be_told_in_a_line() -> None:
    """Of nested groups the one that a command can print; else the group itself."""
    cause = CommandError("port taken", 75)
    nested = ExceptionGroup("a", [ValueError("x"), ExceptionGroup("b", [cause])])
    assert first_cause(nested) is cause
    problem = ConfigError(())
    assert first_cause(ExceptionGroup("a", [problem])) is problem
    other = ExceptionGroup("a", [ValueError("x")])
    assert first_cause(other) is other


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it started us; without it nothing happens, and nothing when its socket is gone."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    tell_systemd("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    tell_systemd("READY=1")
    name = f"@relay-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind("\0" + name[1:])
        tell_systemd("READY=1")
        tell_systemd_of_reload()
        assert notify.recv(100) == b"READY=1"
        assert notify.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")


async def test_the_end_of_a_process_is_waited_for(tmp_path: Path) -> None:
    """As soon as it is there; and not longer than the limit."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )

    def works() -> bool:
        return child.returncode is None

    assert await asyncio.to_thread(wait_for_end, works, child.pid, 0.3) is False
    waiting = asyncio.create_task(asyncio.to_thread(wait_for_end, works, child.pid, 30.0))
    await child.communicate(b"\n")
    assert await waiting is True
    assert wait_for_end(lambda: False, 0, 1.0) is True
