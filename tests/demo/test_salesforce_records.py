"""An unpatched simple-salesforce meets in the simulator what it meets at Salesforce: single records."""

from datetime import timedelta
from functools import partial

import pytest
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)
from simple_salesforce.format import format_external_id

from relay.demo.salesforce.simulator import Simulator
from tests.support.salesforce import people
from tests.support.salesforce_plain import connected, refusal
from tests.support.salesforce_plain import salesforce as salesforce


@pytest.fixture
def plain(salesforce: Simulator) -> Salesforce:
    """simple-salesforce, signed in as the integration user."""
    return connected(salesforce)


def test_a_record_is_made_read_changed_and_deleted(salesforce: Simulator, plain: Salesforce) -> None:
    """The four verbs answer as documented, and what was deleted is told to be."""
    made = plain.Task.create({"Subject": "Call Kim", "ActivityDate": "2026-12-01"})
    assert made["success"] is True
    assert made["errors"] == []
    task = plain.Task.get(made["id"])
    assert (task["Subject"], task["Status"], task["OwnerId"]) == (
        "Call Kim",
        "Not Started",
        salesforce.integration_user,
    )
    assert task["SystemModstamp"].endswith(".000+0000")
    assert plain.Task.update(made["id"], {"Status": "Completed"}) == 204
    assert plain.Task.get(made["id"])["IsClosed"] is True
    assert plain.Task.delete(made["id"]) == 204
    code, _ = refusal(SalesforceResourceNotFound, lambda: plain.Task.get(made["id"]))
    assert code == "ENTITY_IS_DELETED"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Nonsense": 1}, "INVALID_FIELD"),
        ({"IsClosed": True}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Subject": 7}, "JSON_PARSER_ERROR"),
        ({"ActivityDate": "tomorrow"}, "JSON_PARSER_ERROR"),
        ({"ReminderDateTime": "2026-11-22T10:00:00"}, "JSON_PARSER_ERROR"),
        ({"Subject": "\x01"}, "JSON_PARSER_ERROR"),
        ({"IsReminderSet": None}, "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ({"Subject": "x" * 256}, "STRING_TOO_LONG"),
        ({"Description": "x" * 32_001}, "STRING_TOO_LONG"),
        ({"Status": "Nearly"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"Type": "Fax"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"WhoId": "001000000000001AAA"}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"WhoId": "003000000000999AAA"}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"WhoId": "Kim"}, "MALFORMED_ID"),
    ],
)
def test_a_task_that_is_wrong_is_refused_with_its_code(
    salesforce: Simulator, plain: Salesforce, fields: dict[str, object], code: str
) -> None:
    """Each fault has the documented code, nothing is stored, and the call counts as refused."""
    found, body = refusal(SalesforceMalformedRequest, lambda: plain.Task.create(fields))
    assert found == code
    assert set(body[0]) <= {"message", "errorCode", "fields"}
    assert salesforce.rows("Task") == []
    assert [call.codes for call in salesforce.refused] == [(code,)]


