"""Make the reminders that mail asked for by a control address in Bcc, such as task+3d@: one for each mail and rep.

Mail is looked through behind its acceptance, so that accepting costs nothing; the mark of how far that has got moves
in the transaction that makes the reminders.
"""

from collections.abc import Callable
from datetime import timedelta

from relay.directory.model import Directory, Rep, login_key
from relay.ids import instant_of, queue_id_of
from relay.policy.controls import asked_by, is_control
from relay.reminders.model import RepKey, WithPerson, today_of
from relay.reminders.rows import number
from relay.reminders.store import NewReminder, ReminderStore
from relay.storage.database import Transaction
from relay.texts import words

# Up to which message it has got.
_MARK = "SELECT message FROM reminder_mark"
# It has got further.
_MOVE = "UPDATE reminder_mark SET message = ?"
# The mail that came since.
_SINCE = "SELECT id, accepted_at FROM message WHERE id > ? ORDER BY id LIMIT ?"
# What of it asks for something.
_ASKING = """
SELECT m.id, m.login, m.subject, d.target FROM message m JOIN delivery d ON d.message = m.id
WHERE m.id > ? AND m.id <= ? AND m.login IS NOT NULL AND d.role = 'recipient' AND d.state = 'skipped'
    AND d.target LIKE 'task+%' ORDER BY m.id"""
# Whom it was written to.
_WRITTEN_TO = "SELECT target FROM delivery WHERE message = ? AND role = 'recipient' ORDER BY id"

SLICE = 5_000
"""Messages in one unit of work."""
_YOUNG = 5_000_000
"""Mail this young (microseconds) waits: its number was given before its commit, and a lower one may still be stored."""
_LONGEST_SUBJECT = 200


class FollowUps:
    """Reminders asked for by mail."""

    def waiting(self, tx: Transaction) -> bool:
        """Tell whether any mail came since."""
        return bool(tx.execute(_SINCE, (self._mark(tx), 1)))

    def take(
        self, tx: Transaction, directory: Directory, domain: str, on: Callable[[Rep], bool], now: int
    ) -> tuple[int, bool]:
        """Look through the next mail; give how many reminders it made, and whether there is more to look through.

        `on`: whose reminders are kept in step with Salesforce.
        """
        mark = self._mark(tx)
        since = self._settled(tx, mark, now)
        if not since:
            return 0, False
        asking: dict[int, tuple[str, str, list[str]]] = {}
        for message, login, subject, target in tx.execute(_ASKING, (mark, since[-1])):
            asking.setdefault(number(message), (str(login), str(subject), []))[2].append(str(target))
        made = 0
        for message, (login, subject, targets) in asking.items():
            rep, days = directory.by_login(login), asked_by(targets, domain).due_in_days
            if rep is not None and days is not None:
                new = self._new(tx, rep, message, subject, days, domain)
                ReminderStore().follow_up(tx, new, on=on(rep), now=now)
                made += 1
        tx.execute(_MOVE, (since[-1],))
        return made, len(since) == SLICE

    def _mark(self, tx: Transaction) -> int:
        return number(tx.execute(_MARK)[0][0])

    def _settled(self, tx: Transaction, mark: int, now: int) -> list[int]:
        since: list[int] = []
        for message, accepted_at in tx.execute(_SINCE, (mark, SLICE)):
            if abs(number(accepted_at) - now) < _YOUNG:
                break
            since.append(number(message))
        return since

    def _new(
        self, tx: Transaction, rep: Rep, message: int, subject: str, days: int, domain: str
    ) -> NewReminder:
        people = [str(row[0]) for row in tx.execute(_WRITTEN_TO, (message,))]
        people = [one for one in people if not is_control(one, domain)]
        text = words(rep.language)
        about = subject[:_LONGEST_SUBJECT].strip() or text("today.no_subject")
        return NewReminder(
            rep=RepKey(login_key(rep.login)),
            title=text("reminder.follow_up_of", subject=about),
            details=text("reminder.sent_to", people=", ".join(people)) if people else "",
            due=today_of(instant_of(message), rep.time_zone) + timedelta(days=days),
            person=WithPerson(email=people[0] if people else ""),
            message=queue_id_of(message),
        )
