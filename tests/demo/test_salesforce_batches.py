"""Composite requests and collections in the simulator: limits, references, and what stands or falls together."""

from typing import Any

import pytest
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest

from relay.demo.salesforce.simulator import Simulator
from tests.support.salesforce import people
from tests.support.salesforce_plain import connected, refusal
from tests.support.salesforce_plain import salesforce as salesforce

_BASE = "/services/data/v67.0"


@pytest.fixture
def plain(salesforce: Simulator) -> Salesforce:
    """simple-salesforce, signed in as the integration user."""
    return connected(salesforce)


def _sub(reference: str, name: str = "Task", **body: object) -> dict[str, object]:
    return {"method": "POST", "url": f"{_BASE}/sobjects/{name}", "referenceId": reference, "body": body}


def _composite(plain: Salesforce, *subs: dict[str, object], **more: object) -> list[dict[str, Any]]:
    answer: Any = plain.restful("composite/", method="POST", json={"compositeRequest": subs, **more})
    return list(answer["compositeResponse"])


def _collection(plain: Salesforce, records: list[dict[str, object]], **more: object) -> list[dict[str, Any]]:
    made = [{"attributes": {"type": "Task"}, **one} for one in records]
    return list(plain.restful("composite/sobjects/", method="POST", json={"records": made, **more}))


def test_a_subrequest_refers_to_the_answers_before_it(salesforce: Simulator, plain: Salesforce) -> None:
    """Mail, sender and file in one call, counted once, each with the id of the mail."""
    mail, sender, file = _composite(
        plain,
        _sub(
            "mail",
            "EmailMessage",
            Subject="Offer",
            Status="3",
            IsClientManaged=True,
            FromAddress="ana@example.com",
        ),
        _sub(
            "sender",
            "EmailMessageRelation",
            EmailMessageId="@{mail.id}",
            RelationId=salesforce.integration_user,
            RelationType="FromAddress",
        ),
        _sub(
            "file1",
            "ContentVersion",
            PathOnClient="offer.pdf",
            VersionData="JVBERi0=",
            FirstPublishLocationId="@{mail.id}",
        ),
        allOrNone=True,
        collateSubrequests=False,
    )
    assert [one["httpStatusCode"] for one in (mail, sender, file)] == [201, 201, 201]
    assert mail["httpHeaders"]["Location"].endswith(mail["body"]["id"])
    assert salesforce.row(sender["body"]["id"])["EmailMessageId"] == mail["body"]["id"]
    assert len(salesforce.calls) == 1
    links = {row["LinkedEntityId"] for row in salesforce.rows("ContentDocumentLink")}
    assert mail["body"]["id"] in links


def test_a_query_may_be_referred_to(salesforce: Simulator, plain: Salesforce) -> None:
    """records[0].Id of a query stands where an id is wanted."""
    (kim,) = people(salesforce, 1)
    query = {"method": "GET", "url": f"{_BASE}/query/?q=SELECT+Id+FROM+Contact", "referenceId": "who"}
    _, made = _composite(plain, query, _sub("task", Subject="x", WhoId="@{who.records[0].Id}"))
    assert salesforce.row(made["body"]["id"])["WhoId"] == kim


def test_all_or_none_takes_everything_back(salesforce: Simulator, plain: Salesforce) -> None:
    """The neighbours of the one that failed are PROCESSING_HALTED, the top is 200, nothing is stored."""
    good, bad, other = _composite(
        plain, _sub("good", Subject="x"), _sub("bad", Nonsense=1), _sub("other", Subject="y"), allOrNone=True
    )
    codes = [one["body"][0]["errorCode"] for one in (good, bad, other)]
    assert codes == ["PROCESSING_HALTED", "INVALID_FIELD", "PROCESSING_HALTED"]
    assert salesforce.rows("Task") == []
    assert [call.codes for call in salesforce.refused] == [("INVALID_FIELD",)]


