"""What the pages of reminders share: whose are kept in step, the dated lists, and how a form names a person and a day."""

import asyncio
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfoNotFoundError

from relay.address import parse_mailbox
from relay.directory.model import Rep, login_key
from relay.errors import AddressError
from relay.ids import QueueId
from relay.maillog.events import RemindersSwitched
from relay.reminders.model import NOBODY, Priority, Reminder, RepKey, State, WithPerson, today_of
from relay.reminders.store import DueLists, ReminderStore
from relay.reminders.switches import Standing, SwitchStore, wanted_sync
from relay.salesforce.exchange import SalesforceError
from relay.salesforce.lookup import Lookup
from relay.salesforce.model import PersonKind
from relay.salesforce.record_rows import RecordState
from relay.salesforce.store import RecordStore
from relay.storage.database import Transaction
from relay.web.asking import Ask
from relay.web.record_ids import record_id
from relay.web.records import instance_of, record_link

STORE = ReminderStore()
SWITCHES = SwitchStore()
_PEOPLE = ("003", "00Q")
_LOOK_UP_LIMIT = 4.0
SNOOZES = (1, 3, 7)
"""Days that a reminder can be put off by."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A reminder as a page shows it."""

    reminder: Reminder
    link: str
    """Where its Task is in Salesforce; "" when there is none."""
    sync: str
    late: bool

    @property
    def done(self) -> bool:
        """Tell whether it is completed."""
        return self.reminder.values.state is State.DONE

    @property
    def urgent(self) -> bool:
        """Tell whether it is of high priority."""
        return self.reminder.values.priority is Priority.HIGH


def key_of(rep: Rep) -> RepKey:
    """Give the form of a login that reminders are kept by."""
    return RepKey(login_key(rep.login))


def today(ask: Ask, rep: Rep | None = None) -> date:
    """Give which day it is for a rep; for who asks where none is given."""
    try:
        return today_of(ask.now, (rep or ask.rep).time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return today_of(ask.now, "UTC")


def is_on(ask: Ask, rep: Rep) -> bool:
    """Tell whether a rep's reminders are to be kept in step, by what was changed a moment ago, too."""
    rep = ask.house.actions.directory().by_login(rep.login) or rep
    return wanted_sync(ask.house.configuration.settings, rep)


def turned(tx: Transaction, ask: Ask, rep: Rep) -> bool:
    """Tell the same, and begin or end it in this transaction where a setting has just been changed.

    So what is entered from now on goes to Salesforce, and what stood here before does not.
    """
    on, key = is_on(ask, rep), key_of(rep)
    if SWITCHES.turn(tx, key, on, ask.now):
        event = RemindersSwitched(at=ask.now, login=key, sync="two_way" if on else "off")
        ask.house.mail_log.append(tx, [event])
    return on


def shown(ask: Ask, one: Reminder, rep: Rep, now_day: date) -> Shown:
    """Say how a reminder is shown."""
    link = record_link(instance_of(ask), one.salesforce_id or "")
    late = one.values.state is State.OPEN and one.values.due is not None and one.values.due < now_day
    return Shown(one, link, one.sync(is_on(ask, rep)).value, late)


def due_lists(tx: Transaction, ask: Ask, rep: Rep) -> list[tuple[str, list[Shown]]]:
    """Give what is due today and tomorrow in the rep's zone, what is overdue before it unless the settings say no."""
    now_day = today(ask, rep)
    found: DueLists = STORE.due_lists(tx, key_of(rep), now_day)
    named = [("today", found.today), ("tomorrow", found.tomorrow)]
    if ask.house.configuration.settings.reminders.overdue:
        named.insert(0, ("overdue", found.overdue))
    return [(name, [shown(ask, one, rep, now_day) for one in some]) for name, some in named]


@dataclass(frozen=True, slots=True)
class SyncState:
    """How keeping in step stands for a rep, for the card of the settings."""

    on: bool
    standing: Standing
    feed_since: int | None

    @property
    def running(self) -> bool:
        """Tell whether a run is under way or asked for, so that the page looks again."""
        return self.on and not self.standing.storm and not self.standing.trouble and self.waits

    @property
    def waits(self) -> bool:
        """Tell whether the first run has not ended, or somebody waits for one."""
        return not self.standing.first_done or self.standing.asked > self.standing.answered


def sync_state(tx: Transaction, ask: Ask) -> SyncState:
    """Give it for who asks."""
    key = key_of(ask.rep)
    return SyncState(is_on(ask, ask.rep), SWITCHES.get(tx, key), SWITCHES.feed_since(tx, key))


def read_day(text: str) -> date | None:
    """Read a day of a form. Raises ValueError for what is neither empty nor a day."""
    return date.fromisoformat(text) if text else None


def put_off(one: Reminder, days: int, now_day: date) -> date:
    """Give the day that a reminder is put off to: so many days from today, or from the day that it is due later."""
    due = one.values.due
    return (due if due is not None and due > now_day else now_day) + timedelta(days=days)


async def find_person(ask: Ask, text: str) -> WithPerson:
    """Find whom a form means: a record's id or address in Salesforce, a mail address, or else just a name.

    An address is looked up; where Salesforce does not answer in seconds it is kept as it is.
    """
    if not text:
        return NOBODY
    record = record_id(text)
    if record.startswith(_PEOPLE):
        return WithPerson(record)
    try:
        address = parse_mailbox(text, smtputf8=True)
    except AddressError:
        return WithPerson(None, text[:200])
    client = ask.house.actions.salesforce()
    if client is not None:
        lookup = Lookup(client, ask.house.clock, ask.house.configuration.settings.logging.match)
        try:
            async with asyncio.timeout(_LOOK_UP_LIMIT):
                found = await lookup.people([str(address)])
        except (SalesforceError, TimeoutError):
            found = {}
        for one in (person for some in found.values() for person in some):
            if one.kind in (PersonKind.CONTACT, PersonKind.LEAD):
                return WithPerson(one.id, one.name, str(address))
    return WithPerson(None, "", str(address))


def person_of_mail(tx: Transaction, message: QueueId, ask: Ask, recipient: str) -> WithPerson:
    """Give whom a mail went to, by the contact or lead that it was recorded on where there is one."""
    found = ask.house.queue.message(tx, message)
    records = [] if found is None else [one.id for one in found.deliveries]
    for rows in RecordStore().of_deliveries(tx, records).values():
        for row in rows:
            if row.state is RecordState.MADE:
                person = next((id for id in row.related if id.startswith(_PEOPLE)), None)
                if person is not None:
                    return WithPerson(person, "", recipient)
    return WithPerson(None, "", recipient)


def person_text(person: WithPerson) -> str:
    """Write whom a reminder is about into a field."""
    return person.id or person.email or person.name
