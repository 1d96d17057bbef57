"""The records that are composed of a mail: EmailMessage and Task, field by field."""

import json

import pytest

from relay.queue.model import State
from relay.salesforce.activity import compose
from relay.salesforce.composed import Attachment, Follow, Mailbox, MailParts
from relay.salesforce.lengths import units
from relay.salesforce.model import Controls, Match, RecipientKind, Verdict
from relay.salesforce.org_shape import KEY_FIELD, OrgShape
from tests.support.recording import (
    NOON,
    REP_USER,
    contact,
    described,
    facts,
    lead,
    matched,
    opportunity,
    org,
    sales_rep,
    settings,
    told,
    user,
)

MAIL = MailParts(
    text="Hello Anna",
    html="<p>Hello Anna</p>",
    sender=Mailbox("Ana Berg", "ana@example.com"),
    thread="<root@x>",
)
ON_ANNA = matched((contact(), told()))
CLASSIC = org(email_message=None)
FILE = Attachment("offer.final.pdf", "application/pdf", 82_000, b"x")


def test_an_email_message() -> None:
    """All that the reference asks of a sent mail that is on no case."""
    match = matched((contact(), told()), opportunities=[opportunity().id])
    (record,) = compose(MAIL, facts(), match, org(key=True), settings())
    assert record.object == "EmailMessage"
    assert record.fields == {
        "Status": "3",
        "Incoming": False,
        "IsClientManaged": True,
        "Subject": "Offer",
        "FromAddress": "ana@example.com",
        "FromName": "Ana Berg",
        "MessageDate": "2026-11-22T12:00:00.000+0000",
        "MessageIdentifier": "<m1@relay.example.com>",
        "ThreadIdentifier": "<root@x>",
        "TextBody": "Hello Anna",
        "HtmlBody": "<p>Hello Anna</p>",
        "ToIds": [contact().id],
        "RelatedToId": opportunity().id,
        KEY_FIELD: record.key,
    }
    (sender,) = record.follow_ups
    assert (sender.kind, sender.object, sender.parent_field) == (
        Follow.SENDER, "EmailMessageRelation", "EmailMessageId",
    )  # fmt: skip
    assert sender.fields == {
        "RelationId": REP_USER,
        "RelationType": "FromAddress",
        "RelationAddress": "ana@example.com",
    }
    assert record.find_by == {"MessageIdentifier": "<m1@relay.example.com>"}
    assert record.summary == f"EmailMessage on contact {contact().id}, about {opportunity().id}"
    assert len(record.key) == 64


def test_people_and_addresses_are_parted() -> None:
    """Who is matched is an id, who is not is text; each in the field of To, Cc or Bcc."""
    cc, bcc = told("cc@x.test", RecipientKind.CC), told("b@x.test", RecipientKind.BCC)
    unknown = told("who@x.test"), told("too@x.test"), told("gone@x.test", state=State.BOUNCED)
    match = matched((contact(), told()), (user(), cc))
    (record,) = compose(MAIL, facts(told(), *unknown, cc, bcc), match, org(), settings())
    assert record.fields["ToIds"] == [contact().id]
    assert record.fields["ToAddress"] == "who@x.test, too@x.test"
    assert record.fields["CcIds"] == [user().id]
    assert not {"CcAddress", "BccIds", "BccAddress"} & set(record.fields)


def test_blind_copies_are_recorded_by_setting_alone() -> None:
    """Everybody with access sees a record: blind copies stand there only where an admin wants it."""
    bcc = told("b@x.test", RecipientKind.BCC)
    other = told("c@x.test", RecipientKind.BCC)
    match = matched((contact(), told()), (contact(2), bcc))
    open_settings = settings(capture={"bcc_recipients": True})
    for organisation in (org(), CLASSIC):
        hidden = compose(MAIL, facts(told(), bcc, other), match, organisation, settings())
        shown = compose(MAIL, facts(told(), bcc, other), match, organisation, open_settings)
        assert "b@x.test" not in json.dumps([one.fields for one in hidden])
        assert contact(2).id not in json.dumps([one.fields for one in hidden])
        assert contact(2).id in json.dumps([one.fields for one in shown])
        assert "c@x.test" in json.dumps([one.fields for one in shown])


