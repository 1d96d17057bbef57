"""The verbs of the client against the simulated Salesforce: reading, writing alone and in numbers, files, faults."""

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest

from relay.config.recording import SalesforceLimits
from relay.demo.salesforce import faults
from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from relay.salesforce import request as request_module
from relay.salesforce.client import LOOK_UP, NewRecord, SalesforceClient, SalesforceError
from relay.salesforce.exchange import Changed, SubRequest
from relay.salesforce.model import Fault, FaultKind, Made, Written
from tests.support.clock import FakeClock
from tests.support.salesforce import WatchedSimulator, people
from tests.support.salesforce import salesforce as salesforce  # the fixture
from tests.support.salesforce_client import Meter, salesforce_client
from tests.support.salesforce_org import org_settings, secrets_of


def made(written: Written) -> Made:
    """Take it for made."""
    assert isinstance(written, Made), written
    return written


def fault(written: Written) -> Fault:
    """Take it for a fault."""
    assert isinstance(written, Fault), written
    return written


def connect(salesforce: Simulator, **more: object) -> AbstractAsyncContextManager[SalesforceClient]:
    """Make a client of the simulator."""
    return salesforce_client(org_settings(salesforce), secrets=secrets_of(salesforce), **more)  # type: ignore[arg-type]


async def test_all_pages(salesforce: Simulator) -> None:
    """A query gives every row, over all its pages."""
    salesforce.toggles.page_size = 200
    people(salesforce, 450)
    async with connect(salesforce) as client:
        rows = await client.query("SELECT Id FROM Contact")
        sizes = [len(page) async for page in client.pages("SELECT Id FROM Contact")]
    assert len({row["Id"] for row in rows}) == 450
    assert sizes == [200, 200, 50]


async def test_deleted_rows(salesforce: Simulator) -> None:
    """all_rows gives what is in the recycle bin, too."""
    first, _ = people(salesforce, 2)
    salesforce.remove("Contact", first)
    async with connect(salesforce) as client:
        assert len(await client.query("SELECT Id FROM Contact")) == 1
        assert len(await client.query("SELECT Id FROM Contact", all_rows=True)) == 2


async def test_one_is_made_and_many_are_made(salesforce: Simulator) -> None:
    """One record costs one POST, 250 cost two calls; each comes back with its id, in order."""
    async with connect(salesforce) as client:
        (one,) = await client.create(LOOK_UP, [NewRecord("Task", {"Subject": "alone"})])
        tasks = [NewRecord("Task", {"Subject": f"s{number}"}) for number in range(250)]
        many = await client.create(LOOK_UP, tasks)
    assert salesforce.row(made(one).id)["Subject"] == "alone"
    assert [salesforce.row(made(task).id)["Subject"] for task in many] == [f"s{n}" for n in range(250)]
    assert len(salesforce.calls) == 3


async def test_a_partial_failure(salesforce: WatchedSimulator) -> None:
    """One record of a collection that is refused leaves its neighbours alone."""
    salesforce.expect_refused("STRING_TOO_LONG")
    async with connect(salesforce) as client:
        subjects = ("good", "x" * 256, "good as well")
        first, second, third = await client.create(
            LOOK_UP, [NewRecord("Task", {"Subject": subject}) for subject in subjects]
        )
    assert (fault(second).kind, fault(second).fields) == (FaultKind.TOO_LONG, ("Subject",))
    assert made(first).id != made(third).id
    assert len(salesforce.rows("Task")) == 2


async def test_changing_and_deleting(salesforce: WatchedSimulator) -> None:
    """Records are changed and deleted alone and in numbers; what is gone already counts as deleted."""
    salesforce.expect_refused("ENTITY_IS_DELETED")
    async with connect(salesforce) as client:
        tasks = [
            made(one).id
            for one in await client.create(LOOK_UP, [NewRecord("Task", {"Subject": n}) for n in "abc"])
        ]
        await client.update(LOOK_UP, [Changed("Task", tasks[0], {"Subject": "A"})])
        both = [Changed("Task", task, {"Subject": "X"}) for task in tasks[1:]]
        assert [made(one).id for one in await client.update(LOOK_UP, both)] == tasks[1:]
        assert [salesforce.row(task)["Subject"] for task in tasks] == ["A", "X", "X"]
        (one,) = await client.delete(LOOK_UP, [("Task", tasks[0])])
        assert not made(one).found
        (again,) = await client.delete(LOOK_UP, [("Task", tasks[0])])
        assert made(again).found
        rest = await client.delete(LOOK_UP, [("Task", task) for task in tasks])
        assert [made(one).found for one in rest] == [True, False, False]
        (gone,) = await client.update(LOOK_UP, [Changed("Task", tasks[0], {"Subject": "B"})])
        assert fault(gone).kind is FaultKind.GONE


