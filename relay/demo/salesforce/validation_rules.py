"""The rules that single objects have: activities of leads, sent mail, recurring Tasks, inactive owners, files.

Source: Object Reference, Task, EmailMessage, ContentVersion; Salesforce reference §2.
"""

from collections.abc import Callable, Mapping

from relay.demo.salesforce import refusals
from relay.demo.salesforce.records import Records, Row
from relay.demo.salesforce.wanted import Wanted

_LEAD, _CASE = "00Q", "500"
_SENT, _DRAFT = "3", "5"
_MOST_PEOPLE = 50
_READ_ONLY = "INSUFFICIENT_ACCESS_OR_READONLY"
_MASTER_FIXED = ("ActivityDate", "Status")
_CHANGEABLE = frozenset({"IsExternallyVisible"})
_CHANGEABLE_OF_CLIENTS = _CHANGEABLE | {"RelatedToId", "ContentDocumentIds"}


def check_rules(records: Records, wanted: Wanted) -> None:
    """Check the object's own rules, then the organisation's. Raises Refusal."""
    rule = _RULES.get(wanted.shape.name)
    if rule is not None:
        rule(records, wanted)
    _check_owner(records, wanted)
    _check_validation_rule(records, wanted)


def _check_owner(records: Records, wanted: Wanted) -> None:
    owner = records.get(str(wanted.given.get("OwnerId") or ""))
    if owner is not None and owner.get("IsActive") is False:
        told = "operation performed with inactive user"
        raise refusals.refused(400, "INACTIVE_OWNER_OR_USER", told, "OwnerId", provoked=True)


def _check_validation_rule(records: Records, wanted: Wanted) -> None:
    word = records.toggles.validation_rule
    if word and word.lower() in str(wanted.given.get("Subject") or "").lower():
        raise refusals.refused(
            400,
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            f"Subjects must not say {word}",
            "Subject",
            provoked=True,
        )


def _task(records: Records, wanted: Wanted) -> None:
    after, given = wanted.after, wanted.given
    who, what = str(after.get("WhoId") or ""), after.get("WhatId")
    people = _people(given.get("TaskWhoIds"))
    if len(people) > _MOST_PEOPLE:
        raise refusals.integrity(f"a Task has at most {_MOST_PEOPLE} people", "TaskWhoIds")
    leads = [one for one in people if one.startswith(_LEAD)]
    if leads and len(people) > 1:
        raise refusals.integrity("a Task has one lead, or contacts", "TaskWhoIds")
    with_lead = who.startswith(_LEAD) or bool(leads)
    if (
        with_lead
        and what
        and records.toggles.lead_with_what == "refuse"
        and _touches(given, "WhoId", "WhatId")
    ):
        raise refusals.integrity("WhatId: must be empty when WhoId is a lead", "WhatId")
    if _touches(given, "WhoId", "TaskWhoIds"):
        _check_converted(records, [who, *people])
    if wanted.before is not None and wanted.before.get("IsRecurrence"):
        fixed = [name for name in _MASTER_FIXED if name in given]
        if fixed:
            raise refusals.not_writable(fixed)
    if wanted.before is None and given.get("IsRecurrence"):
        _check_recurrence(given)


def _check_recurrence(given: Row) -> None:
    needed = ("RecurrenceType", "RecurrenceStartDateOnly", "RecurrenceEndDateOnly")
    missing = [name for name in needed if not given.get(name)]
    if given.get("RecurrenceRegeneratedType"):
        missing = []
    if missing:
        told = f"Required fields are missing: [{', '.join(missing)}]"
        raise refusals.refused(400, "REQUIRED_FIELD_MISSING", told, *missing)
    if given.get("ActivityDate"):
        raise refusals.not_writable(["ActivityDate"])


def _check_converted(records: Records, people: list[str]) -> None:
    for person in people:
        row = records.get(person) if person.startswith(_LEAD) else None
        if row is not None and row.get("IsConverted"):
            told = "cannot reference converted lead"
            raise refusals.refused(400, "CANNOT_UPDATE_CONVERTED_LEAD", told, "WhoId")


def _touches(given: Row, *names: str) -> bool:
    return any(name in given for name in names)


def _people(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _email_message(records: Records, wanted: Wanted) -> None:
    after, given = wanted.after, wanted.given
    for_case = any(str(after.get(name) or "").startswith(_CASE) for name in ("ParentId", "RelatedToId"))
    if wanted.before is not None:
        _check_sent(wanted.before, given)
        return
    if given.get("ActivityId") and not for_case:
        told = "insufficient access rights on object id: ActivityId is set by Salesforce"
        raise refusals.refused(400, _READ_ONLY, told, "ActivityId")
    if not for_case and not records.toggles.enhanced_email:
        told = "EmailMessage without a case needs Enhanced Email"
        raise refusals.refused(400, _READ_ONLY, told, provoked=True)
    status = given.get("Status", _DRAFT)
    if not for_case and status != _SENT and records.toggles.strict_email_status:
        raise refusals.integrity(f"Status: {status} is not valid for an email without a case", "Status")
    _check_people_of_email(records, after)


def _check_people_of_email(records: Records, after: Row) -> None:
    people = [one for name in ("ToIds", "CcIds", "BccIds") for one in _people(after.get(name))]
    leads = any(one.startswith(_LEAD) for one in people)
    if leads and after.get("RelatedToId") and records.toggles.lead_with_what == "refuse":
        raise refusals.integrity(
            "RelatedToId: must be empty when a lead is among the recipients", "RelatedToId"
        )
    _check_converted(records, people)


def _check_sent(before: Row, given: Row) -> None:
    """A sent email is almost entirely read-only (Object Reference, EmailMessage)."""
    if before.get("Status") == _DRAFT:
        return
    allowed = _CHANGEABLE_OF_CLIENTS if before.get("IsClientManaged") else _CHANGEABLE
    barred = [name for name in given if name not in allowed and not name.endswith("__c")]
    if barred:
        told = "insufficient access rights on object id: a sent email is read-only"
        raise refusals.refused(400, _READ_ONLY, told, *barred)


def _relation(records: Records, wanted: Wanted) -> None:
    email = records.get(str(wanted.after.get("EmailMessageId") or ""))
    person = wanted.after.get("RelationId")
    if not person and not wanted.after.get("RelationAddress"):
        told = "Required fields are missing: [RelationId]"
        raise refusals.refused(400, "REQUIRED_FIELD_MISSING", told, "RelationId")
    if email is None or wanted.before is not None:
        return
    for row in records.having("EmailMessageRelation", "EmailMessageId", email["Id"]):
        same = all(
            row.get(n) == wanted.given.get(n) for n in ("EmailMessageId", "RelationId", "RelationType")
        )
        if same and person:
            raise refusals.refused(400, "DUPLICATE_VALUE", "duplicate relation", "RelationId")


def _lead(records: Records, wanted: Wanted) -> None:
    if wanted.before is not None and wanted.before.get("IsConverted"):
        raise refusals.refused(400, "CANNOT_UPDATE_CONVERTED_LEAD", "cannot update converted lead")


_RULES: Mapping[str, Callable[[Records, Wanted], None]] = {
    "Task": _task,
    "EmailMessage": _email_message,
    "EmailMessageRelation": _relation,
    "Lead": _lead,
}
