"""The queries that find people and their open opportunities by address, and how their rows are read.

Pure. Only the columns that the settings need are asked for. Opportunities are found by the address of the contact, so
that nothing has to wait for the contacts' ids: all of it fits into one composite request.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from relay.config.recording import MatchSettings
from relay.salesforce.model import Json, Opportunity, Person, PersonKind, Row
from relay.salesforce.soql import listed

_OPPORTUNITY = (
    "ContactId",
    "OpportunityId",
    "Opportunity.Name",
    "Opportunity.OwnerId",
    "Opportunity.CloseDate",
    "Opportunity.LastModifiedDate",
)
_NEEDED = frozenset({"Id", "Name", "Email", "ContactId", "OpportunityId"})
NOTHING_HIDDEN: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Query:
    """One query, without the list of addresses or ids that it ends with."""

    object: str
    text: str

    def of(self, values: Collection[str]) -> str:
        """Write the query for these addresses or ids."""
        return f"{self.text} IN {listed(values)}"

    def without(self, names: Collection[str]) -> "Query":
        """Give the query without some of its columns."""
        columns, _, rest = self.text.removeprefix("SELECT ").partition(" FROM ")
        kept = [one for one in columns.split(", ") if one not in names]
        return Query(self.object, f"SELECT {', '.join(kept)} FROM {rest}")  # noqa: S608 - parts of a query of ours


# Users of communities are customers: they are found as the contacts that they are.
_USERS = Query(
    "User", "SELECT Id, Name, Email FROM User WHERE IsActive = true AND UserType = 'Standard' AND Email"
)


def people_queries(rules: MatchSettings, hidden: frozenset[str] = NOTHING_HIDDEN) -> tuple[Query, ...]:
    """Give the queries by address: contacts, leads, users, and open opportunities by contact role.

    `hidden` are columns that this organisation or identity does not show; they are left out.
    """
    queries = [_USERS]
    if "contact" in rules.objects:
        queries.append(_people("Contact", "Email", rules, hidden))
    if "lead" in rules.objects:
        queries.append(_people("Lead", "Email", rules, hidden))
    if "contact" in rules.objects and rules.opportunities != "off":
        queries.append(_roles("Contact.Email", hidden))
    return tuple(queries)


def people_by_id(object: str, rules: MatchSettings, hidden: frozenset[str] = NOTHING_HIDDEN) -> Query:
    """Give the query for contacts or leads by their ids, converted leads too."""
    return _people(object, "Id", rules, hidden)


def opportunities_by_contact(hidden: frozenset[str] = NOTHING_HIDDEN) -> Query:
    """Give the query for open opportunities by the ids of contacts."""
    return _roles("ContactId", hidden)


def exists(object: str) -> Query:
    """Give the query for which of some ids there are."""
    return Query(object, f"SELECT Id FROM {object} WHERE Id")  # noqa: S608 - names of ours


def may_hide(query: Query, name: str) -> bool:
    """Say whether the query is worth making without this column."""
    columns = query.text.removeprefix("SELECT ").partition(" FROM ")[0]
    return name not in _NEEDED and name in columns.split(", ")


def _people(object: str, by: str, rules: MatchSettings, hidden: frozenset[str]) -> Query:
    more = ("AccountId",) if object == "Contact" else ("IsConverted", "ConvertedContactId")
    columns = [one for one in (*_columns(rules), *more) if one not in hidden]
    return Query(object, f"SELECT {', '.join(columns)} FROM {object} WHERE {by}")  # noqa: S608 - names of ours


def _roles(by: str, hidden: frozenset[str]) -> Query:
    columns = [one for one in _OPPORTUNITY if one not in hidden]
    where = f"WHERE Opportunity.IsClosed = false AND {by}"
    text = f"SELECT {', '.join(columns)} FROM OpportunityContactRole {where}"  # noqa: S608 - names of ours
    return Query("OpportunityContactRole", text)


def activity_counts() -> Query:
    """Give the query for how many activities people have; ` GROUP BY WhoId` is to follow."""
    return Query("Task", "SELECT WhoId, COUNT(Id) n FROM Task WHERE WhoId")


GROUPED = " GROUP BY WhoId"


def _columns(rules: MatchSettings) -> list[str]:
    """Give the columns that `several` needs beside name and address."""
    columns = ["Id", "Name", "Email", "CreatedDate"]
    if rules.several == "mine_first":
        columns.append("OwnerId")
    if rules.several in ("most_recent_activity", "mine_first"):
        columns.append("LastActivityDate")
    return columns


def person_of(row: Row, kind: PersonKind) -> Person | None:
    """Read a row of Contact, Lead or User; None for a row without an id or an address."""
    id, email = _text(row, "Id"), _text(row, "Email")
    if not id or not email:
        return None
    return Person(
        id=id,
        kind=kind,
        email=email,
        name=_text(row, "Name"),
        owner_id=_text(row, "OwnerId") or None,
        account_id=_text(row, "AccountId") or None,
        created_at=instant_of(row.get("CreatedDate")),
        last_activity=_text(row, "LastActivityDate") or None,
    )


def converted_to(row: Row) -> str | None:
    """Give the contact that a lead became; None for one that is a lead still. "" when it cannot be told."""
    return _text(row, "ConvertedContactId") if row.get("IsConverted") is True else None


def opportunity_of(row: Row) -> Opportunity | None:
    """Read a row of OpportunityContactRole with its opportunity."""
    about = row.get("Opportunity")
    parent: Mapping[str, Json] = about if isinstance(about, Mapping) else {}
    id, contact = _text(row, "OpportunityId"), _text(row, "ContactId")
    if not id or not contact:
        return None
    return Opportunity(
        id=id,
        name=_text(parent, "Name"),
        contact_id=contact,
        owner_id=_text(parent, "OwnerId") or None,
        close_date=_text(parent, "CloseDate") or None,
        modified_at=instant_of(parent.get("LastModifiedDate")),
    )


def counts_of(rows: Sequence[Row]) -> dict[str, int]:
    """Read the rows of `activity_counts`."""
    return {_text(row, "WhoId"): number for row in rows if isinstance(number := row.get("n"), int)}


def instant_of(value: Json) -> int:
    """Read "2026-11-22T10:00:00.000+0000" as UTC microseconds; 0 for anything else."""
    if not isinstance(value, str):
        return 0
    try:
        return round(datetime.fromisoformat(value).timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        return 0


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""
