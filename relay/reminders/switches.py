"""Keep, for each rep, whether reminders are kept in step, how far that has got, and what somebody is asked.

Every verb takes part in the caller's transaction. Switching on marks what stands here unlinked as never to be pushed.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from relay.config.model import RelaySettings
from relay.directory.model import Rep
from relay.reminders.model import NOTHING, RepKey, Tally
from relay.reminders.rows import maybe_number, number
from relay.storage.database import Row, Transaction

_COLUMNS = """rep, running, switched_at, ran_before, first_done, watermark, deletions_until, asked, answered,
    answer, storm, done, total, last_run_at, last_tally, trouble"""
# Where one rep's synchronisation stands.
_GET = f"SELECT {_COLUMNS} FROM reminder_sync WHERE rep = ?"  # noqa: S608 - columns are ours
# Where everybody's stands.
_ALL = f"SELECT {_COLUMNS} FROM reminder_sync"  # noqa: S608 - columns are ours
# A rep of whom nothing is kept yet.
_ENTER = "INSERT INTO reminder_sync (rep) VALUES (?) ON CONFLICT (rep) DO NOTHING"
# It begins: with a first run.
_START = """
UPDATE reminder_sync SET running = 1, switched_at = ?, ran_before = max(ran_before, first_done), first_done = 0,
    storm = 0, done = 0, total = NULL, trouble = ''
WHERE rep = ?"""
# It ends; links and watermark stay.
_END = "UPDATE reminder_sync SET running = 0, trouble = '' WHERE rep = ?"
# What stands here before it begins is never pushed, unless sent by itself.
_NEVER_PUSH = """
UPDATE reminder SET link = 'never_push', reason = '', next_push_at = NULL
WHERE rep = ? AND salesforce_id IS NULL AND push_started_at IS NULL AND deleted_at IS NULL
    AND link IN ('off', 'pending', 'error')"""
# What somebody was asked about is looked up again instead.
_ASK_NO_MORE = "UPDATE reminder SET gone_at = NULL WHERE rep = ? AND gone_at IS NOT NULL"
# Somebody waits for a whole run.
_ASK = "UPDATE reminder_sync SET asked = asked + 1 WHERE rep = ? RETURNING asked"
# Those who wait got their answer.
_ANSWER = "UPDATE reminder_sync SET answered = ?, answer = ? WHERE rep = ? AND answered < ?"
# Those for whom somebody waits.
_ASKING = f"SELECT {_COLUMNS} FROM reminder_sync WHERE asked > answered"  # noqa: S608 - columns are ours
# How far the first run has got.
_PROGRESS = "UPDATE reminder_sync SET done = ?, total = coalesce(?, total) WHERE rep = ?"
# A run that ended well.
_RAN = """
UPDATE reminder_sync SET first_done = max(first_done, ?), watermark = coalesce(?, watermark), last_run_at = ?,
    trouble = ''
WHERE rep = ?"""
# What a run came to.
_NOTE = "UPDATE reminder_sync SET last_tally = ?, last_run_at = ? WHERE rep = ?"
# Deletions are known up to an instant of Salesforce's clock.
_DELETIONS = "UPDATE reminder_sync SET deletions_until = ? WHERE rep = ?"
# Why nothing is kept in step just now.
_TROUBLE = "UPDATE reminder_sync SET trouble = ? WHERE rep = ?"
# Too much was deleted in Salesforce at once.
_STORM = "UPDATE reminder_sync SET storm = ?, trouble = ? WHERE rep = ?"
# Whose calendar a token opens.
_FEED = "SELECT rep FROM reminder_feed WHERE sha256 = ?"
# Whether a rep has a feed.
_HAS_FEED = "SELECT created_at FROM reminder_feed WHERE rep = ?"
# A new token in place of the one before.
_SET_FEED = """
INSERT INTO reminder_feed (rep, sha256, created_at) VALUES (?, ?, ?)
ON CONFLICT (rep) DO UPDATE SET sha256 = excluded.sha256, created_at = excluded.created_at"""
# The feed is closed.
_DROP_FEED = "DELETE FROM reminder_feed WHERE rep = ?"
_COUNTS = """
SELECT link, next_push_at IS NOT NULL, count(*) FROM reminder WHERE deleted_at IS NULL GROUP BY 1, 2"""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one rep's synchronisation stands."""

    rep: RepKey
    running: bool = False
    switched_at: int = 0
    ran_before: bool = False
    first_done: bool = False
    watermark: int | None = None
    deletions_until: int | None = None
    asked: int = 0
    answered: int = 0
    answer: str = "{}"
    storm: int = 0
    """How many deletions wait to be confirmed; while any do, nothing is kept in step."""
    done: int = 0
    total: int | None = None
    last_run_at: int | None = None
    last_tally: Tally = NOTHING
    trouble: str = ""

    @property
    def first_running(self) -> bool:
        """Whether the first run has not ended yet."""
        return self.running and not self.first_done


