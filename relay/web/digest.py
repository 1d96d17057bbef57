"""The daily digest: mail to a rep when something of the logging needs the person, and to admins when logging stands still.

Never for nothing, and once a day: what was told is marked in the store, around the queue's durable accept, so that a
restart at any point neither repeats a digest nor loses one. The loop is owned by relay.page.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from relay.address import Address, parse_mailbox
from relay.clock import Clock
from relay.config.loader import Configuration
from relay.config.page_address import page_address
from relay.directory.model import Rep, login_key
from relay.errors import RelayError
from relay.ids import QueueId, next_number, number_of, queue_id_of
from relay.queue.rows import integer
from relay.queue.store import QueueStore
from relay.salesforce.faults_table import explanation
from relay.storage.database import Database, Row, Transaction
from relay.storage.portions import execute_in
from relay.texts import DEFAULT, Words, words
from relay.web.mailing import Sending, send_text
from relay.web.sentences import plain
from relay.web.store import PageStore

logger = logging.getLogger(__name__)

EVENTS = """
    SELECT message FROM event
    WHERE id > ? AND id <= ? AND message IS NOT NULL
        AND name IN ('delivery.held', 'delivery.bounced', 'delivery.expired', 'log.failed', 'log.unmatched')
"""
"""Messages of which something went wrong in a span of the mail log; its ids grow with time."""

NEWEST = "SELECT coalesce(max(id), 0) FROM event"
"""Where the mail log ends."""

TROUBLED = """
    SELECT m.login, d.id, d.state, d.reason, m.subject, m.accepted_at, m.id FROM message m JOIN delivery d ON d.message = m.id
    WHERE m.login IS NOT NULL AND d.role IN ('record', 'log_copy') AND d.state IN ('held', 'bounced', 'expired')
        AND m.id IN ({marks})
"""
"""Which of these messages wait for their rep."""

LATE = """
    SELECT count(*) FROM message m JOIN delivery d ON d.message = m.id
    WHERE m.closed_at IS NULL AND d.role IN ('record', 'log_copy') AND d.state = 'deferred' AND d.attempts > 0
        AND d.created_at <= ?
"""
"""How much of the logging has been tried in vain for long."""

LOGGED = """
    SELECT 1 FROM message m JOIN delivery d ON d.message = m.id
    WHERE m.id >= ? AND d.role IN ('record', 'log_copy') AND d.state = 'sent' LIMIT 1
"""
"""Whether anything that was accepted lately has been logged."""

LOOK_EVERY = 60.0
DISMISSED = "dismissed"
DAY = "digest"
"""The kind of mark that says that a day's digest is out; its subject is the day."""
SENDING = "digest_sending"
"""The kind that says which message it is to be, before it is; its subject is day and queue id."""
TOLD = "digest_told"
"""The kind that says that a delivery was told of; its subject is the delivery."""
ADMINS = "digest admins"
"""Stands for a rep in marks of what admins are told; a login cannot be written so."""
_SECOND = 1_000_000
_HOUR = 3600 * _SECOND
_DAY_LONG = 24 * _HOUR
_BACK = 3 * _DAY_LONG
"""How far back the mail log is read at a start."""
_KEPT = 400 * _DAY_LONG
_EVENT_STEP = 2048
"""An event's id is at least its instant times this (0001_base.sql)."""
_NAMED = 20
_ADMINS_EVERY = 5 * 60 * _SECOND


@dataclass(frozen=True, slots=True)
class Trouble:
    """A mail whose logging waits for its rep."""

    login: str
    delivery: int
    reason: str
    subject: str
    accepted_at: int
    message: QueueId


