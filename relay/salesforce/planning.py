"""From a mail and its recipients to the records that are intended: read, look up, match, compose - for one mail.

The recorder does the same for many mails at once; this is for whoever wants to know about one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from relay.config.model import LoggingSettings
from relay.salesforce.activity import compose, kind_of
from relay.salesforce.composed import Intended, MailParts
from relay.salesforce.lookup import Lookup
from relay.salesforce.matching import NOTHING_NAMED, match, to_look_up
from relay.salesforce.model import Match, MessageFacts, PersonKind
from relay.salesforce.org_shape import OrgShape
from relay.salesforce.recipients import with_header


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """What would be recorded, and why."""

    match: Match
    records: tuple[Intended, ...]
    kind: str
    """EmailMessage or Task."""
    why_kind: str


async def plan_records(
    mail: MailParts,
    facts: MessageFacts,
    lookup: Lookup,
    org: OrgShape,
    settings: LoggingSettings,
    left_out: Callable[[str], bool],
) -> RecordPlan:
    """Plan the records of one mail; nothing is written. Raises SalesforceError when nobody can be looked up."""
    facts = with_header(facts, mail)
    bcc = settings.capture.bcc_recipients
    wanted = to_look_up(facts.recipients, settings.match, bcc=bcc, left_out=left_out)
    found = await lookup.people([one.address for one in wanted])
    contacts = [one.id for people in found.values() for one in people if one.kind is PersonKind.CONTACT]
    opportunities = await lookup.opportunities(contacts)
    ids = facts.controls.related_to
    named = await lookup.by_ids(ids) if ids else NOTHING_NAMED
    matched = match(wanted, found, opportunities, settings.match, facts.rep.salesforce_user_id, named)
    records = compose(mail, facts, matched, org, settings)
    return RecordPlan(matched, records, kind_of(settings, org).value, org.why)
