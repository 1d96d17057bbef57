"""Which records are to be looked for once more, since they may be in Salesforce twice: in SQL."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from relay.queue.rows import integer, optional_text
from relay.storage.database import Transaction

DOUBT = """
    INSERT INTO record_doubt (key, answered, look_at) VALUES (?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET answered = excluded.answered, other = NULL, look_at = excluded.look_at, tries = 0
"""
"""It was made by a call that was not the first."""

DUE = "SELECT key, answered, other, tries FROM record_doubt WHERE look_at <= ? ORDER BY look_at LIMIT ?"
"""Those whose time has come."""

NEXT = "SELECT min(look_at) FROM record_doubt"
"""When the next one's has."""

REPLACED = "UPDATE record_doubt SET other = ? WHERE key = ?"
"""Another record is the one that counts; what was answered is to be deleted."""

LATER = "UPDATE record_doubt SET look_at = ?, tries = tries + 1 WHERE key = ?"
"""It could not be looked at, or not deleted."""

SETTLED = "DELETE FROM record_doubt WHERE key = ?"
"""It is known how it stands."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A record that may be there twice."""

    key: str
    answered: str
    """The id that the call answered which made it."""
    other: str | None
    """The one that has taken its place; then `answered` is to be deleted."""
    tries: int


class DoubtStore:
    """The doubts."""

    def doubt(self, tx: Transaction, made: Iterable[tuple[str, str]], look_at: int) -> None:
        """Have records looked for once more: key, and the id that was answered."""
        tx.execute_many(DOUBT, [(key, answered, look_at) for key, answered in made])

    def due(self, tx: Transaction, now: int, limit: int) -> list[Doubt]:
        """Give those whose time has come."""
        return [
            Doubt(str(key), str(answered), optional_text(other), integer(tries))
            for key, answered, other, tries in tx.execute(DUE, (now, limit))
        ]

    def next_due(self, tx: Transaction) -> int | None:
        """Give when the next one's time has come; None: there are none."""
        value = tx.execute(NEXT)[0][0]
        return None if value is None else integer(value)

    def replaced(self, tx: Transaction, key: str, other: str) -> None:
        """Store that another record counts from now on, so that the one that was answered is deleted."""
        tx.execute(REPLACED, (other, key))

    def later(self, tx: Transaction, some: Sequence[tuple[str, int]]) -> None:
        """Have these looked at later: key, and when."""
        tx.execute_many(LATER, [(look_at, key) for key, look_at in some])

    def settled(self, tx: Transaction, keys: Sequence[str]) -> None:
        """Forget these: it is known how they stand."""
        tx.execute_many(SETTLED, [(key,) for key in keys])
