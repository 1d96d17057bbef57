"""Finding records by the value of a field without reading all of them, for the fields that are asked for often.

Pure.
"""

from collections.abc import Mapping

_INDEXED = {
    "ContentDocumentLink": ("ContentDocumentId", "LinkedEntityId"),
    "ContentVersion": ("ContentDocumentId",),
    "EmailMessage": ("Relay_Key__c", "MessageIdentifier"),
    "EmailMessageRelation": ("EmailMessageId", "RelationId"),
    "OpportunityContactRole": ("ContactId", "OpportunityId"),
    "Task": ("Relay_Key__c", "WhoId"),
    "TaskRelation": ("TaskId",),
}
_Row = Mapping[str, object]


class Index:
    """The ids of records by the values of their indexed fields; strings whatever their case."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str, str], dict[str, None]] = {}

    def covers(self, name: str, field: str) -> bool:
        """Say whether a field is indexed."""
        return field in _INDEXED.get(name, ())

    def clear(self) -> None:
        """Forget everything."""
        self._ids.clear()

    def moved(self, name: str, record: str, before: _Row | None, after: _Row | None) -> None:
        """Take note of a record that was stored, changed or removed."""
        for field in _INDEXED.get(name, ()):
            old = before.get(field) if before else None
            new = after.get(field) if after else None
            if old == new:
                continue
            if old is not None:
                self._ids[name, field, _key(old)].pop(record, None)
            if new is not None:
                self._ids.setdefault((name, field, _key(new)), {})[record] = None

    def find(self, name: str, field: str, value: object) -> list[str]:
        """Give the ids of the records with this value, deleted ones among them, in the order they got it."""
        return list(self._ids.get((name, field, _key(value)), ()))


def _key(value: object) -> str:
    return str(value).casefold()