async def test_upserting_by_key(salesforce: Simulator) -> None:
    """The same key makes one record however often it is written, alone or in numbers."""
    salesforce.toggles.relay_key_field = True
    async with connect(salesforce) as client:

        def task(key: str, subject: str) -> NewRecord:
            return NewRecord("Task", {"Relay_Key__c": key, "Subject": subject})

        key = "<a+b/c:1@x>"
        (first,) = await client.upsert(LOOK_UP, "Relay_Key__c", [task(key, "one")])
        (again,) = await client.upsert(LOOK_UP, "Relay_Key__c", [task(key, "two")])
        many = await client.upsert(LOOK_UP, "Relay_Key__c", [task(key, "three"), task("other", "four")])
    assert (made(first).found, made(again).found) == (False, True)
    assert [made(one).found for one in many] == [True, False]
    assert sorted(str(row["Subject"]) for row in salesforce.rows("Task")) == ["four", "three"]


async def test_composite(salesforce: WatchedSimulator) -> None:
    """Parts of one call may refer to each other; with all_or_none one that fails undoes the rest."""
    salesforce.expect_refused("STRING_TOO_LONG")
    (contact,) = people(salesforce, 1)
    mail = {
        "Subject": "Offer",
        "TextBody": "Hello",
        "Status": "3",
        "Incoming": False,
        "IsClientManaged": True,
        "ToIds": [contact],
        "MessageIdentifier": "<1@relay.example.com>",
    }
    relation = {
        "EmailMessageId": "@{mail.id}",
        "RelationId": salesforce.integration_user,
        "RelationType": "FromAddress",
        "RelationAddress": "ana@example.com",
    }
    async with connect(salesforce) as client:
        parts = [
            SubRequest("POST", "sobjects/EmailMessage", "mail", mail),
            SubRequest("POST", "sobjects/EmailMessageRelation", "sender", relation),
        ]
        answers = await client.composite(LOOK_UP, parts, all_or_none=True)
        assert [one.fault for one in answers] == [None, None]
        assert answers[0].id == salesforce.rows("EmailMessage")[0]["Id"]
        bad = SubRequest("POST", "sobjects/Task", "task", {"Subject": "x" * 256})
        answers = await client.composite(LOOK_UP, [*parts, bad], all_or_none=True)
    kinds = [one.fault.kind for one in answers if one.fault is not None]
    assert kinds == [FaultKind.NEIGHBOUR, FaultKind.NEIGHBOUR, FaultKind.TOO_LONG]
    assert len(salesforce.rows("EmailMessage")) == 1


