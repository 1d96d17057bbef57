"""The records of the simulated organisation: tables of rows, their stamps, the recycle bin, and taking back.

Nothing is validated here: seeding goes past validation, the API through `writing`. What follows from a record - a closed
Task's IsClosed, the Task of an EmailMessage - is filled in by `derived` and `activities`. Who uses it holds `lock`.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from relay.demo.salesforce import activities, derived, ids
from relay.demo.salesforce.clock import SimulatedClock, written
from relay.demo.salesforce.fields import Kind, Schema, SObject
from relay.demo.salesforce.index import Index
from relay.demo.salesforce.objects_activity import default_priority, default_status
from relay.demo.salesforce.schema import schema_of
from relay.demo.salesforce.toggles import Toggles

Row = dict[str, object]
"""One record by the canonical names of its fields; what is not set is missing. Instants as clock.written writes them."""

RECYCLE_BIN = timedelta(days=15)
_STATUS_ID, _PRIORITY_ID = "01J", "01K"


@dataclass(frozen=True, slots=True)
class Deletion:
    """One line of the delete log, which getDeleted reads."""

    object: str
    id: str
    at: str


class Records:
    """All records; rows are handed out as they are kept, and changed only through the verbs here."""

    def __init__(self, toggles: Toggles, clock: SimulatedClock) -> None:
        self.toggles = toggles
        self.clock = clock
        self.lock = threading.RLock()
        self.deletions: list[Deletion] = []
        self._tables: dict[str, dict[str, Row]] = {}
        self._numbers: dict[str, int] = {}
        self._index = Index()
        self._journal: list[tuple[str, str, Row | None]] | None = None

    @property
    def schema(self) -> Schema:
        """Give the schema as the toggles leave it now."""
        return schema_of(self.toggles)

    def clear(self) -> None:
        """Forget everything; ids begin again."""
        self._tables.clear()
        self._index.clear()
        self._numbers.clear()
        self.deletions.clear()

    def rows(self, name: str) -> list[Row]:
        """Give every record of an object (canonical name), those deleted or archived, too."""
        if name == "TaskStatus":
            return _labels(_STATUS_ID, self.toggles.status_values, "IsClosed", default_status)
        if name == "TaskPriority":
            return _labels(_PRIORITY_ID, self.toggles.priority_values, "IsHighPriority", default_priority)
        return list(self._tables.get(name, {}).values())

    def live(self, name: str) -> list[Row]:
        """Give the records of an object that are not deleted."""
        return [row for row in self.rows(name) if not row["IsDeleted"]]

    def having(self, name: str, field: str, value: object) -> list[Row]:
        """Give the records that are not deleted and have a value in a field, whatever its case."""
        if self._index.covers(name, field):
            table = self._tables.get(name, {})
            return [table[one] for one in self._index.find(name, field, value) if not table[one]["IsDeleted"]]
        wanted = str(value).casefold()
        return [
            row
            for row in self.live(name)
            if row.get(field) is not None and str(row[field]).casefold() == wanted
        ]

    def find(self, record: str) -> tuple[str, Row] | None:
        """Give the object's name and the record of an 18-character id, deleted or not; None: there is none."""
        one = self.schema.of_id(record)
        row = self._tables.get(one.name, {}).get(record) if one else None
        return (one.name, row) if one and row is not None else None

    def get(self, record: str | None) -> Row | None:
        """Give a record by its 18-character id, deleted or not."""
        found = self.find(record) if record else None
        return found[1] if found else None

    def insert(self, name: str, given: Mapping[str, object], *, user: str) -> Row:
        """Store a new record with its defaults, its stamps and what follows from it. What is `given` wins."""
        shape = self._shape(name)
        record = str(given.get("Id") or self._next_id(shape))
        row = _defaults(shape, user)
        row.update({"Id": record, **self._stamps(user, True), **given})
        self._derive(name, row, None)
        self._put(name, record, row)
        derived.after_save(self, name, row, None, user=user)
        activities.after_save(self, name, row, None, user=user)
        return row

    def change(self, name: str, record: str, changes: Mapping[str, object], *, user: str) -> Row:
        """Change fields of a record; its stamps move and what follows from it is made anew. Raises KeyError."""
        before = self._tables[name][record]
        row = {**before, **self._stamps(user, False), **changes}
        self._derive(name, row, before)
        self._put(name, record, row)
        derived.after_save(self, name, row, before, user=user)
        activities.after_save(self, name, row, before, user=user)
        return row

    def touch(self, name: str, record: str, changes: Mapping[str, object]) -> None:
        """Set fields that the system keeps up to date (LastActivityDate): no stamp but SystemModstamp moves."""
        before = self._tables[name][record]
        if any(before.get(field) != value for field, value in changes.items()):
            self._put(name, record, {**before, **changes, "SystemModstamp": self.clock.stamp()})

    def delete(self, name: str, record: str, *, user: str) -> None:
        """Move a record to the recycle bin, with what goes where it goes. Raises KeyError; twice is once."""
        row = self._tables[name][record]
        if row["IsDeleted"]:
            return
        gone = {**row, **self._stamps(user, False), "IsDeleted": True}
        self._put(name, record, gone)
        self.deletions.append(Deletion(name, record, str(gone["SystemModstamp"])))
        derived.after_delete(self, name, gone, user=user)
        activities.after_delete(self, name, gone, user=user)

    def undelete(self, name: str, record: str, *, user: str) -> None:
        """Take a record out of the recycle bin. Raises KeyError when it is purged."""
        row = self._tables[name][record]
        self._put(name, record, {**row, **self._stamps(user, False), "IsDeleted": False})
        self.deletions[:] = [one for one in self.deletions if one.id != record]

    def purge(self, name: str, record: str) -> None:
        """Remove a record for good."""
        self._put(name, record, None)

    def age(self) -> None:
        """Purge what has been in the recycle bin for 15 days, and archive old activities."""
        oldest = written(self.clock.now() - RECYCLE_BIN)
        for name, table in list(self._tables.items()):
            for record, row in list(table.items()):
                if row["IsDeleted"] and str(row["SystemModstamp"]) < oldest:
                    self._put(name, record, None)
        derived.archive(self)

    @contextmanager
    def transaction(self) -> Iterator["Transaction"]:
        """Make everything inside one: taken back when it raises or is told to. Transactions may be nested."""
        outer, self._journal = self._journal, []
        log = len(self.deletions)
        transaction = Transaction()
        try:
            yield transaction
        except BaseException:
            transaction.roll_back()
            raise
        finally:
            mine, self._journal = self._journal, outer
            if transaction.rolled_back:
                del self.deletions[log:]
                self._undo(mine)
            elif outer is not None:
                outer.extend(mine)

    def seen_by(self, user: str) -> "View":
        """Give the records as a user sees them."""
        return View(self, user)

    def is_administrator(self, user: str) -> bool:
        """Say whether a user sees the records of all others."""
        row = self.get(user)
        return (
            row is None
            or bool(row.get("_administrator"))
            or row.get("Username") in self.toggles.administrators
        )

    def sees(self, user: str, name: str, row: Mapping[str, object]) -> bool:
        """Say whether a user sees a record: all do, unless its object is private."""
        if name not in self.toggles.private_objects or self.is_administrator(user):
            return True
        return user in (row.get("OwnerId"), row.get("CreatedById"))

    def _shape(self, name: str) -> SObject:
        shape = self.schema.find(name)
        if shape is None:
            raise KeyError(f"the organisation has no {name}")
        return shape

    def _next_id(self, shape: SObject) -> str:
        number = self._numbers.get(shape.name, 0) + 1
        self._numbers[shape.name] = number
        return ids.made(shape.prefix, number)

    def _stamps(self, user: str, new: bool) -> Row:
        at = self.clock.stamp()
        stamps: Row = {"LastModifiedDate": at, "LastModifiedById": user, "SystemModstamp": at}
        return {"CreatedDate": at, "CreatedById": user, "IsDeleted": False, **stamps} if new else stamps

    def _derive(self, name: str, row: Row, before: Row | None) -> None:
        derived.before_save(self, name, row, before)
        activities.before_save(self, name, row, before)

    def _put(self, name: str, record: str, row: Row | None) -> None:
        if self._journal is not None:
            self._journal.append((name, record, self._tables.get(name, {}).get(record)))
        self._set(name, record, row)

    def _set(self, name: str, record: str, row: Row | None) -> None:
        table = self._tables.setdefault(name, {})
        self._index.moved(name, record, table.get(record), row)
        if row is None:
            table.pop(record, None)
        else:
            table[record] = row

    def _undo(self, journal: list[tuple[str, str, Row | None]]) -> None:
        for name, record, before in reversed(journal):
            self._set(name, record, before)


