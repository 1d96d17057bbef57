"""What the simulated Salesforce refuses, with its status, its code and its words.

Pure. Codes: Salesforce reference §4.3 and §4.4; nobody may depend on the words.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Refusal(Exception):
    """A request, or one record of it, that is not carried out."""

    status: int
    code: str
    message: str
    fields: tuple[str, ...] = ()
    provoked: bool = False
    """By a toggle, an injected fault or a token that was made to expire: nobody's mistake."""
    extra: dict[str, object] | None = None
    """Further members of the body, such as duplicateResult."""

    def body(self) -> dict[str, object]:
        """Give the object of the error array: errorCode, message and, where there are any, fields."""
        fields: dict[str, object] = {"fields": list(self.fields)} if self.fields else {}
        return {"message": self.message, "errorCode": self.code, **fields, **(self.extra or {})}

    def item(self) -> dict[str, object]:
        """Give the error as an item of a collection has it: statusCode instead of errorCode."""
        own: dict[str, object] = {
            "statusCode": self.code,
            "message": self.message,
            "fields": list(self.fields),
        }
        return {**own, **(self.extra or {})}


def refused(status: int, code: str, message: str, *fields: str, provoked: bool = False) -> Refusal:
    """Give a refusal that names fields."""
    return Refusal(status, code, message, fields, provoked)


def not_found(message: str = "The requested resource does not exist", *, provoked: bool = False) -> Refusal:
    """Give a refusal of something that is not there."""
    return Refusal(404, "NOT_FOUND", message, provoked=provoked)


def no_column(field: str, name: str, *, provoked: bool) -> Refusal:
    """Give a refusal of a field that the object lacks, or that field-level security hides."""
    return refused(
        400, "INVALID_FIELD", f"No such column '{field}' on sobject of type {name}", provoked=provoked
    )


def not_writable(fields: Sequence[str], *, provoked: bool = False) -> Refusal:
    """Give a refusal of fields that may not be written so."""
    named = ", ".join(fields)
    return refused(
        400,
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        f"Unable to create/update fields: {named}. Please check the security settings of this field and verify that "
        "it is read/write for your profile or permission set.",
        *fields,
        provoked=provoked,
    )


def integrity(message: str, *fields: str, provoked: bool = False) -> Refusal:
    """Give a refusal of a reference that cannot be."""
    return refused(400, "FIELD_INTEGRITY_EXCEPTION", message, *fields, provoked=provoked)


def bad_json(message: str) -> Refusal:
    """Give a refusal of a body that cannot be read."""
    return refused(400, "JSON_PARSER_ERROR", message)


def deleted() -> Refusal:
    """Give a refusal of a record in the recycle bin."""
    return refused(404, "ENTITY_IS_DELETED", "entity is deleted")


def halted(message: str | None = None) -> Refusal:
    """Give what neighbours of a failed subrequest are answered."""
    rolled = "The transaction was rolled back since another operation in the same transaction failed."
    return refused(400, "PROCESSING_HALTED", message or rolled)


def rolled_back() -> Refusal:
    """Give what neighbours of a failed record of a collection are answered."""
    return refused(
        400,
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "Record rolled back because not all records were valid and the request was using AllOrNone header",
    )
