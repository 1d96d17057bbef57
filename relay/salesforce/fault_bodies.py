"""Reading what Salesforce answers when something went wrong, whatever shape it has: arrays, objects, OAuth, HTML.

Pure. What is taken out is cut, and free of tokens and mail addresses: it is shown and kept.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

MAXIMUM_MESSAGE = 500
# Ids of the objects that the relay deals with (Object Reference, key prefixes), 15 or 18 characters.
_RECORD_ID = re.compile(
    r"\b(?:00T|02s|003|00Q|001|005|006|00K|068|069|06A|500|701)[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?\b"
)
_ADDRESS = re.compile(r"[^\s'\"<>,;:()\[\]@=]{1,64}@(?=[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+)")
_EMAIL_TO_SALESFORCE = re.compile(r"[^\s'\"<>,;:()\[\]@=]*@[A-Za-z0-9.-]*\.salesforce\.com", re.IGNORECASE)
_TOKEN = re.compile(
    r"\b00D[A-Za-z0-9]{12,15}![A-Za-z0-9._-]+|\bBearer\s+\S+|\beyJ[A-Za-z0-9_-]{10,}[A-Za-z0-9._-]*"
)
_TITLE = re.compile(r"<title[^>]*>(.{0,200}?)</title", re.IGNORECASE | re.DOTALL)
_COLUMN = re.compile(r"No such column '([^']{1,80})'")
_FIELDS = re.compile(r"(?:Unable to create/update fields|Required fields are missing): \[?([^.\]]{1,400})")
_SPACE = re.compile(r"[\s\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Said:
    """One error as it was said."""

    code: str
    """"" when no code was given."""
    message: str
    fields: tuple[str, ...] = ()
    record_ids: tuple[str, ...] = field(default=())


def errors_in(body: object) -> tuple[Said, ...]:
    """Give every error that a body tells of; none for a body that tells of none, such as [] or a page of HTML."""
    if isinstance(body, Mapping):
        return tuple(_of_object(body))
    if isinstance(body, Sequence) and not isinstance(body, str | bytes):
        return tuple(said for item in body if isinstance(item, Mapping) for said in _of_object(item))
    return ()


def _of_object(item: Mapping[object, object]) -> Iterator[Said]:
    inner = item.get("errors")
    if isinstance(inner, Sequence) and not isinstance(inner, str) and inner:
        yield from errors_in(inner)
        return
    # Collections say statusCode where plain requests say errorCode (REST guide, sObject Collections).
    code = _text(item.get("errorCode") or item.get("statusCode") or item.get("error"))
    message = _text(item.get("message") or item.get("error_description"))
    if not code and not message:
        return
    named = item.get("fields")
    listed = (
        tuple(str(one) for one in named) if isinstance(named, Sequence) and not isinstance(named, str) else ()
    )
    ids = (*_duplicates(item.get("duplicateResult")), *_RECORD_ID.findall(message))
    yield Said(code[:80], redact(message), listed or fields_named(message), tuple(dict.fromkeys(ids)))


def _duplicates(result: object) -> Iterator[str]:
    """Give the records that a duplicate rule found: matchResults[].matchRecords[].record.Id."""
    if not isinstance(result, Mapping):
        return
    for match in _items(result.get("matchResults")):
        for found in _items(match.get("matchRecords")):
            record = found.get("record")
            if isinstance(record, Mapping) and isinstance(record.get("Id"), str):
                yield str(record["Id"])


def _items(value: object) -> Iterator[Mapping[object, object]]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        yield from (item for item in value if isinstance(item, Mapping))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def fields_named(message: str) -> tuple[str, ...]:
    """Give the fields that a message names where `fields` is left empty."""
    if column := _COLUMN.search(message):
        return (column[1],)
    if listed := _FIELDS.search(message):
        return tuple(name.strip() for name in listed[1].split(",") if re.fullmatch(r"\w+", name.strip()))
    return ()


def redact(text: str) -> str:
    """Cut a text, make it one line, and take out tokens, Email to Salesforce addresses and local parts."""
    if "ERROR at Row" in text:  # the query stands before it, with everything that was looked for
        text = text[text.index("ERROR at Row") :]
    text = _SPACE.sub(" ", text[: 4 * MAXIMUM_MESSAGE]).strip()
    text = _EMAIL_TO_SALESFORCE.sub("(an Email to Salesforce address)", text)
    text = _ADDRESS.sub("…@", _TOKEN.sub("(token)", text))
    return text if len(text) <= MAXIMUM_MESSAGE else text[: MAXIMUM_MESSAGE - 1] + "…"


def page_title(text: str) -> str:
    """Say of a body that is no JSON what it seems to be."""
    if title := _TITLE.search(text[:20_000]):
        return redact(f'a page titled "{title[1].strip()}" instead of JSON')
    return "a page instead of JSON" if "<" in text[:200] else "something that is not JSON"
