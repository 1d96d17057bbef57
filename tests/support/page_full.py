"""A page with all that it can show: mail in every state, faults, events, records, reminders, changes, an audit."""

from dataclasses import dataclass

from relay.delivery_kind import Transport
from relay.ids import Login, QueueId, queue_id_of
from relay.maillog.events import (
    DeliveryBounced,
    DeliveryChanged,
    DeliveryDeferred,
    Event,
    LogFailed,
    LogUnmatched,
    MessageAccepted,
)
from relay.queue.model import Change, Delivery, State
from relay.reminders.model import Lost, Origin, Reminder, RepKey
from relay.reminders.store import NewReminder, ReminderStore, tell
from relay.reminders.switches import SwitchStore
from relay.salesforce.composed import Intended
from relay.salesforce.faults_table import fault_of
from relay.salesforce.model import Fault, Made
from relay.salesforce.outcomes import words
from relay.salesforce.record_rows import Intention, Told
from relay.salesforce.store import RecordStore
from relay.storage.database import Transaction
from tests.support.builders import lease, new_message, record, to_recipient
from tests.support.page import Page

CONTACT, OPPORTUNITY = "003000000000001AAA", "006000000000001AAA"
SUBJECT = "Our offer for the spring campaign"
WRITTEN = (
    SUBJECT,
    "There is no such mailbox here",
    "The stage must be set first",
    "unable to obtain exclusive access",
    "Call them about the prices",
)
"""What people and other servers said: it stays as it is in every language."""
_RULE = [{"errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": WRITTEN[2]}]
_LOCK = [{"errorCode": "UNABLE_TO_LOCK_ROW", "message": WRITTEN[3]}]
RULE, LOCKED = fault_of(400, _RULE), fault_of(400, _LOCK)
MATCHED = (
    f"kim@buyer.example: contact {CONTACT}, by Email; 1 lead with the same address left out: contacts come first\n"
    f"opportunity {OPPORTUNITY}: open, by contact role"
)
_TAKEN = "250 2.0.0 Ok: queued as 4Zb7"


@dataclass(frozen=True, slots=True)
class End:
    """How a mail stands: its recipient, and its logging."""

    to: State
    said: str
    logging: State
    why: str
    fault: Fault | None = None
    skipped: str = ""
    """Why it was never to be logged."""


ENDS = (
    End(State.SENT, _TAKEN, State.SENT, f"250 2.0.0 EmailMessage on contact {CONTACT} (02s000000000001AAA)"),
    End(State.SENT, _TAKEN, State.HELD, words(RULE), RULE),
    End(
        State.SENT,
        _TAKEN,
        State.HELD,
        "unmatched: nobody in Salesforce has kim@buyer.example; it is matched again",
    ),
    End(
        State.SENT,
        _TAKEN,
        State.DEFERRED,
        f"451 4.3.0 Salesforce: UNABLE_TO_LOCK_ROW: {WRITTEN[3]}",
        LOCKED,
    ),
    End(State.SENT, _TAKEN, State.SKIPPED, f"observed only: it would have been logged on contact {CONTACT}"),
    End(
        State.DEFERRED,
        "451 4.4.1 the hop refused the connection (127.0.0.1:2526, at connect)",
        State.QUEUED,
        "",
    ),
    End(State.BOUNCED, f"550 5.1.1 {WRITTEN[1]}", State.SKIPPED, "nobody received it"),
    End(State.HELD, "held by bea", State.CANCELLED, "its rep decided not to log it"),
    End(State.SENT, _TAKEN, State.SKIPPED, "", skipped="internal mail: every recipient is one of ours"),
)


async def full(page: Page, contact: str = CONTACT) -> list[QueueId]:
    """Put in a mail for each way in which it may stand, and reminders; give the mail's ids."""
    messages = [await _mail(page, contact, number, end) for number, end in enumerate(ENDS)]
    await page.house.database.write(lambda tx: _remind(tx, page.clock.now()))
    return messages


