"""What the page costs: how long its pages take with many messages stored, and mail while twenty people browse."""

import asyncio
import html
import re
import secrets
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle
from pathlib import Path

from bench.depth import fill_closed
from bench.figures import Check, Figure, quantile, ratios, spread
from bench.peers import Relay, free_port
from bench.rates import Sink, measure
from bench.sections import Section
from bench.workloads import BROWSING, BROWSING_BESIDE, PAGE_LIMIT
from relay.reminders.model import RepKey
from relay.reminders.store import NewReminder, ReminderStore
from relay.storage.database import Transaction
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase
from relay.web.store import PageStore, Session, digest, tie

PEOPLE = 20
_THINKS = 3.0
"""Seconds that somebody looks at a page before the next."""
_REP_PAGES = (
    "/today",
    "/center",
    "/reminders",
    "/attention",
    "/today?show=needs_you",
    "/try",
    "/reminders/new",
    "/settings/exclusions",
    "/diagnostics",
)
_ADMIN_PAGES = (
    "/admin",
    "/admin/messages",
    "/admin/messages?logged=needs_you",
    "/admin/queue",
    "/admin/audit",
    "/admin/configuration",
    "/diagnostics",
)
_LIVE_PAGES = ("/today", "/center", "/attention", "/diagnostics")
_LIVE = re.compile(rb'hx-get="([^"]+)" hx-trigger="every (\d+)(ms|s)"')
"""What of a page asks for itself, and how often."""
_REMINDERS = 30
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
    """One person with a browser: asks over one connection and notes how long each page took."""

    def __init__(self, port: int, secret: str) -> None:
        self.port = port
        self.secret = secret

    async def browse(self, pages: Sequence[str], late: float, stop: asyncio.Event) -> None:
        """Look at the pages in turn until told to stop; what is live on a page goes on asking meanwhile."""
        await asyncio.sleep(late)
        async with self._connected() as ask:
            for page in cycle(pages):
                end = asyncio.get_running_loop().time() + _THINKS
                found = _LIVE.search(await ask(page))
                while found is not None and (pause := _seconds(found)) < _left(end):
                    await asyncio.sleep(pause)
                    found = _LIVE.search(await ask(_path(found))) or found
                await asyncio.sleep(_left(end))
                if stop.is_set():
                    return

    async def times(self, page: str, count: int) -> list[float]:
        """Give how long a page took, asked for so often."""
        async with self._connected() as ask:
            await ask(page)  # the first loads what the page needs
            return [await _timed(ask, page) for _ in range(count)]

    async def times_unchanged(self, page: str, count: int) -> tuple[str, list[float]]:
        """Give what of a page asks for itself, and how long that took while nothing changed."""
        async with self._connected() as ask:
            found = _LIVE.search(await ask(page))
            assert found is not None, f"nothing on {page} is live"
            return _path(found).partition("?")[0], [await _timed(ask, _path(found)) for _ in range(count)]

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Callable[[str], Awaitable[bytes]]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)

        async def ask(page: str) -> bytes:
            fields = f"Host: 127.0.0.1:{self.port}\r\nCookie: relay={self.secret}"
            writer.write(f"GET {page} HTTP/1.1\r\n{fields}\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if head.startswith(b"http/1.1 204"):
                return b""
            if not head.startswith(b"http/1.1 200"):
                raise RuntimeError(f"{page}: {head[:60]!r}")
            return await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))

        try:
            yield ask
        finally:
            writer.close()


async def _timed(ask: Callable[[str], Awaitable[bytes]], page: str) -> float:
    began = time.perf_counter()
    await ask(page)
    return time.perf_counter() - began


def _path(found: re.Match[bytes]) -> str:
    return html.unescape(found[1].decode())


def _seconds(found: re.Match[bytes]) -> float:
    return int(found[2]) / (1000 if found[3] == b"ms" else 1)


def _left(end: float) -> float:
    return max(end - asyncio.get_running_loop().time(), 0)


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
        measure(relay, sink, BROWSING)
        alone, beside = [], []
        for _ in range(max(rounds, 3)):
            alone.append(measure(relay, sink, BROWSING).rate)
            with _people(relay, sessions):
                beside.append(measure(relay, sink, BROWSING).rate)
    return _table(waits, stored, alone, beside)


