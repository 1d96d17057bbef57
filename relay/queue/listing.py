"""What people ask of the queue: lists, counts, and finding a message again. Nothing here changes anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from relay.delivery_kind import Role, Transport
from relay.errors import RelayError
from relay.ids import QUEUE_ID_LENGTH, Login, QueueId, number_of, queue_id_of
from relay.queue.model import State
from relay.queue.rows import LISTED, integer, listed, optional_integer, optional_text
from relay.queue.selection import OPEN, FoundMessage, ListedDelivery, Selection, escaped, where
from relay.storage.database import Row, Transaction, Value

LIST = f"""
    SELECT {LISTED} FROM message m JOIN delivery d ON d.message = m.id
    WHERE {{conditions}} ORDER BY m.id, d.id LIMIT ? OFFSET ?
"""  # noqa: S608 - columns and conditions are ours, values are bound
"""Selected deliveries, oldest message first."""

COUNT = "SELECT count(*) FROM message m JOIN delivery d ON d.message = m.id WHERE {conditions}"
"""How many deliveries are selected."""

TALLY = """
    SELECT d.transport, d.state, count(*) FROM message m JOIN delivery d ON d.message = m.id
    WHERE m.closed_at IS NULL GROUP BY d.transport, d.state
"""
"""How many deliveries of open messages are in each state."""

STANDING = """
    SELECT d.state, count(*), min(d.created_at) FROM message m JOIN delivery d ON d.message = m.id
    WHERE m.closed_at IS NULL AND d.state IN ('waiting', 'queued', 'active', 'deferred', 'held') GROUP BY d.state
"""
"""How many open deliveries are in each state, and since when the oldest of them is in the queue: one walk for both."""

FOUND = """
    SELECT id, login, reverse_path, accepted_at, closed_at, octets, message_id, subject, header_from, client, listener,
        mode, why, rule
    FROM message WHERE id = ?
"""
"""What is known of one message."""

DELIVERIES_OF = f"""
    SELECT {LISTED} FROM message m JOIN delivery d ON d.message = m.id WHERE m.id = ? ORDER BY d.id
"""  # noqa: S608 - columns are ours
"""All deliveries of one message, final ones too."""

BY_SUFFIX = """
    SELECT id FROM (SELECT id FROM message ORDER BY id DESC LIMIT ?) WHERE id % ? = ? LIMIT 2
"""
"""Recent messages whose queue id ends so; two are enough to see that the ending is ambiguous."""

BY_TEXT = """
    SELECT id FROM (
        SELECT id, message_id, reverse_path, login, subject FROM message ORDER BY id DESC LIMIT ?
    ) WHERE message_id IN (?, ?) OR login = ? OR reverse_path LIKE ? ESCAPE '\\' OR ({words}) LIMIT ?
"""
"""Recent messages by Message-ID, rep, sender or words of the subject, newest first."""

BY_TARGET = """
    SELECT DISTINCT message FROM (
        SELECT message, target, role FROM delivery ORDER BY id DESC LIMIT ?
    ) WHERE target LIKE ? ESCAPE '\\' AND role = 'recipient' LIMIT ?