def test_the_first_fault_is_told_in_the_documented_order(plain: Salesforce) -> None:
    """An unknown field comes before one that is read-only, that before a wrong type, that before a length."""
    faults: list[tuple[dict[str, object], str]] = [
        ({"Subject": "x" * 300}, "STRING_TOO_LONG"),
        ({"ActivityDate": 1}, "JSON_PARSER_ERROR"),
        ({"IsClosed": True}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Nonsense": 1}, "INVALID_FIELD"),
    ]
    fields: dict[str, object] = {}
    for more, code in faults:
        fields |= more
        assert refusal(SalesforceMalformedRequest, partial(plain.Task.create, fields))[0] == code


def test_a_person_without_a_last_name_is_refused(plain: Salesforce) -> None:
    """What is required is named."""
    code, body = refusal(SalesforceMalformedRequest, lambda: plain.Lead.create({"FirstName": "Kim"}))
    assert code == "REQUIRED_FIELD_MISSING"
    assert body[0]["fields"] == ["LastName", "Company"]


def test_a_lead_has_no_opportunity_beside_it(salesforce: Simulator, plain: Salesforce) -> None:
    """WhatId must be empty when WhoId is a lead, unless the organisation is told to take it."""
    (lead,) = people(salesforce, 1, kind="Lead")
    deal = salesforce.add("Opportunity", Name="North", StageName="Prospecting", CloseDate="2026-12-31")
    fields = {"Subject": "x", "WhoId": lead, "WhatId": deal}
    assert (
        refusal(SalesforceMalformedRequest, lambda: plain.Task.create(fields))[0]
        == "FIELD_INTEGRITY_EXCEPTION"
    )
    salesforce.toggles.lead_with_what = "allow"
    assert plain.Task.create(fields)["success"] is True


def test_ids_of_fifteen_characters_are_taken(salesforce: Simulator, plain: Salesforce) -> None:
    """The short form is the same record; the answer has the long one."""
    (contact,) = people(salesforce, 1)
    made = plain.Task.create({"Subject": "x", "WhoId": contact[:15]})
    assert plain.Task.get(made["id"][:15])["WhoId"] == contact


def test_an_upsert_creates_then_changes(salesforce: Simulator, plain: Salesforce) -> None:
    """201 with created, then 200 without; the key may hold what a URL may not."""
    salesforce.toggles.relay_key_field = True
    key = format_external_id("Relay_Key__c", "<a+b/c:1@x>")
    assert plain.Task.upsert(key, {"Subject": "one"}) == 201
    assert plain.Task.upsert(key, {"Subject": "two"}) == 200
    (task,) = salesforce.rows("Task")
    assert (task["Subject"], task["Relay_Key__c"]) == ("two", "<a+b/c:1@x>")


def test_an_upsert_may_be_for_changes_only(salesforce: Simulator, plain: Salesforce) -> None:
    """With updateOnly nothing is created."""
    salesforce.toggles.relay_key_field = True
    key = "Relay_Key__c/nobody?updateOnly=true"
    assert (
        refusal(SalesforceResourceNotFound, lambda: plain.Task.upsert(key, {"Subject": "x"}))[0]
        == "NOT_FOUND"
    )
    assert salesforce.rows("Task") == []


def test_an_upsert_that_several_match_gives_their_addresses(salesforce: Simulator, plain: Salesforce) -> None:
    """300 with the records, and nothing is changed."""
    twins = [salesforce.add("Contact", LastName="Twin", Email="twin@buyer.example") for _ in range(2)]
    with pytest.raises(SalesforceMoreThanOneRecord) as told:
        plain.Contact.upsert("Email/twin@buyer.example", {"LastName": "One"})
    assert [str(one).rpartition("/")[2] for one in told.value.content] == twins


def test_a_unique_key_is_refused_to_a_second_record(salesforce: Simulator, plain: Salesforce) -> None:
    """A plain create with a key that is there loses the race: DUPLICATE_VALUE, with the record's id."""
    salesforce.toggles.relay_key_field = True
    first = plain.Task.create({"Subject": "x", "Relay_Key__c": "k"})
    code, body = refusal(
        SalesforceMalformedRequest, lambda: plain.Task.create({"Subject": "y", "Relay_Key__c": "K"})
    )
    assert code == "DUPLICATE_VALUE"
    assert first["id"] in body[0]["message"]


def test_a_field_that_is_hidden_is_not_there(salesforce: Simulator, plain: Salesforce) -> None:
    """Field-level security takes it out of describe, and a create that names it is nobody's mistake."""
    salesforce.toggles.hidden_fields = frozenset({"Task.Description"})
    assert "Description" not in {field["name"] for field in plain.Task.describe()["fields"]}
    code, _ = refusal(SalesforceMalformedRequest, lambda: plain.Task.create({"Description": "x"}))
    assert code == "INVALID_FIELD"
    assert salesforce.refused == []


def test_the_recycle_bin_is_emptied_after_fifteen_days(salesforce: Simulator, plain: Salesforce) -> None:
    """Until then queryAll shows a deleted Task and it can come back; then it is gone."""
    task = salesforce.add("Task", Subject="Bye")
    salesforce.remove("Task", task)
    assert plain.query("SELECT Id FROM Task")["totalSize"] == 0
    assert plain.query("SELECT Id FROM Task", include_deleted=True)["totalSize"] == 1
    salesforce.undelete("Task", task)
    assert plain.Task.get(task)["IsDeleted"] is False
    salesforce.remove("Task", task)
    salesforce.advance(timedelta(days=15, minutes=1))
    again = connected(salesforce)
    assert again.query("SELECT Id FROM Task", include_deleted=True)["totalSize"] == 0


def test_deleting_a_contact_lets_go_of_its_tasks(salesforce: Simulator) -> None:
    """WhoId is emptied and the Task counts as changed."""
    (contact,) = people(salesforce, 1)
    task = salesforce.add("Task", Subject="x", WhoId=contact)
    before = salesforce.row(task)["SystemModstamp"]
    salesforce.remove("Contact", contact)
    after = salesforce.row(task)
    assert after.get("WhoId") is None
    assert str(after["SystemModstamp"]) > str(before)


def test_stamps_never_repeat(salesforce: Simulator) -> None:
    """SystemModstamp tells any two changes apart."""
    people(salesforce, 50)
    stamps = [row["SystemModstamp"] for row in salesforce.rows("Contact")]
    assert len(set(stamps)) == 50
    assert stamps == sorted(stamps, key=str)


def test_a_person_account_is_a_contact_too(salesforce: Simulator, plain: Salesforce) -> None:
    """Contact has IsPersonAccount and a Task takes the contact's id."""
    assert "IsPersonAccount" not in {field["name"] for field in plain.Contact.describe()["fields"]}
    salesforce.toggles.person_accounts = True
    account = salesforce.add("Account", Name="Lund", PersonEmail="kim@buyer.example", IsPersonAccount=True)
    found = plain.query("SELECT Id, AccountId FROM Contact WHERE IsPersonAccount = true")["records"][0]
    assert found["AccountId"] == account
    made = plain.Task.create({"Subject": "x", "WhoId": found["Id"]})
    assert salesforce.row(made["id"])["AccountId"] == account


def test_a_converted_lead_takes_no_activities(salesforce: Simulator, plain: Salesforce) -> None:
    """Its activities move to the contact, a query for open leads passes it by, and a new Task on it is refused."""
    (lead,) = people(salesforce, 1, kind="Lead")
    task = salesforce.add("Task", Subject="x", WhoId=lead)
    contact = salesforce.convert(lead)
    assert salesforce.row(task)["WhoId"] == contact
    assert plain.query("SELECT Id FROM Lead WHERE IsConverted = false")["totalSize"] == 0
    code, _ = refusal(SalesforceMalformedRequest, lambda: plain.Task.create({"Subject": "y", "WhoId": lead}))
    assert code == "CANNOT_UPDATE_CONVERTED_LEAD"


def test_shared_activities_hold_many_people(salesforce: Simulator, plain: Salesforce) -> None:
    """TaskWhoIds is there only then; 50 contacts are taken, 51 are not, nor a lead beside a contact."""
    contacts, (lead,) = people(salesforce, 51), people(salesforce, 1, kind="Lead")
    with pytest.raises(SalesforceMalformedRequest):
        plain.Task.create({"Subject": "x", "TaskWhoIds": contacts[:2]})
    assert salesforce.refused == []
    salesforce.toggles.shared_activities = True
    made = plain.Task.create({"Subject": "x", "TaskWhoIds": contacts[:50]})
    assert salesforce.row(made["id"])["WhoId"] == contacts[0]
    for wrong in (contacts, [contacts[0], lead]):
        code, _ = refusal(SalesforceMalformedRequest, partial(plain.Task.create, {"TaskWhoIds": wrong}))
        assert code == "FIELD_INTEGRITY_EXCEPTION"


def test_an_old_closed_task_is_archived(salesforce: Simulator, plain: Salesforce) -> None:
    """A year on it is for queryAll alone."""
    salesforce.add("Task", Subject="x", Status="Completed", ActivityDate=salesforce.now().date())
    salesforce.advance(timedelta(days=366))
    again = connected(salesforce)
    assert again.query("SELECT Id FROM Task")["totalSize"] == 0
    assert (
        again.query("SELECT IsArchived FROM Task", include_deleted=True)["records"][0]["IsArchived"] is True
    )


def test_the_organisations_own_rules_are_nobodys_mistake(salesforce: Simulator, plain: Salesforce) -> None:
    """A required field, one for reading only, a validation rule and an inactive owner refuse, and blame nobody."""
    gone = salesforce.add(
        "User", Username="gone@example.com", LastName="Gone", Email="g@example.com", IsActive=False
    )
    toggles = salesforce.toggles
    toggles.required_fields = frozenset({"Task.Subject"})
    toggles.read_only_fields = frozenset({"Task.Type"})
    toggles.validation_rule = "secret"
    faults: list[tuple[dict[str, object], str]] = [
        ({"Description": "x"}, "REQUIRED_FIELD_MISSING"),
        ({"Subject": "x", "Type": "Email"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Subject": "Secret plan"}, "FIELD_CUSTOM_VALIDATION_EXCEPTION"),
        ({"Subject": "x", "OwnerId": gone}, "INACTIVE_OWNER_OR_USER"),
    ]
    for fields, code in faults:
        assert refusal(SalesforceMalformedRequest, partial(plain.Task.create, fields))[0] == code
    assert salesforce.refused == []


def test_a_query_for_what_a_toggle_took_away_is_nobodys_mistake(
    salesforce: Simulator, plain: Salesforce
) -> None:
    """A hidden field, a field of Shared Activities and an object that is not there; a typing error is one."""
    salesforce.toggles.enhanced_email = False
    salesforce.toggles.hidden_fields = frozenset({"Task.Description"})
    gone = [
        ("SELECT Description FROM Task", "INVALID_FIELD"),
        ("SELECT WhoCount FROM Task", "INVALID_FIELD"),
        ("SELECT Id FROM EmailMessage", "INVALID_TYPE"),
    ]
    for soql, code in gone:
        assert refusal(SalesforceMalformedRequest, partial(plain.query, soql))[0] == code
    assert salesforce.refused == []
    refusal(SalesforceMalformedRequest, partial(plain.query, "SELECT Descripton FROM Task"))
    assert len(salesforce.refused) == 1
