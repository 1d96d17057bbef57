"""What the simulated Salesforce knows of an object and of its fields: the words that describe uses.

Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


class Kind(StrEnum):
    """The type of a field, in the words of describe."""

    ID = "id"
    STRING = "string"
    TEXTAREA = "textarea"
    EMAIL = "email"
    PHONE = "phone"
    URL = "url"
    PICKLIST = "picklist"
    COMBOBOX = "combobox"
    BOOLEAN = "boolean"
    INT = "int"
    DOUBLE = "double"
    CURRENCY = "currency"
    DATE = "date"
    DATETIME = "datetime"
    REFERENCE = "reference"
    IDS = "junctionidlist"
    """A JSON array of ids, such as Task.TaskWhoIds and EmailMessage.ToIds."""
    BASE64 = "base64"


TEXTS = frozenset(
    {Kind.STRING, Kind.TEXTAREA, Kind.EMAIL, Kind.PHONE, Kind.URL, Kind.PICKLIST, Kind.COMBOBOX, Kind.BASE64}
)
"""Kinds whose values are strings that the caller words freely."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object."""

    name: str
    kind: Kind
    length: int = 0
    """In characters; 0: it has none."""
    createable: bool = False
    updateable: bool = False
    nillable: bool = True
    defaulted: bool = False
    """defaultedOnCreate."""
    filterable: bool = True
    """Whether WHERE may name it; long text areas may not be named there."""
    references: tuple[str, ...] = ()
    """The objects it may point at."""
    relationship: str | None = None
    """relationshipName: what a query calls the record it points at, such as Who or Owner."""
    picklist: tuple[str, ...] = ()
    default: str | bool | int | None = None
    restricted: bool = False
    external_id: bool = False
    id_lookup: bool = False
    unique: bool = False
    custom: bool = False

    @property
    def required(self) -> bool:
        """Whether a create must give it."""
        return self.createable and not self.nillable and not self.defaulted and self.kind is not Kind.BOOLEAN


@dataclass(frozen=True, slots=True)
class SObject:
    """One object with its fields."""

    name: str
    prefix: str
    """The first three characters of its ids."""
    fields: tuple[Field, ...]
    createable: bool = True
    updateable: bool = True
    deletable: bool = True
    queryable: bool = True
    replicateable: bool = True
    by_name: Mapping[str, Field] | None = None
    """Its fields by lower-case name; made by `indexed`."""

    def find(self, name: str) -> Field | None:
        """Give a field by name, in any case."""
        return (self.by_name or {}).get(name.lower())

    def parent(self, relationship: str) -> Field | None:
        """Give the reference that a query calls by this name, in any case: `Owner` gives OwnerId."""
        wanted = relationship.lower()
        return next((one for one in self.fields if (one.relationship or "").lower() == wanted), None)

    def with_fields(self, fields: Sequence[Field]) -> "SObject":
        """Give the object with other fields."""
        return indexed(replace(self, fields=tuple(fields)))


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """All objects of the organisation, as its settings leave them; two are the same when they are one."""

    objects: Mapping[str, SObject]
    """By lower-case name."""
    missing: frozenset[str] = frozenset()
    """Lower-case names of objects that a toggle took away."""
    hidden: frozenset[tuple[str, str]] = frozenset()
    """Lower-case (object, field) that field-level security or a toggle took away."""

    def find(self, name: str) -> SObject | None:
        """Give an object by name, in any case."""
        return self.objects.get(name.lower())

    def of_id(self, record: str) -> SObject | None:
        """Give the object that an id belongs to."""
        return next((one for one in self.objects.values() if one.prefix == record[:3]), None)


def indexed(made: SObject) -> SObject:
    """Give the object with its fields findable by name."""
    return replace(made, by_name={field.name.lower(): field for field in made.fields})


_UNFILTERED = frozenset({Kind.BASE64, Kind.IDS})
_SHORT_AREA = 255


def field(
    name: str,
    kind: Kind,
    length: int = 0,
    access: str = "cun",
    *,
    filterable: bool | None = None,
    **more: object,
) -> Field:
    """Make a field; the letters of `access`: c createable, u updateable, n nillable, d defaulted on create."""
    long_area = kind is Kind.TEXTAREA and length > _SHORT_AREA
    return Field(
        name,
        kind,
        length,
        createable="c" in access,
        updateable="u" in access,
        nillable="n" in access,
        defaulted="d" in access,
        filterable=filterable if filterable is not None else kind not in _UNFILTERED and not long_area,
        **more,  # type: ignore[arg-type]  # the other fields of Field, by name
    )


def reference(name: str, to: Sequence[str], access: str = "cun") -> Field:
    """Make a field that points at records; `WhoId` is called `Who` in a query."""
    return field(
        name, Kind.REFERENCE, 18, access, references=tuple(to), relationship=name.removesuffix("Id") or None
    )


def flag(name: str, access: str = "cud") -> Field:
    """Make a boolean, false unless said."""
    return field(name, Kind.BOOLEAN, 0, access, default=False)


SYSTEM = (
    field("Id", Kind.ID, 18, "d", id_lookup=True),
    flag("IsDeleted", "d"),
    field("CreatedDate", Kind.DATETIME, 0, "d"),
    reference("CreatedById", ("User",), "d"),
    field("LastModifiedDate", Kind.DATETIME, 0, "d"),
    reference("LastModifiedById", ("User",), "d"),
    field("SystemModstamp", Kind.DATETIME, 0, "d"),
)
"""The fields that every object has."""


def sobject(name: str, prefix: str, fields: Sequence[Field], **more: bool) -> SObject:
    """Make an object from its own fields and those that every object has."""
    return indexed(SObject(name, prefix, SYSTEM + tuple(fields), **more))  # type: ignore[arg-type]  # its flags, by name
