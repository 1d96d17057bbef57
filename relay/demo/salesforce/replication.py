"""The windows of what was changed and what was deleted: /updated and /deleted of an object.

Pure. Sources: REST API Developer Guide, "sObject Get Updated" and "sObject Get Deleted"; SOAP API Developer Guide,
"Data Replication".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from relay.demo.salesforce.soql_source import QueryError

UPDATED_REACH = timedelta(days=30)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the organisation can tell about now."""

    now: datetime
    lag: timedelta
    """How far latestDateCovered stays behind."""
    cap: int
    """More ids than this: EXCEEDED_ID_LIMIT."""
    deleted_reach: timedelta
    """How far back the log of deletions goes."""


def updated(rows: Iterable[Mapping[str, object]], start: str, end: str, known: Coverage) -> dict[str, object]:
    """Answer /updated: the ids of what was created or changed in the window. Raises QueryError."""
    first, last = _window(start, end, at_least=timedelta())
    _within_reach(first, known.now - UPDATED_REACH, known.now)
    found = [
        str(row["Id"])
        for row in rows
        if not row.get("IsDeleted") and first <= moment(row["SystemModstamp"]) <= last
    ]
    _within_cap(found, known.cap)
    return {"ids": found, "latestDateCovered": shown(_covered(last, known))}


def deleted(rows: Iterable[Mapping[str, object]], start: str, end: str, known: Coverage) -> dict[str, object]:
    """Answer /deleted: what was deleted in the window and is in the log still. Raises QueryError.

    `rows` are those deleted, also the ones that left the recycle bin; each with Id and SystemModstamp, which
    is when it was deleted, or DeletedDate where that is another moment.
    """
    first, last = _window(start, end, at_least=_MINUTE)
    earliest = known.now - known.deleted_reach
    _within_reach(first, earliest, known.now)
    found = [
        {"id": str(row["Id"]), "deletedDate": shown(when)}
        for row in rows
        if first <= (when := moment(row.get("DeletedDate") or row["SystemModstamp"])) <= last
    ]
    _within_cap([one["id"] for one in found], known.cap)
    return {
        "deletedRecords": found,
        "earliestDateAvailable": shown(earliest),
        "latestDateCovered": shown(_covered(last, known)),
    }


def _window(start: str, end: str, *, at_least: timedelta) -> tuple[datetime, datetime]:
    """Read a window: seconds are cut off, both ends belong to it."""
    first, last = _read("start", start), _read("end", end)
    if last <= first:
        raise QueryError("INVALID_REPLICATION_DATE", "startDate cannot be after or equal to endDate")
    if last - first <= at_least:
        raise QueryError("INVALID_REPLICATION_DATE", "endDate must be more than one minute after startDate")
    return first, last


def _read(name: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise QueryError("ILLEGAL_QUERY_PARAMETER_VALUE", f"{name}: not a date and time with a zone: {text}")
    return found.astimezone(UTC).replace(second=0, microsecond=0)


def _within_reach(first: datetime, earliest: datetime, now: datetime) -> None:
    if first < earliest.replace(second=0, microsecond=0):
        raise QueryError(
            "INVALID_REPLICATION_DATE", f"startDate before the earliest date available: {shown(earliest)}"
        )
    if first > now:
        raise QueryError("INVALID_REPLICATION_DATE", "startDate cannot be in the future")


def _within_cap(found: list[str], cap: int) -> None:
    if len(found) > cap:
        raise QueryError("EXCEEDED_ID_LIMIT", f"Too many ids to return: {len(found)}, the limit is {cap}")


def _covered(last: datetime, known: Coverage) -> datetime:
    """Give latestDateCovered: transactions that have not ended may hold it back."""
    return min(last, (known.now - known.lag).replace(second=0, microsecond=0))


def moment(value: object) -> datetime:
    """Read a stamp as records keep it."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))


def shown(when: datetime) -> str:
    """Write a moment as answers do, in whole seconds."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000+0000"