async def _sign_in(state: Path) -> list[str]:
    """Make a session for each person, as a sign-in does, and some reminders; the first is the admin."""
    secrets_ = [secrets.token_urlsafe(32) for _ in range(PEOPLE)]
    now = time.time_ns() // 1000
    database = await SqliteDatabase.open(state / DATABASE_NAME, create=True)
    try:
        for number, secret in enumerate(secrets_):
            ends = now + _DAY
            key = digest(secret)
            session = Session(
                key, f"rep{number}", "link", "127.0.0.1", "bench", now, now, ends, tie(key, None)
            )
            await database.write(partial(PageStore().begin_session, session=session))
            await database.write(partial(_remind, f"rep{number}", now))
    finally:
        await database.close()
    return secrets_


def _remind(login: str, now: int, tx: Transaction) -> None:
    today = datetime.fromtimestamp(now // 1_000_000, UTC).date()
    for number in range(_REMINDERS):
        new = NewReminder(RepKey(login), f"Call buyer {number}", due=today + timedelta(days=number % 5))
        ReminderStore().add(tx, new, on=False, now=now)


async def _each_page(relay: WithPage, sessions: Sequence[str], times: int) -> dict[str, list[float]]:
    """Give how long each page took, asked for by one person at a time."""
    found: dict[str, list[float]] = {}
    for secret, pages, whose in ((sessions[0], _ADMIN_PAGES, " (all reps)"), (sessions[8], _REP_PAGES, "")):
        browser = Browser(relay.page_port, secret)
        for page in pages:
            found[_named(page, whose)] = await browser.times(page, times)
        for page in (one for one in _LIVE_PAGES if one in pages):
            name, waits = await browser.times_unchanged(page, times)
            found[f"{_named(name, whose)}, unchanged"] = waits
    return found


def _named(page: str, whose: str) -> str:
    return f"`{page}`{whose if page.startswith('/diagnostics') else ''}"


@contextmanager
def _people(relay: WithPage, sessions: Sequence[str]) -> Iterator[None]:
    """Have twenty people browse for the length of a `with` block."""
    stop = threading.Event()

    async def all_of_them() -> None:
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number, secret in enumerate(sessions):
                pages = _ADMIN_PAGES if number == 0 else _REP_PAGES
                first = number % len(pages)  # everybody looks at something else, out of step
                turn = (*pages[first:], *pages[:first])
                late = number * _THINKS / PEOPLE
                group.create_task(Browser(relay.page_port, secret).browse(turn, late, over))
            await asyncio.to_thread(stop.wait)
            over.set()

    with ThreadPoolExecutor(1) as pool:
        people = pool.submit(lambda: asyncio.run(all_of_them()))
        time.sleep(2 * _THINKS)
        try:
            yield
        finally:
            stop.set()
            people.result()  # a page that was not answered makes the measurement worthless


def _table(waits: dict[str, list[float]], stored: int, alone: list[float], beside: list[float]) -> Section:
    rows = [
        [page, f"{quantile(some, 0.5) * 1000:.0f}", f"{quantile(some, 0.95) * 1000:.0f}"]
        for page, some in waits.items()
    ]
    ratio = ratios(beside, alone)
    text = (
        f"Milliseconds for each page with {stored:,} messages stored, asked for by one person. While {PEOPLE} people browse (a page"
        f" each 3 s, out of step, and what is live on it every 1.5 or 2 s beside that), mail goes at {ratio} of its rate without them ({spread(alone).median:.0f} messages/s)."
    )
    slowest = max(waits, key=lambda page: quantile(waits[page], 0.95))
    worst = spread([quantile(waits[slowest], 0.95) * 1000])
    checks = [
        Check(Figure(f"95th percentile of the slowest page ({slowest})", PAGE_LIMIT, False, " ms"), worst),
        Check(Figure(f"mail while {PEOPLE} people browse", BROWSING_BESIDE, True), ratio),
    ]
    return Section("The page", text, ("page", "median", "95th percentile"), rows, checks)
