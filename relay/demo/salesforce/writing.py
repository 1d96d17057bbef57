"""Creating, changing and deleting single records as the API does: checked, then stored.

Whatever comes with many records - collections, composite requests, upserts - ends here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from relay.demo.salesforce import refusals
from relay.demo.salesforce.faults import Faults
from relay.demo.salesforce.fields import Field, SObject
from relay.demo.salesforce.files import Files
from relay.demo.salesforce.records import Records, Row
from relay.demo.salesforce.refusals import Refusal
from relay.demo.salesforce.validation import checked, find_object, whole_id


@dataclass(frozen=True, slots=True)
class Upserted:
    """What an upsert came to."""

    id: str
    created: bool


class SeveralMatch(Exception):
    """More than one record has the value of an upsert: 300 with their addresses."""

    def __init__(self, name: str, records: list[str]) -> None:
        super().__init__(f"{len(records)} records of {name}")
        self.name, self.records = name, records


class Writer:
    """Writes for one user, with the headers of one request."""

    def __init__(
        self, records: Records, files: Files, faults: Faults, user: str, headers: Mapping[str, str]
    ) -> None:
        self._records, self._files, self._faults = records, files, faults
        self.user, self.headers = user, headers

    def create(self, name: str, body: Mapping[str, object], *, data: bytes | None = None) -> str:
        """Create a record and give its id; `data` is the content of a file that came beside it. Raises Refusal."""
        shape = find_object(self._records.schema, name)
        self._strike(shape.name, "create", body)
        if shape.name == "ContentVersion":
            body, data = self._files.opened(self._records, body, data)
        given = checked(self._records, shape, body, user=self.user, before=None, headers=self.headers)
        with self._records.transaction():
            if shape.name == "ContentVersion":
                return self._files.store(self._records, given, data, self.user)
            return str(self._records.insert(shape.name, given, user=self.user)["Id"])

    def update(self, name: str, text: str, body: Mapping[str, object]) -> str:
        """Change a record. Raises Refusal."""
        shape = find_object(self._records.schema, name)
        row = self.existing(shape, text)
        self._strike(shape.name, "update", {"Id": row["Id"], **body})
        given = checked(self._records, shape, body, user=self.user, before=row, headers=self.headers)
        with self._records.transaction():
            self._records.change(shape.name, str(row["Id"]), given, user=self.user)
        return str(row["Id"])

    def delete(self, name: str, text: str) -> str:
        """Delete a record, into the recycle bin. Raises Refusal."""
        shape = find_object(self._records.schema, name)
        row = self.existing(shape, text)
        self._strike(shape.name, "delete", {"Id": row["Id"]})
        if not shape.deletable:
            told = f"entity type cannot be deleted: {shape.name}"
            raise refusals.refused(400, "INSUFFICIENT_ACCESS_OR_READONLY", told)
        with self._records.transaction():
            self._records.delete(shape.name, str(row["Id"]), user=self.user)
        return str(row["Id"])

    def upsert(
        self, name: str, field: str, value: str, body: Mapping[str, object], *, update_only: bool = False
    ) -> Upserted:
        """Change the record that has a value, or create it. Raises Refusal, and SeveralMatch."""
        shape = find_object(self._records.schema, name)
        if field.lower() == "id":
            return Upserted(self.update(name, value, body), created=False)
        key = self.key_field(shape, field)
        if any(given.lower() == key.name.lower() for given in body):
            told = f"The {key.name} field should not be specified in the sobject data."
            raise refusals.refused(400, "INVALID_FIELD", told, key.name)
        found = self.having(shape, key, value)
        if len(found) > 1:
            raise SeveralMatch(shape.name, [str(row["Id"]) for row in found])
        if found:
            return Upserted(self.update(name, str(found[0]["Id"]), body), created=False)
        if update_only:
            raise refusals.not_found()
        return Upserted(self.create(name, {**body, key.name: value}), created=True)

    def key_field(self, shape: SObject, name: str) -> Field:
        """Give the field that records are found by. Raises Refusal when it is no external id."""
        field = shape.find(name)
        if field is None or not (field.external_id or field.id_lookup):
            hidden = (shape.name.lower(), name.lower()) in self._records.schema.hidden
            told = f"Provided external ID field does not exist or is not accessible: {name}"
            raise refusals.not_found(told, provoked=hidden)
        return field

    def having(self, shape: SObject, field: Field, value: str) -> list[Row]:
        """Give the records that have this value in a field, whatever its case."""
        return [
            row
            for row in self._records.having(shape.name, field.name, value)
            if self._records.sees(self.user, shape.name, row)
        ]

    def existing(self, shape: SObject, text: str) -> Row:
        """Give a record that is there and not deleted. Raises Refusal NOT_FOUND or ENTITY_IS_DELETED."""
        row = self._records.get(whole_id(text, shape))
        if row is None or not self._records.sees(self.user, shape.name, row):
            raise refusals.not_found()
        if row["IsDeleted"]:
            raise refusals.deleted()
        return row

    def _strike(self, name: str, operation: str, body: Mapping[str, object]) -> None:
        struck: Refusal | None = self._faults.strike_record(name, operation, body)
        if struck is not None:
            raise struck
