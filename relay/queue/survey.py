"""The queue at a glance, whatever its length: ages by destination, and what waits for which reason.

It is read slice by slice, each in a transaction of its own, and added up in a bounded number of groups: a million
deliveries neither fill the memory nor keep anybody from the database. Log copies' addresses never leave the store.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from relay.queue.model import State
from relay.queue.playbook import Play, play_for, skeleton
from relay.queue.rows import integer, optional_integer
from relay.queue.selection import OPEN, Selection, where
from relay.storage.database import Database, Row, Transaction

AGES = (5, 10, 20, 40, 80, 160, 320, 640, 1280)
"""Minutes: the ends of the columns; what is older stands in one more."""
MOST_GROUPS = 5000
OTHERS = "(others)"
SLICE = 20_000
"""Messages read in one transaction."""
_MOST_DESTINATIONS = 200
_MINUTE = 60_000_000

SLICE_END = """
    SELECT max(id) FROM (SELECT id FROM message WHERE closed_at IS NULL AND id > ? ORDER BY id LIMIT ?)
"""
"""Where the next slice of open messages ends."""

# What stands behind the last @: rtrim() takes off whatever is no @; both databases know it.
_ANY_DOMAIN = "lower(substr(d.target, length(rtrim(d.target, replace(d.target, '@', ''))) + 1))"
_DOMAIN = f"CASE WHEN d.role = 'recipient' THEN {_ANY_DOMAIN} ELSE '' END"
_AGE = f"CASE {' '.join(f'WHEN m.accepted_at > ? THEN {n}' for n in range(len(AGES)))} ELSE {len(AGES)} END"

SHAPE = f"""
    SELECT {{key}}, {_AGE}, count(*) FROM message m JOIN delivery d ON d.message = m.id
    WHERE m.id > ? AND m.id <= ? AND {{conditions}} GROUP BY {{groups}}
"""  # noqa: S608 - columns and conditions are ours, values are bound
"""Deliveries of a slice by what the rows are for and by age."""

WHY = f"""
    SELECT d.state, d.role, d.transport, d.reason, {_DOMAIN}, count(*), min(m.accepted_at), min(d.next_attempt_at)
    FROM message m JOIN delivery d ON d.message = m.id
    WHERE m.id > ? AND m.id <= ? AND {{conditions}} GROUP BY 1, 2, 3, 4, 5
