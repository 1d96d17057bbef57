"""Tests for relay.salesforce.records and answers: how records are put into calls, and what became of each."""

from relay.salesforce.answers import made_many, sub_answers
from relay.salesforce.exchange import Changed, NewRecord, SubRequest
from relay.salesforce.model import Fault, FaultKind, Made
from relay.salesforce.records import (
    change,
    changes,
    composition,
    creation,
    deleted,
    deletion,
    portions,
    upsertion,
)
from relay.salesforce.request import Result


def records(*objects: str) -> list[NewRecord]:
    """Make records of these objects."""
    return [NewRecord(name, {"Subject": str(number)}) for number, name in enumerate(objects)]


def test_200_in_one_call() -> None:
    """A collection holds 200 records."""
    assert [len(portion) for portion in portions(records(*["Task"] * 401))] == [200, 200, 1]


def test_ten_runs_in_one_call() -> None:
    """A collection changes from type to type ten times at most."""
    mixed = records(*["Task", "EmailMessage"] * 6)
    assert [len(portion) for portion in portions(mixed)] == [10, 2]


def test_headers_hold_for_a_whole_call() -> None:
    """Records that need other headers go in another call."""
    one, two = NewRecord("Lead", {}, {"A": "1"}), NewRecord("Lead", {})
    assert [len(portion) for portion in portions([one, two, two, one])] == [1, 2, 1]


def test_one_is_a_plain_post() -> None:
    """One record goes as a plain POST, more as a collection that is not all-or-none."""
    assert creation(records("Task")).path == "sobjects/Task/"
    many = creation(records("Task", "Task"))
    assert many.path == "composite/sobjects/"
    assert many.json == {
        "allOrNone": False,
        "records": [
            {"attributes": {"type": "Task"}, "Subject": "0"},
            {"attributes": {"type": "Task"}, "Subject": "1"},
        ],
    }


def test_the_key_of_an_upsert_is_in_the_path() -> None:
    """The key is percent-encoded in the path, and not repeated in the body."""
    one = upsertion("Relay_Key__c", [NewRecord("Task", {"Relay_Key__c": "<a+b/c:1@x>", "Subject": "s"})])
    assert one.path == "sobjects/Task/Relay_Key__c/%3Ca%2Bb%2Fc%3A1%40x%3E"
    assert one.json == {"Subject": "s"}


def test_changes_with_a_condition_go_alone() -> None:
    """If-Unmodified-Since holds for a whole call, so such a change has one of its own."""
    plain, careful = Changed("Task", "1", {"a": 1}), Changed("Task", "2", {"a": 1}, 1_790_000_000_000_000)
    shared = list(changes([plain, plain, careful, plain]))
    assert [len(portion) for portion in shared] == [2, 1, 1]
    assert change(shared[1]).headers == {"If-Unmodified-Since": "Mon, 21 Sep 2026 14:13:20 GMT"}


def test_deleting_what_is_gone() -> None:
    """A record that is deleted already counts as deleted; one that may not be deleted does not."""
    ids = [("Task", "00T1"), ("Task", "00T2"), ("Task", "00T3")]
    assert deletion(ids).params == {"ids": "00T1,00T2,00T3", "allOrNone": "false"}
    answer = Result(
        body=[
            {"id": "00T1", "success": True, "errors": []},
            {
                "success": False,
                "errors": [{"statusCode": "ENTITY_IS_DELETED", "message": "entity is deleted"}],
            },
            {"success": False, "errors": [{"statusCode": "ENTITY_IS_LOCKED", "message": ""}]},
        ]
    )
    first, second, third = deleted(ids, answer)
    assert (first, second) == (Made("00T1", "Task"), Made("00T2", "Task", found=True))
    assert isinstance(third, Fault)


def test_a_partial_failure_affects_only_its_own() -> None:
    """In a collection each record has its own outcome, in order."""
    body = [
        {"id": "00T1", "success": True, "errors": []},
        {
            "success": False,
            "errors": [{"statusCode": "STRING_TOO_LONG", "message": "", "fields": ["Subject"]}],
        },
    ]
    first, second = made_many(["Task", "Task"], body)
    assert first == Made("00T1", "Task")
    assert isinstance(second, Fault)
    assert (second.kind, second.fields, second.maybe_done) == (FaultKind.TOO_LONG, ("Subject",), False)


def test_the_parts_of_a_composite() -> None:
    """A composite has the version in each path, keeps its order, and says of each part what became of it."""
    parts = [
        SubRequest("POST", "sobjects/EmailMessage", "mail", {"Subject": "x"}),
        SubRequest("GET", "limits/", "l"),
    ]
    body = composition(parts, "67.0", all_or_none=True).json
    assert isinstance(body, dict)
    assert body["collateSubrequests"] is False
    assert body["compositeRequest"][0]["url"] == "/services/data/v67.0/sobjects/EmailMessage"
    answers = sub_answers(
        parts,
        {
            "compositeResponse": [
                {"referenceId": "mail", "httpStatusCode": 201, "body": {"id": "02s1", "success": True}},
                {
                    "referenceId": "l",
                    "httpStatusCode": 400,
                    "body": [{"errorCode": "PROCESSING_HALTED", "message": ""}],
                },
            ]
        },
        whole=None,
    )
    assert answers[0].id == "02s1"
    assert answers[1].fault is not None
    assert answers[1].fault.kind is FaultKind.NEIGHBOUR
