"""Which of the logging did not work, or not yet: found by its own index, however much mail there is beside it.

One question gives what a list shows and enough to tell whether it changed; what somebody dismissed is left out.
"""

import json
from dataclasses import dataclass

from relay.ids import DeliveryId, Login, next_number
from relay.queue.rows import integer
from relay.storage.database import Transaction, Value
from relay.web.sent_mail import digest

DISMISSED = "dismissed"
"""The kind of mark that dismissing sets; its subject is the delivery."""
LIMIT, LIMIT_OF_ALL = 500, 200
"""As many are shown, of a rep and of all."""
MOST = 10_000
"""As far as they are counted."""
FEW = 2_000
"""Up to so many are gone through to find those of one rep; beyond, it is the rep's mail that is gone through."""
_DAYS_BACK = 30 * 86_400_000_000

_AMISS = "d.role <> 'recipient' AND d.state IN ('held', 'deferred', 'bounced', 'expired')"
_OPEN = f"{_AMISS} AND d.state IN ('held', 'deferred')"
_OF_REP = "CROSS JOIN message m INDEXED BY message_of_login ON m.login = ?1 AND m.id = d.message"
_FROM = "SELECT d.id, d.state, d.role, d.message FROM delivery d INDEXED BY delivery_amiss"

OF_FEW = f"{_FROM} {_OF_REP} WHERE {_AMISS} AND (d.message >= ?2 OR d.state IN ('held', 'deferred'))"
"""A rep's, when there are few of all reps: what is open, and what was given up since an instant."""
OF_MANY = f"""
    SELECT d.id, d.state, d.role, d.message
        FROM message m INDEXED BY message_of_login CROSS JOIN delivery d INDEXED BY delivery_amiss ON d.message = m.id
        WHERE {_AMISS} AND m.login = ?1 AND m.id >= ?2
    UNION ALL {_FROM} {_OF_REP} WHERE {_OPEN} AND d.message < ?2"""  # noqa: S608 - our own
"""The same, when there are many."""
OF_ALL = f"{_FROM} WHERE {_OPEN}"
"""Everybody's that is open."""
ARE_FEW = f"""
    SELECT count(*) FROM (
        SELECT 1 FROM delivery d INDEXED BY delivery_amiss WHERE {_AMISS} AND d.message >= ? LIMIT ?)"""  # noqa: S608 - our own
"""How many there are since an instant, of all reps."""
_KEPT = "a.id NOT IN (SELECT CAST(subject AS INTEGER) FROM page_mark WHERE login_key = ?3 AND kind = ?4)"
CHOSEN = f"""
    SELECT json_group_array(json_array(id, state, next_attempt_at, reason, changed_at)) FROM (
        SELECT delivery.id, delivery.state, next_attempt_at, delivery.reason, changed_at
        FROM (
            SELECT a.id, a.message, CASE a.state WHEN 'held' THEN 0 WHEN 'deferred' THEN 2 ELSE 1 END AS last,
                a.role <> 'record' AS copy
            FROM ({{those}}) a WHERE {_KEPT} ORDER BY last, copy, a.message, a.id LIMIT ?5
        ) chosen CROSS JOIN delivery ON delivery.id = chosen.id LEFT JOIN recording ON recording.delivery = chosen.id
        ORDER BY last, copy, chosen.message, chosen.id)"""  # noqa: S608 - our own
"""What is shown of them, what waits for somebody first, then the oldest."""
COUNT = f"SELECT count(*) FROM (SELECT 1 FROM ({{those}}) a WHERE {_KEPT} LIMIT ?5)"  # noqa: S608 - our own
"""How many may be shown."""


@dataclass(frozen=True, slots=True)
class Amiss:
    """What a list shows."""

    ids: tuple[DeliveryId, ...]
    """In the order in which they are shown."""
    total: int
    """How many there are; more than MOST when there are more."""
    version: str
    """A name for how these stand."""


def amiss(tx: Transaction, login: Login | None, key: str, now: int, *, few: int = FEW) -> Amiss:
    """Give what needs attention of a rep, or (None) of all, but for what whoever has this key dismissed."""
    since = next_number(0, now - _DAYS_BACK)
    those = _those(tx, login, since, few)
    bound: tuple[Value, ...] = (login, since, key, DISMISSED)
    limit = LIMIT_OF_ALL if login is None else LIMIT
    rows = str(tx.execute(CHOSEN.format(those=those), (*bound, limit))[0][0])
    ids = tuple(DeliveryId(row[0]) for row in json.loads(rows))
    total = len(ids)
    if total == limit:
        total = integer(tx.execute(COUNT.format(those=those), (*bound, MOST + 1))[0][0])
    return Amiss(ids, total, digest(rows, str(total)))


def _those(tx: Transaction, login: Login | None, since: int, few: int) -> str:
    if login is None:
        return OF_ALL
    return OF_FEW if integer(tx.execute(ARE_FEW, (since, few + 1))[0][0]) <= few else OF_MANY
