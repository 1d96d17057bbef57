"""What records of either kind have in common: fields within the organisation's rules, files, and words about them.

Pure.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from relay.config.model import LoggingSettings
from relay.queue.model import State
from relay.salesforce.composed import Follow, FollowUp, MailParts
from relay.salesforce.exchange import Description
from relay.salesforce.lengths import cut, length_of
from relay.salesforce.model import Json, Match, MatchedPerson, MessageFacts, PersonKind
from relay.salesforce.subject import SubjectValues, subject_of


def allowed(fields: Mapping[str, Json], described: Description | None) -> dict[str, Json]:
    """Give the fields that have a value and that the organisation lets be written at a create."""
    return {
        name: value
        for name, value in fields.items()
        if value not in (None, "", []) and (described is None or described.may_create(name))
    }


def subject_field(
    facts: MessageFacts, match: Match, mail: MailParts, settings: LoggingSettings, limit: int
) -> str:
    """Give the subject of the record by the template."""
    mailbox = mail.sender.address or str(facts.rep.addresses[0])
    given = SubjectValues(
        subject=facts.subject,
        sender=facts.rep.name or mail.sender.name or mailbox,
        recipient=_recipient(facts, match),
        mailbox=mailbox,
    )
    return subject_of(settings.subject, given, limit)


def _recipient(facts: MessageFacts, match: Match) -> str:
    """Give the name of the first person of the match, else of the first recipient who may be named."""
    person = next((one for one in match.people if one.person.kind is not PersonKind.USER), None)
    if person is not None:
        return person.person.name or person.recipient.name or person.recipient.address
    named = next((one for one in facts.recipients if one.state is State.SENT and one.kind != "bcc"), None)
    return (named.name or named.address) if named else ""


def headers_only(facts: MessageFacts, settings: LoggingSettings) -> bool:
    """Say whether the body stays out of the record."""
    return facts.controls.headers_only or settings.capture.body == "headers"


def file_follow_ups(mail: MailParts) -> tuple[FollowUp, ...]:
    """Give one ContentVersion for every attachment whose data is kept."""
    title, path = length_of("ContentVersion", "Title"), length_of("ContentVersion", "PathOnClient")
    return tuple(
        FollowUp(
            Follow.FILE,
            "ContentVersion",
            {"Title": cut(_without_ending(one.name), title), "PathOnClient": cut(one.name, path)},
            "FirstPublishLocationId",
            index,
        )
        for index, one in enumerate(mail.attachments)
        if one.data is not None
    )


def _without_ending(name: str) -> str:
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem else name


def people_of(match: Match, kind: PersonKind) -> list[MatchedPerson]:
    """Give the people of one kind."""
    return [one for one in match.people if one.person.kind is kind]


def about(match: Match) -> tuple[str, ...]:
    """Give what the records are about: what the sender named, then the opportunities; the first is the main one's."""
    first = (match.related_to,) if match.related_to else ()
    return tuple(dict.fromkeys((*first, *match.opportunity_ids)))


def words(object: str, people: Sequence[MatchedPerson], related: str | None) -> str:
    """Say on what a record stands: "EmailMessage on contact 003…, about 006…"."""
    standing = ", ".join(f"{one.person.kind.lower()} {one.person.id}" for one in people)
    parts = [f"{object} on {standing}" if standing else f"{object} on nobody"]
    return ", ".join([*parts, *([f"about {related}"] if related else [])])


def instant_text(instant: int) -> str:
    """Write an instant as Salesforce takes it: 2026-11-22T10:00:00.000+0000."""
    return f"{datetime.fromtimestamp(instant // 1_000_000, UTC):%Y-%m-%dT%H:%M:%S}.000+0000"
