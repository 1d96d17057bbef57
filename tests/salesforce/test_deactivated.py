"""A rep whose Salesforce user is gone keeps nobody else's mail from being recorded."""

from pathlib import Path

import pytest

from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from relay.queue.model import State
from relay.queue.selection import Selection
from tests.support.recording_house import recording_house
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce

NOTHING = {"totalSize": 0, "done": True, "records": []}


@pytest.mark.parametrize("gone", ["ana", "bo"])
async def test_one_rep_is_deactivated(tmp_path: Path, salesforce: Simulator, gone: str) -> None:
    """Each rep writes as themselves: the one who may not sign in waits, with the reason; the other is recorded."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, kind="jwt", start=False) as house:
        user = next(row for row in salesforce.rows("User") if row["Username"] == f"{gone}@example.com.crm")
        salesforce.edit("User", str(user["Id"]), IsActive=False)
        waits = await house.accept(login=gone)
        goes = await house.accept(login="bo" if gone == "ana" else "ana")
        house.start()
        await house.recorded(goes)
        found = await house.wait_for(waits, State.DEFERRED)
        assert "INVALID_GRANT" in found.reason
        assert len(salesforce.rows("EmailMessage")) == 1
        salesforce.edit("User", str(user["Id"]), IsActive=True)
        one = Selection(message=waits)
        await house.database.write(lambda tx: house.queue.retry(tx, one, house.clock.now()))
        house.try_now()
        await house.recorded(waits)


@pytest.mark.parametrize("closed", ["ana", "bo"])
async def test_one_rep_may_not_use_the_api(tmp_path: Path, salesforce: Simulator, closed: str) -> None:
    """A rep without *API Enabled* may sign in, and can do nothing: that rep's mail waits, another rep looks up."""
    people(salesforce, 1)
    salesforce.toggles.api_disabled_users = frozenset({f"{closed}@example.com.crm"})
    async with recording_house(tmp_path, salesforce, kind="jwt", start=False) as house:
        waits = await house.accept(login=closed)
        goes = [await house.accept(login="bo" if closed == "ana" else "ana") for _ in range(2)]
        house.start()
        await house.recorded(*goes)
        found = await house.wait_for(waits, State.DEFERRED)
        assert "API_CURRENTLY_DISABLED" in found.reason
        assert house.recording.client is not None
        assert house.recording.client.paused() is None


async def test_nobody_may_use_the_api(tmp_path: Path, salesforce: Simulator) -> None:
    """Every rep is tried once, then all wait: no call goes on asking for what nobody may."""
    people(salesforce, 1)
    names = frozenset(f"{one}@example.com.crm" for one in ("ana", "bo"))
    salesforce.toggles.api_disabled_users = names
    async with recording_house(tmp_path, salesforce, kind="jwt") as house:
        found = await house.wait_for(await house.accept(), State.DEFERRED)
        assert "API_CURRENTLY_DISABLED" in found.reason
        assert len(salesforce.calls) == 2
        await house.wait_for(await house.accept(login="bo"), State.DEFERRED)
        assert len(salesforce.calls) == 2


async def test_one_rep_does_not_see_contacts(tmp_path: Path, salesforce: Simulator) -> None:
    """A rep without *Read* on contacts looks nobody up for the others: the next one does."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, kind="jwt") as house:
        user = next(row for row in salesforce.rows("User") if row["Username"] == "ana@example.com.crm")
        refused = [{"errorCode": "INVALID_TYPE", "message": "sObject type 'Contact' is not supported."}]
        parts = [
            {"referenceId": name, "httpStatusCode": 400, "httpHeaders": {}, "body": refused}
            if name == "Contact"
            else {"referenceId": name, "httpStatusCode": 200, "httpHeaders": {}, "body": NOTHING}
            for name in ("User", "Contact", "Lead", "OpportunityContactRole")
        ]
        salesforce.inject(
            Injected(
                Action.ANSWER,
                path=r"/composite/?$",
                user=str(user["Id"]),
                times=None,
                status=200,
                body={"compositeResponse": parts},
            )
        )
        await house.recorded(await house.accept(login="bo"))
        assert len(salesforce.rows("EmailMessage")) == 1


async def test_one_rep_may_make_no_email_messages(tmp_path: Path, salesforce: Simulator) -> None:
    """A rep without the permission makes Tasks from then on; everybody else's mail still is an EmailMessage."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, kind="jwt") as house:
        user = next(row for row in salesforce.rows("User") if row["Username"] == "ana@example.com.crm")
        code, kind = "INSUFFICIENT_ACCESS_OR_READONLY", "EmailMessage"
        refusal = Injected(
            Action.ITEM, code=code, message="no", object=kind, record="ana@example.com", times=None
        )
        salesforce.inject(refusal)
        first = await house.accept()
        await house.wait_for(first, State.DEFERRED, State.SENT)
        house.later(5)
        await house.recorded(first, await house.accept(login="bo"), await house.accept())
        assert [row["CreatedById"] for row in salesforce.rows("Task")].count(user["Id"]) == 2
        (mail,) = salesforce.rows("EmailMessage")
        assert mail["CreatedById"] != user["Id"]