@pytest.mark.parametrize("multipart", [False, True])
async def test_files(salesforce: Simulator, multipart: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file arrives octet by octet, as base64 and as multipart, and is linked to its record."""
    if multipart:
        monkeypatch.setattr(request_module, "MULTIPART_FROM", 10)
    (contact,) = people(salesforce, 1)
    data = bytes(range(256)) * 40
    async with connect(salesforce) as client:
        written = await client.upload(LOOK_UP, {"FirstPublishLocationId": contact}, "offert ö.pdf", data)
    assert salesforce.file(made(written).id) == data
    assert salesforce.rows("ContentVersion")[0]["PathOnClient"] == "offert ö.pdf"
    assert contact in [link["LinkedEntityId"] for link in salesforce.rows("ContentDocumentLink")]


async def test_windows_of_changes(salesforce: WatchedSimulator) -> None:
    """The replication calls are reachable by get."""
    salesforce.expect_refused("INVALID_REPLICATION_DATE")
    async with connect(salesforce) as client:
        params = {"start": "2026-01-01T00:00:00+00:00", "end": "2026-01-01T00:30:00+00:00"}
        with pytest.raises(SalesforceError) as caught:
            await client.get("sobjects/Task/deleted/", params=params)
        assert caught.value.fault.kind is FaultKind.WINDOW


@pytest.mark.parametrize(
    ("injected", "kind", "maybe_done", "there"),
    [
        (faults.unavailable(), FaultKind.AGAIN, True, 0),
        (faults.locked(), FaultKind.AGAIN, False, 0),
        (faults.too_many_at_once(), FaultKind.AGAIN, False, 0),
        (faults.unknown(), FaultKind.UNKNOWN, True, 0),
        (faults.maintenance(), FaultKind.AGAIN, False, 0),
        (Injected(Action.RESET_BEFORE), FaultKind.AGAIN, True, 0),
        (Injected(Action.RESET_AFTER_COMMIT), FaultKind.AGAIN, True, 1),
        (Injected(Action.TRUNCATE), FaultKind.AGAIN, True, 1),
        (Injected(Action.SLOW, seconds=30.0), FaultKind.AGAIN, True, 1),
        (Injected(Action.ANSWER, status=420, body=[]), FaultKind.AGAIN, False, 0),
        (Injected(Action.ANSWER, status=429, body=[], retry_after=9), FaultKind.AGAIN, False, 0),
        (Injected(Action.ANSWER_AFTER, status=502, body=[]), FaultKind.AGAIN, True, 1),
    ],
    ids=lambda one: one.action if isinstance(one, Injected) else "",
)  # fmt: skip
async def test_a_create_that_goes_wrong(
    salesforce: Simulator, injected: Injected, kind: FaultKind, maybe_done: bool, there: int
) -> None:
    """After each trouble the fault says what it means, and maybe_done is never false when the record is there."""
    settings = org_settings(salesforce, timeout=3.0)
    async with salesforce_client(settings, secrets=secrets_of(salesforce)) as client:
        await client.query("SELECT Id FROM User")
        salesforce.inject(injected)
        (written,) = await client.create(LOOK_UP, [NewRecord("Task", {"Subject": "x"})])
    assert (fault(written).kind, fault(written).maybe_done) == (kind, maybe_done)
    assert fault(written).retry_after == (
        600.0 if "MAINTENANCE" in fault(written).code else injected.retry_after
    )
    assert len(salesforce.rows("Task")) == there


async def test_a_session_that_ends_in_the_middle(salesforce: Simulator) -> None:
    """A write that finds its token dead is made once with a new one."""
    async with connect(salesforce) as client:
        await client.query("SELECT Id FROM User")
        salesforce.inject(Injected(Action.EXPIRED_SESSION))
        (written,) = await client.create(LOOK_UP, [NewRecord("Task", {"Subject": "x"})])
    assert made(written).id == salesforce.rows("Task")[0]["Id"]
    assert len(salesforce.rows("Task")) == 1


async def test_duplicates_are_named(salesforce: Simulator) -> None:
    """A duplicate rule names the record that is there; its header lets the new one in."""
    salesforce.toggles.duplicate_rules = True
    (there,) = people(salesforce, 1)
    person = {"LastName": "Number 1", "Email": "person1@buyer.example"}
    allow = {
        "Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=true; runAsCurrentUser=true"
    }
    async with connect(salesforce) as client:
        (first,) = await client.create(LOOK_UP, [NewRecord("Contact", person)])
        (second,) = await client.create(LOOK_UP, [NewRecord("Contact", person, allow)])
    assert (fault(first).kind, fault(first).record_ids) == (FaultKind.DUPLICATE, (there,))
    assert made(second).id != there


async def test_the_day_is_used_up(salesforce: Simulator) -> None:
    """At the hard limit nobody calls for 15 minutes, then one tries; when calls are back, all do."""
    clock, meter = FakeClock(), Meter()
    salesforce.toggles.daily_limit = 1000
    async with connect(salesforce, clock=clock, meter=meter) as client:
        await client.query("SELECT Id FROM User")
        salesforce.inject(faults.over_limit(times=None))
        (one,) = await client.create(LOOK_UP, [NewRecord("Task", {"Subject": "x"})])
        assert fault(one).kind is FaultKind.LIMIT
        calls = len(salesforce.calls)
        (two,) = await client.create(LOOK_UP, [NewRecord("Task", {"Subject": "x"})])
        assert fault(two).retry_after == pytest.approx(900)
        assert len(salesforce.calls) == calls
        salesforce.clear_faults()
        clock.advance(901)
        (three,) = await client.create(LOOK_UP, [NewRecord("Task", {"Subject": "x"})])
        made(three)
        assert client.paused() is None
    assert meter.calls == [("query", "ok"), ("create", "limit"), ("create", "ok")]


async def test_the_budget(salesforce: Simulator) -> None:
    """At 80 % background work stops, at 95 % recording; what others use counts; try_now lets one through."""
    salesforce.toggles.daily_limit = 100
    async with connect(salesforce, clock=FakeClock()) as client:

        async def asks(background: bool) -> bool:
            answers = await asyncio.gather(
                client.query("SELECT Id FROM User", background=background), return_exceptions=True
            )
            return not isinstance(answers[0], SalesforceError) or answers[0].fault.code != "RELAY_BUDGET"

        assert await asks(True)
        salesforce.use_elsewhere(80)
        assert await asks(False)
        assert not await asks(True)
        assert (client.allowed(), client.allowed(background=True)) == (True, False)
        salesforce.use_elsewhere(15)
        assert await asks(False)
        assert not await asks(False)
        paused, usage = client.paused(), client.usage()
        assert paused is not None
        assert usage is not None
        assert (paused.kind, usage.used, usage.maximum) == (FaultKind.LIMIT, 98, 100)
        calls = len(salesforce.calls)
        client.try_now()
        assert await asks(False)
        assert not await asks(False)
        assert len(salesforce.calls) == calls + 1


async def test_an_api_that_is_closed(salesforce: Simulator) -> None:
    """An organisation without API is asked once an hour, until it has one."""
    clock = FakeClock()
    salesforce.toggles.api_enabled = False
    async with connect(salesforce, clock=clock) as client:
        for _ in range(3):
            with pytest.raises(SalesforceError) as caught:
                await client.query("SELECT Id FROM User")
            assert caught.value.fault.code == "API_DISABLED_FOR_ORG"
        assert len(salesforce.calls) == 1
        salesforce.toggles.api_enabled = True
        clock.advance(3601)
        assert await client.query("SELECT Id FROM User")


async def test_one_rep_without_the_api(salesforce: Simulator) -> None:
    """A user who may not use the API is told API_CURRENTLY_DISABLED, which stops the identity."""
    salesforce.toggles.api_disabled_users = frozenset({"integration@relay.demo"})
    async with connect(salesforce) as client:
        with pytest.raises(SalesforceError) as caught:
            await client.query("SELECT Id FROM User")
        assert caught.value.fault.kind is FaultKind.STOPPED


async def test_describe(salesforce: WatchedSimulator) -> None:
    """Describe gives lengths and picklists, is asked once an hour, and then only whether it changed."""
    salesforce.expect_refused("NOT_FOUND")
    clock = FakeClock(now=round(salesforce.now().timestamp() * 1_000_000))
    async with connect(salesforce, clock=clock) as client:
        task = await client.describe("Task")
        assert task is not None
        assert (task.length("Subject", 0), task.length("Description", 0)) == (255, 32000)
        assert task.fields["Type"].picklist == ("Call", "Email", "Meeting", "Other")
        assert (task.fields["TaskSubtype"].createable, task.fields["TaskSubtype"].updateable) == (True, False)
        assert await client.describe("Task") is task
        assert len(salesforce.calls) == 1
        clock.advance(3601)
        assert await client.describe("Task") is task
        assert [call.status for call in salesforce.calls] == [200, 304]
        assert await client.describe("Nothing__c") is None


async def test_a_hidden_field(salesforce: Simulator) -> None:
    """A field that field-level security hides is not in describe, and naming it is a fault that names it."""
    salesforce.toggles.hidden_fields = frozenset({"Task.Type"})
    async with connect(salesforce) as client:
        task = await client.describe("Task")
        assert task is not None
        assert not task.may_create("Type")
        (one,) = await client.create(LOOK_UP, [NewRecord("Task", {"Subject": "x", "Type": "Email"})])
    assert (fault(one).kind, fault(one).fields) == (FaultKind.FIELD, ("Type",))


async def test_statuses_and_priorities(salesforce: Simulator) -> None:
    """The organisation's own labels, in its order, asked once."""
    salesforce.toggles.status_values = (("Öppen", False), ("Klar", True), ("Completed", True))
    async with connect(salesforce) as client:
        for _ in range(2):
            statuses, priorities = await client.statuses(), await client.priorities()
        assert [(row.value, row.closed) for row in statuses] == [
            ("Öppen", False),
            ("Klar", True),
            ("Completed", True),
        ]
        assert [row.value for row in priorities if row.high] == ["High"]
    assert len(salesforce.calls) == 2


async def test_salesforce_tells_the_time(salesforce: Simulator) -> None:
    """server_now follows Salesforce's clock, not ours."""
    clock = FakeClock(now=0)
    async with connect(salesforce, clock=clock) as client:
        assert client.server_now() == 0
        await client.query("SELECT Id FROM User")
        assert abs(client.server_now() / 1e6 - salesforce.now().timestamp()) < 5


async def test_usage_is_seen_on_refusals_too(salesforce: WatchedSimulator) -> None:
    """Sforce-Limit-Info is read from every answer."""
    salesforce.expect_refused("STRING_TOO_LONG")
    meter = Meter()
    async with connect(salesforce, meter=meter) as client:
        await client.create(LOOK_UP, [NewRecord("Task", {"Subject": "x" * 256})])
        usage = client.usage()
    assert usage is not None
    assert usage.used == 1
    assert meter.remaining == [usage.remaining]
    assert meter.calls == [("create", "too_long")]


async def test_concurrency_is_a_limit(salesforce: Simulator) -> None:
    """Settings with one call at once work."""
    settings = org_settings(salesforce, limits=SalesforceLimits(concurrency=1))
    client: SalesforceClient
    async with salesforce_client(settings, secrets=secrets_of(salesforce)) as client:
        assert await client.query("SELECT Id FROM User", background=True)
