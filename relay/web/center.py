"""What the command center shows of a rep's mail: one section of it, as searched for, with what can be done about each.

Reading only, and bounded: one page looks at so many messages, and a link goes on from the last of them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from relay.errors import RelayError
from relay.ids import Login, next_number, number_of, queue_id_of
from relay.queue.model import State
from relay.queue.rows import integer
from relay.reminders.model import RepKey
from relay.storage.database import Transaction
from relay.storage.portions import execute_in
from relay.web.records import NOTHING, Recorded, recorded
from relay.web.sent_mail import NEWEST, Delivered, Read, Sent, digest, one_message, read_of

FOLLOW_UPS = """
    SELECT message, min(coalesce(due, '-')) FROM reminder
    WHERE rep = ? AND deleted_at IS NULL AND state = 'open' AND message IN ({marks}) GROUP BY message
"""
"""When the open reminders of some messages are due."""

ALL_FOLLOW_UPS = """
    SELECT json_group_array(json_array(message, due)) FROM reminder
    WHERE rep = ? AND state = 'open' AND deleted_at IS NULL AND message IS NOT NULL
"""
"""When everything of a rep is followed up: enough to tell whether that changed."""

ARCHIVED = "archived"
"""The kind of mark that archiving sets; its subject is the queue id."""
DAYS = 30
"""How far back the page looks where no day is given."""
ROWS = (25, 50, 100)
COLUMNS = ("when", "to", "delivery", "logging", "follow_up", "decision", "mode", "size", "id")
"""What can be chosen to be seen beside the subject, in its order."""
USUAL = ("when", "to", "delivery", "logging")
_PORTION = 200
_LOOKED_AT = 1000
_RETRIED = (State.HELD, State.DEFERRED)


class Section(StrEnum):
    """Where a message stands in the command center."""

    DELIVERED = "delivered"
    IN_PROGRESS = "in_progress"
    FAILED = "failed"
    BOUNCED = "bounced"
    ARCHIVED = "archived"


SECTIONS = tuple(Section)


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for, as the form and its link say it."""

    section: Section = Section.DELIVERED
    text: str = ""
    logged: str = ""
    since: date | None = None
    until: date | None = None
    whose: str = ""
    """The login of somebody else, for admins."""

    @property
    def told(self) -> bool:
        """Tell whether anything was asked for but the section."""
        return bool(self.text or self.logged or self.since or self.until)

    def link(self, **more: str) -> str:
        """Give the query of a link to the same search, with some of it replaced."""
        days = {"since": self.since, "until": self.until}
        told = {"section": self.section.value, "q": self.text, "logged": self.logged, "as": self.whose}
        told |= {name: day.isoformat() if day else "" for name, day in days.items()}
        return urlencode({name: value for name, value in (told | more).items() if value})

    def fits(self, sent: Sent) -> bool:
        """Tell whether a message is meant, wherever it stands."""
        if self.logged and sent.logged != self.logged:
            return False
        if not self.text:
            return True
        sought = self.text.lower()
        return sought in sent.subject.lower() or any(sought in one.target.lower() for one in sent.recipients)


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a section."""

    sent: tuple[Sent, ...]
    numbers: Mapping[str, int]
    """How many each section has among the newest."""
    more: str
    """The id that the next page begins below; "" when there is none."""


@dataclass(frozen=True, slots=True)
class Line:
    """One message as it is shown."""

    sent: Sent
    actions: tuple[str, ...]
    """At most two of retry_log, retry_delivery, open, follow_up, write_again, archive, unarchive."""
    recorded: Recorded
    follow_up: str
    """The day that its reminder is due, "-" for one without a day; "" when there is none."""


def span(search: Search, now: int, zone: ZoneInfo) -> tuple[int, int]:
    """Give the days searched as an instant and as an id: from the first's midnight to the last's end in the zone."""
    since = now - DAYS * 86_400_000_000 if search.since is None else _midnight(search.since, zone)
    if search.until is None:
        return since, NEWEST
    return since, next_number(0, _midnight(search.until + timedelta(days=1), zone))


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp()) * 1_000_000


class Walk:
    """A rep's messages of a span, newest first below an id, in portions that are read when they are asked for."""

    def __init__(self, tx: Transaction, login: Login, span: tuple[int, int], below: int) -> None:
        self.tx = tx
        self.login = login
        self._since = span[0]
        self.below = min(below, span[1])
        self.portions: list[Read] = []

    def read(self, count: int) -> Sequence[Read]:
        """Give so many portions from the first on; fewer where there are no more messages."""
        while len(self.portions) < count:
            below = self.portions[-1].last if self.portions else self.below
            if not below:
                break
            self.portions.append(read_of(self.tx, self.login, self._since, _PORTION, below))
        return self.portions[:count]


