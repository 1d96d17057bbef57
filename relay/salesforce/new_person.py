"""Compose the lead or contact that is made of a recipient whom nobody knows (`logging.match.nobody`).

Pure.
"""

from relay.directory.model import Rep
from relay.policy.free_mail import FREE_MAIL
from relay.salesforce.exchange import NewRecord
from relay.salesforce.lengths import cut, length_of
from relay.salesforce.model import Json, PersonKind, ToldRecipient

NO_COMPANY = "-"
"""The company of somebody with an address that anybody can have."""
_HEADERS = {
    "Sforce-Auto-Assign": "FALSE",
    "Sforce-Duplicate-Rule-Header": "allowSave=false; includeRecordDetails=false; runAsCurrentUser=true",
}
"""The rep is the owner, and whoever a duplicate rule finds is taken instead of a second record (REST guide, headers)."""


def new_person(recipient: ToldRecipient, kind: PersonKind, rep: Rep) -> NewRecord:
    """Give the record to make. Its address fits its field: longer ones are never asked for (relay.salesforce.matching)."""
    first, last = _names(recipient)
    object = kind.value
    fields: dict[str, Json] = {
        "LastName": cut(last, length_of(object, "LastName")),
        "Email": recipient.address,
    }
    if first:
        fields["FirstName"] = cut(first, length_of(object, "FirstName"))
    if kind is PersonKind.LEAD:
        fields["Company"] = cut(_company(recipient.address), length_of(object, "Company"))
    if rep.salesforce_user_id:
        fields["OwnerId"] = rep.salesforce_user_id
    return NewRecord(object, fields, _HEADERS)


def _names(recipient: ToldRecipient) -> tuple[str, str]:
    """Give first and last name: of the display name, "Berg, Anna" or "Anna Berg", else of the local part."""
    name = recipient.name.strip()
    if not name or "@" in name:
        local = recipient.address.rpartition("@")[0].partition("+")[0]
        name = " ".join(part.capitalize() for part in local.replace("_", ".").split(".") if part)
    last, comma, first = name.partition(",")
    if not comma:
        first, _, last = name.rpartition(" ")
    return first.strip(), last.strip() or first.strip() or recipient.address


def _company(address: str) -> str:
    domain = address.rpartition("@")[2].lower()
    return NO_COMPANY if domain in FREE_MAIL else domain
