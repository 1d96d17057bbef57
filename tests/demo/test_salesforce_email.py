"""EmailMessage in the simulator: what Enhanced Email takes, what it makes of it, and what it never changes again."""

from functools import partial

import pytest
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest, SalesforceResourceNotFound

from relay.demo.salesforce.simulator import Simulator
from tests.support.salesforce import people
from tests.support.salesforce_plain import connected, refusal
from tests.support.salesforce_plain import salesforce as salesforce

_SENT = {
    "Subject": "Offer",
    "TextBody": "Hello Kim",
    "FromAddress": "ana@example.com",
    "MessageIdentifier": "<1@relay.example.com>",
    "MessageDate": "2026-11-22T10:00:00.000+0000",
    "Status": "3",
    "Incoming": False,
    "IsClientManaged": True,
}


@pytest.fixture
def plain(salesforce: Simulator) -> Salesforce:
    """simple-salesforce, signed in as the integration user."""
    return connected(salesforce)


def _code(call: partial[object]) -> str:
    return refusal(SalesforceMalformedRequest, call)[0]


def test_a_sent_email_makes_relations_and_a_closed_task(salesforce: Simulator, plain: Salesforce) -> None:
    """ToIds and CcIds become relation rows; one Task comes by itself, closed, on the first person."""
    kim, lee = people(salesforce, 2)
    made = plain.EmailMessage.create({**_SENT, "ToIds": [kim], "CcIds": [lee]})
    relations = {(row["RelationId"], row["RelationType"]) for row in salesforce.rows("EmailMessageRelation")}
    assert {(kim, "ToAddress"), (lee, "CcAddress")} <= relations
    (task,) = salesforce.rows("Task")
    assert (task["Subject"], task["WhoId"], task["IsClosed"], task["TaskSubtype"]) == (
        "Offer",
        kim,
        True,
        "Email",
    )
    found = plain.query(f"SELECT ActivityId FROM EmailMessage WHERE Id = '{made['id']}'")
    assert found["records"][0]["ActivityId"] == task["Id"]


def test_an_email_is_found_by_its_message_id(salesforce: Simulator, plain: Salesforce) -> None:
    """MessageIdentifier is filterable and not unique: the same mail can be there twice."""
    for _ in range(2):
        plain.EmailMessage.create(_SENT)
    soql = "SELECT Id FROM EmailMessage WHERE MessageIdentifier IN ('<1@relay.example.com>', '1@relay.example.com')"
    assert plain.query(soql)["totalSize"] == 2


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Status": "0"}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"Status": "9"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"ActivityId": "00T"}, "INSUFFICIENT_ACCESS_OR_READONLY"),
        ({"HasAttachment": True}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"ToIds": "003000000000001AAA"}, "JSON_PARSER_ERROR"),
        ({"ToIds": ["001000000000001AAA"]}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"TextBody": "x" * 131_073}, "STRING_TOO_LONG"),
        ({"Subject": "x" * 3001}, "STRING_TOO_LONG"),
        ({"ToAddress": "x" * 4001}, "STRING_TOO_LONG"),
        ({"MessageIdentifier": "x" * 766}, "STRING_TOO_LONG"),
        ({"FromAddress": "nobody"}, "INVALID_EMAIL_ADDRESS"),
    ],
)
def test_an_email_that_is_wrong_is_refused(
    salesforce: Simulator, plain: Salesforce, fields: dict[str, object], code: str
) -> None:
    """Each fault has the documented code, and neither mail nor Task is stored."""
    task = salesforce.add("Task", Subject="other")
    if fields.get("ActivityId"):
        fields = {"ActivityId": task}
    assert _code(partial(plain.EmailMessage.create, {**_SENT, **fields})) == code
    assert salesforce.rows("EmailMessage") == []
    assert [row["Id"] for row in salesforce.rows("Task")] == [task]


