"""What the page costs: how long its pages take with many messages stored, and mail while twenty people browse."""

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.depth import fill_closed
from bench.figures import Check, Figure, quantile, ratios, spread
from bench.peers import Relay, free_port
from bench.rates import Sink, measure
from bench.sections import Section
from bench.workloads import BROWSING_BESIDE, PAGE_LIMIT, RECORDING_ALONG
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase
from relay.web.store import PageStore, Session, digest

PEOPLE = 20
_THINKS = 3.0
"""Seconds that somebody looks at a page before the next."""
_REP_PAGES = ("/today", "/today/list", "/attention", "/try", "/settings/exclusions", "/diagnostics")
_ADMIN_PAGES = (
    "/admin",
    "/admin/messages",
    "/admin/messages?logged=needs_you",
    "/admin/queue",
    "/admin/audit",
    "/admin/configuration",
)
_DAY = 86_400_000_000


class WithPage(Relay):
    """The relay with its page; rep0 is an admin, everybody else a rep."""

    name = "relay with its page"
    users = 100

    def __init__(self, folder: Path, sink_port: int) -> None:
        super().__init__(folder, sink_port)
        self.page_port = free_port()

    def _settings(self) -> str:
        page = f'web: {{address: "127.0.0.1:{self.page_port}"}}'
        return (
            super()
            ._settings()
            .replace("web: null", page)
            .replace("{login: rep0,", "{login: rep0, web_role: admin,")
        )


class Browser:
    """One person: asks for pages over one connection and notes how long each took."""

    def __init__(self, port: int, secret: str, pages: Sequence[str]) -> None:
        self.port = port
        self.secret = secret
        self.pages = pages
        self.waits: dict[str, list[float]] = {page: [] for page in pages}

    async def browse(self, stop: asyncio.Event, pause: float) -> None:
        """Look at the pages in turn until told to stop."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            while not stop.is_set():
                await self._through(reader, writer, pause)
        finally:
            writer.close()

    async def once(self) -> None:
        """Look at the pages one after the other."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            await self._through(reader, writer, 0)
        finally:
            writer.close()

    async def _through(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pause: float
    ) -> None:
        for page in self.pages:
            began = time.perf_counter()
            await self._ask(reader, writer, page)
            self.waits[page].append(time.perf_counter() - began)
            await asyncio.sleep(pause)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, page: str) -> None:
        writer.write(
            f"GET {page} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nCookie: relay={self.secret}\r\n\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(f"{page}: {head[:60]!r}")
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)


def browsing_section(
    folder: Path, sink: Sink, stored: int, rounds: int, tell: Callable[[str], None]
) -> Section:
    """Measure each page with so many messages stored, then mail with and without people who browse."""
    relay = WithPage(folder / "page", sink.port)
    state = relay.folder / "state"
    state.mkdir(parents=True, mode=0o700)
    asyncio.run(fill_closed(state, stored, relay.users))
    sessions = asyncio.run(_sign_in(state))
    tell(f"  {stored:,} messages stored")
    with relay.running():
        waits = asyncio.run(_each_page(relay, sessions, 20))
        measure(relay, sink, RECORDING_ALONG)
        alone, beside = [], []
        for _ in range(max(rounds, 3)):
            alone.append(measure(relay, sink, RECORDING_ALONG).rate)
            with _people(relay, sessions):
                beside.append(measure(relay, sink, RECORDING_ALONG).rate)
    return _table(waits, stored, alone, beside)


async def _sign_in(state: Path) -> list[str]:
    """Make a session for each person, as a sign-in does; the first is the admin's."""
    secrets_ = [secrets.token_urlsafe(32) for _ in range(PEOPLE)]
    now = time.time_ns() // 1000
    database = await SqliteDatabase.open(state / DATABASE_NAME, create=True)
    try:
        for number, secret in enumerate(secrets_):
            session = Session(
                digest(secret), f"rep{number}", "password", "127.0.0.1", "bench", now, now, now + _DAY
            )
            await database.write(partial(PageStore().begin_session, session=session))
    finally:
        await database.close()
    return secrets_


async def _each_page(relay: WithPage, sessions: Sequence[str], times: int) -> dict[str, list[float]]:
    """Give how long each page took, asked for by one person at a time."""
    found: dict[str, list[float]] = {}
    for secret, pages in ((sessions[0], _ADMIN_PAGES), (sessions[7], _REP_PAGES)):
        for page in pages:
            browser = Browser(relay.page_port, secret, [page] * (times + 1))
            await browser.once()
            found[page] = browser.waits[page][1:]  # the first loads what the page needs
    return found


@contextmanager
def _people(relay: WithPage, sessions: Sequence[str]) -> Iterator[None]:
    """Have twenty people browse for the length of a `with` block."""
    stop = threading.Event()

    async def all_of_them() -> None:
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number, secret in enumerate(sessions):
                pages = _ADMIN_PAGES if number == 0 else _REP_PAGES
                group.create_task(Browser(relay.page_port, secret, pages).browse(over, _THINKS))
            await asyncio.to_thread(stop.wait)
            over.set()

    thread = threading.Thread(target=lambda: asyncio.run(all_of_them()), daemon=True)
    thread.start()
    time.sleep(2 * _THINKS)
    try:
        yield
    finally:
        stop.set()
        thread.join(60)


def _table(waits: dict[str, list[float]], stored: int, alone: list[float], beside: list[float]) -> Section:
    rows = [
        [f"`{page}`", f"{quantile(some, 0.5) * 1000:.0f}", f"{quantile(some, 0.95) * 1000:.0f}"]
        for page, some in waits.items()
    ]
    ratio = ratios(beside, alone)
    text = (
        f"Milliseconds for each page with {stored:,} messages stored, asked for by one person. While {PEOPLE} people browse (a page"
        f" each 3 s), mail goes at {ratio} of its rate without them ({spread(alone).median:.0f} messages/s)."
    )
    slowest = max(waits, key=lambda page: quantile(waits[page], 0.95))
    worst = spread([quantile(waits[slowest], 0.95) * 1000])
    checks = [
        Check(Figure(f"95th percentile of the slowest page ({slowest})", PAGE_LIMIT, False, " ms"), worst),
        Check(Figure(f"mail while {PEOPLE} people browse", BROWSING_BESIDE, True), ratio),
    ]
    return Section("The page", text, ("page", "median", "95th percentile"), rows, checks)
