"""How long texts may be in Salesforce, and cutting them to it.

Pure. The lengths are those of the Object Reference; what describe says comes first. Salesforce counts as Java does, in
UTF-16 units: a character outside the basic plane is two.
"""

from collections.abc import Mapping

from relay.salesforce.exchange import Description

LENGTHS: Mapping[str, Mapping[str, int]] = {
    "Task": {"Subject": 255, "Description": 32_000, "Type": 255, "Status": 255, "Priority": 20},
    "EmailMessage": {
        "Subject": 3000,
        "TextBody": 131_072,
        "HtmlBody": 131_072,
        "ToAddress": 4000,
        "CcAddress": 4000,
        "BccAddress": 4000,
        "FromAddress": 1000,
        "FromName": 1000,
        "MessageIdentifier": 765,
        "ThreadIdentifier": 765,
    },
    "EmailMessageRelation": {"RelationAddress": 255},
    "ContentVersion": {"Title": 255, "PathOnClient": 500},
    "Contact": {"FirstName": 40, "LastName": 80, "Email": 80},
    "Lead": {"FirstName": 40, "LastName": 80, "Company": 255, "Email": 80},
}
"""Characters by object and field, for when describe is not to be had."""
BODY_MARGIN = 72
"""What a body stays below its length: some counts are of the text as it is encoded on the way."""
_CUT = "\n\n[cut: the mail is longer]"


def length_of(object: str, name: str, described: Description | None = None) -> int:
    """Give how long a text in this field may be."""
    known = LENGTHS[object][name]
    return known if described is None else described.length(name, known)


def units(text: str) -> int:
    """Give the length of a text as Salesforce counts it."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, limit: int) -> str:
    """Cut a text to a length, never through a character."""
    if units(text) <= limit:
        return text
    return text.encode("utf-16-le", "surrogatepass")[: 2 * limit].decode("utf-16-le", "ignore")


def cut_body(text: str, limit: int) -> str:
    """Cut a body to a length less a margin, and say in it that it was cut."""
    if units(text) <= limit - BODY_MARGIN:
        return text
    return cut(text, limit - BODY_MARGIN - len(_CUT)).rstrip() + _CUT
