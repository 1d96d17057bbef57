"""The subject of a record, made of the template in `logging.subject`.

Pure. The placeholders are those of the documented product, `{{activity_subject}}`, and short ones of our own,
`{subject}`. One without a value gives nothing; line breaks become spaces; the result is cut to the field's length.
"""

import re
from dataclasses import dataclass

from relay.config.placeholders import PLACEHOLDER, PLACEHOLDERS
from relay.salesforce.cleaning import one_line
from relay.salesforce.lengths import cut

ACTIVITY_TYPE = "Email"
_SPACES = re.compile(r" {2,}")


@dataclass(frozen=True, slots=True)
class SubjectValues:
    """What the placeholders stand for."""

    subject: str
    sender: str = ""
    recipient: str = ""
    mailbox: str = ""


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

    filled = PLACEHOLDER.sub(value, template)
    return cut(_SPACES.sub(" ", one_line(filled)).strip(), limit).strip()
