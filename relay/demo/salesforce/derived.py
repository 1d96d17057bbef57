"""What follows from records other than activities: names, closed opportunities, files, and what a deletion takes along.

Activities - the fields of a Task, the Task of an EmailMessage - follow in `activities`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relay.demo.salesforce.records import Records, Row

_LINKS = {
    # object deleted -> (object that points at it, field, whether it goes, too)
    "Account": (("Contact", "AccountId", False), ("Opportunity", "AccountId", False)),
    "Contact": (("OpportunityContactRole", "ContactId", True), ("EmailMessageRelation", "RelationId", False)),
    "Lead": (("EmailMessageRelation", "RelationId", False),),
    "Opportunity": (("OpportunityContactRole", "OpportunityId", True),),
    "EmailMessage": (
        ("EmailMessageRelation", "EmailMessageId", True),
        ("ContentDocumentLink", "LinkedEntityId", True),
    ),
    "Task": (("TaskRelation", "TaskId", True), ("ContentDocumentLink", "LinkedEntityId", True)),
    "ContentDocument": (
        ("ContentDocumentLink", "ContentDocumentId", True),
        ("ContentVersion", "ContentDocumentId", True),
    ),
}
_ARCHIVED_AFTER = timedelta(days=365)


def before_save(records: Records, name: str, row: Row, before: Row | None) -> None:
    """Fill in the fields of a row that follow from others, before it is stored."""
    match name:
        case "Contact" | "Lead" | "User":
            row["Name"] = " ".join(str(part) for part in (row.get("FirstName"), row.get("LastName")) if part)
            if row.get("Email") and not records.toggles.email_case_kept:
                row["Email"] = str(row["Email"]).lower()
        case "Opportunity":
            stage = str(row.get("StageName") or "")
            row["IsClosed"], row["IsWon"] = stage.startswith("Closed"), stage == "Closed Won"
        case "Case":
            row["IsClosed"] = row.get("Status") == "Closed"
            row.setdefault("CaseNumber", str(row["Id"])[10:15])
        case "EmailMessageRelation":
            found = records.find(str(row.get("RelationId") or ""))
            row["RelationObjectType"] = found[0] if found else None
        case _:
            pass


def after_save(records: Records, name: str, row: Row, before: Row | None, *, user: str) -> None:
    """Make the records that follow from one that was stored."""
    match name:
        case "EmailMessage":
            _relate(records, row, before, user)
        case "ContentDocumentLink" if str(row.get("LinkedEntityId")).startswith("02s"):
            records.touch("EmailMessage", str(row["LinkedEntityId"]), {"HasAttachment": True})
        case "Account" if row.get("IsPersonAccount") and not row.get("PersonContactId"):
            _make_person(records, row, user)
        case _:
            pass


def _make_person(records: Records, account: Row, user: str) -> None:
    """Make the contact that a person account is at the same time."""
    person: Row = {
        "LastName": account.get("Name"),
        "Email": account.get("PersonEmail"),
        "AccountId": account["Id"],
        "IsPersonAccount": True,
    }
    contact = records.insert("Contact", person, user=user)
    records.touch("Account", str(account["Id"]), {"PersonContactId": contact["Id"]})


def _relate(records: Records, email: Row, before: Row | None, user: str) -> None:
    """Make the relation rows of ToIds, CcIds and BccIds (Object Reference, EmailMessageRelation)."""
    for field, kind in (("ToIds", "ToAddress"), ("CcIds", "CcAddress"), ("BccIds", "BccAddress")):
        known = set(_ids(before, field)) if before else set()
        for person in _ids(email, field):
            if person not in known:
                found = records.get(person)
                address = found.get("Email") if found else None
                relation = {
                    "EmailMessageId": email["Id"],
                    "RelationId": person,
                    "RelationType": kind,
                    "RelationAddress": address,
                }
                records.insert("EmailMessageRelation", relation, user=user)


def _ids(row: Row, field: str) -> list[str]:
    value = row.get(field)
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


def after_delete(records: Records, name: str, row: Row, *, user: str) -> None:
    """Take along, or let go of, the records that point at one that was deleted."""
    for other, field, goes in _LINKS.get(name, ()):
        for one in records.having(other, field, row["Id"]):
            if goes:
                records.delete(other, str(one["Id"]), user=user)
            else:
                records.change(other, str(one["Id"]), {field: None}, user=user)


def archive(records: Records) -> None:
    """Archive closed Tasks that were due, or undated and made, a year ago (Object Reference, Task)."""
    limit = (records.clock.now() - _ARCHIVED_AFTER).date().isoformat()
    for task in records.live("Task"):
        dated = str(task.get("ActivityDate") or task["CreatedDate"])[:10]
        if task.get("IsClosed") and dated <= limit:
            records.touch("Task", str(task["Id"]), {"IsArchived": True})
