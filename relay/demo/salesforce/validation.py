"""Checking one record that is to be created or changed, in the order in which Salesforce checks.

Object, fields, access, types, required, lengths, picklists, references, the object's own rules, duplicates; the first
fault is told. Source: Salesforce reference §7.3.
"""

from collections.abc import Callable, Mapping

from relay.demo.salesforce import ids, refusals
from relay.demo.salesforce.fields import TEXTS, Field, Kind, Schema, SObject
from relay.demo.salesforce.records import Records, Row
from relay.demo.salesforce.validation_duplicates import check_duplicates, check_unique
from relay.demo.salesforce.validation_rules import check_rules
from relay.demo.salesforce.validation_types import coerced
from relay.demo.salesforce.wanted import Wanted

_AUDIT = {"createddate", "createdbyid", "lastmodifieddate", "lastmodifiedbyid"}
_SHOWN = 20


def find_object(schema: Schema, name: str, *, provoked_by_toggle: bool = True) -> SObject:
    """Give an object by name. Raises Refusal NOT_FOUND."""
    shape = schema.find(name)
    if shape is None:
        raise refusals.not_found(provoked=provoked_by_toggle and name.lower() in schema.missing)
    return shape


def checked(
    records: Records,
    shape: SObject,
    body: Mapping[str, object],
    *,
    user: str,
    before: Row | None,
    headers: Mapping[str, str],
) -> Row:
    """Give the fields of a body in the form in which they are kept. Raises Refusal for the first fault."""
    named = _named(records.schema, shape, body)
    _check_access(records, shape, named, new=before is None)
    given = {field.name: coerced(field, value) for field, value in named}
    wanted = Wanted(shape, given, before, user, headers)
    for check in _CHECKS:
        check(records, wanted)
    return given


def _named(schema: Schema, shape: SObject, body: Mapping[str, object]) -> list[tuple[Field, object]]:
    found = []
    for name, value in body.items():
        if name == "attributes":
            continue
        field = shape.find(name)
        if field is None:
            hidden = (shape.name.lower(), name.lower()) in schema.hidden
            raise refusals.no_column(name, shape.name, provoked=hidden)
        found.append((field, value))
    return found


def _check_access(records: Records, shape: SObject, named: list[tuple[Field, object]], *, new: bool) -> None:
    if not (shape.createable if new else shape.updateable):
        message = f"entity type cannot be {'inserted' if new else 'updated'}: {shape.name}"
        raise refusals.refused(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message)
    audit = _AUDIT if new and records.toggles.audit_fields else set()
    barred = [
        field
        for field, _ in named
        if not (field.createable if new else field.updateable) and field.name.lower() not in audit
    ]
    if barred:
        read_only = {name.lower() for name in records.toggles.read_only_fields}
        provoked = all(f"{shape.name}.{field.name}".lower() in read_only for field in barred)
        raise refusals.not_writable([field.name for field in barred], provoked=provoked)


def _check_required(records: Records, wanted: Wanted) -> None:
    missing = [
        field.name
        for field in wanted.shape.fields
        if field.required
        and wanted.given.get(field.name) is None
        and (wanted.before is None or field.name in wanted.given)
    ]
    if missing:
        required = {name.lower() for name in records.toggles.required_fields}
        raise refusals.refused(
            400,
            "REQUIRED_FIELD_MISSING",
            f"Required fields are missing: [{', '.join(missing)}]",
            *missing,
            provoked=all(f"{wanted.shape.name}.{name}".lower() in required for name in missing),
        )


def _check_lengths(records: Records, wanted: Wanted) -> None:
    for name, value in wanted.given.items():
        field = _field(wanted.shape, name)
        if field.kind in TEXTS and field.length and isinstance(value, str) and len(value) > field.length:
            told = f"{name}: data value too large: {value[:_SHOWN]}… (max length={field.length})"
            raise refusals.refused(400, "STRING_TOO_LONG", told, name)


def _check_picklists(records: Records, wanted: Wanted) -> None:
    for name, value in wanted.given.items():
        field = _field(wanted.shape, name)
        if field.kind is not Kind.PICKLIST or not field.restricted:
            continue
        if value is None and not field.nillable:
            value = ""
        if value is not None and value not in field.picklist:
            told = f"{name}: bad value for restricted picklist field: {value}"
            raise refusals.refused(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", told, name)


def _check_references(records: Records, wanted: Wanted) -> None:
    for name, value in wanted.given.items():
        field = _field(wanted.shape, name)
        if field.kind is Kind.REFERENCE and value is not None:
            _check_reference(records, wanted, field, str(value))
        elif field.kind is Kind.IDS and isinstance(value, list):
            for one in value:
                _check_reference(records, wanted, field, str(one))


def _check_reference(records: Records, wanted: Wanted, field: Field, value: str) -> None:
    shape = records.schema.of_id(value)
    label = field.name.removesuffix("Id")
    if shape is None or shape.name not in field.references:
        raise refusals.integrity(f"{label} ID: id value of incorrect type: {value}", field.name)
    row = records.get(value)
    if row is None or not records.sees(wanted.user, shape.name, row):
        code = "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY" if row else "INVALID_CROSS_REFERENCE_KEY"
        told = (
            f"insufficient access rights on cross-reference id: {value}"
            if row
            else "invalid cross reference id"
        )
        raise refusals.refused(400, code, told, field.name, provoked=row is not None)
    if row["IsDeleted"]:
        raise refusals.refused(400, "ENTITY_IS_DELETED", "entity is deleted", field.name)


def _field(shape: SObject, name: str) -> Field:
    field = shape.find(name)
    assert field is not None
    return field


_CHECKS: tuple[Callable[[Records, Wanted], None], ...] = (
    _check_required,
    _check_lengths,
    _check_picklists,
    _check_references,
    check_rules,
    check_unique,
    check_duplicates,
)


def whole_id(text: str, shape: SObject) -> str:
    """Give a record's id of a path in its long form. Raises Refusal NOT_FOUND when it cannot be one of the object."""
    record = ids.whole(text)
    if record is None or record[:3] != shape.prefix:
        raise refusals.not_found(f"Provided external ID field does not exist or is not accessible: {text}")
    return record
