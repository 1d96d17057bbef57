"""Faults, limits and the control API of the simulator."""

from datetime import timedelta
from typing import Any

import pytest
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError, SalesforceRefusedRequest

from relay.demo.salesforce import faults
from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from tests.support.salesforce import people
from tests.support.salesforce_plain import connected, refusal, session
from tests.support.salesforce_plain import salesforce as salesforce

_FAULTS = [
    (faults.unavailable, 503, "SERVER_UNAVAILABLE"),
    (faults.locked, 400, "UNABLE_TO_LOCK_ROW"),
    (faults.over_limit, 403, "REQUEST_LIMIT_EXCEEDED"),
    (faults.too_many_at_once, 403, "REQUEST_LIMIT_EXCEEDED"),
    (faults.unknown, 500, "UNKNOWN_EXCEPTION"),
    (faults.maintenance, 503, "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE"),
    (faults.rerouted, 420, "UNKNOWN_EXCEPTION"),
    (faults.session_invalid, 401, "INVALID_SESSION_ID"),
]


@pytest.fixture
def plain(salesforce: Simulator) -> Salesforce:
    """simple-salesforce, signed in as the integration user."""
    return connected(salesforce)


@pytest.mark.parametrize(("fault", "status", "code"), _FAULTS)
def test_an_injected_error_is_answered_once(
    salesforce: Simulator, plain: Salesforce, fault: Any, status: int, code: str
) -> None:
    """The call is not carried out, the next one is, and nobody is blamed."""
    salesforce.inject(fault(operation="create"))
    with pytest.raises(SalesforceError) as told:
        plain.Task.create({"Subject": "x"})
    body: Any = told.value.content
    assert (told.value.status, body[0]["errorCode"]) == (status, code)
    assert salesforce.rows("Task") == []
    assert plain.Task.create({"Subject": "x"})["success"] is True
    assert salesforce.refused == []
    assert salesforce.calls[0].status == status


@pytest.mark.parametrize(("action", "made"), [(Action.RESET_BEFORE, 0), (Action.RESET_AFTER_COMMIT, 1)])
def test_a_connection_is_reset_before_or_after_the_commit(
    salesforce: Simulator, plain: Salesforce, action: Action, made: int
) -> None:
    """The caller sees the same, and only looking tells what happened."""
    salesforce.inject(Injected(action, operation="create", object="Task"))
    with pytest.raises(requests.exceptions.ConnectionError):
        plain.Task.create({"Subject": "x"})
    assert len(salesforce.rows("Task")) == made


