"""The questions that Salesforce is asked about Tasks (SOQL), cut to what one address can hold.

Pure.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from relay.reminders.mapping import COLUMNS, KEY_FIELD

LONGEST = 12_000
"""Octets of a question as it stands in the address, far enough below the 16,384 that Salesforce takes."""
ROTATION = 100
"""How many known Tasks are looked at again with each poll, where the address has room."""


def literal(text: str) -> str:
    """Write a text as SOQL has it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    for raw, written in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"), ("\b", "\\b"), ("\f", "\\f")):
        escaped = escaped.replace(raw, written)
    return f"'{escaped}'"


def listed(values: Sequence[str]) -> str:
    """Write texts as a list in SOQL."""
    return f"({','.join(map(literal, values))})"


def moment(instant: int) -> str:
    """Write an instant as SOQL has it, in whole seconds that have passed."""
    return f"{datetime.fromtimestamp(instant // 1_000_000, UTC):%Y-%m-%dT%H:%M:%S}Z"


def octets(soql: str) -> int:
    """Give how long a question is in an address."""
    return len(quote(soql, safe=""))


def portions(values: Sequence[str], room: int = LONGEST - 1_000, most: int = 400) -> Iterator[list[str]]:
    """Cut texts into lists that fit into a question each."""
    portion: list[str] = []
    used = 0
    for value in values:
        size = octets(literal(value)) + 3
        if portion and (used + size > room or len(portion) >= most):
            yield portion
            portion, used = [], 0
        portion.append(value)
        used += size
    if portion:
        yield portion


def columns(keyed: bool) -> str:
    """Give what is asked of a Task; with our key where the organisation has the field."""
    return f"{COLUMNS}, {KEY_FIELD}" if keyed else COLUMNS


def changes(owners: Sequence[str], since: int, known: Sequence[str], *, keyed: bool = False) -> str:
    """Ask for what changed of the owners' Tasks, and for some known ones whoever owns them now."""
    asked = f"OwnerId IN {listed(owners)} AND SystemModstamp >= {moment(since)}"
    if known:
        asked = f"({asked}) OR Id IN {listed(known)}"
    return f"SELECT {columns(keyed)} FROM Task WHERE {asked} ORDER BY SystemModstamp, Id"  # noqa: S608 - SOQL, escaped


def room_for_known(owners: Sequence[str], *, keyed: bool = False) -> int:
    """Give how many known ids still fit beside the owners."""
    left = LONGEST - octets(changes(owners, 0, ["x"], keyed=keyed))
    return max(0, min(ROTATION, left // 27))  # 18 characters, two quotes of three octets, a comma of three


def first(owners: Sequence[str], since: int, *, all_open: bool, keyed: bool = False) -> str:
    """Ask for what the first run takes: what is newer, and every open Task."""
    return f"SELECT {columns(keyed)} FROM Task WHERE {_first(owners, since, all_open)} ORDER BY Id"  # noqa: S608 - SOQL, escaped


def first_count(owners: Sequence[str], since: int, *, all_open: bool) -> str:
    """Ask how much that is for each owner."""
    where = _first(owners, since, all_open)
    return f"SELECT OwnerId, COUNT(Id) total FROM Task WHERE {where} GROUP BY OwnerId"  # noqa: S608 - SOQL, escaped


def _first(owners: Sequence[str], since: int, all_open: bool) -> str:
    newer = f"SystemModstamp >= {moment(since)}"
    which = f"({newer} OR IsClosed = false)" if all_open else newer
    return f"OwnerId IN {listed(owners)} AND {which}"


def by_ids(ids: Sequence[str], *, keyed: bool = False) -> str:
    """Ask for Tasks by their ids."""
    return f"SELECT {columns(keyed)} FROM Task WHERE Id IN {listed(ids)}"  # noqa: S608 - SOQL, escaped


def by_keys(keys: Sequence[str]) -> str:
    """Ask for Tasks by our keys: which creates did happen."""
    return f"SELECT {columns(True)} FROM Task WHERE {KEY_FIELD} IN {listed(keys)}"  # noqa: S608 - SOQL, escaped


def by_subjects(owners: Sequence[str], subjects: Sequence[str], since: int) -> str:
    """Ask for Tasks that look like those whose making was not answered, where the organisation has no key."""
    return (
        f"SELECT {COLUMNS} FROM Task WHERE CreatedDate >= {moment(since)} "  # noqa: S608 - SOQL, escaped
        f"AND OwnerId IN {listed(owners)} AND Subject IN {listed(subjects)}"
    )


def people(object: str, addresses: Sequence[str]) -> str:
    """Ask for contacts, or leads that are not converted, by address; the one that was used last comes first."""
    only = " AND IsConverted = false" if object == "Lead" else ""
    return (
        f"SELECT Id, Name, Email FROM {object} WHERE Email IN {listed(addresses)}{only} "  # noqa: S608 - SOQL, escaped
        "ORDER BY LastActivityDate DESC NULLS LAST, CreatedDate"
    )
