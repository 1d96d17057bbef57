"""The service as a process of the system: its event loop, its signals, systemd, and stopping with a limit."""

import asyncio
import contextlib
import ctypes
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Coroutine

from relay.errors import CommandError, ConfigError

_LOOK_EVERY = 0.2
_ARENA_MAX = -8  # malloc.h
_LAST_WAIT = 10.0
"""Seconds that a part gets to end once it was told to, before it is broken off."""
GRACE = 30.0
"""Seconds that transactions and attempts under way get to end when the service stops."""


class Wishes:
    """What the process was asked for from outside, by signals or over the admin socket."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()
        self.reload = asyncio.Event()

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as `ask_to_stop`, SIGHUP as a wish to reload."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ask_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload.set)

    def ask_to_stop(self) -> None:
        """Stop in good order; asked a second time, without waiting for anybody."""
        (self.hurry if self.stop.is_set() else self.stop).set()


def first_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give what the command line can say in one line; the group itself when there is no such thing in it."""
    told: BaseException | None = group.subgroup((CommandError, ConfigError))
    while isinstance(told, BaseExceptionGroup):
        told = told.exceptions[0]
    return told or group


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Give uvloop's loop where it is installed (extra `fast`), else None: asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def keep_heap_small() -> None:
    """Have all threads take memory from one heap (glibc's M_ARENA_MAX); elsewhere nothing happens.

    A heap of its own for each thread keeps what large mail once needed. Called before there are threads.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


async def ended(task: "asyncio.Task[None]") -> None:
    """Wait until the task has ended, however it does; one that does not end is cancelled."""
    _, late = await asyncio.wait([task], timeout=_LAST_WAIT)
    if late:
        task.cancel()
        await asyncio.wait([task], timeout=_LAST_WAIT)


async def within(hurry: asyncio.Event, stop: Callable[[float], Coroutine[object, object, None]]) -> None:
    """Stop a part with the usual grace; once `hurry` is set, with none."""
    if hurry.is_set():
        await stop(0.0)
        return
    loop = asyncio.get_running_loop()
    stopping: asyncio.Task[object] = loop.create_task(stop(GRACE))
    hurrying: asyncio.Task[object] = loop.create_task(hurry.wait())
    await asyncio.wait([stopping, hurrying], return_when=asyncio.FIRST_COMPLETED)
    hurrying.cancel()
    if not stopping.done():
        stopping.cancel()
        await asyncio.wait([stopping])
        await stop(0.0)
    elif not stopping.cancelled() and (error := stopping.exception()) is not None:
        raise error


def tell_systemd(state: str) -> None:
    """Tell systemd how the service stands (sd_notify(3)); nothing happens when it did not start us."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(state.encode(), "\0" + path[1:] if path.startswith("@") else path)


def tell_systemd_of_reload() -> None:
    """Tell systemd that settings are being read (Type=notify-reload); READY=1 says that it is over."""
    tell_systemd(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def wait_for_end(works: Callable[[], bool], process: int, limit: float) -> bool:
    """Wait for the end of another process that `works` in a folder; tell whether it ended within so many seconds."""
    ends = time.monotonic() + limit
    while works():
        left = ends - time.monotonic()
        if left <= 0:
            return False
        _wait_for_exit(process, min(left, _LOOK_EVERY))
    return True


def _wait_for_exit(process: int, seconds: float) -> None:
    """Wait for the exit of a process, or for so long; where it cannot be watched, only for so long."""
    try:
        descriptor = os.pidfd_open(process) if process and hasattr(os, "pidfd_open") else -1
    except OSError:  # gone already, or not ours to see
        descriptor = -1
    try:
        select.select([descriptor] if descriptor >= 0 else [], [], [], seconds)
    finally:
        if descriptor >= 0:
            os.close(descriptor)
