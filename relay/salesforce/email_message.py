"""Compose an EmailMessage (Object Reference, EmailMessage): right at the insert, since it can hardly be changed later.

Pure.
"""

import html
from collections.abc import Sequence

from relay.config.model import LoggingSettings
from relay.salesforce.composed import Follow, FollowUp, Intended, MailParts
from relay.salesforce.header_block import attachment_lines, sent_recipients
from relay.salesforce.lengths import BODY_MARGIN, cut, cut_body, length_of, units
from relay.salesforce.model import Json, Match, MatchedPerson, MessageFacts, PersonKind, RecipientKind
from relay.salesforce.org_shape import KEY_FIELD, OrgShape
from relay.salesforce.recipients import address_key
from relay.salesforce.record_key import record_key
from relay.salesforce.record_parts import (
    about,
    allowed,
    file_follow_ups,
    headers_only,
    instant_text,
    subject_field,
    words,
)

_OBJECT = "EmailMessage"
SENT = "3"
"""The Status of a sent mail, the only one for mail that is on no case."""
_IDS = {RecipientKind.TO: "ToIds", RecipientKind.CC: "CcIds", RecipientKind.BCC: "BccIds"}
_TEXTS = {RecipientKind.TO: "ToAddress", RecipientKind.CC: "CcAddress", RecipientKind.BCC: "BccAddress"}
_OPTIONAL = frozenset(
    {"ThreadIdentifier", "FromName", "IsClientManaged", "HtmlBody", "CcAddress", "BccAddress", KEY_FIELD}
)


def email_messages(
    mail: MailParts, facts: MessageFacts, match: Match, org: OrgShape, settings: LoggingSettings
) -> tuple[Intended, ...]:
    """Compose the main record, and one more for each further opportunity, without people: they have the main one."""
    related = about(match)
    linked, beside = _standing(match, settings, with_about=bool(match.related_to))
    leads = bool(linked) and all(one.person.kind is not PersonKind.CONTACT for one in linked)
    on_leads = leads and any(one.person.kind is PersonKind.LEAD for one in linked)
    main = None if on_leads else (related[0] if related else match.account_id)
    make = _Composer(mail, facts, match, org, settings)
    first = make.record(linked, beside, main, files=True)
    return (first, *(make.record((), (), one, files=False) for one in related[1:]))


def _standing(
    match: Match, settings: LoggingSettings, *, with_about: bool
) -> tuple[list[MatchedPerson], list[MatchedPerson]]:
    """Part the people into those who stand on the record, and leads beside contacts, who become relations."""
    shown = [one for one in match.people if settings.capture.bcc_recipients or one.recipient.kind != "bcc"]
    contacts = any(one.person.kind is PersonKind.CONTACT for one in shown)
    leads = [one for one in shown if one.person.kind is PersonKind.LEAD] if contacts or with_about else []
    return [one for one in shown if one not in leads], leads


