"""Finding the fields that a statement names: those of its object, and of parents along a path.

Pure. A reference to several objects leads to Salesforce's Name object, which knows a few fields of all of them.
"""

from dataclasses import dataclass

from relay.demo.salesforce.fields import Field, Kind, Schema, SObject, field
from relay.demo.salesforce.soql_source import Record, Source
from relay.demo.salesforce.soql_tokens import query_error
from relay.demo.salesforce.soql_tree import Path, Statement
from relay.demo.salesforce.soql_values import Key, key_of, shown

_NAME_FIELDS = [
    "Id",
    "Name",
    "FirstName",
    "LastName",
    "Email",
    "Phone",
    "Title",
    "Alias",
    "Username",
    "IsActive",
    "UserRoleId",
    "ProfileId",
    "Type",
]
NAME = {
    name.lower(): field(name, Kind.BOOLEAN if name == "IsActive" else Kind.STRING, 255)
    for name in _NAME_FIELDS
}
"""The fields of the Name object (Object Reference, "Name")."""
_DEEPEST = 5


@dataclass(frozen=True, slots=True)
class Step:
    """One reference on the way to a parent."""

    reference: Field
    relationship: str
    """As an answer names the parent."""
    to: str | None
    """The parent's object; None: any of several."""


@dataclass(frozen=True, slots=True)
class Column:
    """A field that can be read from a record of the statement's object."""

    steps: tuple[Step, ...]
    field: Field

    def value(self, source: Source, record: Record) -> object:
        """Give the field's value as it is kept; None also where a parent is missing."""
        owner: str | None = None
        for step in self.steps:
            found = parent(source, record, step)
            if found is None:
                return None
            owner, record = found
        if self.field.name == "Type" and self.steps and self.steps[-1].to is None:
            return owner
        return record.get(self.field.name)

    def key(self, source: Source, record: Record) -> Key:
        """Give the value in the form in which it is compared."""
        return key_of(self.value(source, record), self.field.kind)

    def shown(self, source: Source, record: Record) -> object:
        """Give the value as answers show it."""
        return shown(self.value(source, record), self.field.kind)


def parent(source: Source, record: Record, step: Step) -> tuple[str, Record] | None:
    """Give the object and the record that a reference points at."""
    target = record.get(step.reference.name)
    return source.find(target) if isinstance(target, str) and target else None


class Columns:
    """The columns of one statement, found in the schema as often as they are named."""

    def __init__(self, schema: Schema, statement: Statement) -> None:
        self._schema, self._statement = schema, statement
        found = schema.find(statement.object)
        if found is None or not found.queryable:
            raise query_error(
                "INVALID_TYPE",
                statement.text,
                statement.object_at,
                f"sObject type '{statement.object}' is not supported. If you are attempting to use a custom object,"
                " be sure to append the '__c' after the entity name.",
            )
        self.object = found

    def column(self, path: Path) -> Column:
        """Find a column. Raises QueryError (INVALID_FIELD)."""
        parts = path.parts
        if len(parts) > 1 and parts[0].lower() in (self._statement.alias.lower(), self.object.name.lower()):
            parts = parts[1:]
        steps: list[Step] = []
        owner: SObject | None = self.object
        for name in parts[:-1]:
            step = self._step(owner, name, path)
            steps.append(step)
            owner = None if step.to is None else self._schema.find(step.to)
        if len(steps) > _DEEPEST:
            raise self._error(path, f"SOQL relationships may go up five levels at most: '{path}'")
        return Column(tuple(steps), self._field(owner, parts[-1], path))

    def filtered(self, path: Path, verb: str = "filtered") -> Column:
        """Find a column that WHERE, ORDER BY or GROUP BY may name. Raises QueryError (INVALID_FIELD)."""
        column = self.column(path)
        if not column.field.filterable:
            raise self._error(path, f"field '{path}' can not be {verb} in a query call")
        return column

    def _step(self, owner: SObject | None, name: str, path: Path) -> Step:
        reference = owner.parent(name) if owner is not None else None
        if reference is None or not reference.relationship:
            raise self._error(
                path,
                f"Didn't understand relationship '{name}' in field path. If you are attempting to use a custom"
                " relationship, be sure to append the '__r' after the custom relationship name.",
            )
        to = reference.references[0] if len(reference.references) == 1 else None
        return Step(reference, reference.relationship, to)

    def _field(self, owner: SObject | None, name: str, path: Path) -> Field:
        found = NAME.get(name.lower()) if owner is None else owner.find(name)
        if found is None:
            entity = "Name" if owner is None else owner.name
            raise self._error(
                path,
                f"No such column '{name}' on entity '{entity}'. If you are attempting to use a custom field, be"
                " sure to append the '__c' after the custom field name. Please reference your WSDL or the"
                " describe call for the appropriate names.",
            )
        return found

    def _error(self, path: Path, message: str) -> Exception:
        return query_error("INVALID_FIELD", self._statement.text, path.at, message)
