"""The placeholders of `logging.subject`, and finding what only looks like one.

Pure. They are those of the documented product, `{{activity_subject}}`, and short ones of our own, `{subject}`.
"""

import re
from collections.abc import Mapping

PLACEHOLDERS: Mapping[str, str] = {
    "{subject}": "the subject of the mail",
    "{sender}": "the rep's name, else the address it was sent from",
    "{recipient}": "the name of the first recipient, else the address",
    "{mailbox}": "the address it was sent from",
    "{{activity_type}}": "always Email",
    "{{activity_subject}}": "the subject of the mail",
    "{{sales_campaign_name}}": "nothing: the relay knows of no campaigns",
    "{{sales_campaign_day}}": "nothing",
    "{{sales_campaign_step}}": "nothing",
    "{{call_outcome}}": "nothing: the relay records no calls",
    "{{call_reason}}": "nothing",
}
"""Every placeholder, and what it gives."""

PLACEHOLDER = re.compile(r"\{\{[a-z_]{1,40}\}\}|\{[a-z_]{1,40}\}")
"""What looks like one."""


def unknown_placeholders(template: str) -> tuple[str, ...]:
    """Give what looks like a placeholder and is none."""
    return tuple(found for found in PLACEHOLDER.findall(template) if found not in PLACEHOLDERS)