class SwitchStore:
    """The switches of all reps."""

    def get(self, tx: Transaction, rep: RepKey) -> Standing:
        """Give where a rep stands."""
        rows = tx.execute(_GET, (rep,))
        return _standing(rows[0]) if rows else Standing(rep)

    def all(self, tx: Transaction) -> dict[RepKey, Standing]:
        """Give where everybody stands of whom anything is known."""
        return {one.rep: one for one in map(_standing, tx.execute(_ALL))}

    def turn(self, tx: Transaction, rep: RepKey, on: bool, now: int) -> bool:
        """Begin or end a rep's synchronisation where it is not so already; tell whether that changed anything.

        What stands here unlinked when it begins is never pushed, however it is edited later.
        """
        if self.get(tx, rep).running == on:
            return False
        tx.execute(_ENTER, (rep,))
        if on:
            tx.execute(_NEVER_PUSH, (rep,))
            tx.execute(_ASK_NO_MORE, (rep,))
            tx.execute(_START, (now, rep))
        else:
            tx.execute(_END, (rep,))
        return True

    def ask(self, tx: Transaction, rep: RepKey) -> int:
        """Ask the running service for a whole run; it is done when `Standing.answered` reaches the number given."""
        tx.execute(_ENTER, (rep,))
        return number(tx.execute(_ASK, (rep,))[0][0])

    def asking(self, tx: Transaction) -> list[Standing]:
        """Give those for whom somebody waits."""
        return [_standing(row) for row in tx.execute(_ASKING)]

    def answer(self, tx: Transaction, rep: RepKey, asked: int, answer: str) -> None:
        """Tell those who asked up to a number what it came to (JSON)."""
        tx.execute(_ANSWER, (asked, answer, rep, asked))

    def progress(self, tx: Transaction, rep: RepKey, done: int, total: int | None = None) -> None:
        """Note how many Tasks the first run has taken, and of how many where that is known."""
        tx.execute(_PROGRESS, (done, total, rep))

    def ran(self, tx: Transaction, rep: RepKey, now: int, watermark: int | None, *, first: bool) -> None:
        """Note that a run ended well, up to an instant of Salesforce's clock; `first`: the first one is done."""
        tx.execute(_RAN, (int(first), watermark, now, rep))

    def note(self, tx: Transaction, rep: RepKey, tally: Tally, now: int) -> None:
        """Note what a run came to."""
        tx.execute(_NOTE, (json.dumps(asdict(tally)), now, rep))

    def deletions_known(self, tx: Transaction, rep: RepKey, until: int) -> None:
        """Note up to when deletions are known."""
        tx.execute(_DELETIONS, (until, rep))

    def trouble(self, tx: Transaction, reps: Iterable[RepKey], text: str) -> None:
        """Note why nothing is kept in step just now."""
        tx.execute_many(_TROUBLE, [(text, rep) for rep in reps])

    def storm(self, tx: Transaction, rep: RepKey, deletions: int, text: str) -> None:
        """Note that so many deletions wait to be confirmed; 0: none any more."""
        tx.execute(_STORM, (deletions, text, rep))

    def counts(self, tx: Transaction) -> dict[str, int]:
        """Give how many reminders there are by how they stand to Salesforce."""
        counts: dict[str, int] = {}
        for link, due, count in tx.execute(_COUNTS):
            state = "pending" if link == "linked" and due else str(link)
            counts[state] = counts.get(state, 0) + number(count)
        return counts

    # Calendar feeds

    def open_feed(self, tx: Transaction, rep: RepKey, sha256: str, now: int) -> None:
        """Have a token (by its SHA-256 in hex) open the rep's calendar; the one before opens nothing any more."""
        tx.execute(_SET_FEED, (rep, sha256, now))

    def close_feed(self, tx: Transaction, rep: RepKey) -> None:
        """Have no token open the rep's calendar."""
        tx.execute(_DROP_FEED, (rep,))

    def feed_since(self, tx: Transaction, rep: RepKey) -> int | None:
        """Give when the rep's feed was opened; None: there is none."""
        rows = tx.execute(_HAS_FEED, (rep,))
        return number(rows[0][0]) if rows else None

    def feed_of(self, tx: Transaction, sha256: str) -> RepKey | None:
        """Give whose calendar a token opens."""
        rows = tx.execute(_FEED, (sha256,))
        return RepKey(str(rows[0][0])) if rows else None


def wanted_sync(settings: RelaySettings, rep: Rep) -> bool:
    """Tell whether a rep's reminders are to be kept in step: the rep's own setting, else all's.

    Never without salesforce:, which says where, nor for a rep who is disabled.
    """
    if settings.salesforce is None or rep.disabled:
        return False
    return (rep.reminders or settings.reminders.sync) == "two_way"


def _standing(row: Row) -> Standing:
    tally = json.loads(str(row[14]))
    return Standing(
        rep=RepKey(str(row[0])),
        running=bool(row[1]),
        switched_at=number(row[2]),
        ran_before=bool(row[3]),
        first_done=bool(row[4]),
        watermark=maybe_number(row[5]),
        deletions_until=maybe_number(row[6]),
        asked=number(row[7]),
        answered=number(row[8]),
        answer=str(row[9]),
        storm=number(row[10]),
        done=number(row[11]),
        total=maybe_number(row[12]),
        last_run_at=maybe_number(row[13]),
        last_tally=Tally(**tally),
        trouble=str(row[15]),
    )