def find(walk: Walk, search: Search, archived: Mapping[str, int], rows: int) -> Found:
    """Walk back from the newest until a page is full; the numbers are those of the first messages walked over."""
    numbers: Counter[str] = Counter({Section.ARCHIVED.value: len(archived)})
    found: list[Sent] = []
    if search.section is Section.ARCHIVED:
        found = [
            one
            for one in _archived(walk.tx, walk.login, archived)
            if number_of(one.id) < walk.below and search.fits(one)
        ]
    more = ""
    for count in range(1, _LOOKED_AT // _PORTION + 1):
        portion = walk.read(count)[-1].sent()
        if count == 1:
            numbers.update([one.delivered for one in portion if one.id not in archived])
        if search.section is Section.ARCHIVED:
            break
        found += [one for one in portion if one.id not in archived and _in(search, one)]
        more = portion[-1].id if len(portion) == _PORTION else ""
        if not more or len(found) > rows:
            break
    return Found(tuple(found[:rows]), numbers, found[rows - 1].id if len(found) > rows else more)


def version_of(walk: Walk, known: str, around: str) -> str:
    """Name what a list shows that was made of as many portions as the one with the name `known`, and of what is around."""
    count = known.partition("-")[0]
    portions = walk.read(int(count) if count.isdecimal() and len(count) == 1 else 1)
    told = digest(*[text for one in portions for text in (one.messages, one.deliveries, one.records)], around)
    return f"{len(portions)}-{told}"


def _in(search: Search, sent: Sent) -> bool:
    return sent.delivered.value == search.section.value and search.fits(sent)


def _archived(tx: Transaction, login: Login, archived: Mapping[str, int]) -> list[Sent]:
    """Give what a rep archived, newest first; what is forgotten meanwhile is left out."""
    found: list[Sent] = []
    for text in sorted(archived, reverse=True)[:_LOOKED_AT]:
        try:
            sent = one_message(tx, queue_id_of(number_of(text)))
        except RelayError:
            continue
        if sent is not None and sent.login == login:
            found.append(sent)
    return found


def follow_ups(tx: Transaction, rep: RepKey) -> str:
    """Tell in one text when everything of a rep is followed up."""
    return str(tx.execute(ALL_FOLLOW_UPS, (rep,))[0][0])


def lines(
    tx: Transaction, some: Sequence[Sent], rep: RepKey, instance: str, archived: Mapping[str, int]
) -> list[Line]:
    """Say of each message what can be done, where its record is, and when it is followed up."""
    records = recorded(tx, some, instance)
    numbers = {number_of(one.id): one.id for one in some}
    due = {
        numbers[integer(message)]: str(day)
        for message, day in execute_in(tx, FOLLOW_UPS, (rep,), list(numbers))
    }
    made = [(one, records.get(one.id, NOTHING)) for one in some]
    return [
        Line(one, actions(one, bool(record.link), one.id in archived), record, due.get(one.id, ""))
        for one, record in made
    ]


def actions(sent: Sent, recorded: bool, archived: bool) -> tuple[str, ...]:
    """Choose the two things that are most likely wanted of a message now."""
    if archived:
        return ("open", "unarchive") if recorded else ("follow_up", "unarchive")
    retry_log = ("retry_log",) if sent.logging and sent.logging.state in _RETRIED else ()
    match sent.delivered:
        case Delivered.DELIVERED:
            return (*(retry_log or (("open",) if recorded else ("follow_up",))), "archive")
        case Delivered.IN_PROGRESS:
            waits = any(one.state is State.DEFERRED for one in sent.recipients)
            return (*(("retry_delivery",) if waits else ()), *(retry_log or ("follow_up",)))
        case Delivered.FAILED | Delivered.BOUNCED:
            return ("write_again", "archive")
