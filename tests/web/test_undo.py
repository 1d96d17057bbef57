"""Records on the page: each with its link and why it was matched, and taken back by its rep alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from relay.clock import SystemClock
from relay.demo.salesforce.simulator import Simulator
from relay.ids import DeliveryId, Login, QueueId, queue_id_of
from relay.queue.model import Change, State
from relay.reminding import client_of
from relay.salesforce.composed import Intended
from relay.salesforce.model import Made
from relay.salesforce.record_rows import Intention, RecordState, Told
from relay.salesforce.store import RecordStore
from relay.storage.database import Transaction
from tests.support.builders import lease, new_message, record, to_recipient
from tests.support.page import SETTINGS, Page, open_page
from tests.support.salesforce import people
from tests.support.salesforce import settings as salesforce_settings

STORE = RecordStore()


@asynccontextmanager
async def page_with(salesforce: Simulator, folder: Path) -> AsyncIterator[Page]:
    """Give the page beside a simulated Salesforce."""
    async with open_page(folder, SETTINGS + salesforce_settings(salesforce, folder)) as page:
        page.actions.client = client_of(page.actions.configuration(), SystemClock(), page.house.database)
        try:
            yield page
        finally:
            assert page.actions.client is not None
            await page.actions.client.close()


async def recorded(page: Page, task: str, contact: str) -> tuple[QueueId, DeliveryId]:
    """Put in a message of ana's that was recorded as this task on this contact."""
    number = page.actions.next_number()
    queue_id = queue_id_of(number)
    one = Intended("key1", "Task", {}, related=(contact,), summary="Task on contact <Person>")

    def keep(tx: Transaction) -> DeliveryId:
        message = new_message(number=number, login="ana", subject="Offer", accepted_at=page.clock.now())
        recipient, waiting = page.house.store.accept(tx, message, [to_recipient(), record()], lease=lease())
        page.house.store.settle(tx, queue_id, [Change(recipient.id, 1, State.SENT, None, "250 ok")])
        (claimed,) = page.house.store.claim(tx, waiting.transport, page.clock.now() + 10**9, 10, lease())
        (mine,) = claimed.deliveries
        STORE.intend(tx, [Intention(mine.id, queue_id, Login("ana"), "", [one])], page.clock.now())
        STORE.start(tx, [("key1", False)], page.clock.now())
        STORE.made(tx, [("key1", Made(task, "Task"), False, "")], page.clock.now())
        STORE.tell(tx, [Told(mine.id, queue_id, Login("ana"), "one contact has <it>")], page.clock.now())
        page.house.store.settle(tx, queue_id, [Change(mine.id, mine.fence, State.SENT, None, "logged")])
        return mine.id

    return queue_id, await page.house.database.write(keep)


async def test_a_message_shows_each_record_with_its_link_and_why(
    tmp_path: Path, salesforce: Simulator
) -> None:
    """The record and what it stands on lead into Salesforce; the match is told in words."""
    async with page_with(salesforce, tmp_path) as page:
        (contact,) = people(salesforce, 1)
        task = salesforce.add("Task", Subject="Offer", WhoId=contact)
        message, _ = await recorded(page, task, contact)
        ana = await page.signed_in("ana")
        text = (await ana.get(f"/messages/{message}")).text
        assert f'href="{salesforce.url}/{task}"' in text
        assert f'href="{salesforce.url}/{contact}"' in text
        assert "one contact has &lt;it&gt;" in text
        for path in ("/today", "/center"):
            assert f'href="{salesforce.url}/{task}"' in (await ana.get(path)).text


async def test_undo_deletes_the_record_in_salesforce_and_it_is_never_made_again(
    tmp_path: Path, salesforce: Simulator
) -> None:
    """What was made is deleted there, a tombstone stays here, the page says so, and who did it is kept."""
    async with page_with(salesforce, tmp_path) as page:
        (contact,) = people(salesforce, 1)
        task = salesforce.add("Task", Subject="Offer", WhoId=contact)
        message, key = await recorded(page, task, contact)
        ana = await page.signed_in("ana")
        answer = await ana.follow(await ana.post(f"/deliveries/{key}/undo"))
        assert "never logged again" in answer.text
        assert "Undone" in answer.text
        assert salesforce.rows("Task") == []
        rows = await page.house.database.read(lambda tx: STORE.by_keys(tx, ["key1"]))
        assert rows["key1"].state is RecordState.UNDONE
        assert f"ana record.undone {message}" in await page.audited()
        assert "log.undone" in await page.house.names(message)
        assert f"/deliveries/{key}/undo" not in answer.text


async def test_what_salesforce_cannot_delete_now_is_undone_once_more_later(
    tmp_path: Path, salesforce: Simulator
) -> None:
    """The tombstone stands at once; the button stays until the record is gone."""
    async with page_with(salesforce, tmp_path) as page:
        (contact,) = people(salesforce, 1)
        task = salesforce.add("Task", Subject="Offer", WhoId=contact)
        _, key = await recorded(page, task, contact)
        ana = await page.signed_in("ana")
        salesforce.toggles.api_enabled = False
        answer = await ana.follow(await ana.post(f"/deliveries/{key}/undo"))
        assert "could not delete it just now" in answer.text
        assert f"/deliveries/{key}/undo" in answer.text
        assert len(salesforce.rows("Task")) == 1
        salesforce.toggles.api_enabled = True
        assert page.actions.client is not None
        page.actions.client.try_now()
        await ana.post(f"/deliveries/{key}/undo")
        assert salesforce.rows("Task") == []


async def test_nobody_undoes_anothers_record(tmp_path: Path, salesforce: Simulator) -> None:
    """Neither a rep nor an admin; it is not there for them."""
    async with page_with(salesforce, tmp_path) as page:
        (contact,) = people(salesforce, 1)
        task = salesforce.add("Task", Subject="Offer", WhoId=contact)
        _, key = await recorded(page, task, contact)
        for login in ("bo", "bea", "cid"):
            assert (await (await page.signed_in(login)).post(f"/deliveries/{key}/undo")).status == 404
        assert len(salesforce.rows("Task")) == 1