def test_without_all_or_none_only_those_that_refer_to_it_are_halted(
    salesforce: Simulator, plain: Salesforce
) -> None:
    """A reference to what failed is refused; a neighbour is made."""
    bad, halted, good = _composite(
        plain,
        _sub("bad", "Contact", FirstName="x"),
        _sub("halted", Subject="x", WhoId="@{bad.id}"),
        _sub("good", Subject="y"),
    )
    assert bad["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert halted["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert good["httpStatusCode"] == 201
    assert len(salesforce.rows("Task")) == 1


@pytest.mark.parametrize(
    "subs",
    [
        [_sub(f"n{number}", Subject="x") for number in range(26)],
        [_sub("not-allowed", Subject="x")],
        [_sub("twice", Subject="x"), _sub("twice", Subject="y")],
        [{"method": "GET", "url": f"{_BASE}/query/?q=x", "referenceId": f"q{number}"} for number in range(6)],
        [{**_sub("relative", Subject="x"), "url": "sobjects/Task"}],
        [{**_sub("header", Subject="x"), "httpHeaders": {"Authorization": "Bearer x"}}],
    ],
)
def test_a_composite_request_that_breaks_a_limit_fails_whole(
    salesforce: Simulator, plain: Salesforce, subs: list[dict[str, object]]
) -> None:
    """25 subrequests, 5 queries, names of letters, digits and underscores, absolute paths, no headers of access."""
    refusal(SalesforceMalformedRequest, lambda: _composite(plain, *subs))
    assert salesforce.rows("Task") == []


def test_chaos_reorders_what_is_unrelated_and_nothing_else(salesforce: Simulator, plain: Salesforce) -> None:
    """Collated subrequests may run in any order; the answers keep theirs, and references hold."""
    salesforce.toggles.chaos = True
    subs = [
        _sub("person", "Contact", LastName="Kim"),
        _sub("one", Subject="1"),
        _sub("two", WhoId="@{person.id}"),
    ]
    answers = _composite(plain, *subs)
    assert [one["referenceId"] for one in answers] == ["person", "one", "two"]
    assert (
        salesforce.row(answers[1]["body"]["id"])["CreatedDate"]
        < salesforce.row(answers[0]["body"]["id"])["CreatedDate"]
    )
    salesforce.reset()
    salesforce.toggles.chaos = True
    plain = connected(salesforce)
    answers = _composite(plain, *subs, collateSubrequests=False)
    assert (
        salesforce.row(answers[1]["body"]["id"])["CreatedDate"]
        > salesforce.row(answers[0]["body"]["id"])["CreatedDate"]
    )


def test_a_collection_answers_each_record_for_itself(salesforce: Simulator, plain: Salesforce) -> None:
    """In the order given; errors have statusCode, not errorCode, and no id."""
    good, bad = _collection(plain, [{"Subject": "x"}, {"Subject": "y" * 256}])
    assert good["success"] is True
    assert set(bad) == {"success", "errors"}
    assert bad["errors"][0]["statusCode"] == "STRING_TOO_LONG"
    assert bad["errors"][0]["fields"] == ["Subject"]
    assert len(salesforce.rows("Task")) == 1
    assert len(salesforce.calls) == 1


def test_a_collection_may_be_all_or_none(salesforce: Simulator, plain: Salesforce) -> None:
    """The good ones are then rolled back and say so."""
    good, _ = _collection(plain, [{"Subject": "x"}, {"Nonsense": 1}], allOrNone=True)
    assert good["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert salesforce.rows("Task") == []


def test_a_collection_has_at_most_200_records(salesforce: Simulator, plain: Salesforce) -> None:
    """200 are taken, 201 are refused whole."""
    assert len(_collection(plain, [{"Subject": "x"}] * 200)) == 200
    refusal(SalesforceMalformedRequest, lambda: _collection(plain, [{"Subject": "x"}] * 201))
    assert len(salesforce.rows("Task")) == 200


def test_collections_change_upsert_and_delete(salesforce: Simulator, plain: Salesforce) -> None:
    """Each verb answers record by record; what is gone already is told as an item."""
    salesforce.toggles.relay_key_field = True
    first, second = (salesforce.add("Task", Subject=text) for text in ("one", "two"))
    changed = [{"attributes": {"type": "Task"}, "Id": one, "Subject": "new"} for one in (first, second)]
    answer: Any = plain.restful("composite/sobjects", method="PATCH", json={"records": changed})
    assert [one["id"] for one in answer] == [first, second]
    keyed = [{"attributes": {"type": "Task"}, "Relay_Key__c": "k", "Subject": text} for text in ("a", "b")]
    path = "composite/sobjects/Task/Relay_Key__c"
    answer = plain.restful(path, method="PATCH", json={"records": keyed})
    assert [one["created"] for one in answer] == [True, False]
    salesforce.remove("Task", second)
    answer = plain.restful(f"composite/sobjects?ids={first},{second}&allOrNone=false", method="DELETE")
    assert answer[0]["success"] is True
    assert answer[1]["errors"][0]["statusCode"] == "ENTITY_IS_DELETED"
