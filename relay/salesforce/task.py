"""Compose completed Tasks (Object Reference, Task): what a sent mail is where there is no Enhanced Email.

Pure. With Shared Activities one Task stands on up to 50 contacts; without them each contact has one of their own. Every
lead has one of their own in any case. What the mail is about stands on the first Task with contacts alone.
"""

from collections.abc import Iterator, Sequence

from relay.config.model import LoggingSettings
from relay.salesforce.composed import Intended, MailParts
from relay.salesforce.header_block import header_block, local_date
from relay.salesforce.lengths import cut_body, length_of
from relay.salesforce.model import Json, Match, MatchedPerson, MessageFacts, PersonKind
from relay.salesforce.org_shape import KEY_FIELD, OrgShape
from relay.salesforce.record_key import record_key
from relay.salesforce.record_parts import (
    about,
    allowed,
    file_follow_ups,
    headers_only,
    people_of,
    subject_field,
    words,
)
from relay.salesforce.subject import ACTIVITY_TYPE

_OBJECT = "Task"
MAXIMUM_WHO = 50
"""Contacts of one Task with Shared Activities."""
_OPTIONAL = frozenset({"Type", "TaskSubtype", "Priority", "TaskWhoIds", KEY_FIELD})
_NEEDS_DESCRIBE = (KEY_FIELD, "TaskWhoIds")


def tasks(
    mail: MailParts, facts: MessageFacts, match: Match, org: OrgShape, settings: LoggingSettings
) -> tuple[Intended, ...]:
    """Compose every Task; the first carries the files."""
    make = _Composer(mail, facts, match, org, settings)
    standing = list(_standing(match, org, settings))
    records = [make.record(people, what, first=number == 0) for number, (people, what) in enumerate(standing)]
    return tuple(records)


def _standing(
    match: Match, org: OrgShape, settings: LoggingSettings
) -> Iterator[tuple[Sequence[MatchedPerson], str | None]]:
    """Say for each Task on whom it stands and what it is about."""
    shown = [one for one in match.people if settings.capture.bcc_recipients or one.recipient.kind != "bcc"]
    contacts = [one for one in shown if one.person.kind is PersonKind.CONTACT]
    leads = [one for one in shown if one.person.kind is PersonKind.LEAD]
    things = list(about(match))
    size = MAXIMUM_WHO if org.shared_activities else 1
    for start in range(0, len(contacts), size):
        yield contacts[start : start + size], things.pop(0) if start == 0 and things else None
    if not contacts and not leads and not things:
        yield (), None
    for one in leads:
        yield (one,), None
    for thing in things:
        yield (), thing


class _Composer:
    """Composes the Tasks of one message."""

    def __init__(
        self, mail: MailParts, facts: MessageFacts, match: Match, org: OrgShape, settings: LoggingSettings
    ) -> None:
        self._facts = facts
        self._org = org
        self._mail = mail
        self._common = self._fields(match, settings)

    def record(self, people: Sequence[MatchedPerson], what: str | None, *, first: bool) -> Intended:
        """Compose one Task on these people, about one thing."""
        ids = [one.person.id for one in people]
        key = record_key(
            self._facts.login, self._facts.message_id, self._facts.message, ids[0] if ids else what or ""
        )
        fields: dict[str, Json] = {
            **self._common,
            "WhoId": ids[0] if ids else None,
            "WhatId": what,
            "TaskWhoIds": ids if len(ids) > 1 else None,
            KEY_FIELD: key,
        }
        if self._org.task is None:  # what only some organisations have is written only when describe shows it
            fields = {name: value for name, value in fields.items() if name not in _NEEDS_DESCRIBE}
        find: dict[str, Json] = {
            name: self._common[name] for name in ("Subject", "ActivityDate") if name in self._common
        }
        return Intended(
            key=key,
            object=_OBJECT,
            fields=allowed(fields, self._org.task),
            follow_ups=file_follow_ups(self._mail) if first else (),
            related=(*ids, *([what] if what else [])),
            find_by={**find, "WhoId": ids[0] if ids else None, "WhatId": what},
            summary=words(_OBJECT, people, what),
            optional=_OPTIONAL,
        )

    def _fields(self, match: Match, settings: LoggingSettings) -> dict[str, Json]:
        facts, org = self._facts, self._org
        limit = length_of(_OBJECT, "Subject", org.task)
        return {
            "Subject": subject_field(facts, match, self._mail, settings, limit) or ACTIVITY_TYPE,
            "Status": org.closed_status,
            "Priority": org.normal_priority if org.priorities else None,
            "TaskSubtype": ACTIVITY_TYPE,
            "Type": org.task_type(ACTIVITY_TYPE),
            "ActivityDate": local_date(facts.sent_at, facts.rep.time_zone),
            "OwnerId": facts.rep.salesforce_user_id,
            "Description": self._description(match, settings),
        }

    def _description(self, match: Match, settings: LoggingSettings) -> str:
        """Give the header lines, and the text below them as far as there is room."""
        users = ", ".join(one.person.name or one.person.id for one in people_of(match, PersonKind.USER))
        notes = [*([f"Colleagues: {users}"] if users else []), *self._mail.problems]
        head = header_block(self._facts, self._mail, bcc=settings.capture.bcc_recipients, notes=notes)
        body = "" if headers_only(self._facts, settings) else self._mail.text
        whole = f"{head}\n\n{body}" if body else head
        return cut_body(whole, length_of(_OBJECT, "Description", self._org.task))
