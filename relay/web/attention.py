"""What of the logging needs a person: failed and unmatched mail, with its fault, what it means and what happens next.

Reading only. What somebody dismissed stands in marks of the page's store and is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relay.delivery_kind import Role
from relay.ids import Login
from relay.queue.model import State
from relay.queue.playbook import Play, play_for, skeleton
from relay.queue.rows import integer
from relay.queue.selection import ListedDelivery, Selection, where
from relay.queue.store import QueueStore
from relay.salesforce.faults_table import explanation
from relay.salesforce.model import Category, Fault, FaultKind
from relay.salesforce.record_rows import RecordingRow
from relay.salesforce.store import RecordStore
from relay.storage.database import Transaction
from relay.web.sent_mail import digest, given_up

DISMISSED = "dismissed"
"""The kind of mark that dismissing sets; its subject is the delivery."""
LIMIT = 500
MOST = 10_000
"""As far as they are counted."""
COUNT = """
SELECT count(*) FROM (
    SELECT 1 FROM message m JOIN delivery d ON d.message = m.id
    WHERE {conditions} AND d.role <> 'recipient' AND NOT EXISTS (
        SELECT 1 FROM page_mark WHERE login_key = ? AND kind = ? AND subject = CAST(d.id AS TEXT))
    LIMIT ?)"""
"""How many may be shown, less what somebody dismissed: the queue is walked, not the history."""
CHANGES = """
    SELECT json_group_array(json_array(id, state, next_attempt_at, reason, changed_at) ORDER BY id),
        (SELECT json_array(count(*), max(marked_at)) FROM page_mark WHERE login_key = ? AND kind = ?)
    FROM delivery LEFT JOIN recording ON recording.delivery = id
    WHERE role <> 'recipient' AND state IN ('held', 'deferred', 'bounced', 'expired')
        AND delivery.message IN (SELECT id FROM message WHERE login = ? ORDER BY id DESC LIMIT ?)
"""
"""What is wrong with the logging of a rep's newest mail, and what was dismissed: enough to tell whether it changed."""
_STATES = (State.HELD, State.DEFERRED)
_FAILED = (State.BOUNCED, State.EXPIRED)
_DAYS_BACK = 30 * 86_400_000_000
_NEWEST = 300
"""Messages of a rep that are looked at for what was given up: an index gives them, whatever the history holds."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One mail whose logging did not work, or not yet."""

    delivery: ListedDelivery
    recording: RecordingRow | None
    advice: str
    """What it means and what to do, in plain words."""

    @property
    def unmatched(self) -> Sequence[str]:
        """Give the addresses that nobody in Salesforce has."""
        return self.recording.unmatched if self.recording else ()

    @property
    def code(self) -> str:
        """Give Salesforce's error code; the enhanced status or nothing for a log copy."""
        return self.recording.code if self.recording else ""

    @property
    def category(self) -> str:
        """Give how the diagnostics group it (product documentation, Salesforce Diagnostics)."""
        return (self.recording.category if self.recording else "") or Category.OTHER.value

    @property
    def final(self) -> bool:
        """Tell whether nothing more is tried, whoever asks."""
        return self.delivery.state in _FAILED

    @property
    def waits_for_somebody(self) -> bool:
        """Tell whether it stays as it is until somebody does something."""
        return self.delivery.state is State.HELD or self.final

    @property
    def group(self) -> tuple[str, str]:
        """Give what it shares with others: what they are, and why."""
        if self.unmatched:
            return "unmatched", self.unmatched[0].rpartition("@")[2].lower()
        return "failed", self.code or skeleton(self.delivery.reason)


@dataclass(frozen=True, slots=True)
class Group:
    """Troubles with one reason."""

    kind: str
    """unmatched or failed."""
    key: str
    advice: str
    troubles: tuple[Trouble, ...]


def troubles(
    tx: Transaction,
    queue: QueueStore,
    login: Login | None,
    now: int,
    texts: Mapping[str, str],
    dismissed: Sequence[str],
) -> list[Trouble]:
    """Give what needs attention, of one rep or of all, oldest first and at most so many.

    Held and given up is told; deferred too, since an automatic try is still to come.
    """
    listed: list[ListedDelivery] = []
    # What waits for somebody first: an outage's worth of what is tried again must not leave it out.
    for state in _STATES:
        for role in (Role.RECORD, Role.LOG_COPY):
            listed += queue.list(tx, Selection(login=login, role=role, states=(state,)), LIMIT)
    listed += _given_up(tx, queue, login, now) if login else []
    hidden = set(dismissed)
    kept = [one for one in listed if str(one.id) not in hidden][:LIMIT]
    known = RecordStore().recordings(tx, [one.id for one in kept if one.role is Role.RECORD])
    return [Trouble(one, known.get(one.id), _advice(one, known.get(one.id), texts)) for one in kept]


def version(tx: Transaction, login: Login, key: str) -> str:
    """Name what a rep's list shows, as far as their newest mail goes: the queue, which may be long, is not walked."""
    return digest(*map(str, tx.execute(CHANGES, (key, DISMISSED, login, _NEWEST))[0]))


def how_many(
    tx: Transaction, queue: QueueStore, login: Login | None, now: int, key: str, dismissed: Sequence[str]
) -> int:
    """Count what `troubles` chooses from; more than MOST when there are more."""
    conditions, values = where(Selection(login=login, states=_STATES), _STATES)
    bound = (*values, key, DISMISSED, MOST + 1)
    waiting = integer(tx.execute(COUNT.format(conditions=conditions), bound)[0][0])
    over = _given_up(tx, queue, login, now) if login else []
    return waiting + sum(str(one.id) not in set(dismissed) for one in over)


def _given_up(tx: Transaction, queue: QueueStore, login: Login, now: int) -> list[ListedDelivery]:
    """Give the log copies and records of a rep's newest mail that nothing more is tried for."""
    failed = given_up(tx, login, now - _DAYS_BACK, _NEWEST)
    return queue.list(tx, Selection(ids=failed, login=login, states=_FAILED), LIMIT) if failed else []


def _advice(delivery: ListedDelivery, recording: RecordingRow | None, texts: Mapping[str, str]) -> str:
    if recording is not None and recording.unmatched:
        return texts.get("attention.unmatched_advice", "")
    if recording is not None and recording.code:
        fault = Fault(
            FaultKind(recording.kind), Category(recording.category), recording.code, recording.fault
        )
        return explanation(fault, texts=texts)
    return advice_of(play_for(delivery.state, delivery.reason), texts)


def advice_of(play: Play, texts: Mapping[str, str]) -> str:
    """Give the advice of the playbook in the language of `texts`; the English that it is written in where they lack it."""
    return texts.get(f"play.{play.kind}") or play.advice


def grouped(found: Sequence[Trouble]) -> list[Group]:
    """Group what waits for somebody by its reason, the largest group first."""
    groups: dict[tuple[str, str], list[Trouble]] = {}
    for one in found:
        if one.waits_for_somebody:
            groups.setdefault(one.group, []).append(one)
    made = [Group(kind, key, some[0].advice, tuple(some)) for (kind, key), some in groups.items()]
    return sorted(made, key=lambda group: (group.kind, -len(group.troubles), group.key))
