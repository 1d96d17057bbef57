"""Compose the records of one message: an EmailMessage where Enhanced Email is on, else completed Tasks.

Pure. A Task takes one lead, or contacts and what they are about, never both (Object Reference, Task); the Task that
Salesforce makes of an EmailMessage is bound in the same way, so a lead beside contacts is added as a relation.
"""

from relay.config.model import LoggingSettings
from relay.salesforce.composed import Intended, MailParts
from relay.salesforce.email_message import email_messages
from relay.salesforce.model import Match, MessageFacts, Verdict
from relay.salesforce.org_shape import Kind, OrgShape
from relay.salesforce.task import tasks


def kind_of(settings: LoggingSettings, org: OrgShape) -> Kind:
    """Say what a sent mail becomes: by `logging.record`, as far as the organisation can."""
    if settings.record == "task" or org.email_message is None:
        return Kind.TASK
    return Kind.EMAIL_MESSAGE


def compose(
    mail: MailParts, facts: MessageFacts, match: Match, org: OrgShape, settings: LoggingSettings
) -> tuple[Intended, ...]:
    """Compose every record of a message; none when the match says that none is to be made.

    `facts` come with the kinds of the recipients (relay.salesforce.recipients.with_header). The first record is the
    main one, the attachments hang on it.
    """
    if match.decision not in (Verdict.RECORD, Verdict.UNRELATED):
        return ()
    if kind_of(settings, org) is Kind.EMAIL_MESSAGE:
        return email_messages(mail, facts, match, org, settings)
    return tasks(mail, facts, match, org, settings)