class Digest:
    """Looks once a minute for whom something is to be told."""

    def __init__(self, sending: Sending, database: Database, queue: QueueStore, clock: Clock) -> None:
        self._sending = sending
        self._database = database
        self._queue = queue
        self._clock = clock
        self._store = PageStore()
        self._read_to = 0
        self._messages: set[int] = set()
        self._done: dict[str, date] = {}
        self._looked_at_logging = 0

    async def run(self) -> None:
        """Run until cancelled. Trouble is told in the program's log, and it is tried again a minute later."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self.step()
            except RelayError as exc:
                logger.warning("the digest cannot be written just now: %s", exc)
            except Exception:
                logger.exception("the digest came upon what it did not expect")

    async def step(self) -> int:
        """Send what is due; give how many mails that were."""
        configuration = self._sending.configuration
        web = configuration.settings.web
        if web is None:
            return 0
        sent = await self._tell_admins(configuration)
        if web.digest == "off":
            return sent
        now, at = self._clock.now(), time.fromisoformat(web.digest)
        due = [
            (rep, day)
            for rep in self._sending.actions.directory().reps()
            if not rep.disabled and rep.addresses and (day := due_day(rep, now, at)) is not None
        ]
        due = [(rep, day) for rep, day in due if self._done.get(login_key(rep.login)) != day]
        if due:
            found = await self._database.read(self._troubles)
            for rep, day in due:
                mine = [one for one in found if login_key(one.login) == login_key(rep.login)]
                sent += await self._tell(rep, day, mine)
        return sent

    def _troubles(self, tx: Transaction) -> list[Trouble]:
        """Give what waits for its rep among what went wrong since the last look, and before."""
        newest = integer(tx.execute(NEWEST)[0][0])
        start = self._read_to or (self._clock.now() - _BACK) * _EVENT_STEP
        self._messages |= {integer(row[0]) for row in tx.execute(EVENTS, (start, newest))}
        self._read_to = max(newest, start)
        found = [_trouble(row) for row in execute_in(tx, TROUBLED, (), list(self._messages))]
        self._messages = {number_of(one.message) for one in found}
        return sorted(found, key=lambda one: one.accepted_at)

    async def _tell(self, rep: Rep, day: date, mine: Sequence[Trouble]) -> int:
        """Tell a rep what was not told before, if there is anything; note when the day's digest is out."""
        key, text = login_key(rep.login), words(rep.language)

        def fresh(tx: Transaction) -> list[Trouble] | None:
            if day.isoformat() in self._store.marks(tx, key, DAY):
                return None
            known = self._store.marks(tx, key, TOLD).keys() | self._store.marks(tx, key, DISMISSED).keys()
            return [one for one in mine if str(one.delivery) not in known]

        if await self._recover(key):
            self._done[key] = day
            return 0
        new = await self._database.read(fresh)
        if new is None:
            self._done[key] = day
        if not new:
            return 0
        body = text(
            "digest.body",
            name=rep.name or rep.login,
            lines="\n".join(lines(new, rep, text)),
            link=where(self._sending.configuration, "/attention", text),
        )
        subject = text.count("digest.subject", len(new))
        await self._once(
            key,
            day,
            [str(one.delivery) for one in new],
            lambda number: self._send(rep.addresses[0], subject, body, number),
        )
        self._done[key] = day
        return 1

    async def _send(self, to: Address, subject: str, body: str, number: int) -> None:
        await send_text(self._sending, to, subject, body, number=number)

    async def _once(
        self, key: str, day: date, told: Iterable[str], send: Callable[[int], Awaitable[None]]
    ) -> None:
        """Send one mail a day for a key: what it will be is marked before it is accepted, that it was after."""
        number, now = self._sending.actions.next_number(), self._clock.now()
        sending = f"{day.isoformat()} {queue_id_of(number)}"

        def begin(tx: Transaction) -> None:
            self._store.mark(tx, key, SENDING, sending, now)
            for one in told:
                self._store.mark(tx, key, TOLD, one, now)

        await self._database.write(begin)
        await send(number)
        await self._database.write(lambda tx: self._end(tx, key, sending))

    def _end(self, tx: Transaction, key: str, sending: str) -> None:
        now = self._clock.now()
        self._store.mark(tx, key, DAY, sending.partition(" ")[0], now)
        self._store.unmark(tx, key, SENDING, sending)
        for kind in (DAY, TOLD):
            for subject, at in self._store.marks(tx, key, kind).items():
                if at < now - _KEPT:
                    self._store.unmark(tx, key, kind, subject)

    async def _recover(self, key: str) -> bool:
        """See to a mail at which the service was stopped; tell whether it had been accepted."""

        def unit(tx: Transaction) -> bool:
            out = False
            for sending, at in self._store.marks(tx, key, SENDING).items():
                message = QueueId(sending.partition(" ")[2])
                if self._queue.message(tx, message) is not None:
                    self._end(tx, key, sending)
                    out = True
                    continue
                self._store.unmark(tx, key, SENDING, sending)
                for one, told_at in self._store.marks(tx, key, TOLD).items():
                    if told_at == at:
                        self._store.unmark(tx, key, TOLD, one)
            return out

        if not await self._database.read(lambda tx: self._store.marks(tx, key, SENDING)):
            return False
        return await self._database.write(unit)

    # Admins

    async def _tell_admins(self, configuration: Configuration) -> int:
        """Tell admins, once a day, when logging has been paused or has failed for an hour."""
        now = self._clock.now()
        if now - self._looked_at_logging < _ADMINS_EVERY:
            return 0
        self._looked_at_logging = now
        today = datetime.fromtimestamp(now // _SECOND, UTC).date()
        told = await self._database.read(lambda tx: self._store.marks(tx, ADMINS, DAY))
        # Not by its date alone: what begins late in the evening would be told again after midnight.
        lately = any(at > now - _DAY_LONG for at in told.values())
        why = None if lately else await self._standstill(now)
        if why is None or await self._recover(ADMINS):
            return 0
        people = admins(configuration, self._sending.actions.directory().reps())

        async def send(number: int) -> None:
            for at, (address, text) in enumerate(people):
                link = where(configuration, "/diagnostics", text)
                subject, body = text("alert.subject"), text("alert.body", why=why(text), link=link)
                mine = number if at == 0 else self._sending.actions.next_number()
                await self._send(address, subject, body, mine)

        if people:
            await self._once(ADMINS, today, (), send)
        return len(people)

    async def _standstill(self, now: int) -> Callable[[Words], str] | None:
        """Say, in a language, why logging has stood still for an hour; None when it has not."""
        client = self._sending.actions.salesforce()
        if client is not None:
            for rep in self._sending.actions.directory().reps():
                pause = client.paused(client.identity_of(rep))
                if pause is not None and now - pause.since >= _HOUR:
                    fault = pause.fault
                    return lambda text: explanation(fault, text.texts)

        def read(tx: Transaction) -> int:
            late = integer(tx.execute(LATE, (now - _HOUR,))[0][0])
            return 0 if late and tx.execute(LOGGED, (next_number(0, now - _HOUR),)) else late

        late = await self._database.read(read)
        return (lambda text: text.count("alert.late", late)) if late else None


def due_day(rep: Rep, now: int, at: time) -> date | None:
    """Give the rep's own day when its hour of the digest has come; None before that."""
    try:
        zone = ZoneInfo(rep.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    local = datetime.fromtimestamp(now // _SECOND, UTC).astimezone(zone)
    return local.date() if local.time() >= at else None


def lines(some: Sequence[Trouble], rep: Rep, text: Words) -> list[str]:
    """Write a line for each mail, up to twenty, and how many more there are."""
    told = [
        f"- {' '.join(one.subject.split()) or text('today.no_subject')}: {plain(text, ' '.join(one.reason.split()))}"
        for one in some[:_NAMED]
    ]
    rest = len(some) - _NAMED
    return [*told, text("digest.more", count=rest)] if rest > 0 else told


def admins(configuration: Configuration, reps: Sequence[Rep]) -> list[tuple[Address, Words]]:
    """Give whom to tell: the postmaster that the settings name, else every admin of the page, in their language."""
    postmaster = configuration.settings.notices.postmaster
    if postmaster:
        address = parse_mailbox(str(postmaster), smtputf8=True)
        owner = next((rep for rep in reps if address in rep.addresses), None)
        return [(address, words(owner.language if owner else DEFAULT))]
    return [
        (rep.addresses[0], words(rep.language))
        for rep in reps
        if rep.web_role == "admin" and not rep.disabled and rep.addresses
    ]


def where(configuration: Configuration, path: str, text: Words) -> str:
    """Give the link to one of our pages; where the settings do not tell its address, say so in words."""
    web = configuration.settings.web
    address = "" if web is None else page_address(web, configuration.settings.server.hostname)
    return address + path if address else text("digest.no_link")


def _trouble(row: Row) -> Trouble:
    login, delivery, _, reason, subject, accepted_at, message = row
    return Trouble(
        str(login),
        integer(delivery),
        str(reason),
        str(subject),
        integer(accepted_at),
        queue_id_of(integer(message)),
    )
