"""The subject of a record, made of the template in `logging.subject`.

Pure. The placeholders are those of the documented product, `{{activity_subject}}`, and short ones of our own,
`{subject}`. One without a value gives nothing; line breaks become spaces; the result is cut to the field's length.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from relay.salesforce.cleaning import one_line
from relay.salesforce.lengths import cut

ACTIVITY_TYPE = "Email"
PLACEHOLDERS: Mapping[str, str] = {
    "{subject}": "the subject of the mail",
    "{sender}": "the rep's name, else the address it was sent from",
    "{recipient}": "the name of the first recipient, else the address",
    "{mailbox}": "the address it was sent from",
    "{{activity_type}}": f"always {ACTIVITY_TYPE}",
    "{{activity_subject}}": "the subject of the mail",
    "{{sales_campaign_name}}": "nothing: the relay knows of no campaigns",
    "{{sales_campaign_day}}": "nothing",
    "{{sales_campaign_step}}": "nothing",
    "{{call_outcome}}": "nothing: the relay records no calls",
    "{{call_reason}}": "nothing",
}
"""Every placeholder, and what it gives."""

_PLACEHOLDER = re.compile(r"\{\{[a-z_]{1,40}\}\}|\{[a-z_]{1,40}\}")
_SPACES = re.compile(r" {2,}")


@dataclass(frozen=True, slots=True)
class SubjectValues:
    """What the placeholders stand for."""

    subject: str
    sender: str = ""
    recipient: str = ""
    mailbox: str = ""


def unknown_placeholders(template: str) -> tuple[str, ...]:
    """Give what looks like a placeholder and is none."""
    return tuple(found for found in _PLACEHOLDER.findall(template) if found not in PLACEHOLDERS)


def subject_of(template: str, given: SubjectValues, limit: int) -> str:
    """Fill in the template; what looks like a placeholder and is none stays as it is written."""
    known = {
        "{subject}": given.subject,
        "{{activity_subject}}": given.subject,
        "{sender}": given.sender,
        "{recipient}": given.recipient,
        "{mailbox}": given.mailbox,
        "{{activity_type}}": ACTIVITY_TYPE,
    }

    def value(found: re.Match[str]) -> str:
        return known.get(found[0], "" if found[0] in PLACEHOLDERS else found[0])

    filled = _PLACEHOLDER.sub(value, template)
    return cut(_SPACES.sub(" ", one_line(filled)).strip(), limit).strip()