"""
"""Messages of recent deliveries to a recipient, newest first."""

_RECENT = 200_000
# An index over Message-IDs, addresses and words would cost each message more than all else that is stored for it
# (measured: 13 µs for Message-IDs alone, 50 µs with FTS5). The newest 200 000 messages are walked instead.
_SHORTEST_SUFFIX = 4
_LONGEST_QUERY = 1000
_MOST_WORDS = 20


Deliveries = list[ListedDelivery]


@dataclass(frozen=True, slots=True)
class Standing:
    """How the queue stands."""

    counts: Mapping[str, int] = field(default_factory=dict)
    """Deliveries by state, the final ones left out."""
    oldest: Mapping[str, int] = field(default_factory=dict)
    """By state, the instant at which the oldest of them came in."""


class Listing:
    """The questions; relay.queue.store.QueueStore answers them."""

    def list(self, tx: Transaction, selection: Selection, limit: int, offset: int = 0) -> Deliveries:
        """Give the selected deliveries, oldest message first."""
        return self._selected(tx, selection, tuple(State) if selection.states else OPEN, limit, offset)

    def _selected(
        self, tx: Transaction, selection: Selection, among: tuple[State, ...], limit: int, offset: int = 0
    ) -> Deliveries:
        conditions, values = where(selection, among)
        return [
            listed(row) for row in tx.execute(LIST.format(conditions=conditions), (*values, limit, offset))
        ]

    def count(self, tx: Transaction, selection: Selection) -> int:
        """Count the selected deliveries."""
        conditions, values = where(selection, tuple(State) if selection.states else OPEN)
        return integer(tx.execute(COUNT.format(conditions=conditions), values)[0][0])

    def tally(self, tx: Transaction) -> dict[tuple[Transport, State], int]:
        """Count the deliveries of messages that are not closed, by transport and state."""
        return {
            (Transport(str(transport)), State(str(state))): integer(number)
            for transport, state, number in tx.execute(TALLY)
        }

    def standing(self, tx: Transaction) -> Standing:
        """Count the open deliveries by state, and find the oldest of each: walked by the queue, not by the history."""
        rows = [(str(row[0]), integer(row[1]), integer(row[2])) for row in tx.execute(STANDING)]
        return Standing({row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows})

    def find(self, tx: Transaction, query: str, limit: int) -> Sequence[FoundMessage]:
        """Find messages by queue id (or an unambiguous end of one), Message-ID, address, rep or words of the subject.

        Newest first. All but the whole queue id look at the newest 200 000 messages.
        """
        query = query.strip()[:_LONGEST_QUERY]
        if not query:
            return []
        numbers = _by_queue_id(tx, query) or _by_text(tx, query, limit)
        return [found for number in numbers[:limit] if (found := self._found(tx, number)) is not None]

    def message(self, tx: Transaction, message: QueueId) -> FoundMessage | None:
        """Give one message with its deliveries; None when it is not known (any more)."""
        return self._found(tx, number_of(message))

    def _found(self, tx: Transaction, number: int) -> FoundMessage | None:
        rows = tx.execute(FOUND, (number,))
        if not rows:
            return None
        return _message(rows[0], tuple(listed(row) for row in tx.execute(DELIVERIES_OF, (number,))))


def _message(row: Row, deliveries: tuple[ListedDelivery, ...]) -> FoundMessage:
    number, login, sender, accepted_at, closed_at, octets, message_id, *texts = row
    subject, header_from, client, listener, mode, why, rule = map(str, texts)
    recipients = tuple(
        delivery.target for delivery in deliveries if delivery.role is Role.RECIPIENT and delivery.target
    )
    return FoundMessage(
        queue_id_of(integer(number)),
        None if login is None else Login(str(login)),
        str(sender),
        recipients,
        integer(accepted_at),
        optional_integer(closed_at),
        integer(octets),
        optional_text(message_id),
        subject,
        header_from,
        client,
        listener,
        mode,
        why,
        rule,
        deliveries,
    )


def _by_queue_id(tx: Transaction, query: str) -> list[int]:
    if not _SHORTEST_SUFFIX <= len(query) <= QUEUE_ID_LENGTH:
        return []
    try:
        number = number_of(query.rjust(QUEUE_ID_LENGTH, "0"))
    except RelayError:
        return []
    if len(query) == QUEUE_ID_LENGTH:  # or it is a word of as many letters
        return [number] if tx.execute(FOUND, (number,)) else []
    found = tx.execute(BY_SUFFIX, (_RECENT, 32 ** len(query), number))
    return [integer(found[0][0])] if len(found) == 1 else []


def _by_text(tx: Transaction, query: str, limit: int) -> list[int]:
    bare = query.strip("<>")
    # With a local part it is an address or its beginning: "a@example.com" must not find ana@example.com.
    address = f"{escaped(bare)}%" if "@" in bare[1:] else f"%{escaped(bare)}%"
    forms = [_forms(word) for word in query.split()[:_MOST_WORDS]]
    words = (" OR ".join(["subject LIKE ? ESCAPE '\\'"] * len(each)) for each in forms)
    sql = BY_TEXT.format(words=" AND ".join(f"({each})" for each in words))
    values: list[Value] = [_RECENT, f"<{bare}>", bare, bare, address]
    values += [f"%{escaped(form)}%" for each in forms for form in each]
    rows = tx.execute(sql, (*values, limit)) + tx.execute(BY_TARGET, (3 * _RECENT, address, limit))
    return sorted({integer(row[0]) for row in rows}, reverse=True)


def _forms(word: str) -> list[str]:
    # LIKE knows the case of ASCII letters only: a Swedish subject is looked for in the ways it may be written.
    if word.isascii():
        return [word]
    return list(dict.fromkeys((word, word.lower(), word.upper(), word.capitalize())))
