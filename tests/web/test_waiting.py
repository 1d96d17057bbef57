"""Mail that waits for a Salesforce that does not answer says so on its page."""

import contextlib
from pathlib import Path

from relay.ids import queue_id_of
from relay.salesforce.exchange import SalesforceError
from tests.support.builders import lease, new_message, record, to_recipient
from tests.support.page import open_page
from tests.support.salesforce_client import client_settings, salesforce_client


async def test_a_record_that_nobody_has_tried(tmp_path: Path) -> None:
    """The reason is the service's, on Today and twice on the mail's page, and stored nowhere."""
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
        assert "NOT_REACHABLE" not in (await ana.get("/today")).text
        with contextlib.suppress(SalesforceError):
            await client.query("SELECT Id FROM User")
        assert (await ana.get(path)).text.count("NOT_REACHABLE") == 2
        assert (await ana.get("/today")).text.count("NOT_REACHABLE") == 1
