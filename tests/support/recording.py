"""Values of recording for tests: people, facts, mails and organisations with defaults, each test names what it is about."""

from collections.abc import Mapping, Sequence

from relay.config.model import LoggingSettings, Mode
from relay.config.recording import MatchSettings
from relay.directory.model import Rep
from relay.ids import Login, QueueId
from relay.queue.model import State
from relay.salesforce.exchange import Description, Field, PicklistRow
from relay.salesforce.lengths import LENGTHS
from relay.salesforce.model import (
    NO_CONTROLS,
    Controls,
    Match,
    MatchedPerson,
    MessageFacts,
    Opportunity,
    Person,
    PersonKind,
    RecipientKind,
    ToldRecipient,
    Verdict,
)
from relay.salesforce.org_shape import KEY_FIELD, OrgShape
from tests.support.policy import rep as policy_rep

NOON = 1_795_348_800_000_000
"""2026-11-22T12:00:00Z."""
REP_USER = "005000000000001AAA"


def settings(**logging: object) -> LoggingSettings:
    """Give the settings of logging."""
    return LoggingSettings.model_validate({"mode": "api", **logging})


def rules(**match: object) -> MatchSettings:
    """Give the settings of matching."""
    return MatchSettings.model_validate(match)


def contact(number: int = 1, email: str = "anna@customer.test", **more: object) -> Person:
    """Give a contact."""
    return _person(f"003{number:012d}AAA", PersonKind.CONTACT, email, more)


def lead(number: int = 1, email: str = "anna@customer.test", **more: object) -> Person:
    """Give a lead."""
    return _person(f"00Q{number:012d}AAA", PersonKind.LEAD, email, more)


def user(number: int = 1, email: str = "bo@example.com", **more: object) -> Person:
    """Give a user."""
    return _person(f"005{number:012d}AAA", PersonKind.USER, email, more)


def _person(id: str, kind: PersonKind, email: str, more: Mapping[str, object]) -> Person:
    return Person(id=id, kind=kind, email=email, **more)  # type: ignore[arg-type]


def opportunity(number: int = 1, contact_id: str = "", modified_at: int = 0) -> Opportunity:
    """Give an open opportunity."""
    return Opportunity(
        f"006{number:012d}AAA", f"Deal {number}", contact_id or contact().id, modified_at=modified_at
    )


def told(
    address: str = "anna@customer.test",
    kind: RecipientKind = RecipientKind.TO,
    state: State = State.SENT,
    name: str = "",
) -> ToldRecipient:
    """Give a recipient."""
    return ToldRecipient(address, state, NOON, kind, name)


def facts(
    *recipients: ToldRecipient,
    rep: Rep | None = None,
    message_id: str | None = "<m1@relay.example.com>",
    subject: str = "Offer",
    controls: Controls = NO_CONTROLS,
) -> MessageFacts:
    """Give what the relay knows of a message."""
    return MessageFacts(
        message=QueueId("01ABCDEFGHJKM"),
        login=Login("ana"),
        rep=rep or sales_rep(),
        accepted_at=NOON,
        sent_at=NOON,
        message_id=message_id,
        subject=subject,
        recipients=recipients or (told(),),
        mode=Mode.API,
        controls=controls,
    )


def sales_rep(time_zone: str = "UTC", user_id: str | None = REP_USER, name: str = "Ana Berg") -> Rep:
    """Give a rep who is a user of Salesforce."""
    plain = policy_rep()
    return Rep(
        login=plain.login,
        addresses=plain.addresses,
        salesforce_user_id=user_id,
        time_zone=time_zone,
        name=name,
    )


def matched(
    *people: tuple[Person, ToldRecipient], opportunities: Sequence[str] = (), **more: object
) -> Match:
    """Give a match that is to be recorded."""
    return Match(
        Verdict.RECORD,
        tuple(MatchedPerson(person, recipient) for person, recipient in people),
        tuple(opportunities),
        **more,  # type: ignore[arg-type]
    )


def described(object: str, *, without: Sequence[str] = (), **lengths: int) -> Description:
    """Give an object as describe tells it: all fields that the relay writes, less some."""
    names = {**LENGTHS[object], **lengths}
    fields = {name: Field(name, length=length) for name, length in names.items()}
    plain = _PLAIN[object]
    fields |= {name: Field(name, type="reference") for name in plain}
    return Description(object, {name: one for name, one in fields.items() if name not in without})


_PLAIN = {
    "Task": ("WhoId", "WhatId", "OwnerId", "ActivityDate", "TaskSubtype"),
    "EmailMessage": (
        "ToIds", "CcIds", "BccIds", "RelatedToId", "Status", "Incoming", "IsClientManaged", "MessageDate",
    ),
}  # fmt: skip


def org(
    *,
    email_message: Description | str | None = "described",
    task: Description | None = None,
    shared: bool = False,
    key: bool = False,
    types: Sequence[str] = ("Call", "Email"),
) -> OrgShape:
    """Give an organisation with Enhanced Email; email_message None: without it."""
    task = task or described("Task")
    more = {"Type": Field("Type", length=255, picklist=tuple(types))}
    if shared:
        more["TaskWhoIds"] = Field("TaskWhoIds")
    if key:
        more[KEY_FIELD] = Field(KEY_FIELD, length=255, external_id=True)
    task = Description("Task", {**task.fields, **more})
    message = described("EmailMessage") if isinstance(email_message, str) else email_message
    if message is not None and key:
        message = Description("EmailMessage", {**message.fields, KEY_FIELD: Field(KEY_FIELD, length=255)})
    return OrgShape(
        task=task,
        email_message=message,
        shared_activities=shared,
        statuses=(PicklistRow("Open", "Open"), PicklistRow("Erledigt", "Erledigt", closed=True)),
    )
