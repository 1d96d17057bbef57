"""Look whether records are in Salesforce already: before one is asked for again, and where something else may log mail, too.

Always asked as the identity that makes them: it sees what it has made, whatever sharing hides from others.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from relay.clock import rfc3339
from relay.salesforce.model import Json, Row
from relay.salesforce.org_shape import KEY_FIELD, OrgShape
from relay.salesforce.soql import MAXIMUM_ENCODED, encoded_length, listed, portions

CLOCKS_APART = 300_000_000
"""Microseconds by which Salesforce's clock and ours may differ."""


class Asking(Protocol):
    """What is needed of the client."""

    async def query(self, soql: str, *, identity: str = "") -> list[Row]:
        """Give all rows. Raises SalesforceError."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """One record that may be there."""

    key: str
    object: str
    find_by: Mapping[str, Json]
    since: int
    """It was not asked for before this instant."""
    foreign: bool = False
    """Whether one that something else made counts, too (logging.already_logged: check)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record in Salesforce that may be one of those wanted."""

    id: str
    row: Row


async def find(
    client: Asking, identity: str, wanted: Sequence[Wanted], org: OrgShape
) -> dict[str, list[Candidate]]:
    """Give, for each key, the records that fit it; see `assign`. Raises SalesforceError."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for soql, object in _queries(wanted, org):
        rows[object] += await client.query(soql, identity=identity)
    return {one.key: [_candidate(row) for row in rows[one.object] if _fits(row, one)] for one in wanted}


def assign(
    wanted: Sequence[Wanted], found: Mapping[str, Sequence[Candidate]], known: Mapping[str, str]
) -> dict[str, str]:
    """Give the id of each record that is there; each id counts for one key.

    `known` says of ids which key they were made for: such a record is no other key's. What is told by more comes
    first, so that the main record of a message does not take the place of another one.
    """
    taken: dict[str, str] = {}
    for one in sorted(wanted, key=lambda one: -len(one.find_by)):
        for candidate in found.get(one.key, ()):
            owner = known.get(candidate.id) or candidate.row.get(KEY_FIELD)
            if candidate.id in taken.values() or (owner and owner != one.key):
                continue
            taken[one.key] = candidate.id
            break
    return taken


def _candidate(row: Row) -> Candidate:
    return Candidate(str(row.get("Id") or ""), row)


def _fits(row: Row, one: Wanted) -> bool:
    """Tell whether a record is the one wanted: by our key, or by all that it is told by."""
    if row.get(KEY_FIELD) == one.key:
        return True
    return all(_same(name, row.get(name), value) for name, value in one.find_by.items())


def _same(name: str, there: Json, wanted: Json) -> bool:
    if name == "MessageIdentifier":
        return _bare(there) == _bare(wanted)
    if isinstance(there, str) and isinstance(wanted, str):
        if name.endswith("Id"):
            return there[:15] == wanted[:15]
        return " ".join(there.split()) == " ".join(wanted.split())
    return (there or None) == (wanted or None)


def _bare(value: Json) -> str:
    return str(value or "").strip().removeprefix("<").removesuffix(">")


def _queries(wanted: Sequence[Wanted], org: OrgShape) -> list[tuple[str, str]]:
    messages = [one for one in wanted if one.object == "EmailMessage"]
    tasks = [one for one in wanted if one.object == "Task"]
    queries = [(soql, "EmailMessage") for soql in _by_identifier(messages, org)]
    return queries + [(soql, "Task") for soql in _tasks(tasks, org)]


def _by_identifier(wanted: Sequence[Wanted], org: OrgShape) -> list[str]:
    """Ask by Message-ID, with angle brackets and without: other tools store it either way."""
    if not wanted:
        return []
    bare = dict.fromkeys(_bare(one.find_by.get("MessageIdentifier")) for one in wanted)
    values = [form for one in bare for form in (f"<{one}>", one)]
    key = f", {KEY_FIELD}" if org.has_key("EmailMessage") else ""
    start = f"SELECT Id, MessageIdentifier, RelatedToId{key} FROM EmailMessage WHERE MessageIdentifier IN "  # noqa: S608 - values are literals
    return [start + listed(portion) for portion in _portions(values, start)]


def _tasks(wanted: Sequence[Wanted], org: OrgShape) -> list[str]:
    """Ask by our key where there is one; else by when it was asked for, whom it is on, and its subject."""
    if not wanted:
        return []
    keyed = org.has_key("Task")
    own = [one for one in wanted if keyed and not one.foreign]
    others = [one for one in wanted if one not in own]
    key = f", {KEY_FIELD}" if keyed else ""
    columns = f"SELECT Id, Subject, ActivityDate, WhoId, WhatId{key} FROM Task WHERE "  # noqa: S608 - names of ours
    queries: list[str] = []
    if own:
        start = f"{columns}{KEY_FIELD} IN "
        queries += [start + listed(some) for some in _portions([one.key for one in own], start)]
    if others:
        since = rfc3339(min(one.since for one in others) - CLOCKS_APART)
        on_people = list(dict.fromkeys(str(who) for one in others if (who := one.find_by.get("WhoId"))))
        subjects = [str(one.find_by.get("Subject")) for one in others if not one.find_by.get("WhoId")]
        on = f"{columns}CreatedDate >= {since} AND WhoId IN "
        queries += [on + listed(some) for some in _portions(on_people, on)]
        alone = f"{columns}CreatedDate >= {since} AND WhoId = null AND Subject IN "
        queries += [alone + listed(some) for some in _portions(list(dict.fromkeys(subjects)), alone)]
    return queries


def _portions(values: Sequence[str], start: str) -> list[Sequence[str]]:
    return list(portions(values, MAXIMUM_ENCODED - encoded_length(start) - 10))
