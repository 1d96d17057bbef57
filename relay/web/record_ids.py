"""Find the id of a record in Salesforce in what somebody typed or pasted.

Pure.
"""

_ID_LENGTHS = (15, 18)
_STANDS_ON = ("001", "003", "00Q", "006", "500", "701")
"""The beginnings of the ids of accounts, contacts, leads, opportunities, cases and campaigns; custom objects begin with a."""


def record_id(text: str) -> str:
    """Find a record's id in what was typed: the id itself, or the address of its page; "" when there is none."""
    for part in reversed(text.replace("?", "/").replace("#", "/").split("/")):
        known = part.startswith(_STANDS_ON) or part.startswith("a")
        if len(part) in _ID_LENGTHS and part.isascii() and part.isalnum() and known:
            return part
    return ""
