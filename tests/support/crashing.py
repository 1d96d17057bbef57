"""The relay, made to kill itself (SIGKILL) exactly at one crash point: `python -m tests.support.crashing ARGS…`.

RELAY_CRASH_AT names the point. The product knows nothing of this: its functions are replaced from outside before it
starts. What is watched is the *victim*: the message that has a recipient victim…@…; other mail passes.
RELAY_CRASH_LOOP=asyncio keeps it from using uvloop.
"""

import asyncio
import contextlib
import functools
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

VICTIM = "victim"
POINT, LOOP, STUCK = "RELAY_CRASH_AT", "RELAY_CRASH_LOOP", "RELAY_STUCK_SECONDS"

Test = Callable[..., bool]  # sees the arguments of the function that is replaced
ARM: dict[str, Callable[[], None]] = {}
"""How each point is armed, by its number in docs/queue.md and a letter where there are several ways to hit it."""


class Seen:
    """What is known of the victim in this process."""

    id = ""
    report = ""
    """The report on it."""
    files: set[str] = set()  # noqa: RUF012 - there is one process, and one of this
    accepting = False
    """Its unit of acceptance is running, or was the last of it that ran."""
    settling = False
    claimed = False
    stored: object = None
    writes = 0


def die() -> NoReturn:
    """End as `kill -9` ends it."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL came back")


def at(*points: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register what arms these points."""

    def register(arm: Callable[[], None]) -> Callable[[], None]:
        ARM.update(dict.fromkeys(points, arm))
        return arm

    return register


def before(owner: Any, name: str, test: Test) -> None:
    """Die when the function is called with arguments that pass the test."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def patched(*args: Any, **named: Any) -> Any:
        if test(*args, **named):
            die()
        return original(*args, **named)

    setattr(owner, name, patched)


def after(owner: Any, name: str, test: Test) -> None:
    """Die when the function has returned and its arguments pass the test then."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def patched(*args: Any, **named: Any) -> Any:
        result = original(*args, **named)
        if test(*args, **named):
            die()
        return result

    setattr(owner, name, patched)


def after_await(owner: Any, name: str, test: Test) -> None:
    """Die when the coroutine has ended and its arguments pass the test then."""
    original: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @functools.wraps(original)
    async def patched(*args: Any, **named: Any) -> Any:
        result = await original(*args, **named)
        if test(*args, **named):
            die()
        return result

    setattr(owner, name, patched)


def hold(owner: Any, name: str, test: Test) -> None:
    """Have the coroutine wait for ever when its arguments pass the test."""
    original: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @functools.wraps(original)
    async def patched(*args: Any, **named: Any) -> Any:
        if test(*args, **named):
            await asyncio.Event().wait()
        return await original(*args, **named)

    setattr(owner, name, patched)


def is_victim(message: Any) -> bool:
    """Tell whether this message (new or queued) is the victim."""
    return any(str(each.address).startswith(VICTIM) for each in message.envelope.recipients)


def of_victim(transaction: Any) -> bool:
    """Tell whether this transaction with a hop is the victim's."""
    return transaction is not None and bool(Seen.id) and str(transaction.message.id) == Seen.id


def watch() -> None:
    """Note in which unit of work the victim is, and which spool files are its own."""
    from relay.ids import queue_id_of
    from relay.queue.store import QueueStore
    from relay.storage.spool import SpoolFile

    accept, settle = QueueStore.accept_all, QueueStore.settle_all
    claim, write = QueueStore.claim, SpoolFile.write

    def accept_(self: Any, tx: Any, arrivals: Any) -> Any:
        for one in arrivals:
            if is_victim(one.message):
                Seen.id, Seen.accepting = str(queue_id_of(one.message.number)), True
            elif Seen.id and one.message.why == f"delivery report about {Seen.id}":
                Seen.report = str(queue_id_of(one.message.number))
        return accept(self, tx, arrivals)

    def settle_(self: Any, tx: Any, attempts: Any) -> Any:
        Seen.settling = Seen.settling or any(str(message) == Seen.id for message, _ in attempts)
        return settle(self, tx, attempts)

    def claim_(*args: Any) -> Any:
        claimed = claim(*args)
        Seen.claimed = Seen.claimed or any(str(each.message.id) == Seen.id for each in claimed)
        return claimed

    def write_(self: Any, chunk: bytes) -> None:
        if VICTIM.encode() in chunk:
            Seen.files.add(self.name)
        write(self, chunk)

    for owner, name, new in (
        (QueueStore, "accept_all", accept_),
        (QueueStore, "settle_all", settle_),
        (QueueStore, "claim", claim_),
        (SpoolFile, "write", write_),
    ):
        setattr(owner, name, new)


def main() -> None:
    """Arm the point, then be the relay."""
    if os.environ.get(LOOP) == "asyncio":
        from relay import server

        vars(server)["loop_factory"] = lambda: None
    from tests.support import crash_points, losing_disk  # noqa: F401 - they register what arms each point

    watch()
    if os.environ.get(POINT):
        ARM[os.environ[POINT]]()
    from relay.__main__ import main as relay

    with contextlib.suppress(KeyboardInterrupt):
        relay()


if __name__ == "__main__":
    sys.modules["tests.support.crashing"] = sys.modules["__main__"]
    main()
