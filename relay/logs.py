"""The program's own log on standard error: text on a terminal, JSON with ECS field names elsewhere.

A line is never waited for: it goes into a bounded queue and one thread writes it. When standard error takes
nothing any more, lines are dropped and counted, and the service goes on; what happened to mail is in the
store anyway. Secrets are kept out by never being handed to a logger; nothing here looks for them.
"""

import contextlib
import logging
import queue
import secrets
import sys
import threading
import time
from collections.abc import Sequence
from typing import TextIO

from relay.config.model import LogsSettings
from relay.log_lines import Discretion, JsonLines, Lines, LoggedEvent, TextLines, current_message

__all__ = ["LineHandler", "current_message", "setup"]

_CAPACITY = 10_000
_BATCH = 500
_FLUSH_LIMIT = 2.0
_GATHER = 0.03
"""Seconds that a line may wait for others: each waking of the thread costs more than a line."""
# Libraries may only say what is wrong. aiosmtpd warns about unknown commands in full, and a client that is
# out of step sends its password as one.
_QUIET = {"mail.log": logging.ERROR, "asyncio": logging.WARNING, "uvicorn": logging.WARNING}


class LineHandler(logging.Handler):
    """Takes records from any thread and never blocks; one thread of its own writes them."""

    def __init__(self, lines: Lines, stream: TextIO, capacity: int = _CAPACITY) -> None:
        super().__init__()
        self._lines = lines
        self._stream = stream
        self._capacity = capacity
        self._queue: queue.SimpleQueue[str | LoggedEvent | threading.Event | None] = queue.SimpleQueue()
        self.dropped = 0
        """Lines that were not written, since the start."""
        self._told = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
        self._thread.start()

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """Need no lock: the queue is one."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Put a record in line. Events are values and are formatted later, by the thread."""
        if self._closed or self._queue.qsize() >= self._capacity:
            self.dropped += 1
            return
        event: LoggedEvent | None = getattr(record, "event", None)
        if event is not None:
            self._queue.put(event)
            return
        try:
            self._queue.put(self._lines.record(record))
        except Exception:  # noqa: BLE001 - a wrong format must not stop what it reports on
            self.dropped += 1

    def take(self, events: Sequence[LoggedEvent]) -> None:
        """Put events in line, without a record for each."""
        room = 0 if self._closed else self._capacity - self._queue.qsize()
        for event in events[:room]:
            self._queue.put(event)
        self.dropped += max(len(events) - room, 0)

    def flush(self) -> None:
        """Wait until what was logged so far is written, two seconds at most."""
        if self._closed or threading.current_thread() is self._thread:
            return
        mark = threading.Event()
        self._queue.put(mark)
        mark.wait(_FLUSH_LIMIT)

    def close(self) -> None:
        """Write what waits, within two seconds, then write no more."""
        if not self._closed:
            self.flush()
            self._closed = True
            self._queue.put(None)
        super().close()

    def _run(self) -> None:
        while True:
            batch = [self._queue.get()]
            if not isinstance(batch[0], threading.Event):
                time.sleep(_GATHER)  # what comes meanwhile shares the write
            with contextlib.suppress(queue.Empty):
                while len(batch) < _BATCH:
                    batch.append(self._queue.get_nowait())
            self._write([self._format(item) for item in batch])
            for item in batch:
                if isinstance(item, threading.Event):
                    item.set()
            if None in batch:
                return

    def _format(self, item: str | LoggedEvent | threading.Event | None) -> str:
        """Give the line of an item, "" for one that stands for none."""
        if isinstance(item, str):
            return item
        if item is None or isinstance(item, threading.Event):
            return ""
        try:
            return self._lines.event(item)
        except Exception:  # noqa: BLE001 - one odd event must not end the thread
            self.dropped += 1
            return ""

    def _write(self, lines: list[str]) -> None:
        missing = self.dropped - self._told
        if missing:
            self._told = self.dropped
            lines.append(self._lines.record(_note(missing)))
        told = [line for line in lines if line]
        if not told:
            return
        text = "\n".join([*told, ""])
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # closed, or its reader is gone
            self.dropped += len(told)


def _note(missing: int) -> logging.LogRecord:
    text = "%d log lines were dropped: standard error did not take them"
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, (missing,), None)


def setup(settings: LogsSettings, stream: TextIO | None = None, key: bytes | None = None) -> LineHandler:
    """Send all program logs to a stream (standard error) as the settings say, in place of an earlier set-up.

    `key` makes address hashes the same from one start to the next; without it they hold for this one.
    """
    stream = stream or sys.stderr
    discretion = Discretion(settings.addresses, settings.subjects, key or secrets.token_bytes(32))
    text = settings.format == "text" or (settings.format == "auto" and stream.isatty())
    handler = LineHandler(TextLines(discretion) if text else JsonLines(discretion), stream)
    root = logging.getLogger()
    for earlier in [one for one in root.handlers if isinstance(one, LineHandler)]:
        root.removeHandler(earlier)
        earlier.close()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("relay").setLevel(settings.level.upper())
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)
    return handler


def finish() -> None:
    """Write what waits, and end what `setup` began."""
    for handler in [one for one in logging.getLogger().handlers if isinstance(one, LineHandler)]:
        handler.close()