def test_an_answer_may_be_cut(salesforce: Simulator, plain: Salesforce) -> None:
    """Half of the JSON arrives, and the record is there."""
    salesforce.inject(Injected(Action.TRUNCATE, operation="create"))
    with pytest.raises((requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        plain.Task.create({"Subject": "x"})
    assert len(salesforce.rows("Task")) == 1


def test_an_answer_may_be_slow(salesforce: Simulator, plain: Salesforce) -> None:
    """A caller with a limit gives up; the query was carried out."""
    salesforce.inject(Injected(Action.SLOW, operation="query", seconds=30))
    with pytest.raises(requests.exceptions.ReadTimeout):
        plain.query("SELECT Id FROM Task", timeout=2)
    assert [call.operation for call in salesforce.calls] == ["query"]


@pytest.mark.parametrize("status", [401, 503])
def test_an_answer_may_be_a_page_of_html(salesforce: Simulator, plain: Salesforce, status: int) -> None:
    """As proxies answer."""
    salesforce.inject(faults.html(status))
    with pytest.raises(SalesforceError) as told:
        plain.limits()
    assert told.value.status == status
    assert "<html>" in str(told.value.content)


def test_a_fault_strikes_the_nth_call_that_fits(salesforce: Simulator, plain: Salesforce) -> None:
    """Others pass: another operation, another object, another user, another path."""
    salesforce.inject(faults.unavailable(operation="create", object="Task", nth=2, times=1, path="/Task"))
    plain.query("SELECT Id FROM Task")
    plain.Contact.create({"LastName": "Kim"})
    plain.Task.create({"Subject": "1"})
    with pytest.raises(SalesforceError):
        plain.Task.create({"Subject": "2"})
    plain.Task.create({"Subject": "3"})
    assert [row["Subject"] for row in salesforce.rows("Task")] == ["1", "3"]


def test_a_fault_may_strike_one_record_of_many(salesforce: Simulator, plain: Salesforce) -> None:
    """The neighbours are made."""
    salesforce.inject(
        Injected(Action.ITEM, object="Task", record="unlucky", code="UNABLE_TO_LOCK_ROW", status=400)
    )
    records = [{"attributes": {"type": "Task"}, "Subject": text} for text in ("a", "unlucky", "b")]
    answer: Any = plain.restful("composite/sobjects", method="POST", json={"records": records})
    assert [one["success"] for one in answer] == [True, False, True]
    assert answer[1]["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
    assert salesforce.refused == []


def test_the_token_endpoint_may_fail_too(salesforce: Simulator) -> None:
    """By its operation, token."""
    salesforce.inject(faults.html(503, operation="token"))
    with session(salesforce) as http:
        assert http.post(f"{salesforce.url}/services/oauth2/token", timeout=10).status_code == 503


def test_the_day_has_so_many_calls(salesforce: Simulator, plain: Salesforce) -> None:
    """Each answer tells how many are used; at the end 403, and after 24 hours they are back."""
    salesforce.toggles.daily_limit = 3
    for _ in range(2):
        plain.limits()
    assert plain.api_usage["api-usage"].used == 2
    salesforce.use_elsewhere(1)
    assert refusal(SalesforceRefusedRequest, plain.limits)[0] == "REQUEST_LIMIT_EXCEEDED"
    assert salesforce.refused == []
    salesforce.toggles.daily_limit = 10
    assert plain.limits()["DailyApiRequests"] == {"Max": 10, "Remaining": 6}
    salesforce.advance(timedelta(hours=25))
    assert salesforce.used == 1


def test_versions_need_no_token_and_old_ones_are_gone(salesforce: Simulator, plain: Salesforce) -> None:
    """The list carries no usage; a retired version is 410, an unknown one 404."""
    with session(salesforce) as http:
        listed = http.get(f"{salesforce.url}/services/data/", timeout=10)
        assert "67.0" in {one["version"] for one in listed.json()}
        assert "Sforce-Limit-Info" not in listed.headers
        http.headers["Authorization"] = f"Bearer {plain.session_id}"
        assert http.get(f"{salesforce.url}/services/data/v29.0/limits", timeout=10).status_code == 410
        assert http.get(f"{salesforce.url}/services/data/v99.0/limits", timeout=10).status_code == 404
        assert http.get(f"{salesforce.url}/services/data/v67.0/limits", timeout=10).headers[
            "Sforce-Limit-Info"
        ]


def test_what_http_refuses(salesforce: Simulator, plain: Salesforce) -> None:
    """A URI above 16,384 octets is 414, with its headers 431; what is no JSON by name is 415, a bad verb 405."""
    base = f"{salesforce.url}/services/data/v67.0"
    with session(salesforce) as http:
        http.headers["Authorization"] = f"Bearer {plain.session_id}"
        assert http.get(f"{base}/query/?q={'x' * 16_400}", timeout=10).status_code == 414
        assert (
            http.get(f"{base}/query/?q={'x' * 16_000}", timeout=10, headers={"X": "y" * 400}).status_code
            == 431
        )
        assert http.post(f"{base}/sobjects/Task", data="a=b", timeout=10).status_code == 415
        assert http.put(f"{base}/sobjects/Task", json={}, timeout=10).status_code == 405
        answer = http.post(
            f"{base}/sobjects/Task", data="{", timeout=10, headers={"Content-Type": "application/json"}
        )
        assert answer.json()[0]["errorCode"] == "JSON_PARSER_ERROR"
        assert http.get(f"{base}/nothing", timeout=10).json()[0]["errorCode"] == "NOT_FOUND"


def test_what_has_not_changed_is_304(salesforce: Simulator, plain: Salesforce) -> None:
    """Describe until a toggle changes the schema; a record until somebody edits it; a stale change is 412."""
    task = salesforce.add("Task", Subject="x")
    salesforce.advance(timedelta(minutes=1))
    base = f"{salesforce.url}/services/data/v67.0/sobjects/Task"
    with session(salesforce) as http:
        http.headers["Authorization"] = f"Bearer {plain.session_id}"
        for url in (f"{base}/describe", f"{base}/{task}"):
            since = {"If-Modified-Since": http.get(url, timeout=10).headers["Last-Modified"]}
            assert http.get(url, timeout=10, headers=since).status_code == 304
        before = {"If-Unmodified-Since": since["If-Modified-Since"]}
        salesforce.advance(timedelta(minutes=1))
        salesforce.edit("Task", task, Subject="y")
        salesforce.toggles.relay_key_field = True
        for url in (f"{base}/describe", f"{base}/{task}"):
            assert http.get(url, timeout=10, headers=since).status_code == 200
        assert (
            http.patch(f"{base}/{task}", json={"Subject": "z"}, timeout=10, headers=before).status_code == 412
        )


def test_duplicates_are_detected_unless_the_caller_saves_all_the_same(
    salesforce: Simulator, plain: Salesforce
) -> None:
    """The body names the records that are there; the header saves."""
    salesforce.toggles.duplicate_rules = True
    (kim,) = people(salesforce, 1)
    fields = {"LastName": "Again", "Email": "person1@buyer.example"}
    with pytest.raises(SalesforceError) as told:
        plain.Contact.create(fields)
    body: Any = told.value.content
    found = body[0]["duplicateResult"]["matchResults"][0]["matchRecords"][0]["record"]
    assert (body[0]["errorCode"], found["Id"]) == ("DUPLICATES_DETECTED", kim)
    header = {"Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=true"}
    assert plain.Contact.create(fields, headers=header)["success"] is True


def test_the_control_api_does_what_a_test_does(salesforce: Simulator) -> None:
    """Seed, edit, toggle, inject, advance, list and reset over HTTP, without a token."""
    base = f"{salesforce.url}/__control__"

    def post(verb: str, **body: object) -> Any:
        answer = http.post(f"{base}/{verb}", json=body, timeout=10)
        return answer.json() if answer.ok else answer.status_code

    with session(salesforce) as http:
        task = post("seed", object="Task", fields={"Subject": "x"})["id"]
        post("edit", object="Task", id=task, fields={"Subject": "y"})
        assert http.get(f"{base}/dump/Task", timeout=10).json()["Task"][0]["Subject"] == "y"
        post("remove", object="Task", id=task)
        assert http.get(f"{base}/dump/Task?deleted=true", timeout=10).json()["Task"][0]["Id"] == task
        post("undelete", object="Task", id=task)
        post("toggles", relay_key_field=True, hidden_fields=["Task.Type"], replication_lag=60)
        assert salesforce.toggles.hidden_fields == frozenset({"Task.Type"})
        assert salesforce.toggles.replication_lag == timedelta(minutes=1)
        before = salesforce.now()
        post("advance", seconds=3600)
        assert salesforce.now() - before >= timedelta(hours=1)
        post("inject", action="answer", status=503)
        with pytest.raises(SalesforceError):
            connected(salesforce).limits()
        assert http.get(f"{base}/calls", timeout=10).json()[0]["status"] == 503
        assert http.get(f"{base}/toggles", timeout=10).json()["relay_key_field"] is True
        assert post("seed", object="Task", fields={"Nonsense": 1}) == 400
        assert post("nonsense") == 400
        post("reset")
    assert salesforce.rows("Task") == []
    assert salesforce.calls == []
    assert salesforce.toggles.relay_key_field is False
