"""Reading the answers of Salesforce: what became of each record, rows, descriptions, the parts of a composite.

Pure.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeGuard

from relay.salesforce.exchange import Description, Field, PicklistRow, SubAnswer, SubRequest
from relay.salesforce.faults_table import NOT_JSON, fault_of, local_fault
from relay.salesforce.model import Fault, FaultKind, Json, Made, Row, Written


def made_one(object: str, body: Json) -> Written:
    """Read the answer to the POST or upsert of one record."""
    return _written(object, body) if isinstance(body, Mapping) else _strange()


def made_many(objects: Sequence[str], body: Json) -> list[Written]:
    """Read the answer to a collection, in the order of the request (REST guide, sObject Collections)."""
    if not _is_list(body) or len(body) != len(objects):
        return [_strange() for _ in objects]
    return [
        _written(name, item) if isinstance(item, Mapping) else _strange()
        for name, item in zip(objects, body, strict=True)
    ]


def _written(object: str, item: Mapping[str, Json]) -> Written:
    made = item.get("id")
    if item.get("success") is True and isinstance(made, str):
        return Made(made, object, found=item.get("created") is False)
    # The answer came: what failed in it was not done.
    return fault_of(400, item) if item.get("errors") else _strange()


def _strange() -> Fault:
    return local_fault(NOT_JSON, "the answer does not fit the request", maybe_done=True)


def gone_is_done(written: Written, object: str, id: str) -> Written:
    """Take a deletion of what is deleted already for done."""
    gone = isinstance(written, Fault) and written.kind is FaultKind.GONE
    return Made(id, object, found=True) if gone else written


def rows_of(body: Json) -> tuple[list[Row], str | None] | None:
    """Read one page of a query: its rows, and the path of the next page; None when it is no such answer."""
    records = body.get("records") if isinstance(body, Mapping) else None
    if not isinstance(body, Mapping) or not _is_list(records):
        return None
    following = body.get("nextRecordsUrl")
    # The token goes along with it: a path that is none could make another host of ours.
    safe = isinstance(following, str) and following.startswith("/services/data/")
    rows = [row for row in records if isinstance(row, Mapping)]
    return rows, following if isinstance(following, str) and safe else None


def sub_answers(requests: Sequence[SubRequest], body: Json, *, whole: Fault | None) -> list[SubAnswer]:
    """Read the answer to a composite request, whose own status is 200 also when parts failed (REST guide, Composite)."""
    if whole is not None:
        return [SubAnswer(one.reference, whole.status, None, whole) for one in requests]
    items = body.get("compositeResponse") if isinstance(body, Mapping) else None
    by_reference = {
        item.get("referenceId"): item
        for item in (items if _is_list(items) else ())
        if isinstance(item, Mapping)
    }
    return [_sub_answer(one, by_reference.get(one.reference)) for one in requests]


def _sub_answer(request: SubRequest, item: Mapping[str, Json] | None) -> SubAnswer:
    status = item.get("httpStatusCode") if item is not None else None
    if item is None or not isinstance(status, int):
        return SubAnswer(request.reference, 0, None, _strange())
    body = item.get("body")
    fault = fault_of(status, body) if status >= 300 and status != 304 else None
    return SubAnswer(request.reference, status, body, fault)


def unseen(body: Json, references: Collection[str]) -> bool:
    """Tell whether some of these parts of a composite ask for an object that the user does not see (INVALID_TYPE)."""
    parts = _mappings(body.get("compositeResponse")) if isinstance(body, Mapping) else ()
    return any(
        _text(error.get("errorCode")) == "INVALID_TYPE"
        for part in parts
        if part.get("referenceId") in references
        for error in _mappings(part.get("body"))
    )


def description_of(body: Json) -> Description | None:
    """Read a describe; None when it is none."""
    if not isinstance(body, Mapping) or not _is_list(body.get("fields")):
        return None
    fields = {field.name: field for field in map(_field, _mappings(body.get("fields")))}
    return Description(
        name=_text(body.get("name")),
        fields=fields,
        createable=body.get("createable") is True,
        updateable=body.get("updateable") is True,
        deletable=body.get("deletable") is True,
        queryable=body.get("queryable") is True,
        replicateable=body.get("replicateable") is True,
    )


def _field(item: Mapping[str, Json]) -> Field:
    length = item.get("length")
    return Field(
        name=_text(item.get("name")),
        type=_text(item.get("type")),
        length=length if isinstance(length, int) else 0,
        createable=item.get("createable") is True,
        updateable=item.get("updateable") is True,
        nillable=item.get("nillable") is True,
        defaulted=item.get("defaultedOnCreate") is True,
        picklist=tuple(
            _text(row.get("value"))
            for row in _mappings(item.get("picklistValues"))
            if row.get("active") is not False
        ),
        restricted=item.get("restrictedPicklist") is True,
        external_id=item.get("externalId") is True,
        unique=item.get("unique") is True,
        id_lookup=item.get("idLookup") is True,
        reference_to=tuple(name for name in _list(item.get("referenceTo")) if isinstance(name, str)),
    )


def picklist_rows(rows: Sequence[Row]) -> tuple[PicklistRow, ...]:
    """Read rows of TaskStatus or TaskPriority, by SortOrder."""
    read = [
        PicklistRow(
            value=_text(row.get("ApiName")) or _text(row.get("MasterLabel")),
            label=_text(row.get("MasterLabel")),
            default=row.get("IsDefault") is True,
            closed=row.get("IsClosed") is True,
            high=row.get("IsHighPriority") is True,
            order=_whole(row.get("SortOrder")),
        )
        for row in rows
    ]
    return tuple(sorted(read, key=lambda row: row.order))


def _whole(value: Json) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _is_list(value: Json) -> TypeGuard[Sequence[Json]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _list(value: Json) -> Sequence[Json]:
    return value if _is_list(value) else ()


def _mappings(value: Json) -> Iterator[Mapping[str, Json]]:
    yield from (item for item in _list(value) if isinstance(item, Mapping))
