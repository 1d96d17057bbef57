"""Mail that waits for a Salesforce that does not answer says so on its page."""

import contextlib
import re
from pathlib import Path

from relay.ids import queue_id_of
from relay.salesforce.exchange import SalesforceError
from tests.support.builders import lease, new_message, record, to_recipient
from tests.support.page import open_page
from tests.support.salesforce_client import client_settings, salesforce_client


def version_of(text: str) -> str:
    """Give what a list calls the state that it shows."""
    found = re.search(r"version=([^\"&]+)\"", text)
    assert found is not None
    return found[1]


async def test_a_record_that_nobody_has_tried(tmp_path: Path) -> None:
    """The reason is the service's, on Today, in the command center, in the admin's list and twice on the mail's page, and stored nowhere."""
    nobody = client_settings("https://127.0.0.1:1", None)
    async with open_page(tmp_path) as page, salesforce_client(nobody, clock=page.clock) as client:
        number = page.actions.next_number()
        message = new_message(number=number, login="ana", accepted_at=page.clock.now())
        await page.house.database.write(
            lambda tx: page.house.store.accept(tx, message, [to_recipient(), record()], lease=lease())
        )
        await page.house.database.write(
            lambda tx: tx.execute("UPDATE delivery SET state = 'active' WHERE role = 'record'")
        )
        page.actions.client = client
        ana, path = await page.signed_in("ana"), f"/messages/{queue_id_of(number)}"
        assert "NOT_REACHABLE" not in (await ana.get(path)).text
        bea, center = await page.signed_in("bea"), "/center?section=in_progress"
        for visitor, list_ in ((ana, "/today"), (ana, center), (bea, "/admin/messages")):
            assert "NOT_REACHABLE" not in (await visitor.get(list_)).text
        before = version_of((await ana.get(center)).text)
        with contextlib.suppress(SalesforceError):
            await client.query("SELECT Id FROM User")
        assert (await ana.get(path)).text.count("NOT_REACHABLE") == 2
        for visitor, list_ in ((ana, "/today"), (ana, center), (bea, "/admin/messages")):
            assert (await visitor.get(list_)).text.count("NOT_REACHABLE") == 1, list_
        now = (await ana.get(f"/center/list?section=in_progress&version={before}")).text
        assert "NOT_REACHABLE" in now
        assert (await ana.get(f"/center/list?section=in_progress&version={version_of(now)}")).status == 204
        assert "NOT_REACHABLE" in (await bea.get("/admin/messages/export?format=csv")).text