"""  # noqa: S608 - columns and conditions are ours, values are bound
"""Deliveries of a slice by what they wait for."""


class By(StrEnum):
    """What the rows of the shape are."""

    DOMAIN = "domain"
    ROUTE = "route"
    REASON = "reason"
    USER = "user"


_KEYS = {
    By.DOMAIN: ("d.role", _DOMAIN),
    By.ROUTE: ("d.transport", "coalesce(m.login, '')", "m.reverse_path", _ANY_DOMAIN),
    By.REASON: ("d.state", "d.reason"),
    By.USER: ("coalesce(m.login, '')", "m.reverse_path = ''"),
}

RouteOf = Callable[[bool, str, str], str]
"""Names the route by whether it is the relay's own mail, the reverse-path, and the recipient's domain."""


def slice_end(tx: Transaction, after: int, size: int = SLICE) -> int | None:
    """Give the number of the last message of the slice behind `after`; None when there is none."""
    return optional_integer(tx.execute(SLICE_END, (after, size))[0][0])


@dataclass(slots=True)
class Shape:
    """Counts deliveries by row and age."""

    by: By
    now: int
    selection: Selection
    route_of: RouteOf
    rows: dict[str, list[int]] = field(default_factory=dict)

    def add(self, tx: Transaction, after: int, end: int) -> None:
        """Count those of the messages behind `after` up to `end`."""
        key = _KEYS[self.by]
        conditions, values = where(self.selection, OPEN)
        sql = SHAPE.format(key=", ".join(key), conditions=conditions, groups=_numbers(len(key) + 1))
        ages = [self.now - minutes * _MINUTE for minutes in AGES]
        for row in tx.execute(sql, (*ages, after, end, *values)):
            *parts, age, count = row
            self._count(self._name(parts), integer(age), integer(count))

    def _count(self, name: str, age: int, count: int) -> None:
        if name not in self.rows and len(self.rows) >= MOST_GROUPS:
            name = OTHERS
        self.rows.setdefault(name, [0] * (len(AGES) + 1))[age] += count

    def _name(self, parts: Sequence[object]) -> str:
        texts = [str(part) for part in parts]
        match self.by:
            case By.DOMAIN:
                role, domain = texts
                return domain or _WITHOUT_DOMAIN.get(role, "(nobody)")
            case By.ROUTE:
                transport, login, sender, domain = texts
                return (
                    self.route_of(not login and not sender, sender, domain)
                    if transport == "smtp"
                    else transport
                )
            case By.REASON:
                return skeleton(texts[1]) or f"({texts[0]})"
            case By.USER:
                return texts[0] or ("(the relay)" if texts[1] == "1" else "(no rep)")

    def largest(self, limit: int) -> list[tuple[str, list[int]]]:
        """Give the rows with most deliveries, the largest first."""
        return sorted(self.rows.items(), key=lambda row: (-sum(row[1]), row[0]))[:limit]

    def total(self) -> list[int]:
        """Give the sum of all rows."""
        return [sum(column) for column in zip(*self.rows.values(), strict=True)] or [0] * (len(AGES) + 1)


_WITHOUT_DOMAIN = {"log_copy": "(log copies)", "record": "(records)"}


@dataclass(slots=True)
class Cause:
    """Deliveries that wait for the same reason."""

    state: State
    play: Play
    reason: str
    """Without what differs from one to the other."""
    example: str
    count: int = 0
    oldest: int = 0
    next_attempt_at: int | None = None
    destinations: Counter[str] = field(default_factory=Counter)
    """Recipient domains, at most so many."""

    def add(self, count: int, accepted_at: int, due: int | None, domain: str) -> None:
        """Count further deliveries."""
        self.oldest = min(self.oldest, accepted_at) if self.count else accepted_at
        self.count += count
        if due is not None:
            self.next_attempt_at = due if self.next_attempt_at is None else min(self.next_attempt_at, due)
        if domain in self.destinations or len(self.destinations) < _MOST_DESTINATIONS:
            self.destinations[domain] += count


@dataclass(slots=True)
class Causes:
    """Groups deliveries by the reason they wait for."""

    selection: Selection
    found: dict[tuple[str, str], Cause] = field(default_factory=dict)

    def add(self, tx: Transaction, after: int, end: int) -> None:
        """Group those of the messages behind `after` up to `end`."""
        conditions, values = where(self.selection, OPEN)
        self.add_rows(tx.execute(WHY.format(conditions=conditions), (after, end, *values)))

    def add_rows(self, rows: Iterable[Row]) -> None:
        """Group rows of WHY."""
        for state, role, _, reason, domain, count, accepted_at, due in rows:
            cause = self._cause(State(str(state)), str(reason))
            name = str(domain) or _WITHOUT_DOMAIN.get(str(role), "(nobody)")
            cause.add(integer(count), integer(accepted_at), optional_integer(due), name)

    def _cause(self, state: State, reason: str) -> Cause:
        bare = skeleton(reason)
        key = (state.value, bare)
        if key not in self.found and len(self.found) >= MOST_GROUPS:
            key, bare = (state.value, OTHERS), OTHERS
        found = self.found.get(key)
        if found is None:
            found = self.found[key] = Cause(state, play_for(state, reason), bare, reason)
        return found

    def largest(self, limit: int) -> list[Cause]:
        """Give the reasons that most deliveries wait for, the largest first."""
        return sorted(self.found.values(), key=lambda cause: (-cause.count, cause.oldest))[:limit]


async def go_through(database: Database, counted: Shape | Causes, size: int = SLICE) -> None:
    """Read the whole queue, slice by slice."""
    after = 0
    while (end := await database.read(partial(slice_end, after=after, size=size))) is not None:
        await database.read(partial(counted.add, after=after, end=end))
        after = end


def _numbers(count: int) -> str:
    return ", ".join(str(number) for number in range(1, count + 1))