class Transaction:
    """Several changes that stand or fall together."""

    def __init__(self) -> None:
        self.rolled_back = False

    def roll_back(self) -> None:
        """Take everything back at the end."""
        self.rolled_back = True


class View:
    """The records that one user may see; a `Source` of queries."""

    def __init__(self, records: Records, user: str) -> None:
        self._records, self._user = records, user

    def rows(self, name: str, /) -> list[Row]:
        """Give every record of an object that the user may see."""
        return [row for row in self._records.rows(name) if self._records.sees(self._user, name, row)]

    def find(self, record_id: str, /) -> tuple[str, Row] | None:
        """Give the object's name and the record of an id, when the user may see it."""
        found = self._records.find(record_id)
        return found if found and self._records.sees(self._user, *found) else None


def _defaults(shape: SObject, user: str) -> Row:
    row: Row = {}
    for field in shape.fields:
        if field.default is not None:
            row[field.name] = field.default
        elif field.name == "OwnerId" and field.kind is Kind.REFERENCE:
            row[field.name] = user
    return row


def _labels(prefix: str, values: object, flag: str, default: object) -> list[Row]:
    """Give the rows of TaskStatus or TaskPriority, which are settings of the organisation rather than records."""
    assert isinstance(values, tuple)
    assert callable(default)
    at = "2020-01-01T00:00:00.000+0000"
    return [
        {
            "Id": ids.made(prefix, number),
            "IsDeleted": False,
            "CreatedDate": at,
            "LastModifiedDate": at,
            "SystemModstamp": at,
            "ApiName": label,
            "MasterLabel": label,
            flag: marked,
            "IsDefault": label == default(values),
            "SortOrder": number,
        }
        for number, (label, marked) in enumerate(values, 1)
    ]
