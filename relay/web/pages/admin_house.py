"""*Overview*, *Configuration* and *Audit*: how the relay is doing, what it goes by, and who did what; for admins and auditors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from relay.directory.effective import effective, leaves
from relay.queue.listing import Listing, Standing
from relay.queue.rows import integer
from relay.storage.database import Transaction
from relay.web.access import Access, Entry, PageRoute, get
from relay.web.asking import Ask
from relay.web.charts import bars

_HOUR = 3_600_000_000
_HOURS = 24
_KEPT_FOR = 30.0
"""Seconds for which the numbers of the overview hold: they are counted over a whole day."""
_ENTRIES = 100
_SETTINGS = 300
"""Settings of a section that are shown; a search finds the others."""

PER_HOUR = """
    SELECT (? - at) / 3600000000, name, count(*) FROM event
    WHERE id > ? AND name IN ('message.accepted', 'message.closed', 'message.refused') GROUP BY 1, 2
"""
"""What happened in each of the last hours; the ids of events are their instants times 2048."""


@dataclass(frozen=True, slots=True)
class Day:
    """The last 24 hours in numbers, the oldest hour first."""

    accepted: tuple[int, ...]
    refused: tuple[int, ...]
    closed: tuple[int, ...]
    standing: Standing


_counted: dict[int, tuple[float, Day]] = {}
"""By the database they were counted in: until when the numbers hold."""


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get("/admin", overview, Access.OVERSIGHT, entry=Entry("admin", "nav.overview")),
        get(
            "/admin/configuration", configuration, Access.OVERSIGHT, entry=Entry("admin", "nav.configuration")
        ),
        get("/admin/audit", audit, Access.OVERSIGHT, entry=Entry("admin", "nav.audit")),
    )


async def overview(ask: Ask) -> Response:
    """Show how the relay is doing."""
    day, status = await _day(ask), await ask.house.actions.status()
    client = ask.house.actions.salesforce()
    usage = None if client is None else client.usage()
    oldest = min(day.standing.oldest.values(), default=None)
    return ask.render(
        "admin_overview.html",
        200,
        day=day,
        since=ask.now - _HOURS * _HOUR,
        accepted=bars(day.accepted),
        refused=bars(day.refused),
        service=status,
        usage=usage,
        oldest=oldest,
        total={name: sum(getattr(day, name)) for name in ("accepted", "refused", "closed")},
        waiting=sum(day.standing.counts.values()),
    )


async def _day(ask: Ask) -> Day:
    key, now = id(ask.house.database), ask.house.clock.monotonic()
    until, day = _counted.get(key, (0.0, None))
    if day is None or now >= until:
        day = await ask.house.database.read(lambda tx: _count(tx, ask.now))
        _counted.clear()
        _counted[key] = (now + _KEPT_FOR, day)
    return day


def _count(tx: Transaction, now: int) -> Day:
    hours: Mapping[str, list[int]] = {
        name: [0] * _HOURS for name in ("message.accepted", "message.refused", "message.closed")
    }
    for ago, name, count in tx.execute(PER_HOUR, (now, (now - _HOURS * _HOUR) << 11)):
        if 0 <= integer(ago) < _HOURS:
            hours[str(name)][_HOURS - 1 - integer(ago)] += integer(count)
    return Day(
        tuple(hours["message.accepted"]),
        tuple(hours["message.refused"]),
        tuple(hours["message.closed"]),
        Listing().standing(tx),
    )


async def configuration(ask: Ask) -> Response:
    """Show the settings in force, each with where it comes from; nothing secret is in them."""
    now = ask.house.configuration
    shown = [
        (path, _text(value), now.place(path)) for path, value in leaves(effective(now.settings, reveal=False))
    ]
    wanted = ask.query("q").strip().lower()
    sections: dict[str, list[tuple[str, str, str]]] = {}
    for row in shown:
        if wanted in row[0].lower() or wanted in row[2].lower():
            sections.setdefault(row[0].partition(".")[0], []).append(row)
    return ask.render(
        "admin_configuration.html",
        200,
        sections={name: rows[:_SETTINGS] for name, rows in sections.items()},
        more=any(len(rows) > _SETTINGS for rows in sections.values()),
        wanted=ask.query("q"),
        path=str(now.path.name),
    )


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "—"
    return "—" if value is None else str(value)


async def audit(ask: Ask) -> Response:
    """Show who did what, and who read what."""
    name, before = ask.query("who").strip(), ask.query("before")
    last = int(before) if before.isdecimal() and len(before) < 19 else 2**62
    entries = await ask.house.database.read(
        lambda tx: ask.house.store.audited(tx, name=name, before=last, limit=_ENTRIES)
    )
    return ask.render(
        "admin_audit.html",
        200,
        entries=[(one, ", ".join(f"{key}: {value}" for key, value in one.detail.items())) for one in entries],
        who=name,
        older=entries[-1].id if len(entries) == _ENTRIES else None,
    )
