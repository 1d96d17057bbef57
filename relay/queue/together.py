"""Work of one kind that waits for the database at the same time is written as one unit.

A unit has a price of its own, and a statement for many rows costs less than one for each. Nobody notices otherwise: where
the whole fails, each is written by itself, and only what is wrong with it is told to whoever waits.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

from relay.storage.database import Database, Transaction

I = TypeVar("I")  # noqa: E741 - an item
R = TypeVar("R")

logger = logging.getLogger(__name__)

MOST = 64
"""Items in one unit."""
_UNDER_WAY = 2
"""Units that are written or wait to be: one that waits takes along what comes meanwhile."""

Told = Callable[[R | None, BaseException | None], None]
"""Hears the result of an item once it is durable, or why it was not written; on the event loop. Never raises."""


class Together(Generic[I, R]):
    """Gathers items and writes them."""

    def __init__(
        self,
        database: Callable[[], Database],
        unit: Callable[[Transaction, Sequence[I]], Sequence[R]],
        patience: float = 0.0,
        company: Callable[[], None] = lambda: None,
    ) -> None:
        """`database` gives where to; `unit` writes items and gives a result for each. `patience`: seconds that one may wait for others.
        `company` is called before a unit is written: what else may share its commit can be brought along.
        """
        self._database = database
        self._unit = unit
        self._patience = patience
        self._company = company
        self._waiting: deque[tuple[I, Told[R]]] = deque()
        self._due: asyncio.Handle | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    def submit(self, item: I, told: Told[R]) -> None:
        """Have an item written, and what came of it told: CancelledError when it is given up."""
        self._waiting.append((item, told))
        if self._due is None and len(self._under_way) < _UNDER_WAY:
            loop = asyncio.get_running_loop()
            self._due = (
                loop.call_later(self._patience, self._start)
                if self._patience
                else loop.call_soon(self._start)
            )

    async def write(self, item: I) -> R:
        """Have an item written; give its result once it is durable. Raises what Database.write does."""
        written: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self.submit(item, partial(_resolve, written))
        return await written

    def hurry(self) -> None:
        """Wait for no others any more."""
        if self._due is not None:
            self._due.cancel()
            self._start()

    async def finish(self, limit: float) -> None:
        """Wait until all is written, at most so many seconds; then give up what is not."""
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        self.hurry()
        while self._under_way and (left := end - loop.time()) > 0:
            await asyncio.wait(tuple(self._under_way), timeout=left)
        while self._waiting:
            _tell(self._waiting.popleft()[1], None, asyncio.CancelledError())
        for task in tuple(self._under_way):
            task.cancel()
        if self._under_way:
            await asyncio.wait(tuple(self._under_way))

    def _start(self) -> None:
        self._due = None
        if not self._waiting:
            return
        self._company()
        task = asyncio.get_running_loop().create_task(self._write([]))
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if self._waiting and self._due is None:
            self._start()

    def _fill(self, batch: list[tuple[I, Told[R]]]) -> None:
        """Take what waits, unless that was done before. On the database's thread: the later, the more there is."""
        if not batch:
            with suppress(IndexError):
                while len(batch) < MOST:
                    batch.append(self._waiting.popleft())

    async def _write(self, batch: list[tuple[I, Told[R]]]) -> None:
        """Write a batch, or what waits when its turn comes."""

        def unit(tx: Transaction) -> Sequence[R]:
            self._fill(batch)
            return self._unit(tx, [item for item, _ in batch]) if batch else ()

        try:
            results = await self._database().write(unit)
        except asyncio.CancelledError as cancelled:
            self._fill(batch)
            for _, told in batch:
                _tell(told, None, cancelled)
            raise
        except Exception as exc:  # noqa: BLE001 - it is handed to whoever waits, or comes up again
            self._fill(batch)
            if len(batch) == 1:
                _tell(batch[0][1], None, exc)
            else:
                await asyncio.gather(*(self._write([one]) for one in batch))
            return
        for (_, told), result in zip(batch, results, strict=True):
            _tell(told, result, None)


def _tell(told: Told[R], result: R | None, error: BaseException | None) -> None:
    """Tell one; whatever goes wrong there, the others are told as well."""
    try:
        told(result, error)
    except Exception:
        logger.exception("what was to follow a write failed")


def _resolve(written: "asyncio.Future[R]", result: R | None, error: BaseException | None) -> None:
    """Hand over a result, unless nobody waits for it any more."""
    if written.done():
        return
    if error is None:
        written.set_result(result)  # type: ignore[arg-type]  # None is R's own here
    elif isinstance(error, asyncio.CancelledError):
        written.cancel()
    else:
        written.set_exception(error)