def test_leads_alone_are_on_the_record_and_nothing_else_is() -> None:
    """With a lead among the ids RelatedToId stays empty: its Task cannot hold both."""
    match = matched((lead(), told()), account_id="001000000000001AAA")
    (record,) = compose(MAIL, facts(), match, org(), settings())
    assert record.fields["ToIds"] == [lead().id]
    assert "RelatedToId" not in record.fields


def test_a_lead_beside_a_contact_is_a_relation() -> None:
    """The contact and the opportunity are on the record, the lead is added as a relation and stays in the text."""
    match = matched((contact(), told()), (lead(), told("l@x.test")), opportunities=[opportunity().id])
    (record,) = compose(MAIL, facts(told(), told("l@x.test")), match, org(), settings())
    assert record.fields["ToIds"] == [contact().id]
    assert record.fields["ToAddress"] == "l@x.test"
    relation = next(one for one in record.follow_ups if one.kind is Follow.RELATION)
    assert relation.fields["RelationId"] == lead().id
    assert relation.fields["RelationType"] == "OtherAddress"
    assert lead().id in record.related


def test_without_an_opportunity_it_is_about_the_account() -> None:
    """The account follows the contact."""
    match = matched((contact(), told()), account_id="001000000000001AAA")
    (record,) = compose(MAIL, facts(), match, org(), settings())
    assert record.fields["RelatedToId"] == "001000000000001AAA"


@pytest.mark.parametrize("organisation", [org(), CLASSIC])
def test_further_opportunities_have_records_of_their_own(organisation: OrgShape) -> None:
    """all_open: the people are on the first record; each further opportunity has one, with its own key."""
    deals = [opportunity(number).id for number in (1, 2, 3)]
    match = matched((contact(), told()), opportunities=deals)
    records = compose(MAIL, facts(), match, organisation, settings())
    assert [one.fields.get("RelatedToId") or one.fields.get("WhatId") for one in records] == deals
    assert [contact().id in one.related for one in records] == [True, False, False]
    assert len({one.key for one in records}) == 3


def test_html_is_dropped_rather_than_cut() -> None:
    """HTML beyond the length of its field is left out; text is cut, and says so."""
    mail = MailParts(text="x" * 200_000, html="<p>" + "😀" * 66_000)
    (record,) = compose(mail, facts(), ON_ANNA, org(), settings())
    assert "HtmlBody" not in record.fields
    assert units(str(record.fields["TextBody"])) <= 131_000
    assert str(record.fields["TextBody"]).endswith("[cut: the mail is longer]")


def test_lengths_come_from_describe() -> None:
    """What describe says of a field is what holds, in UTF-16 units."""
    shape = org(email_message=described("EmailMessage", Subject=10, FromName=3))
    (record,) = compose(MAIL, facts(subject="😀" * 9), ON_ANNA, shape, settings())
    assert record.fields["Subject"] == "😀" * 5
    assert record.fields["FromName"] == "Ana"


def test_hidden_fields_are_left_out() -> None:
    """A field that may not be written at a create is not sent."""
    shape = org(email_message=described("EmailMessage", without=["ThreadIdentifier", "HtmlBody"]))
    (record,) = compose(MAIL, facts(), ON_ANNA, shape, settings())
    assert not {"ThreadIdentifier", "HtmlBody", KEY_FIELD} & set(record.fields)


def test_many_addresses_are_cut_between_addresses() -> None:
    """ToAddress takes as many whole addresses as fit."""
    crowd = [told(f"{number:04d}@crowd.test") for number in range(500)]
    (record,) = compose(MAIL, facts(*crowd), Match(Verdict.UNRELATED), org(), settings())
    assert len(str(record.fields["ToAddress"])) <= 4000
    assert all(len(one) == 15 for one in str(record.fields["ToAddress"]).split(", "))


def test_a_mail_without_message_id_can_be_found_again() -> None:
    """Its queue id stands in for it."""
    (record,) = compose(MAIL, facts(message_id=None), ON_ANNA, org(), settings())
    assert record.find_by == {"MessageIdentifier": "<01ABCDEFGHJKM@relay.invalid>"}


