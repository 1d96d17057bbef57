"""Mail and reminders of a rep, put where the page under test shows them."""

from datetime import date

from relay.delivery_kind import Role
from relay.ids import QueueId, queue_id_of
from relay.queue.model import Change, State
from relay.reminders.model import RepKey
from relay.reminders.store import NewReminder, ReminderStore
from relay.storage.database import Transaction
from tests.support.builders import lease, log_copy, new_message, to_recipient
from tests.support.page import Page


async def sent(
    page: Page,
    *,
    subject: str = "Offer",
    login: str = "ana",
    to: State = State.SENT,
    logging: State = State.SENT,
) -> QueueId:
    """Put a message into the queue with a recipient and a log copy that stand as told."""
    number = page.actions.next_number()
    message = new_message(number=number, login=login, subject=subject, accepted_at=page.clock.now())
    later = page.clock.now() + 10**9

    def keep(tx: Transaction) -> None:
        given = page.house.store.accept(tx, message, [to_recipient(), log_copy()], lease=lease())
        states = [(one, to if one.role is Role.RECIPIENT else logging) for one in given]
        changes = [
            Change(one.id, 1, state, later if state is State.DEFERRED else None, "said so")
            for one, state in states
        ]
        page.house.store.settle(tx, queue_id_of(number), changes)

    await page.house.database.write(keep)
    return queue_id_of(number)


async def remind(page: Page, title: str, due: date | None, rep: str = "ana") -> None:
    """Enter a reminder."""
    new = NewReminder(RepKey(rep), title, due=due)
    await page.house.database.write(lambda tx: ReminderStore().add(tx, new, on=False, now=page.clock.now()))
