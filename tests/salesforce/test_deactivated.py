"""A rep whose Salesforce user is gone keeps nobody else's mail from being recorded."""

from pathlib import Path

import pytest

from relay.demo.salesforce.simulator import Simulator
from relay.queue.model import State
from relay.queue.selection import Selection
from tests.support.recording_house import recording_house
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce


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