class _Composer:
    """Composes the records of one message."""

    def __init__(
        self, mail: MailParts, facts: MessageFacts, match: Match, org: OrgShape, settings: LoggingSettings
    ) -> None:
        self._mail = mail
        self._facts = facts
        self._match = match
        self._settings = settings
        self._described = org.email_message
        self._identifier = self._cut(
            "MessageIdentifier", facts.message_id or f"<{facts.message}@relay.invalid>"
        )

    def record(
        self,
        linked: Sequence[MatchedPerson],
        beside: Sequence[MatchedPerson],
        related: str | None,
        *,
        files: bool,
    ) -> Intended:
        """Compose one record on these people, about one thing."""
        person = next((one.person.id for one in linked if one.person.kind is not PersonKind.USER), None)
        key = record_key(
            self._facts.login, self._facts.message_id, self._facts.message, person or related or ""
        )
        fields = {
            **self._common(),
            **self._body(),
            **self._people(linked),
            "RelatedToId": related,
            KEY_FIELD: key,
        }
        find: dict[str, Json] = {"MessageIdentifier": self._identifier}
        if not files:
            find["RelatedToId"] = related
        return Intended(
            key=key,
            object=_OBJECT,
            fields=allowed(fields, self._described),
            follow_ups=(*self._relations(beside), *(file_follow_ups(self._mail) if files else ())),
            related=tuple(dict.fromkeys((*_ids(linked), *_ids(beside), *((related,) if related else ())))),
            find_by=find,
            summary=words(_OBJECT, [*linked, *beside], related),
            optional=_OPTIONAL,
        )

    def _cut(self, name: str, text: str) -> str:
        return cut(text, length_of(_OBJECT, name, self._described))

    def _common(self) -> dict[str, Json]:
        facts, mail = self._facts, self._mail
        sender = mail.sender.address or str(facts.rep.addresses[0])
        limit = length_of(_OBJECT, "Subject", self._described)
        return {
            "Status": SENT,
            "Incoming": False,
            "IsClientManaged": True,
            "Subject": subject_field(facts, self._match, mail, self._settings, limit),
            "FromAddress": self._cut("FromAddress", sender),
            "FromName": self._cut("FromName", mail.sender.name or facts.rep.name),
            "MessageDate": instant_text(facts.sent_at),
            "MessageIdentifier": self._identifier,
            "ThreadIdentifier": self._cut("ThreadIdentifier", mail.thread or self._identifier),
        }

    def _body(self) -> dict[str, Json]:
        """Give text and HTML; HTML that would have to be cut is left out, since cut HTML is broken HTML."""
        notes = _notes(self._mail)
        mail = self._mail
        if headers_only(self._facts, self._settings) or mail.encrypted:
            return {"TextBody": "\n".join(notes)}
        text = "\n\n".join(part for part in (mail.text, "\n".join(notes)) if part)
        markup = mail.html + "".join(f"<p>{html.escape(note)}</p>" for note in notes) if mail.html else ""
        if self._settings.capture.body == "text" or units(markup) > self._limit("HtmlBody"):
            markup = ""
        return {
            "TextBody": cut_body(text, length_of(_OBJECT, "TextBody", self._described)),
            "HtmlBody": markup,
        }

    def _limit(self, name: str) -> int:
        return length_of(_OBJECT, name, self._described) - BODY_MARGIN

    def _people(self, linked: Sequence[MatchedPerson]) -> dict[str, Json]:
        """Give ids for those who are linked, and the addresses of all others as text."""
        fields: dict[str, Json] = {}
        known = {address_key(one.recipient.address) for one in linked}
        for kind, name in _IDS.items():
            if kind is RecipientKind.BCC and not self._settings.capture.bcc_recipients:
                continue
            fields[name] = _ids([one for one in linked if one.recipient.kind is kind])
            others = [one.address for one in sent_recipients(self._facts, kind)]
            others = [one for one in others if address_key(one) not in known]
            limit = length_of(_OBJECT, _TEXTS[kind], self._described)
            fields[_TEXTS[kind]] = _joined(others, limit)
        return fields

    def _relations(self, beside: Sequence[MatchedPerson]) -> list[FollowUp]:
        """Give the relation of the rep as the sender, and those of leads beside contacts."""
        relations = []
        user = self._facts.rep.salesforce_user_id
        if user:
            sender = self._mail.sender.address or str(self._facts.rep.addresses[0])
            relations.append(_relation(Follow.SENDER, user, "FromAddress", sender))
        relations += [
            _relation(Follow.RELATION, one.person.id, "OtherAddress", one.recipient.address) for one in beside
        ]
        return relations


def _relation(kind: Follow, record: str, how: str, address: str) -> FollowUp:
    fields = {
        "RelationId": record,
        "RelationType": how,
        "RelationAddress": cut(address, length_of("EmailMessageRelation", "RelationAddress")),
    }
    return FollowUp(kind, "EmailMessageRelation", fields, "EmailMessageId")


def _ids(people: Sequence[MatchedPerson]) -> list[str]:
    return [one.person.id for one in people]


def _joined(addresses: Sequence[str], limit: int) -> str:
    """Write as many whole addresses as there is room for."""
    text = ""
    for one in addresses:
        longer = f"{text}, {one}" if text else one
        if units(longer) > limit:
            break
        text = longer
    return text


def _notes(mail: MailParts) -> list[str]:
    """Give the lines that stand below the text: attachments by name, and what was left out."""
    names = [one for one in mail.attachments if one.data is None]
    return [*attachment_lines(names), *mail.problems]
