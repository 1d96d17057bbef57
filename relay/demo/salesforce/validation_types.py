"""Turning a JSON value into the form in which a field keeps it, or refusing it.

Pure.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date

from relay.demo.salesforce import ids
from relay.demo.salesforce.clock import read, written
from relay.demo.salesforce.fields import Field, Kind
from relay.demo.salesforce.refusals import Refusal, bad_json, refused

_EMAIL = re.compile(r"[^@\s<>(),;:\"\[\]\\]+@[^@\s<>(),;:\"\[\]\\.]+(\.[^@\s<>(),;:\"\[\]\\.]+)+")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_YEARS = (1700, 4000)
"""The years that Salesforce keeps (SOQL reference, date formats)."""


def coerced(field: Field, value: object) -> object:
    """Give a value in the form in which it is kept; empty text is null. Raises Refusal."""
    if value is None or value == "":
        if field.kind is Kind.BOOLEAN:
            raise refused(
                400,
                "INVALID_TYPE_ON_FIELD_IN_RECORD",
                f"Value not of required type: {value!r}",
                field.name,
            )
        return None
    return _READERS.get(field.kind, _text)(field, value)


def _wrong(field: Field, value: object) -> Refusal:
    shown = str(value)[:40]
    return bad_json(f"Cannot deserialize instance of {field.kind.value} from value {shown} for {field.name}")


def _text(field: Field, value: object) -> str:
    if not isinstance(value, str) or _CONTROLS.search(value):
        raise _wrong(field, value)
    return value


def _email(field: Field, value: object) -> str:
    text = _text(field, value).strip()
    if not _EMAIL.fullmatch(text):
        raise refused(
            400, "INVALID_EMAIL_ADDRESS", f"{field.name}: invalid email address: {text[:80]}", field.name
        )
    return text


def _truth(field: Field, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise _wrong(field, value)


def _whole_number(field: Field, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(field, value)
    return value


def _number(field: Field, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(field, value)
    return value


def _date(field: Field, value: object) -> str:
    try:
        day = date.fromisoformat(_text(field, value))
    except ValueError as error:
        raise _wrong(field, value) from error
    if not _YEARS[0] <= day.year <= _YEARS[1]:
        raise _wrong(field, value)
    return day.isoformat()


def _instant(field: Field, value: object) -> str:
    text = _text(field, value)
    if "T" not in text:
        raise _wrong(field, value)
    try:
        when = read(text)
    except (ValueError, OverflowError) as error:
        raise _wrong(field, value) from error
    if not _YEARS[0] <= when.year <= _YEARS[1]:
        raise _wrong(field, value)
    return written(when)


def _id(field: Field, value: object) -> str:
    text = _text(field, value)
    found = ids.whole(text)
    if found is None:
        told = f"{field.name}: id value of incorrect type: {text[:40]}"
        raise refused(400, "MALFORMED_ID", told, field.name)
    return found


def _ids(field: Field, value: object) -> list[str]:
    if not isinstance(value, list):
        raise _wrong(field, value)
    return list(dict.fromkeys(_id(field, one) for one in value))


_READERS: Mapping[Kind, Callable[[Field, object], object]] = {
    Kind.EMAIL: _email,
    Kind.BOOLEAN: _truth,
    Kind.INT: _whole_number,
    Kind.DOUBLE: _number,
    Kind.CURRENCY: _number,
    Kind.DATE: _date,
    Kind.DATETIME: _instant,
    Kind.REFERENCE: _id,
    Kind.ID: _id,
    Kind.IDS: _ids,
}
