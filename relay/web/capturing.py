"""What of a rep's own mail is recorded, as the form on *Sync Settings* shows it and as it is read."""

from collections.abc import Sequence

from relay.salesforce.capturing import logging_of
from relay.web.asking import Ask
from relay.web.preferences import FIELDS, Preference

_OWN = ("body", "attachments", "bcc_recipients")
"""How large the files may be together stays the organisation's."""

OWN_FIELDS: Sequence[Preference] = tuple(one for one in FIELDS if one.name in _OWN)
"""What a rep may choose, in the words of the preferences for all."""


def own_capture(ask: Ask) -> dict[str, str]:
    """Give what holds for the mail of who is signed in, by the name of each field."""
    capture = logging_of(ask.house.configuration.settings.logging, ask.rep).capture
    blind = "true" if capture.bcc_recipients else "false"
    return {"body": capture.body, "attachments": capture.attachments, "bcc_recipients": blind}


def read_capture(ask: Ask) -> dict[str, object] | None:
    """Give the choice of the form; None: as for everybody. Raises HTTPException 400 for what no form offers."""
    if ask.field("do") == "reset":
        return None
    chosen: dict[str, object] = {}
    for one in OWN_FIELDS:
        sent = ask.field(one.name)
        if one.kind == "flag":
            chosen[one.name] = bool(sent)
        elif sent in one.choices:
            chosen[one.name] = sent
        else:
            raise ask.refuse(400)
    return chosen