def test_a_lead_among_the_people_leaves_no_room_for_an_opportunity(
    salesforce: Simulator, plain: Salesforce
) -> None:
    """RelatedToId with a lead is refused, since the Task could not hold both."""
    (lead,) = people(salesforce, 1, kind="Lead")
    deal = salesforce.add("Opportunity", Name="North", StageName="Prospecting", CloseDate="2026-12-31")
    fields = {**_SENT, "ToIds": [lead], "RelatedToId": deal}
    assert _code(partial(plain.EmailMessage.create, fields)) == "FIELD_INTEGRITY_EXCEPTION"


def test_a_sent_email_is_read_only(salesforce: Simulator, plain: Salesforce) -> None:
    """Of a client-managed email only the relation, files, visibility and custom fields may be changed."""
    salesforce.toggles.relay_key_field = True
    account = salesforce.add("Account", Name="Buyer Ltd")
    email = plain.EmailMessage.create(_SENT)["id"]
    code = _code(partial(plain.EmailMessage.update, email, {"Subject": "Other"}))
    assert code == "INSUFFICIENT_ACCESS_OR_READONLY"
    assert plain.EmailMessage.update(email, {"RelatedToId": account, "Relay_Key__c": "k"}) == 204
    other = plain.EmailMessage.create({**_SENT, "IsClientManaged": False})["id"]
    code = _code(partial(plain.EmailMessage.update, other, {"RelatedToId": account}))
    assert code == "INSUFFICIENT_ACCESS_OR_READONLY"


def test_deleting_an_email_removes_its_relations(salesforce: Simulator, plain: Salesforce) -> None:
    """Relations go where the mail goes."""
    (kim,) = people(salesforce, 1)
    email = plain.EmailMessage.create({**_SENT, "ToIds": [kim]})["id"]
    assert plain.EmailMessage.delete(email) == 204
    assert salesforce.rows("EmailMessageRelation") == []


def test_a_sender_is_related_by_a_row_of_his_own(salesforce: Simulator, plain: Salesforce) -> None:
    """FromAddress is a relation that is written apart, once."""
    email = plain.EmailMessage.create(_SENT)["id"]
    fields = {
        "EmailMessageId": email,
        "RelationId": salesforce.integration_user,
        "RelationType": "FromAddress",
        "RelationAddress": "ana@example.com",
    }
    made = plain.EmailMessageRelation.create(fields)
    assert salesforce.row(made["id"])["RelationObjectType"] == "User"
    assert _code(partial(plain.EmailMessageRelation.create, fields)) == "DUPLICATE_VALUE"


def test_without_enhanced_email_there_is_no_email_message(salesforce: Simulator, plain: Salesforce) -> None:
    """Describe answers 404, which is nobody's mistake; with Email-to-Case it is there, relations not for writing."""
    salesforce.toggles.enhanced_email = False
    assert refusal(SalesforceResourceNotFound, plain.EmailMessage.describe)[0] == "NOT_FOUND"
    salesforce.toggles.email_to_case = True
    fields = {field["name"]: field for field in plain.EmailMessage.describe()["fields"]}
    assert fields["Subject"]["createable"] is True
    assert fields["RelatedToId"]["createable"] is False
    assert _code(partial(plain.EmailMessage.create, _SENT)) == "INSUFFICIENT_ACCESS_OR_READONLY"
    assert salesforce.refused == []


def test_describe_tells_the_real_lengths(plain: Salesforce) -> None:
    """What the relay cuts by is what Salesforce documents."""
    fields = {field["name"]: field for field in plain.EmailMessage.describe()["fields"]}
    lengths = {
        name: fields[name]["length"] for name in ("Subject", "TextBody", "ToAddress", "MessageIdentifier")
    }
    assert lengths == {"Subject": 3000, "TextBody": 131_072, "ToAddress": 4000, "MessageIdentifier": 765}
    assert fields["MessageIdentifier"]["idLookup"] is True
    assert fields["TextBody"]["filterable"] is False
