"""How fast mail may go by a route's own limits: messages in a minute, recipients in a day.

Pure: the time is an argument, in seconds that never run backwards. Bounded: what is counted for each mailbox is a
few numbers, and the mailboxes that were used longest ago are forgotten.
"""

from collections import OrderedDict, deque

MINUTE = 60.0
HOUR = 3600.0
DAY_HOURS = 24
_MAILBOXES = 2_000
_SPARE = 0.05
"""Seconds beyond the instant at which there is room: what comes back must not be a moment early."""


class _Minute:
    """At most so many in any span of a minute."""

    __slots__ = ("_line", "_sent")

    def __init__(self, limit: int) -> None:
        self._sent: deque[float] = deque(maxlen=limit)
        self._line: deque[float] = deque(maxlen=limit)
        """When those come back that were sent away."""

    def wait(self, now: float) -> float:
        """Give seconds until there is room; 0: now. Each one that must wait is given an instant of its own."""
        limit = self._sent.maxlen or 1
        if len(self._sent) < limit or now - self._sent[0] >= MINUTE:
            return 0.0
        while self._line and self._line[0] <= now:
            self._line.popleft()
        before = [*self._sent, *self._line][-limit]
        back = before + MINUTE
        self._line.append(back)
        return back - now + _SPARE

    def take(self, now: float) -> None:
        """Count one that is sent now."""
        self._sent.append(now)


class _Day:
    """At most so many in a day, counted by the hour."""

    __slots__ = ("_hours", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._hours: deque[list[int]] = deque(maxlen=DAY_HOURS + 1)

    def wait(self, now: float, count: int) -> float:
        """Give seconds until there is room for so many; 0: now. More than a day's limit at once waits for an empty day."""
        hour = int(now // HOUR)
        while self._hours and self._hours[0][0] <= hour - DAY_HOURS:
            self._hours.popleft()
        room = self._limit - sum(number for _, number in self._hours)
        if count <= room or not self._hours:
            return 0.0
        freed = 0
        for begun, number in self._hours:
            freed += number
            if room + freed >= count:
                return (begun + DAY_HOURS) * HOUR - now + _SPARE
        return (self._hours[-1][0] + DAY_HOURS) * HOUR - now + _SPARE

    def take(self, now: float, count: int) -> None:
        """Count so many that are sent now."""
        hour = int(now // HOUR)
        if self._hours and self._hours[-1][0] == hour:
            self._hours[-1][1] += count
        else:
            self._hours.append([hour, count])


class Pace:
    """Counts what goes out, for each mailbox by itself."""

    def __init__(self, messages_per_minute: int, recipients_per_day: int) -> None:
        """0: no limit."""
        self._per_minute = messages_per_minute
        self._per_day = recipients_per_day
        self._mailboxes: OrderedDict[str, tuple[_Minute, _Day]] = OrderedDict()

    @property
    def limited(self) -> bool:
        """Tell whether there is any limit."""
        return bool(self._per_minute or self._per_day)

    def take(self, mailbox: str, recipients: int, now: float) -> tuple[float, str]:
        """Take room for a message; give (0, "") when there is, else seconds until there may be and the limit's words."""
        minute, day = self._of(mailbox)
        if self._per_day and (wait := day.wait(now, recipients)):
            return wait, f"{self._per_day} recipients a day"
        if self._per_minute and (wait := minute.wait(now)):
            return wait, f"{self._per_minute} messages a minute"
        minute.take(now)
        day.take(now, recipients)
        return 0.0, ""

    def _of(self, mailbox: str) -> tuple[_Minute, _Day]:
        found = self._mailboxes.get(mailbox)
        if found is None:
            found = self._mailboxes[mailbox] = (_Minute(self._per_minute or 1), _Day(self._per_day))
            if len(self._mailboxes) > _MAILBOXES:
                self._mailboxes.popitem(last=False)
        else:
            self._mailboxes.move_to_end(mailbox)
        return found