async def _mail(page: Page, contact: str, at: int, end: End) -> QueueId:
    number, now = page.actions.next_number(), page.clock.now()
    queue_id, later = queue_id_of(number), now + 10**9
    reason = end.skipped or "to be recorded in Salesforce"
    message = new_message(
        number=number,
        subject=SUBJECT,
        accepted_at=now,
        mode="api",
        why=f"1 recipient, {'not logged: ' if end.skipped else ''}{reason}",
        rule="logging.mode (default)",
    )

    def keep(tx: Transaction) -> None:
        plan = [to_recipient("kim@buyer.example"), record(skipped=end.skipped)]
        recipient = page.house.store.accept(tx, message, plan, lease=lease())[0]
        due = later if end.to is State.DEFERRED else None
        page.house.store.settle(tx, queue_id, [Change(recipient.id, 1, end.to, due, end.said)])
        page.house.mail_log.append(tx, _events(queue_id, end, now, later))
        for claimed in page.house.store.claim(tx, Transport.SALESFORCE, now + 1, 10, lease()):
            _settle(tx, page, claimed.deliveries[0], queue_id, at, end, contact)

    await page.house.database.write(keep)
    return queue_id


def _settle(
    tx: Transaction, page: Page, mine: Delivery, message: QueueId, at: int, end: End, contact: str
) -> None:
    """End the record of a mail as told, with what recording found out."""
    now, store = page.clock.now(), RecordStore()
    if end.logging is State.SENT:
        summary = f"EmailMessage on contact {contact}"
        one = Intended(f"k{at}", "EmailMessage", {}, related=(contact,), summary=summary)
        store.intend(tx, [Intention(mine.id, message, Login("ana"), "", [one])], now)
        store.start(tx, [(f"k{at}", False)], now)
        store.made(tx, [(f"k{at}", Made("02s000000000001AAA", "EmailMessage"), False, "")], now)
    unmatched = ("kim@buyer.example",) if end.why.startswith("unmatched") else ()
    store.tell(tx, [Told(mine.id, message, Login("ana"), MATCHED, unmatched, fault=end.fault)], now)
    due = now + 10**9 if end.logging is State.DEFERRED else None
    page.house.store.settle(tx, message, [Change(mine.id, mine.fence, end.logging, due, end.why)])


def _events(message: QueueId, end: End, now: int, later: int) -> list[Event]:
    people = ("kim@buyer.example",)
    return [
        MessageAccepted(
            at=now,
            message=message,
            login="ana",
            sender="ana@example.com",
            recipients=people,
            message_id="<1@example.com>",
            subject=SUBJECT,
            octets=2_000_000,
            client="192.0.2.7",
            listener="submission",
            tls="",
            mode="api",
            decision="1 recipient, to be recorded in Salesforce",
            rule="logging.mode (default)",
        ),
        DeliveryDeferred(
            at=now,
            message=message,
            role="recipient",
            targets=people,
            reply=end.said,
            hop="mx.buyer.example",
            attempt=1,
            next_attempt_at=later,
        ),
        DeliveryBounced(
            at=now,
            message=message,
            role="record",
            targets=(),
            reply=end.why or end.said,
            hop="salesforce",
            attempt=2,
        ),
        DeliveryChanged(at=now, message=message, verb="held", targets=people, by="bea"),
        LogUnmatched(at=now, message=message, recipients=people, again_at=later),
        LogFailed(at=now, message=message, category=RULE.category, code=RULE.code, reason=RULE.message),
    ]


def _remind(tx: Transaction, now: int) -> None:
    store, ana = ReminderStore(), RepKey("ana")
    one: Reminder = store.add(tx, NewReminder(ana, WRITTEN[4]), on=False, now=now)
    why = "changed on both sides; the later change stands"
    tell(tx, one.id, [Lost("priority", "high", "normal", Origin.LOCAL, why)], now)
    SwitchStore().trouble(tx, [ana], f"Salesforce: {RULE.message} ({RULE.code})")
