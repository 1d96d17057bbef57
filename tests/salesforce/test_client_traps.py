"""Every trap of HTTP and of simple-salesforce (salesforce.md §5.2), met over TLS by the client that the relay uses."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from relay.config.recording import SalesforceLimits
from relay.salesforce.client import LOOK_UP, NewRecord, SalesforceClient, SalesforceError
from relay.salesforce.exchange import Changed, SubRequest
from relay.salesforce.model import Fault, FaultKind, Made
from tests.support.salesforce_client import Meter, client_settings, salesforce_client
from tests.support.scripted_salesforce import Reply, ScriptedSalesforce, refusal, rows, scripted

SOQL = "SELECT Id FROM Contact WHERE Email = 'secret.person@customer.test'"
TASK = NewRecord("Task", {"Subject": "Offer"})


@pytest.fixture
def script(tmp_path: Path) -> Iterator[ScriptedSalesforce]:
    """Run a server that answers as the test says."""
    with scripted(tmp_path) as one:
        yield one


@pytest.fixture
async def client(script: ScriptedSalesforce) -> AsyncIterator[SalesforceClient]:
    """Make a client of that server."""
    async with salesforce_client(client_settings(script.url, script.ca_file, timeout=10.0)) as one:
        yield one


async def refused(client: SalesforceClient) -> Fault:
    """Read, and give the fault that comes of it."""
    with pytest.raises(SalesforceError) as caught:
        await client.query(SOQL)
    return caught.value.fault


async def written(client: SalesforceClient) -> Fault:
    """Make a record, and give the fault that comes of it."""
    (one,) = await client.create(LOOK_UP, [TASK])
    assert isinstance(one, Fault)
    return one


async def test_a_dead_token_is_replaced_once(script: ScriptedSalesforce, client: SalesforceClient) -> None:
    """A token that died costs one new token and one repetition, and the caller notices nothing."""
    script.replies.extend(
        [refusal(401, "INVALID_SESSION_ID", "Session expired or invalid"), rows({"Id": "1"})]
    )
    assert await client.query(SOQL) == [{"Id": "1"}]
    assert [seen.headers["Authorization"] for seen in script.seen] == ["Bearer t1", "Bearer t2"]


@pytest.mark.parametrize(
    "body",
    ["<html><title>Login</title></html>", {"message": "no"}, [], [{"errorCode": "INVALID_SESSION_ID"}]],
    ids=["html", "object", "empty", "array"],
)
@pytest.mark.parametrize("verb", ["query", "create"])
async def test_401_for_ever_ends(
    script: ScriptedSalesforce, client: SalesforceClient, body: object, verb: str
) -> None:
    """Whatever its body, a 401 that comes for ever costs two calls and two tokens, not a recursion (issue #804)."""
    script.default = Reply(401, body)
    fault = await (refused(client) if verb == "query" else written(client))
    assert (fault.kind, fault.status, fault.maybe_done) == (FaultKind.SIGN_IN, 401, False)
    assert (len(script.seen), len(script.token_requests)) == (2, 2)


async def test_a_session_that_is_not_for_rest_fails_at_once(
    script: ScriptedSalesforce, client: SalesforceClient
) -> None:
    """A new token would be refused in the same way, so none is fetched."""
    text = "This session is not valid for use with the REST API"
    script.default = refusal(401, "INVALID_SESSION_ID", text)
    assert (await refused(client)).kind is FaultKind.STOPPED
    assert (len(script.seen), len(script.token_requests)) == (1, 1)


async def test_headers_are_kept_on_the_repeated_call(
    script: ScriptedSalesforce, client: SalesforceClient
) -> None:
    """simple-salesforce drops extra headers when it repeats a call; a duplicate rule would then refuse the lead."""
    script.replies.extend(
        [refusal(401, "INVALID_SESSION_ID"), Reply(201, {"id": "00Q1", "success": True, "errors": []})]
    )
    header = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
    (made,) = await client.create(LOOK_UP, [NewRecord("Lead", {"LastName": "A"}, header)])
    assert made == Made("00Q1", "Lead")
    assert [one.headers.get("Sforce-Duplicate-Rule-Header") for one in script.seen] == ["allowSave=true"] * 2


async def test_the_client_follows_a_new_instance(script: ScriptedSalesforce, tmp_path: Path) -> None:
    """When a new token names another instance (the organisation moved), calls go there."""
    (tmp_path / "other").mkdir()
    with scripted(tmp_path / "other") as other:
        bundle = tmp_path / "both.pem"
        bundle.write_text(script.ca_file.read_text() + other.ca_file.read_text())
        script.token_replies.extend(
            [
                Reply(body={"access_token": "a", "instance_url": script.url}),
                Reply(body={"access_token": "b", "instance_url": other.url}),
            ]
        )
        script.replies.append(refusal(401, "INVALID_SESSION_ID"))
        async with salesforce_client(client_settings(script.url, bundle)) as client:
            assert await client.query(SOQL) == []
        assert [one.headers["Authorization"] for one in other.seen] == ["Bearer b"]


async def test_a_token_answer_without_instance(script: ScriptedSalesforce, client: SalesforceClient) -> None:
    """A token answer that names no instance means the one in the settings (an AttributeError in simple-salesforce)."""
    script.token_replies.append(Reply(body={"access_token": "a"}))
    assert await client.query(SOQL) == []


@pytest.mark.parametrize(
    "answer",
    [{}, {"access_token": ""}, {"access_token": "a", "instance_url": "http://x.test"}, {"access_token": 5}],
)
async def test_a_token_answer_that_is_none(
    script: ScriptedSalesforce, client: SalesforceClient, answer: dict[str, object]
) -> None:
    """An answer without a token, or one that would send it in clear text, is a failed sign-in."""
    script.token_replies.append(Reply(body=answer))
    fault = await refused(client)
    assert (fault.kind, fault.code) == (FaultKind.SIGN_IN, "LOGIN_ANSWER_INCOMPLETE")
    assert script.seen == []


async def test_no_answer_in_time(script: ScriptedSalesforce) -> None:
    """A server that says nothing is given up after the time limit; a POST may have been carried out."""
    async with salesforce_client(client_settings(script.url, script.ca_file, timeout=2.0)) as client:
        await client.query(SOQL)
        script.default = Reply(action="hang")
        began = time.monotonic()
        fault = await written(client)
        assert (fault.code, fault.kind, fault.maybe_done) == ("TIMEOUT", FaultKind.AGAIN, True)
        assert time.monotonic() - began < 20


async def test_an_answer_that_comes_in_drops_has_a_limit(script: ScriptedSalesforce) -> None:
    """A limit for each read is not enough: one octet after the other would hold a worker for hours."""
    settings = client_settings(script.url, script.ca_file, timeout=2.0)
    async with salesforce_client(settings) as client:
        await client.query(SOQL)
        script.default = Reply(body={"records": ["x" * 100_000]}, action="drip", pause=0.01)
        assert (await refused(client)).code == "TIMEOUT"


async def test_a_connection_that_breaks(script: ScriptedSalesforce, client: SalesforceClient) -> None:
    """A POST whose answer was lost may have been carried out and is not repeated."""
    await client.query(SOQL)
    script.default = Reply(action="reset")
    fault = await written(client)
    assert (fault.code, fault.kind, fault.maybe_done) == ("CONNECTION_RESET", FaultKind.AGAIN, True)
    assert [one.method for one in script.seen].count("POST") == 1


async def test_reading_is_repeated_once_when_the_connection_broke(
    script: ScriptedSalesforce, client: SalesforceClient
) -> None:
    """A connection that was kept may have been closed meanwhile: reading again is harmless, and done once."""
    script.replies.extend([Reply(action="reset"), rows({"Id": "1"})])
    assert await client.query(SOQL) == [{"Id": "1"}]
    script.default = Reply(action="reset")
    assert (await refused(client)).maybe_done is False
    assert len(script.seen) == 4


async def test_an_answer_that_is_cut_off(script: ScriptedSalesforce, client: SalesforceClient) -> None:
    """Half an answer to a POST means that it may have been carried out; half JSON of full length as well."""
    whole = {"id": "00T000000000001AAA", "success": True, "errors": []}
    script.replies.extend([Reply(201, whole, action="cut"), Reply(201, '{"id":"00T0000')])
    first, second = await written(client), await written(client)
    assert (first.code, first.maybe_done) == ("CONNECTION_RESET", True)
    assert (second.code, second.maybe_done) == ("NOT_JSON", True)


async def test_a_page_instead_of_json(script: ScriptedSalesforce, client: SalesforceClient) -> None:
    """A proxy's page with 200, and a maintenance page with 503, are temporary and told by their titles."""
    page = "<html><head><title>Down for maintenance</title></head></html>"
    script.replies.extend([Reply(200, page), Reply(503, page)])
    for code in ("NOT_JSON", "SERVER_UNAVAILABLE"):
        fault = await refused(client)
        assert (fault.kind, fault.code) == (FaultKind.AGAIN, code)
        assert "Down for maintenance" in fault.message


@pytest.mark.parametrize("body", [5, "x", [], {}, {"records": 3}, None])
async def test_an_answer_of_another_shape(
    script: ScriptedSalesforce, client: SalesforceClient, body: object
) -> None:
    """JSON of a shape that no answer has is temporary trouble, not a crash."""
    script.default = Reply(200, body)
    assert (await refused(client)).code == "NOT_JSON"
    fault = await written(client)
    assert (fault.code, fault.maybe_done) == ("NOT_JSON", True)


async def test_redirects_are_not_followed(script: ScriptedSalesforce, client: SalesforceClient) -> None:
    """A redirect would turn a POST into a GET and could take the token elsewhere."""
    script.default = Reply(302, "moved", {"Location": f"{script.url}/elsewhere"})
    assert (await refused(client)).status == 302
    assert all("elsewhere" not in one.path for one in script.seen)


async def test_a_next_page_elsewhere_is_not_followed(
    script: ScriptedSalesforce, client: SalesforceClient
) -> None:
    """A path of the next page that is none would name another host, and hand it the token."""
    script.replies.append(Reply(body={"done": False, "nextRecordsUrl": ".evil.test/x", "records": []}))
    assert await client.query(SOQL) == []
    assert len(script.seen) == 1


async def test_pages_are_followed(script: ScriptedSalesforce, client: SalesforceClient) -> None:
    """A query gives the rows of all its pages; the end is where no next page is named."""
    following = "/services/data/v67.0/query/01g-2000"
    script.replies.extend(
        [
            Reply(body={"done": False, "nextRecordsUrl": following, "records": [{"Id": "1"}]}),
            rows({"Id": "2"}),
        ]
    )
    assert await client.query(SOQL) == [{"Id": "1"}, {"Id": "2"}]
    assert script.seen[1].path == following


async def test_the_environment_has_no_say(
    script: ScriptedSalesforce, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither the CA, nor the proxy, nor the .netrc of the environment changes where calls go and whom they trust."""
    (tmp_path / "empty.pem").write_text("")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "empty.pem"))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login x password y\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with salesforce_client(client_settings(script.url, script.ca_file)) as client:
        assert await client.query(SOQL) == []
    assert script.seen[0].headers["Authorization"] == "Bearer t1"


async def test_a_certificate_that_is_not_trusted(script: ScriptedSalesforce) -> None:
    """Without its CA the server is not trusted, and nothing is sent to it, no secret either."""
    async with salesforce_client(client_settings(script.url, None)) as client:
        fault = await refused(client)
    assert (fault.code, fault.kind) == ("TLS_FAILED", FaultKind.AGAIN)
    assert script.token_requests == []


async def test_a_proxy_is_used(script: ScriptedSalesforce) -> None:
    """salesforce.proxy is what is connected to; when it is away, Salesforce is not reachable."""
    settings = client_settings(script.url, script.ca_file, proxy="http://127.0.0.1:9")
    async with salesforce_client(settings) as client:
        assert (await refused(client)).code == "NOT_REACHABLE"
    assert script.token_requests == []


async def test_nobody_listens(script: ScriptedSalesforce) -> None:
    """A port that nobody listens at: nothing was done, also by a POST."""
    async with salesforce_client(client_settings("https://127.0.0.1:9", script.ca_file)) as client:
        fault = await written(client)
    assert (fault.code, fault.maybe_done) == ("NOT_REACHABLE", False)


async def test_what_is_sent(script: ScriptedSalesforce, client: SalesforceClient) -> None:
    """Calls say who makes them, take gzip, and ask for no pretty-printing, which simple-salesforce always does."""
    await client.query(SOQL)
    headers = script.seen[0].headers
    assert headers["Sforce-Call-Options"] == "client=crm-relay"
    assert "gzip" in headers["Accept-Encoding"]
    assert "X-PrettyPrint" not in headers
    assert script.seen[0].path.startswith("/services/data/v67.0/query/?q=SELECT")


async def test_cookies_are_not_kept(script: ScriptedSalesforce, client: SalesforceClient) -> None:
    """Threads serve many identities: a cookie of one must not go along with another's call."""
    script.replies.append(Reply(200, {"done": True, "records": []}, {"Set-Cookie": "sid=secret; Path=/"}))
    await client.query(SOQL)
    await client.query(SOQL)
    assert "Cookie" not in script.seen[1].headers


async def test_the_token_endpoint_fails(script: ScriptedSalesforce, client: SalesforceClient) -> None:
    """A token endpoint that is down for a moment is temporary, and pauses nobody."""
    script.token_replies.append(Reply(503, "<html><title>Sorry</title></html>"))
    assert (await refused(client)).kind is FaultKind.AGAIN
    assert client.paused() is None
    assert await client.query(SOQL) == []


async def test_one_token_for_all_who_wait(script: ScriptedSalesforce, client: SalesforceClient) -> None:
    """Any number of calls that need a token at the same time fetch one."""
    await asyncio.gather(*(client.query(SOQL) for _ in range(20)))
    assert len(script.token_requests) == 1


async def test_one_refusal_for_all_who_wait(script: ScriptedSalesforce, client: SalesforceClient) -> None:
    """A sign-in that is refused is refused once, for all who wait for it, and then not asked again for a while."""
    script.token_replies.extend([Reply(400, {"error": "invalid_grant", "error_description": "x"})] * 20)
    results = await asyncio.gather(*(client.query(SOQL) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(one, SalesforceError) for one in results)
    assert len(script.token_requests) <= 2
    paused = client.paused()
    assert paused is not None
    assert paused.kind is FaultKind.SIGN_IN


async def test_no_more_at_once_than_allowed(script: ScriptedSalesforce) -> None:
    """salesforce.limits.concurrency holds for all identities together."""
    settings = client_settings(script.url, script.ca_file, limits=SalesforceLimits(concurrency=2))
    script.default = Reply(body={"done": True, "records": []}, action="drip", pause=0.002)
    meter = Meter()
    async with salesforce_client(settings, meter=meter) as client:
        await asyncio.gather(*(client.query(SOQL) for _ in range(6)))
    assert meter.calls == [("query", "ok")] * 6


async def test_errors_hold_no_secrets(
    script: ScriptedSalesforce, client: SalesforceClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the fault, nor its text, nor the log names the query, an address, a token or a secret."""
    caplog.set_level("DEBUG")
    text = "Email IN ('secret.person@customer.test')\n ^\nERROR at Row:1:Column:8\nunexpected token: 00D000000000001!AQabc.def"
    script.replies.append(refusal(400, "MALFORMED_QUERY", text))
    with pytest.raises(SalesforceError) as caught:
        await client.query(SOQL)
    script.default = Reply(action="reset")
    with pytest.raises(SalesforceError) as broken:
        await client.query(SOQL)
    told = f"{caught.value!r} {caught.value} {broken.value!r} {broken.value} {caplog.text}"
    for secret in ("secret.person", "AQabc", "s3cr3t", "Bearer", "SELECT"):
        assert secret not in told
    assert caught.value.fault.kind is FaultKind.OURS


async def test_a_value_that_json_does_not_know(script: ScriptedSalesforce, client: SalesforceClient) -> None:
    """A record that cannot be written as JSON is a fault of ours for that record; nothing is sent."""
    (one,) = await client.create(LOOK_UP, [NewRecord("Task", {"Subject": float("nan")})])
    assert isinstance(one, Fault)
    assert (one.kind, one.maybe_done) == (FaultKind.OURS, False)
    assert script.seen == []


async def test_a_cancelled_call_frees_its_place(script: ScriptedSalesforce) -> None:
    """Who gives up waiting does not take a worker away for good."""
    settings = client_settings(
        script.url, script.ca_file, limits=SalesforceLimits(concurrency=1), timeout=2.0
    )
    async with salesforce_client(settings) as client:
        await client.query(SOQL)
        script.replies.append(Reply(action="hang"))
        first = asyncio.ensure_future(client.create(LOOK_UP, [TASK]))
        second = asyncio.ensure_future(client.query(SOQL))
        await asyncio.sleep(0)
        for one in (first, second):
            one.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        assert await client.query(SOQL) == []


async def test_composite_of_another_shape(script: ScriptedSalesforce, client: SalesforceClient) -> None:
    """A composite answer that leaves parts out gives each of them a fault, and none is taken for done."""
    script.default = Reply(
        200, {"compositeResponse": [{"referenceId": "b", "httpStatusCode": 200, "body": None}]}
    )
    answers = await client.composite(
        LOOK_UP, [SubRequest("GET", "limits/", "a"), SubRequest("GET", "limits/", "b")]
    )
    assert [one.fault is None for one in answers] == [False, True]
    assert answers[0].fault is not None
    assert answers[0].fault.maybe_done


async def test_a_change_on_condition(script: ScriptedSalesforce, client: SalesforceClient) -> None:
    """A change that must not overwrite another's says since when, and is told CHANGED when somebody was faster."""
    script.replies.append(Reply(412, [{"errorCode": "", "message": ""}]))
    change = Changed("Task", "00T1", {"Subject": "x"}, unmodified_since=1_790_000_000_000_000)
    (one,) = await client.update(LOOK_UP, [change])
    assert isinstance(one, Fault)
    assert one.kind is FaultKind.CHANGED
    assert script.seen[0].headers["If-Unmodified-Since"] == "Mon, 21 Sep 2026 14:13:20 GMT"