def test_attachments_by_name() -> None:
    """names: a line below the text, in the HTML escaped."""
    mail = MailParts(
        text="Hi", html="<p>Hi</p>", attachments=(Attachment("a<b>.pdf", "application/pdf", 82_000),)
    )
    (record,) = compose(mail, facts(), ON_ANNA, org(), settings(capture={"attachments": "names"}))
    assert record.fields["TextBody"] == "Hi\n\nAttachments: a<b>.pdf (82 kB)"
    assert record.fields["HtmlBody"] == "<p>Hi</p><p>Attachments: a&lt;b&gt;.pdf (82 kB)</p>"


@pytest.mark.parametrize("organisation", [org(), CLASSIC])
def test_attachments_as_files(organisation: OrgShape) -> None:
    """files: one ContentVersion each, after the record, linked to it; only on the first record."""
    mail = MailParts(text="Hi", attachments=(Attachment("big.bin", "x/y", 9), FILE))
    match = matched((contact(), told()), opportunities=[opportunity(1).id, opportunity(2).id])
    first, second = compose(mail, facts(), match, organisation, settings())
    (file,) = [one for one in first.follow_ups if one.kind is Follow.FILE]
    assert file.fields == {"Title": "offer.final", "PathOnClient": "offer.final.pdf"}
    assert (file.parent_field, file.attachment) == ("FirstPublishLocationId", 1)
    assert not [one for one in second.follow_ups if one.kind is Follow.FILE]


@pytest.mark.parametrize("organisation", [org(), CLASSIC])
def test_headers_only(organisation: OrgShape) -> None:
    """By setting or by control address: the body is nowhere in the record."""
    by_setting = compose(MAIL, facts(), ON_ANNA, organisation, settings(capture={"body": "headers"}))
    asked = facts(controls=Controls(headers_only=True))
    by_control = compose(MAIL, asked, ON_ANNA, organisation, settings())
    for records in (by_setting, by_control):
        assert "Hello" not in json.dumps([one.fields for one in records])


def test_encrypted_mail_says_so() -> None:
    """The record of an encrypted mail has a reason where its text would be."""
    mail = MailParts(encrypted="S/MIME", problems=("it is encrypted (S/MIME): only its header is recorded",))
    for organisation in (org(), CLASSIC):
        (record,) = compose(mail, facts(), ON_ANNA, organisation, settings())
        assert "it is encrypted" in json.dumps(record.fields)


def test_a_task() -> None:
    """All that the reference asks of a completed Task, with the header lines above the text."""
    match = matched((contact(), told()), opportunities=[opportunity().id])
    mail = MailParts(text="Hello", sender=Mailbox("", "ana@example.com"), attachments=(FILE,))
    told_to = [told(name="Anna"), told("cc@x.test", RecipientKind.CC), told("no@x.test", state=State.BOUNCED)]
    rep = sales_rep("Europe/Stockholm")
    (record,) = compose(mail, facts(*told_to, rep=rep), match, CLASSIC, settings())
    assert record.object == "Task"
    assert record.fields == {
        "Subject": "Offer",
        "Status": "Erledigt",
        "TaskSubtype": "Email",
        "Type": "Email",
        "ActivityDate": "2026-11-22",
        "OwnerId": REP_USER,
        "WhoId": contact().id,
        "WhatId": opportunity().id,
        "Description": "From: Ana Berg <ana@example.com>\nTo: Anna <anna@customer.test>\nCc: cc@x.test\n"
        "Not delivered to: no@x.test\nSent: 2026-11-22 13:00 CET\nAttachments: offer.final.pdf (82 kB)\n"
        "Message-ID: <m1@relay.example.com>\n\nHello",
    }


def test_the_type_is_set_only_where_the_picklist_has_it() -> None:
    """The capital letter matters; a value that is not there would be refused or invented."""
    for types in ((), ("email", "Call")):
        (record,) = compose(MAIL, facts(), ON_ANNA, org(types=types, email_message=None), settings())
        assert "Type" not in record.fields


def test_the_date_is_the_reps() -> None:
    """A mail that is sent at noon UTC is tomorrow's on the other side of the earth."""
    rep = sales_rep("Pacific/Auckland")
    (record,) = compose(MAIL, facts(rep=rep), ON_ANNA, CLASSIC, settings())
    assert record.fields["ActivityDate"] == "2026-11-23"


def test_without_shared_activities_each_person_has_a_task() -> None:
    """Contacts and leads one each; what it is about is on the first contact's alone."""
    match = matched(
        (contact(1), told()), (contact(2), told("b@x.test")), (lead(), told("l@x.test")),
        opportunities=[opportunity().id],
    )  # fmt: skip
    records = compose(MAIL, facts(), match, CLASSIC, settings())
    assert [one.fields["WhoId"] for one in records] == [contact(1).id, contact(2).id, lead().id]
    assert [one.fields.get("WhatId") for one in records] == [opportunity().id, None, None]
    assert all("TaskWhoIds" not in one.fields for one in records)


def test_with_shared_activities_contacts_share_a_task() -> None:
    """Up to 50 contacts on one Task; a lead never beside them."""
    people = [(contact(number), told(f"p{number}@x.test")) for number in range(1, 61)]
    match = matched(*people, (lead(), told("l@x.test")), opportunities=[opportunity().id])
    records = compose(MAIL, facts(), match, org(shared=True, email_message=None), settings())
    assert [len(one.fields.get("TaskWhoIds", ())) for one in records] == [50, 10, 0]  # type: ignore[arg-type]
    assert [one.fields.get("WhatId") for one in records] == [opportunity().id, None, None]
    assert records[2].fields["WhoId"] == lead().id


@pytest.mark.parametrize("organisation", [org(), CLASSIC])
def test_a_record_without_relations(organisation: OrgShape) -> None:
    """nobody: unrelated makes one record on nobody."""
    (record,) = compose(MAIL, facts(), Match(Verdict.UNRELATED), organisation, settings())
    assert record.related == ()
    assert not {"WhoId", "WhatId", "ToIds", "RelatedToId"} & set(record.fields)


@pytest.mark.parametrize("verdict", [Verdict.HOLD, Verdict.SKIP, Verdict.CREATE_LEAD, Verdict.CREATE_CONTACT])
def test_no_record(verdict: Verdict) -> None:
    """What is held, skipped or not made yet has no record."""
    assert compose(MAIL, facts(), Match(verdict), org(), settings()) == ()


def test_the_kind_by_setting() -> None:
    """The setting `task` is a Task also where Enhanced Email is on; email_message falls back where it is off."""
    assert compose(MAIL, facts(), ON_ANNA, org(), settings(record="task"))[0].object == "Task"
    fallen = compose(MAIL, facts(), ON_ANNA, CLASSIC, settings(record="email_message"))
    assert fallen[0].object == "Task"


def test_the_key_is_the_same_whenever_it_is_made() -> None:
    """It hangs on rep, Message-ID and record alone, with ids of 15 or 18 characters."""
    first = compose(MAIL, facts(), ON_ANNA, org(), settings())[0]
    again = compose(MailParts(), facts(subject="else"), ON_ANNA, org(), settings(record="task"))[0]
    other = compose(MAIL, facts(message_id="<other@x>"), ON_ANNA, org(), settings())[0]
    assert first.key == again.key
    assert first.key != other.key


def test_a_named_record_comes_before_opportunities() -> None:
    """rec+ID@ decides what the record is about; leads become relations beside it."""
    match = matched((lead(), told()), related_to=opportunity(9).id)
    (record,) = compose(MAIL, facts(), match, org(), settings())
    assert record.fields["RelatedToId"] == opportunity(9).id
    assert "ToIds" not in record.fields
    assert any(one.kind is Follow.RELATION for one in record.follow_ups)


def test_the_date_of_the_record_is_the_sending() -> None:
    """MessageDate is when the rep sent it."""
    (record,) = compose(MAIL, facts(), ON_ANNA, org(), settings())
    assert (NOON, record.fields["MessageDate"]) == (1_795_348_800_000_000, "2026-11-22T12:00:00.000+0000")
